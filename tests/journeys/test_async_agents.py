"""Agents that take their time are asked how far they are, and their progress is seen everywhere."""

import json
import signal

import aiohttp
from support.system import WAIT_S, AsyncAgent, System, signoff

from signoff.status import JobLogStatus, JobStatus

DONE = {"state": "succeeded", "result": {"text": "The sky is blue."}}
HALF = {"state": "running", "progress": 0.5, "message": "half of it", "partial": {"text": "The sky"}}


async def test_progress_is_seen_at_every_door(system: System, async_agent: AsyncAgent) -> None:
    """Half of the work is done: the log, the events, REST, gRPC, the command line and the facts all say so."""
    job = await system.create("async-agent")
    async_agent.statuses[job.id] = lambda: HALF
    async with system.http.get(f"/api/jobs/{job.id}/events", timeout=aiohttp.ClientTimeout(WAIT_S)) as events:
        await system.client.execute_job(job.id)
        entry = await system.logged(job.id, lambda entry: entry.progress is not None)
        assert (entry.status, entry.progress, entry.message) == (JobLogStatus.IN_PROGRESS, 0.5, "half of it")
        (logged,) = [e for e in await system.logs(job.id) if e.partial]
        assert (logged.progress, logged.partial) == (0.5, {"text": "The sky"})
        async for line in events.content:
            data = json.loads(line.removeprefix(b"data:")) if line.startswith(b"data:") else {}
            if data.get("job", {}).get("progress") == 0.5:
                break

    stands = await system.client.get_job(job.id)
    assert (stands.status, stands.progress, stands.progress_message) == (JobStatus.IN_PROGRESS, 0.5, "half of it")
    listed, _ = await system.client.list_jobs(statuses=[JobStatus.IN_PROGRESS])
    assert [j.progress for j in listed if j.id == job.id] == [0.5]
    async with system.http.get(f"/api/jobs/{job.id}") as answer:
        shown = await answer.json()
    assert (shown["progress"], shown["progress_message"]) == (0.5, "half of it")
    (shown,) = await signoff(system, "jobs", "get", job.id)
    assert (shown["progress"], shown["progress_message"]) == (0.5, "half of it")
    facts = await signoff(system, "replay", "job-changed", "--job", job.id)
    changed = facts[-1]["value"]
    assert (changed["log"]["progress"], changed["job"]["progress_message"]) == (0.5, "half of it")

    async_agent.statuses[job.id] = lambda: DONE
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert async_agent.count(job.id, "POST") == 1
    assert async_agent.count(job.id, "DELETE") == 0


async def test_an_agent_that_goes_silent_fails_the_job_once_it_was_called_as_often_as_it_may(
    system: System, async_agent: AsyncAgent
) -> None:
    """An agent whose heartbeat stands still is called again, and after the last attempt the job fails."""
    job = await system.create("async-agent", policy={"heartbeat_timeout_s": 0.5, "max_calls": 2})
    async_agent.statuses[job.id] = lambda: {"state": "running", "heartbeat": "the same"}
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.FAILED

    failures = [entry for entry in await system.logs(job.id) if entry.code == "agent_heartbeat_timeout"]
    assert [entry.status for entry in failures] == [JobLogStatus.IN_PROGRESS, JobLogStatus.FAILED]
    assert (failures[0].message or "").startswith("no heartbeat within 0.5 s of the work at http://127.0.0.1:")
    assert async_agent.count(job.id, "POST") == 2
    assert async_agent.count(job.id, "DELETE") == 2


async def test_the_agent_of_a_cancelled_job_is_told_to_stop(system: System, async_agent: AsyncAgent) -> None:
    """Cancelling a job sends its agent a DELETE for the work."""
    job = await system.create("async-agent")
    async_agent.statuses[job.id] = lambda: HALF
    await system.client.execute_job(job.id)
    await async_agent.until(job.id, "GET")
    assert (await system.client.cancel_job(job.id)).status is JobStatus.ASSIGNED
    await async_agent.until(job.id, "DELETE")


async def test_work_outlives_an_executor_that_is_killed(system: System, async_agent: AsyncAgent) -> None:
    """The executor is killed while the agent works: its successor asks for that work and gets the result."""
    job = await system.create("async-agent")
    async_agent.statuses[job.id] = lambda: HALF
    await system.client.execute_job(job.id)
    await async_agent.until(job.id, "GET")
    for executor in ("executor", "executor-2"):
        if executor in system.endpoints["processes"]:
            system.kill(executor, signal.SIGKILL)
    await system.logged(job.id, lambda entry: entry.attempt == 2 and entry.message != "")
    async_agent.statuses[job.id] = lambda: DONE

    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert (async_agent.count(job.id, "POST"), async_agent.count(job.id, "DELETE")) == (1, 0)
