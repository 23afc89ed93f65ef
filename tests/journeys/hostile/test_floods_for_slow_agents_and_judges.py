"""A flood for an agent that drips, or with a judge that is dead, takes its share and holds up nobody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from support.fakes import until
from support.system import Agent, Judge, System, running

from contracts.events import ExecuteRequested
from contracts.resources import NewAgent, NewJob, Policy
from contracts.topics import TOPIC_OF
from signoff.status import JobStatus
from signoff.values import new_execution_id

#: Of the executor and of the validator, of which one tenant, agent or model has four fifths.
CAPACITY, SHARE = 20, 16
#: What records, claims and the dispatcher give at the same time may be more, up to eight times what is free.
AT_MOST = 18
FLOOD = 60
#: Bytes of memory that each slot stands for; and of a result that takes four.
SLOT_BYTES, RESULT_BYTES = 1 << 20, 400_000
#: Nobody waits as long for what others do.
WITHIN_S = 10.0


class DeadJudge(Judge):
    """Answers about one model alone; of the other, `asked_dead` counts the questions, which hang until `back`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_dead, self.back = 0, asyncio.Event()

    @web.middleware
    async def _count(self, request: web.Request, handler: Any) -> Any:
        if (await request.json())["model"] == "dead":
            self.asked_dead += 1
            await self.back.wait()
        return await handler(request)


@pytest.fixture(scope="module")
async def dead_judge() -> AsyncIterator[DeadJudge]:
    judge = DeadJudge()
    await judge.start()
    yield judge
    await judge.stop()


@pytest.fixture(scope="module")
async def small(dead_judge: DeadJudge, agent: Agent, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """A system with room for few at once."""
    bounds = {"SIGNOFF_CAPACITY": str(CAPACITY), "SIGNOFF_WORK_MAX_BYTES": str(CAPACITY * SLOT_BYTES)}
    async with running(tmp_path_factory.mktemp("small"), dead_judge, **bounds) as system:
        for name in ("agent", "drips"):
            await system.client.create_agent(NewAgent(id=name, name=name, url=agent.url))
        yield system


async def done_within(system: System, **fields: Any) -> float:
    """How long another tenant's job takes."""
    began = time.monotonic()
    job = await system.create(tenant="honest", **fields)
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    return time.monotonic() - began


async def test_a_flood_for_an_agent_that_drips_holds_up_nobody_elses_job(small: System, agent: Agent) -> None:
    """Strangers ask by records, each in a tenant of its own, and somebody by calls; all of them for one agent."""
    ends, ids = asyncio.Event(), [str(uuid4()) for _ in range(FLOOD)]

    async def drip(_: dict[str, Any]) -> dict[str, str]:
        await ends.wait()
        return {"text": "blue"}

    agent.answers |= dict.fromkeys(ids, drip)
    for name in ("large", *(f"stranger-{number}" for number in range(FLOOD - FLOOD // 3))):
        await small.client.create_tenant(name=name)
    new = {"title": "x", "acceptance_criteria": "Is not empty", "agent_id": "drips"}
    called, by_record = ids[: FLOOD // 3], ids[FLOOD // 3 :]
    for job_id in called:
        await small.client.create_job(NewJob(id=job_id, tenant="large", **new))
    await small.client.execute_jobs(called)
    for number, job_id in enumerate(by_record):
        job = NewJob(tenant=f"stranger-{number}", **new)
        event = ExecuteRequested(execution_id=new_execution_id(), job_id=job_id, job=job)
        await small.producer.send(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())
    await small.producer.flush()
    for job_id in by_record:
        await small.known(job_id)
    await until(lambda: sum(job_id in agent.calls for job_id in ids) >= SHARE, WITHIN_S)

    assert max([await done_within(small) for _ in range(5)]) < WITHIN_S
    held = sum(job_id in agent.calls for job_id in ids)
    assert SHARE <= held <= AT_MOST
    waits = [reason for job_id in ids for reason in (await small.client.explain_job(job_id)).reasons]
    assert ("share", "agent:drips", held) in {(reason.code, reason.name, reason.used) for reason in waits}

    ends.set()
    for job_id in ids:
        assert (await small.at_rest(job_id)).status is JobStatus.COMPLETED


async def test_a_policy_with_a_dead_judge_holds_up_nobody_elses_judging(
    small: System, agent: Agent, dead_judge: DeadJudge
) -> None:
    del agent
    await small.client.put_judge_policy({"name": "dead", "stages": [{"kind": "single", "judges": [{"model": "dead"}]}]})
    policy = Policy(judge="dead", reuse_verdict=False)
    ids = [str(uuid4()) for _ in range(FLOOD)]
    await small.client.create_tenant(name="large")
    new = {"title": "x", "acceptance_criteria": "Is not empty", "agent_id": "agent", "tenant": "large"}
    await small.client.execute_jobs(jobs=[NewJob(id=job_id, policy=policy, **new) for job_id in ids])
    await until(lambda: dead_judge.asked_dead >= SHARE, WITHIN_S)

    fields = {"policy": {"reuse_verdict": False}}
    assert max([await done_within(small, **fields) for _ in range(5)]) < WITHIN_S
    assert dead_judge.asked_dead == SHARE

    dead_judge.back.set()
    for job_id in ids:
        assert (await small.at_rest(job_id)).status is JobStatus.COMPLETED


async def test_large_results_for_a_dead_judge_take_their_share_of_the_memory_and_hold_up_nobody(
    small: System, agent: Agent, dead_judge: DeadJudge
) -> None:
    """Four of four slots each, where sixteen small ones were."""
    dead_judge.back.clear()
    dead_judge.asked_dead = 0
    await small.client.put_judge_policy({"name": "dead", "stages": [{"kind": "single", "judges": [{"model": "dead"}]}]})
    await small.client.create_tenant(name="large")
    ids = [str(uuid4()) for _ in range(FLOOD // 3)]
    agent.answers |= dict.fromkeys(ids, lambda _: {"text": "blue " + "x" * RESULT_BYTES})
    new = {"title": "x", "acceptance_criteria": "Is not empty", "agent_id": "agent", "tenant": "large"}
    policy = Policy(judge="dead", reuse_verdict=False)
    await small.client.execute_jobs(jobs=[NewJob(id=job_id, policy=policy, **new) for job_id in ids])
    await until(lambda: dead_judge.asked_dead >= SHARE // 4, WITHIN_S)

    fields = {"policy": {"reuse_verdict": False}}
    assert max([await done_within(small, **fields) for _ in range(5)]) < WITHIN_S
    assert dead_judge.asked_dead == SHARE // 4

    dead_judge.back.set()
    for job_id in ids:
        assert (await small.at_rest(job_id)).status is JobStatus.COMPLETED
