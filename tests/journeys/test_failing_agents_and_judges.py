"""An agent or a judge that fails, for good or for a while, decides nothing by failing."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from support.system import Agent, Judge, System

from contracts.resources import NewAgent
from signoff.status import Circuit, JobStatus


async def test_an_agent_that_fails_fails_the_job_and_says_why(system: System, agent: Agent) -> None:
    """An agent answers 400: the job fails after one call, and its log quotes the agent."""
    job = await system.create()
    agent.answers[job.id] = lambda _: web.Response(status=400, text="no such tone")

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.FAILED

    last = (await system.logs(job.id))[-1]
    assert last.code == "agent_status"
    assert "400" in (last.message or "")
    assert "no such tone" in (last.message or "")
    assert len(agent.calls[job.id]) == 1


async def test_an_agent_that_fails_for_a_while_is_called_again(system: System, agent: Agent) -> None:
    """An agent answers 503 and then a result: it was called twice with the same key and the same body."""
    job = await system.create()
    answers = [web.Response(status=503), {"text": "blue"}]
    agent.answers[job.id] = lambda _: answers.pop(0)

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    keys = {headers["Idempotency-Key"] for headers, _ in agent.calls[job.id]}
    bodies = {json.dumps(body) for _, body in agent.calls[job.id]}
    assert (len(agent.calls[job.id]), len(keys), len(bodies)) == (2, 1, 1)


async def test_a_judge_that_is_down_delays_and_never_decides(system: System, agent: Agent, judge: Judge) -> None:
    """While the judge is away the result is kept and the job waits; afterwards it is judged, without another call."""
    await judge.stop()
    job = await system.create(policy={"reuse_verdict": False})
    await system.client.execute_job(job.id)
    await system.logged(job.id, lambda entry: entry.result == {"text": "The sky is blue."})
    assert (await system.client.get_job(job.id)).status is JobStatus.IN_PROGRESS

    await judge.start()
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert len(agent.calls[job.id]) == 1


async def test_an_agent_that_is_down_is_left_alone_until_one_call_finds_it_back(system: System, agent: Agent) -> None:
    """Five failures open the circuit of an agent: its jobs wait, others run, and one call finds out when it is back."""
    frail = await system.client.create_agent(NewAgent(id="frail", name="frail", url=agent.url))
    failing = [await system.create(frail.id, policy={"max_calls": 1}) for _ in range(5)]
    for job in failing:
        agent.answers[job.id] = lambda _: web.Response(status=503)
        await system.client.execute_job(job.id)
    for job in failing:
        assert (await system.at_rest(job.id)).status is JobStatus.FAILED

    shown = {}
    for agent_id in ("frail", "agent"):
        async with system.http.get(f"/api/agents/{agent_id}") as answer:
            shown[agent_id] = await answer.json()
    assert (shown["frail"]["circuit"], shown["agent"]["circuit"]) == ("OPEN", "CLOSED")

    waiting = [await system.create(frail.id) for _ in range(4)]
    first, answered = asyncio.Event(), asyncio.Event()
    called_before: list[tuple[str, datetime]] = []

    async def back(body: dict[str, Any]) -> dict[str, str]:
        if not answered.is_set():
            called_before.append((body["job_id"], datetime.now(UTC)))
            first.set()
            await answered.wait()
        return {"text": "blue"}

    for job in waiting:
        agent.answers[job.id] = back
        await system.client.execute_job(job.id)
    other = await system.create()
    await system.client.execute_job(other.id)
    assert (await system.at_rest(other.id)).status is JobStatus.COMPLETED

    await asyncio.wait_for(first.wait(), 30)
    other = await system.create()
    await system.client.execute_job(other.id)
    assert (await system.at_rest(other.id)).status is JobStatus.COMPLETED
    assert (await system.client.get_agent(frail.id)).circuit is Circuit.HALF_OPEN
    answered.set()
    for job in waiting:
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert (await system.client.get_agent(frail.id)).circuit is Circuit.CLOSED
    ((_, called_at),) = called_before
    assert called_at >= datetime.fromisoformat(shown["frail"]["circuit_open_until"])
