"""Many jobs are one batch: watched to its end, paused, cancelled, run again."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from aiohttp import web
from support.fakes import until
from support.system import WAIT_S, Agent, System, signoff

from contracts.resources import JobFilter, NewAgent, NewJob, NewLimit
from signoff.status import JobStatus, OperationState
from signoff.types import Operation

BLUE = {"text": "The sky is blue."}


def sky(**fields: Any) -> NewJob:
    new = {"id": str(uuid4()), "title": "Describe the sky", "acceptance_criteria": 'Says "blue"'}
    return NewJob(**{**new, "agent_id": "agent", **fields})


async def at_end(system: System, batch: Operation) -> list[Operation]:
    """What is told of a batch, to its end."""
    async with asyncio.timeout(WAIT_S):
        return [operation async for operation in system.client.watch_operation(batch.id)]


async def test_a_batch_of_mixed_outcomes_is_watched_to_its_end(system: System, agent: Agent) -> None:
    """A batch tells its counts live until its last job has ended, whatever became of each."""
    good, rejected, failing, again = [sky(policy={"max_submissions": n}) for n in (3, 1, 3, 3)]
    agent.answers[str(rejected.id)] = agent.answers[str(again.id)] = lambda _: {"text": "It is red."}
    agent.answers[str(failing.id)] = lambda _: web.Response(status=400)
    body = {"jobs": [job.model_dump(mode="json") for job in (good, rejected, failing, again, sky(agent_id=None))]}
    async with system.http.post("/api/batches", json=body, headers={"Idempotency-Key": f"{uuid4()}"}) as answer:
        assert answer.status == 201, await answer.text()
        batch = Operation.model_validate(await answer.json())
    assert [(item.item, item.code) for item in batch.refused] == [(4, "illegal_transition")]
    for door in ("batches", "operations"):
        async with system.http.get(f"/api/{door}/{batch.id}/items") as answer:
            items = (await answer.json())["items"]
        assert [item.get("code") for item in items] == [None] * 4 + ["illegal_transition"]

    async with asyncio.timeout(WAIT_S), system.http.get(f"/api/batches/{batch.id}/events") as events:
        lines = [line.removeprefix(b"data: ") async for line in events.content if line.startswith(b"data: ")]
    told = [Operation.model_validate(data) for data in map(json.loads, lines) if "state" in data]
    counts = {"COMPLETED": 1, "REJECTED": 1, "FAILED": 1, "RESUBMISSION_REQUIRED": 1, "REFUSED": 1}
    assert (told[-1].state, told[-1].counts, told[-1].total) == (OperationState.DONE, counts, 5)
    assert all(sum(operation.counts.values()) == 5 for operation in told)
    assert told[-1].rate_per_s > 0
    async with system.http.get("/api/jobs", params={"batch_id": str(batch.id)}) as answer:
        assert len((await answer.json())["items"]) == 5, "its items, refused ones as well"
    await system.client.resubmit_job(str(again.id))
    assert (await system.client.get_job(str(again.id))).batch_id == batch.id, "it was executed by no other batch"


async def test_a_batch_is_paused_resumed_and_cancelled(system: System, agent: Agent) -> None:
    """Pausing a batch begins no more of its calls, resuming does, and cancelling stops the rest and says who asked."""
    slow = await system.client.create_agent(NewAgent(id=f"slow-{uuid4()}", name="slow", url=agent.url))
    await system.client.set_limit(f"agent:{slow.id}", NewLimit(concurrency=1))
    jobs, finish = [sky(agent_id=slow.id) for _ in range(4)], asyncio.Event()

    async def held(_: dict[str, Any]) -> dict[str, str]:
        await finish.wait()
        return BLUE

    for job in jobs:
        agent.answers[str(job.id)] = held

    def called() -> int:
        return sum(str(job.id) in agent.calls for job in jobs)

    batch = await system.client.execute_jobs(jobs=jobs)
    await until(lambda: called() == 1, WAIT_S)
    (paused,) = await signoff(system, "batches", "pause", str(batch.id))
    assert paused["state"] == "PAUSED"
    finish.set()
    other = sky(agent_id=slow.id)
    await at_end(system, await system.client.execute_jobs(jobs=[other]))  # whoever is not of the batch goes on
    assert (await system.client.get_operation(batch.id)).counts == {"COMPLETED": 1, "ASSIGNED": 3}
    assert called() == 1

    finish.clear()
    await signoff(system, "batches", "resume", str(batch.id))
    await until(lambda: called() == 2, WAIT_S)
    await signoff(system, "batches", "cancel", str(batch.id), "--reason", "enough")
    cancelled = (await at_end(system, batch))[-1]
    assert (cancelled.state, cancelled.counts) == (OperationState.CANCELLED, {"COMPLETED": 1, "CANCELLED": 3})
    last = [(await system.logs(str(job.id)))[-1] for job in jobs]
    assert [entry.message for entry in last].count("cancelled by token:bootstrap: enough") == 3
    assert [limit.name for limit in (await system.client.list_limits())[0]] == [f"agent:{slow.id}"]
    await system.client.remove_limit(f"agent:{slow.id}")
    finish.set()


async def test_what_failed_of_a_batch_is_run_again(system: System, agent: Agent) -> None:
    """A retry of a batch executes the jobs that failed, and only those."""
    tenant, down = f"tenant-{uuid4().hex[:8]}", True
    await system.client.create_tenant(name=tenant)
    jobs = [sky(tenant=tenant, policy={"max_calls": 1}) for _ in range(3)]
    for job in jobs[:2]:
        agent.answers[str(job.id)] = lambda _: web.Response(status=400) if down else BLUE
        await system.client.create_job(job)
    await system.client.create_job(jobs[2])
    batch = await system.client.execute_jobs(filter=JobFilter(tenant=tenant))
    assert (await at_end(system, batch))[-1].counts == {"FAILED": 2, "COMPLETED": 1}

    down = False
    (retried,) = await signoff(system, "batches", "retry", str(batch.id), "--wait")
    assert (retried["counts"], retried["retry_of"]) == ({"COMPLETED": 2}, str(batch.id))
    assert [len(agent.calls[str(job.id)]) for job in jobs] == [2, 2, 1]
    assert (await system.client.get_job(str(jobs[0].id))).status is JobStatus.COMPLETED


async def test_nothing_begins_for_an_agent_or_a_tenant_that_is_paused(system: System, agent: Agent) -> None:
    """The jobs of a paused agent or tenant wait until it is resumed, while others run."""
    idle = await system.client.create_agent(NewAgent(id=f"idle-{uuid4()}", name="idle", url=agent.url))
    tenant = f"tenant-{uuid4().hex[:8]}"
    await system.client.create_tenant(name=tenant)
    for paused in (f"/api/agents/{idle.id}", f"/api/tenants/{tenant}"):
        async with system.http.post(f"{paused}/pause") as answer:
            assert (answer.status, (await answer.json())["paused"]) == (200, True)
    waiting = [sky(agent_id=idle.id), sky(tenant=tenant)]
    batch = await system.client.execute_jobs(jobs=waiting)
    await at_end(system, await system.client.execute_jobs(jobs=[sky()]))
    assert not {str(job.id) for job in waiting} & agent.calls.keys()
    for paused in (f"/api/agents/{idle.id}", f"/api/tenants/{tenant}"):
        async with system.http.post(f"{paused}/resume") as answer:
            assert (answer.status, (await answer.json())["paused"]) == (200, False)
    assert (await at_end(system, batch))[-1].counts == {"COMPLETED": 2}
    assert not {f"agent:{idle.id}", f"tenant:{tenant}"} & {
        limit.name for limit in (await system.client.list_limits())[0]
    }
