"""What Signoff does for its users, one story a test. Read this first."""

import asyncio
import json
import signal
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiokafka import AIOKafkaConsumer
from support.system import Agent, Judge, System

from contracts.events import ExecuteRequested
from contracts.identity import new_execution_id
from contracts.resources import NewAgent, NewJob
from contracts.status import Circuit, JobLogStatus, JobStatus, Outcome
from contracts.topics import TOPIC_OF, TOPICS


async def test_a_result_that_meets_every_criterion_is_accepted(system: System, agent: Agent) -> None:
    job = await system.create(payload={"tone": "plain"})
    assert job.status is JobStatus.ASSIGNED

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    ((headers, body),) = agent.calls[job.id]
    assert headers["Idempotency-Key"] == body["execution_id"]
    assert body["payload"] == {"tone": "plain"}
    assert body["acceptance_criteria"] == 'Says "blue"\nIs not empty'
    assert (body["submission"], body["feedback"]) == (1, None)

    last = (await system.logs(job.id))[-1]
    assert last.response_payload["result"] == {"text": "The sky is blue."}
    verdict = last.response_payload["verdict"]
    assert verdict["is_valid"]
    assert [c["outcome"] for c in verdict["criteria"]] == ["pass", "pass"]
    assert verdict["criteria"][0]["evidence"] == "blue"


async def test_a_result_that_is_not_met_with_no_submission_left_is_rejected(system: System, agent: Agent) -> None:
    job = await system.create(policy={"max_submissions": 1})
    agent.answers[job.id] = lambda _: {"text": "It is red."}

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.REJECTED

    verdict = (await system.logs(job.id))[-1].response_payload["verdict"]
    assert not verdict["is_valid"]
    assert verdict["criteria"][0]["outcome"] == Outcome.FAIL


async def test_a_result_is_resubmitted_with_the_feedback_and_then_accepted(system: System, agent: Agent) -> None:
    job = await system.create()
    agent.answers[job.id] = lambda body: {"text": "blue" if body["feedback"] else "red"}

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.RESUBMISSION_REQUIRED

    async with system.http.post(f"/api/jobs/{job.id}/resubmit") as answer:
        assert answer.status == 200, await answer.text()
    await system.logged(job.id, lambda entry: entry.status is JobLogStatus.COMPLETED)

    (_, first), (_, second) = agent.calls[job.id]
    assert (first["submission"], second["submission"]) == (1, 2)
    assert first["execution_id"] != second["execution_id"]
    assert second["feedback"]["criteria"][0]["text"] == 'Says "blue"'


async def test_an_agent_that_fails_fails_the_job_and_says_why(system: System, agent: Agent) -> None:
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
    job = await system.create()
    answers = [web.Response(status=503), {"text": "blue"}]
    agent.answers[job.id] = lambda _: answers.pop(0)

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    keys = {headers["Idempotency-Key"] for headers, _ in agent.calls[job.id]}
    bodies = {json.dumps(body) for _, body in agent.calls[job.id]}
    assert (len(agent.calls[job.id]), len(keys), len(bodies)) == (2, 1, 1)


async def test_a_judge_that_is_down_delays_and_never_decides(system: System, agent: Agent, judge: Judge) -> None:
    await judge.stop()
    job = await system.create(policy={"reuse_verdict": False})
    await system.client.execute_job(job.id)
    await system.logged(job.id, lambda entry: entry.response_payload == {"result": {"text": "The sky is blue."}})
    assert (await system.client.get_job(job.id)).status is JobStatus.IN_PROGRESS

    await judge.start()
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert len(agent.calls[job.id]) == 1


async def test_the_same_request_twice_is_one_execution(system: System, agent: Agent) -> None:
    job = await system.create()
    execution_id = new_execution_id()
    asked = [system.client.execute_job(job.id, execution_id) for _ in range(5)]
    await asyncio.gather(*asked)
    await system.at_rest(job.id)
    again = await system.client.execute_job(job.id, execution_id)

    assert again.status is JobStatus.COMPLETED
    assert len(agent.calls[job.id]) == 1

    other = await system.create()
    for _ in range(2):
        headers = {"Idempotency-Key": "once, please"}
        async with system.http.post(f"/api/jobs/{other.id}/execute", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
    await system.at_rest(other.id)
    assert len(agent.calls[other.id]) == 1


async def test_an_upstream_event_with_the_job_inline_needs_no_earlier_call(system: System, agent: Agent) -> None:
    new = NewJob(title="From upstream", acceptance_criteria='Says "blue"', agent_id="agent", payload={"n": 2**80})
    job_id = "upstream-1"
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=job_id, job=new)
    for _ in range(2):  # a redelivery
        await system.producer.send_and_wait(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())

    await system.known(job_id)
    job = await system.at_rest(job_id)
    assert (job.status, job.title, job.payload) == (JobStatus.COMPLETED, "From upstream", {"n": 2**80})
    assert len(agent.calls[job_id]) == 1


async def test_a_worker_killed_in_the_middle_of_a_call_costs_only_another_attempt(system: System, agent: Agent) -> None:
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


async def test_a_poison_message_is_kept_as_it_was_and_delays_nobody(system: System) -> None:
    topic = TOPIC_OF[ExecuteRequested]
    too_large = b'{"execution_id": "' + b"x" * (2 << 20) + b'"}'
    poison = [
        (b"no json \xff", [], "malformed_json"),
        (b'{"job_id": 1}', [], "schema_mismatch"),
        (b"{}", [("note", b"\xff\xfe")], "malformed_header"),
        (too_large, [], "payload_too_large"),
        (b'{"execution_id": "0190a000-0000-7000-8000-00000000dead", "job_id": "nobody"}', [], "unknown_job"),
    ]
    consumer = AIOKafkaConsumer(TOPICS[topic].dlq, bootstrap_servers=system.endpoints["kafka"])
    await consumer.start()
    await consumer.seek_to_end()
    for body, headers, _ in poison:
        await system.producer.send_and_wait(topic, body, headers=headers, partition=0)
    job = await system.create()
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=job.id)
    await system.producer.send_and_wait(topic, event.model_dump_json().encode(), partition=0)

    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    for _ in poison:
        record = await asyncio.wait_for(consumer.getone(), 30)
        headers = dict(record.headers)
        body, original, code = next(p for p in poison if p[0] == record.value)
        assert headers["dlq-error-code"].decode() == code
        assert headers["dlq-topic"].decode() == topic
        assert dict(original).items() <= headers.items()
        poison = [p for p in poison if p[0] != body]
    await consumer.stop()


async def test_a_job_cancelled_while_its_agent_works_rests_and_may_be_executed_again(
    system: System, agent: Agent
) -> None:
    job = await system.create()
    called, aborted = asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, str]:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            aborted.set()
        return {}

    agent.answers[job.id] = slow
    await system.client.execute_job(job.id)
    await asyncio.wait_for(called.wait(), 30)
    cancelled = await system.client.cancel_job(job.id, "not needed", requested_by="ada")
    assert cancelled.status is JobStatus.ASSIGNED
    await asyncio.wait_for(aborted.wait(), 30)
    entry = await system.logged(job.id, lambda entry: entry.status is JobLogStatus.CANCELLED)
    assert entry.message == "cancelled by ada: not needed"

    del agent.answers[job.id]
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED


async def test_a_worker_told_to_stop_hands_its_work_over_at_once(system: System, agent: Agent) -> None:
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


async def test_an_agent_that_is_down_is_left_alone_until_one_call_finds_it_back(system: System, agent: Agent) -> None:
    frail = await system.client.create_agent(NewAgent(id="frail", name="frail", url=agent.url))
    failing = [await system.create(frail.id, policy={"max_attempts": 1}) for _ in range(5)]
    for job in failing:
        agent.answers[job.id] = lambda _: web.Response(status=503)
        await system.client.execute_job(job.id)
    for job in failing:
        assert (await system.at_rest(job.id)).status is JobStatus.FAILED

    async with system.http.get("/api/agents") as answer:
        shown = {agent["id"]: agent for agent in (await answer.json())["items"]}
    assert (shown["frail"]["circuit"], shown["agent"]["circuit"]) == ("open", "closed")

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
