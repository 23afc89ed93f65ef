"""One of two jobstores stands still, or is cut off from what it needs: facts go on, and no agent is called again."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import cycle
from typing import Any

import psutil
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from support.system import served

from contracts.resources import NewAgent, NewJob, Policy
from faults.checking.observed import LogRow, Terms
from faults.checking.reading import Tables, all_jobs, all_logs, quiet, topics
from faults.stack.world import KAFKA_OF, World, world
from localstack.kafka import ADMIN
from signoff import AsyncClient
from signoff.status import RESTING, JobStatus

#: As it is by default: what is measured is whether leases are renewed elsewhere before they lapse.
LEASE_S = 15.0
WITHIN_S = 15.0
CUT_OFF_S = 20.0
#: How long an execution may wait to begin beside a jobstore that offers: a few seconds.
TURN_S = 6.0


class SlowAgent:
    """An agent that answers once it may, and counts its calls by execution."""

    def __init__(self) -> None:
        self.url = ""
        self.may_answer = asyncio.Event()
        self.calls: Counter[str] = Counter()

    async def on_call(self, request: web.Request) -> web.Response:
        self.calls[(await request.json())["execution_id"]] += 1
        await self.may_answer.wait()
        return web.json_response({"text": "The sky is blue."})

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/", self.on_call)
        return app


@pytest.fixture(scope="module")
async def agent() -> AsyncIterator[SlowAgent]:
    agent = SlowAgent()
    async with served(agent.app()) as agent.url:
        yield agent


@pytest.fixture(scope="module")
async def running(agent: SlowAgent, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """Two jobstores, which all tests break in turn and find well."""
    async with (
        world(tmp_path_factory.mktemp("world"), 1, Terms(lease_s=LEASE_S), 2) as running,
        AsyncClient(running.jobstore_addresses, running.addresses.token) as client,
    ):
        await client.create_agent(NewAgent(id="slow-one", name="slow-one", url=agent.url))
        yield running


async def ask(client: AsyncClient, count: int) -> list[str]:
    """Create jobs of the slow agent, and execute them; return their ids."""
    policy = Policy(max_submissions=1, attempt_timeout_s=120)
    asked = NewJob(title="A job", acceptance_criteria="Is blue", agent_id="slow-one", policy=policy)
    jobs = [await client.create_job(asked) for _ in range(count)]
    for job in jobs:
        await client.execute_job(job.id)
    return [job.id for job in jobs]


async def ask_and_be_called(client: AsyncClient, agent: SlowAgent, count: int) -> list[str]:
    """Create jobs, execute them, and wait until the agent was called for each; return their ids."""
    agent.may_answer.clear()
    called = len(agent.calls)
    jobs = await ask(client, count)
    async with asyncio.timeout(60):
        while len(agent.calls) < called + count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)
    return jobs


async def until_at_rest(client: AsyncClient, job_ids: list[str]) -> None:
    """Wait until nothing happens to these jobs any more."""
    async with asyncio.timeout(60):
        for job_id in job_ids:
            while (await client.get_job(job_id)).status not in RESTING:  # noqa: ASYNC110 - no watch is tried here
                await asyncio.sleep(0.1)


async def find_leader(running: World) -> str:
    """Return the jobstore that publishes facts."""
    while True:
        for port in await Tables(running.addresses.postgres).publishing_from():
            running.note_leader(port)
        if running.leaders:
            return running.leaders[-1]
        await asyncio.sleep(0.1)


async def until_published(facts: AIOKafkaConsumer, job_ids: list[str]) -> None:
    """Wait until there is a fact of each of these jobs."""
    missing = set(job_ids)
    async for record in facts:
        missing.discard((record.key or b"").decode())
        if not missing:
            return


def versions(records: Any) -> dict[str, set[int]]:
    """The versions of each job that are published."""
    found: dict[str, set[int]] = {}
    for record in records:
        if record.key and record.value:
            found.setdefault(record.key.decode(), set()).add(json.loads(record.value)["version"])
    return found


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_frozen_jobstore_delays_facts_shortly_and_repeats_no_call(running: World, agent: SlowAgent) -> None:
    async with (
        AsyncClient(running.jobstore_addresses, running.addresses.token) as client,
        AIOKafkaConsumer("job-changed", bootstrap_servers=running.addresses.kafka) as facts,
    ):
        before = await ask_and_be_called(client, agent, 6)
        frozen = psutil.Process(running.pids[await find_leader(running)])
        frozen.suspend()
        try:
            began = time.monotonic()
            async with asyncio.timeout(WITHIN_S):
                meanwhile = await ask(client, 4)
                await until_published(facts, meanwhile)
            # All that was asked of it would have lapsed by now.
            await asyncio.sleep(max(0.0, began + 2 * LEASE_S - time.monotonic()))
            agent.may_answer.set()
            await until_at_rest(client, [*before, *meanwhile])
        finally:
            frozen.resume()
        tables = Tables(running.addresses.postgres)
        assert await quiet(tables, running.addresses.reach_as(ADMIN), 60) is None
        assert set(agent.calls.values()) == {1}
        jobs = await all_jobs(client)
        assert {entry.code for entry in await all_logs(client, jobs)} & {"lease_lapsed", "attempts_exhausted"} == set()
        published = versions((await topics(running.addresses.reach_as(ADMIN)))["job-changed"])
        assert published == {job.id: set(range(1, job.version + 1)) for job in jobs}


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_database_that_falls_silent_to_one_jobstore_repeats_no_call(running: World, agent: SlowAgent) -> None:
    """Its packets vanish, and nothing is reset: pings are answered, and no call. First to one, then to the other."""
    async with AsyncClient(running.jobstore_addresses, running.addresses.token) as client:
        jobs = await ask_and_be_called(client, agent, 6)
        for name in ("postgres", "postgres-2"):
            link = running.links[name]
            link.set("mute")
            await asyncio.sleep(2 * LEASE_S)  # all that was not renewed at the other has lapsed
            link.set("open")
            await asyncio.sleep(LEASE_S)
            assert link.acted["mute"]
        agent.may_answer.set()
        await until_at_rest(client, jobs)
        assert set(agent.calls.values()) == {1}
        codes = {entry.code for entry in await all_logs(client, await all_jobs(client))}
        assert codes & {"lease_lapsed", "attempts_exhausted"} == set()


def at_rest_by_facts(records: Iterable[Any]) -> set[str]:
    """The jobs that are completed, by what is published."""
    logs = [json.loads(record.value)["log"] for record in records if record.key and record.value]
    return {log["job_id"] for log in logs if log["status"] == JobStatus.COMPLETED}


async def ask_for(clients: Sequence[AsyncClient], seconds: float) -> dict[str, float]:
    """Ask for a job now and then, of one jobstore after the other; return when each was asked for, by its id."""
    asked: dict[str, float] = {}
    turns, ends_at = cycle(clients), time.monotonic() + seconds
    while (now := time.monotonic()) < ends_at:
        (job_id,) = await ask(next(turns), 1)
        asked[job_id] = now
        await asyncio.sleep(0.2)
    return asked


async def note_completed(facts: AIOKafkaConsumer, told: dict[str, float]) -> None:
    """Note, for ever, when there is the fact that a job is completed."""
    async for record in facts:
        told |= dict.fromkeys(at_rest_by_facts([record]), time.monotonic())


def longest_turn_s(logs: Sequence[LogRow]) -> float:
    """The longest time from a request to its claim."""
    at = {(entry.execution_id, entry.kind): entry.at for entry in logs}
    requests = [(execution_id, asked_at) for (execution_id, kind), asked_at in at.items() if kind == "requested"]
    return max(at[execution_id, "claimed"] - asked_at for execution_id, asked_at in requests)


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_leading_jobstore_that_kafka_alone_is_cut_off_from_holds_nothing_up(
    running: World, agent: SlowAgent
) -> None:
    """It is reached by who asks, and reaches its database: what it is asked for the other offers, and tells of it."""
    agent.may_answer.set()
    async with (
        AsyncClient(running.links["grpc"].address, running.addresses.token) as client,
        AsyncClient(running.links["grpc-2"].address, running.addresses.token) as other,
        AIOKafkaConsumer("job-changed", bootstrap_servers=running.addresses.kafka) as facts,
    ):
        told: dict[str, float] = {}
        noting = asyncio.create_task(note_completed(facts, told))
        leader = await find_leader(running)
        link = running.links[leader.replace("jobstore", KAFKA_OF, 1)]
        asked = await ask_for([client, other], 3.0)
        link.set("cut")
        asked |= await ask_for([client, other], CUT_OFF_S)
        link.set("open")
        assert link.acted["cut"]
        async with asyncio.timeout(60):
            while asked.keys() - told:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        noting.cancel()
        logs = await all_logs(client, [job for job in await all_jobs(client) if job.id in asked])
        assert max(told[job_id] - at for job_id, at in asked.items()) < WITHIN_S
        assert longest_turn_s(logs) < TURN_S
        assert await find_leader(running) != leader
        assert await quiet(Tables(running.addresses.postgres), running.addresses.reach_as(ADMIN), 60) is None
        assert set(agent.calls.values()) == {1}
