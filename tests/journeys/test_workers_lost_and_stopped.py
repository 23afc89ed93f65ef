"""A worker that is killed or told to stop loses no job: another one goes on with it."""

import asyncio
import signal
from typing import Any

from support.system import Agent, System

from signoff.status import JobStatus


async def test_a_worker_killed_in_the_middle_of_a_call_costs_only_another_attempt(system: System, agent: Agent) -> None:
    """An executor is killed during a call: its lease lapses, and a second attempt under the same key succeeds."""
    job = await system.create()
    called, release = asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, str]:
        called.set()
        await release.wait()
        return {"text": "blue"}

    agent.answers[job.id] = slow
    await system.client.execute_job(job.id)
    await asyncio.wait_for(called.wait(), 30)
    system.kill("executor", signal.SIGKILL)
    release.set()

    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    lapsed = [entry for entry in await system.logs(job.id) if entry.code == "lease_lapsed"]
    assert len(lapsed) == 1
    keys = {headers["Idempotency-Key"] for headers, _ in agent.calls[job.id]}
    assert (len(agent.calls[job.id]), len(keys)) == (2, 1)


async def test_a_worker_told_to_stop_hands_its_work_over_at_once(system: System, agent: Agent) -> None:
    """An executor that is told to stop gives its lease back, and nobody waits for the lease to lapse."""
    job = await system.create()
    calls = asyncio.Queue[str]()

    async def slow(body: dict[str, Any]) -> dict[str, str]:
        await calls.put(body["execution_id"])
        if len(agent.calls[job.id]) == 1:
            await asyncio.Event().wait()
        return {"text": "blue"}

    agent.answers[job.id] = slow
    await system.client.execute_job(job.id)
    await asyncio.wait_for(calls.get(), 30)
    system.kill("executor", signal.SIGTERM)

    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    codes = [entry.code for entry in await system.logs(job.id)]
    assert "handed_over" in codes
    assert "lease_lapsed" not in codes
