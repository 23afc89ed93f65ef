"""Limits hold exactly however many jobstores and executors run, and may change while jobs wait."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from support.fakes import until
from support.free_ports import free_port
from support.system import WAIT_S, Agent, System, another

from contracts.resources import NewAgent, NewJob, NewLimit
from signoff.status import OperationState
from signoff.types import Operation


class Busy:
    """What an agent sees of how many work for it at once: in all, and for each customer. Nobody ends before `end`."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.end = asyncio.Event()

    async def answer(self, body: dict[str, Any]) -> dict[str, str]:
        names = ("all", body["payload"]["customer"])
        self.now.update(names)
        self.most |= self.now
        await self.end.wait()
        self.now.subtract(names)
        return {"text": f"blue for {body['job_id']}"}


@pytest.fixture
async def crowd(system: System) -> AsyncIterator[None]:
    """Another jobstore, and two more executors that ask it, beside those of the system."""
    address = f"127.0.0.1:{free_port()}"
    processes = [await another(system, "jobstore", SIGNOFF_GRPC_ADDRESS=address)]
    processes += [await another(system, "executor", SIGNOFF_JOBSTORE=address) for _ in range(2)]
    yield
    for process in reversed(processes):
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_S) == 0


@pytest.mark.usefixtures("crowd")
async def test_a_limit_changes_while_jobs_wait_and_no_number_of_processes_passes_it(
    system: System, agent: Agent
) -> None:
    """Limits change while sixty jobs wait, and two jobstores and their executors together pass none of them."""
    client, busy, name = system.client, Busy(), f"busy-{uuid4().hex[:8]}"
    await client.create_agent(NewAgent(id=name, name=name, url=agent.url))
    jobs = [
        NewJob(
            id=str(uuid4()),
            title="A job",
            acceptance_criteria='Says "blue"',
            agent_id=name,
            tenant=f"tenant-{number % 3}",
            labels={"customer": customer},
            payload={"customer": customer},
        )
        for number in range(60)
        for customer in [f"customer-{number % 4}"]
    ]
    for number in range(3):
        await client.create_tenant(name=f"tenant-{number}")
    for job in jobs:
        agent.answers[str(job.id)] = busy.answer
    await client.set_limit(f"agent:{name}", NewLimit(concurrency=2))
    batch = await client.execute_jobs(jobs=jobs)

    await until(lambda: busy.now["all"] == 2, WAIT_S)
    await client.set_limit("label:customer=*", NewLimit(concurrency=1))
    await client.set_limit(f"agent:{name}", NewLimit(concurrency=20))
    await until(lambda: all(busy.now[f"customer-{number}"] for number in range(4)), WAIT_S)
    busy.end.set()
    ended = await at_end(system, batch)
    assert (ended.state, ended.counts) == (OperationState.DONE, {"COMPLETED": 60})
    # The first two were let in before the customers' limit, and may be of one.
    assert busy.most.pop("all") in {4, 5}
    assert sorted(busy.most.values())[:3] == [1, 1, 1]
    assert max(busy.most.values()) <= 2
    assert all(len(agent.calls[str(job.id)]) == 1 for job in jobs)
    for limit in (f"agent:{name}", "label:customer=*"):
        await client.remove_limit(limit)


async def at_end(system: System, batch: Operation) -> Operation:
    async for operation in system.client.watch_operation(batch.id):
        last = operation
    return last
