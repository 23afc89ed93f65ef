"""An executor that is killed at any moment of a call loses no job, and no work is done twice that can be found.

`SIGNOFF_KILLS` says how many executors are killed at each moment that have a call of each agent then. They are killed
up to eight at a time, and what became of their calls is printed.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from itertools import count

import psutil
import pytest
from support.fakes import until
from support.gates import PEERS, SECRET, Gate, Moment, Peer
from support.system import System, another

from contracts.resources import NewAgent
from signoff.status import Delivery, JobStatus
from signoff.types import Job

KILLS = int(os.environ.get("SIGNOFF_KILLS", "1"))
EXECUTORS = min(KILLS, 8)  # at a time: as many as there are partitions
ARRIVAL_S = 120  # until all calls are at the moment; partitions of the killed are others' after 10 s
NUMBERS = count(1)


@pytest.fixture(scope="module")
async def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
async def agents(
    system: System, gate: Gate, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Peer]]:
    """Agents of each protocol behind the gate, by their ids."""
    system.keep_header("journey/signing", SECRET)
    agents: dict[str, Peer] = {}
    async with AsyncExitStack() as stack:
        for name, make in PEERS.items():
            peer = await stack.enter_async_context(make(tmp_path_factory.mktemp(name)))
            url = await stack.enter_async_context(gate.before(name, peer)) + peer.path
            fields = {"protocol": peer.protocol, "settings": peer.settings, "signing": peer.signing}
            given = {field: value for field, value in fields.items() if value is not None}
            await system.client.create_agent(NewAgent.model_validate({"id": name, "name": name, "url": url, **given}))
            agents[name] = peer
        yield agents


@pytest.fixture(scope="module")
async def more(system: System) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """The executors beside the system's."""
    more = await start(system)
    yield more
    for process in more:
        with suppress(ProcessLookupError):
            process.kill()
    await asyncio.gather(*(process.wait() for process in more))


async def start(system: System) -> list[asyncio.subprocess.Process]:
    return await asyncio.gather(*(another(system, "executor") for _ in range(EXECUTORS - 1)))


@pytest.mark.timeout(120 + 12 * KILLS)
@pytest.mark.parametrize("moment", Moment)
async def test_every_job_ends_and_no_work_that_can_be_found_is_done_twice(
    system: System, gate: Gate, agents: dict[str, Peer], more: list[asyncio.subprocess.Process], moment: Moment
) -> None:
    polled = {name: peer for name, peer in agents.items() if peer.finds_by is not None}
    called = polled if moment is Moment.DURING_POLLING else agents
    killed: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    while min(killed[name] for name in called) < KILLS:
        jobs = {
            (await system.create(name, title=f"sky-{next(NUMBERS)}", policy={"delivery": delivery})).id: delivery
            for name in called
            for delivery in Delivery
            for _ in range(EXECUTORS)
        }
        await bring(system, gate, moment, list(jobs))
        killed += await kill(system, gate, [process.pid for process in more])
        await asyncio.gather(*(process.wait() for process in more))
        more[:] = await start(system)
        rested = [await system.at_rest(job_id) for job_id in jobs]
        works = sum((peer.count() for peer in called.values()), Counter[str]())
        for job in rested:
            assert job.agent_id is not None
            delivery, made = jobs[job.id], works[job.title]
            ends[f"{job.agent_id}, {delivery}: {job.status} {job.code or ''}, works: {made}"] += 1
            check(job, called[job.agent_id], moment, delivery, made)
            assert delivery is Delivery.AT_LEAST_ONCE or gate.sent[job.title] <= 1
    print(f"\n{moment}: executors killed with a call of an agent: {dict(killed)}")  # noqa: T201
    print(*(f"  {number} {end}" for end, number in sorted(ends.items())), sep="\n")  # noqa: T201


async def bring(system: System, gate: Gate, moment: Moment, job_ids: list[str]) -> None:
    """Execute jobs, and wait until the call of each is at the moment."""
    gate.close(moment)
    await asyncio.gather(*(system.client.execute_job(job_id) for job_id in job_ids))
    await until(lambda: len(gate.callers) == len(job_ids), ARRIVAL_S)
    for job_id in job_ids if moment is Moment.DURING_POLLING else ():
        await system.logged(job_id, lambda entry: bool(entry.handle))


async def kill(system: System, gate: Gate, more: list[int]) -> Counter[str]:
    """Kill all executors, and open the gate. Return how many of them had a call of each agent."""
    executors, killed = [], Counter[str]()
    for pid in [system.endpoints["processes"]["executor"], *more]:
        with suppress(psutil.NoSuchProcess):  # the system's is started again after a while
            executors.append(psutil.Process(pid))
    for executor in executors:
        ports = {connection.laddr.port for connection in executor.net_connections()}
        killed.update({name for (name, *_), port in gate.callers.items() if port in ports})
    if gate.moment is Moment.AFTER_THE_ANSWER:
        waiting = len(gate.callers)
        gate.open()
        await until(lambda: gate.answered == waiting)
    for executor in executors:
        executor.kill()
    gate.open()
    return killed


def check(job: Job, peer: Peer, moment: Moment, delivery: Delivery, made: int) -> None:
    """Hold a job, and how often its work was done, against what is promised of its agent."""
    is_sent, is_once = moment is not Moment.BEFORE_THE_SEND, delivery is Delivery.AT_MOST_ONCE
    is_found = moment is Moment.DURING_POLLING or (is_sent and peer.finds_by == "ids")
    if is_found or not is_once:
        assert job.status is JobStatus.COMPLETED, job
    elif moment is not Moment.AFTER_THE_ANSWER or job.status is not JobStatus.COMPLETED:  # it may have told in time
        assert job.status is JobStatus.FAILED, job
        assert job.code in {"lease_lapsed", "agent_work_unknown"}, job
    if is_found or is_once or not is_sent or peer.has_keys:
        assert made == (0 if is_once and not is_sent else 1), job
    else:
        assert made in {1, 2}, job
