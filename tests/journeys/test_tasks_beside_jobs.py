"""What executors do beside jobs: they stop work that was left behind, and try agents for whoever sets them up."""

import asyncio
import json
import signal

from support.system import AGENT_KEY, WAIT_S, Agent, AsyncAgent, System, signoff

from contracts.resources import NewAgent
from signoff.status import Circuit, JobStatus, Protocol

HALF = {"state": "running", "progress": 0.5, "message": "half of it"}


async def test_work_is_stopped_after_a_deadline_that_passed_while_no_executor_had_the_job(
    system: System, async_agent: AsyncAgent
) -> None:
    """The executors are killed, nobody goes on, and the deadline passes: the agent is told to stop all the same."""
    left = NewAgent(id="left-alone", name="left", url=async_agent.url, protocol=Protocol.HTTP_ASYNC)
    await system.client.create_agent(left)
    job = await system.create("left-alone", policy={"deadline_s": 20})
    async_agent.statuses[job.id] = lambda: HALF
    await system.client.execute_job(job.id)
    await system.logged(job.id, lambda entry: entry.progress is not None)
    await system.client.pause("agent:left-alone")
    for executor in ("executor", "executor-2"):
        if executor in system.endpoints["processes"]:
            system.kill(executor, signal.SIGKILL)
    await system.logged(job.id, lambda entry: entry.code == "lease_lapsed")
    assert async_agent.count(job.id, "DELETE") == 0

    ended = await system.at_rest(job.id)
    assert (ended.status, ended.code) == (JobStatus.FAILED, "deadline_exceeded")
    await async_agent.until(job.id, "DELETE")
    assert async_agent.count(job.id, "POST") == 1


async def test_an_agent_is_tried_and_checked_without_any_job(system: System, agent: Agent) -> None:
    """One call with a payload of one's own, shown request by request, and then how the agent keeps to its protocol."""
    headers = {"X-Key": "file:journey/key"}
    await system.client.create_agent(NewAgent(id="to-be-tried", name="tried", url=agent.url, headers=headers))
    jobs = (await system.client.count_jobs()).counts
    (made,) = await signoff(system, "agents", "try", "to-be-tried", "--payload", '{"topic": "the sky"}')
    assert (made["state"], made["result"]) == ("DONE", {"text": "The sky is blue."})
    (exchange,) = made["exchanges"]
    assert (exchange["status"], exchange["request_headers"]["X-Key"]) == (200, "***")
    assert json.loads(exchange["request_body"])["payload"] == {"topic": "the sky"}
    ((sent, body),) = agent.calls[made["id"]]
    assert (sent["X-Key"], body["payload"]) == (AGENT_KEY, {"topic": "the sky"})

    (checked,) = await signoff(system, "agents", "tries", "to-be-tried", "--id", await _check(system))
    rows = {row["check"]: row["outcome"] for row in checked["checks"]}
    assert rows["same_key"] == rows["deadline"] == rows["size"] == "passed"
    assert rows["error"] == "failed"  # it answers 500
    assert (await system.client.count_jobs()).counts == jobs
    assert (await system.client.get_agent("to-be-tried")).circuit is Circuit.CLOSED


async def _check(system: System) -> str:
    """Have the agent checked over REST, and return the id of the try once it has ended."""
    tries = "/api/agents/to-be-tried/tries"
    async with system.http.post(tries, json={"check": True}) as answer:
        asked = await answer.json()
    async with asyncio.timeout(WAIT_S):
        while asked["state"] != "DONE":
            async with system.http.get(f"{tries}/{asked['id']}") as answer:
                asked = await answer.json()
    return str(asked["id"])
