"""Whoever asks twice, from upstream, badly or by mistake is understood, and nobody else is delayed."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from support.system import WAIT_S, Agent, System

from contracts.events import ExecuteRequested
from contracts.resources import NewJob, NewResolution
from contracts.topics import TOPIC_OF, TOPICS
from servicekit.kafka.dead_letters import FORGED_BYTES
from signoff.status import ExecutionState, JobLogStatus, JobStatus, LetterOutcome
from signoff.values import new_execution_id


async def test_the_same_request_twice_is_one_execution(system: System, agent: Agent) -> None:
    """A client that repeats a request, at once or later, by gRPC or REST, calls the agent once."""
    job = await system.create()
    execution_id = new_execution_id()
    asked = [system.client.execute_job(job.id, execution_id) for _ in range(5)]
    await asyncio.gather(*asked)
    await system.at_rest(job.id)
    again = await system.client.execute_job(job.id, execution_id)

    assert again.state is ExecutionState.COMPLETED
    assert len(agent.calls[job.id]) == 1

    other = await system.create()
    for status in (201, 200):
        headers = {"Idempotency-Key": "once, please"}
        async with system.http.post(f"/api/jobs/{other.id}/execute", headers=headers) as answer:
            assert answer.status == status, await answer.text()
    await system.at_rest(other.id)
    assert len(agent.calls[other.id]) == 1


async def test_an_upstream_event_with_the_job_inline_needs_no_earlier_call(system: System, agent: Agent) -> None:
    """An upstream service publishes one event that holds the job; it is created, executed and judged."""
    new = NewJob(title="From upstream", acceptance_criteria='Says "blue"', agent_id="agent", payload={"n": 2**80})
    job_id = "upstream-1"
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=job_id, job=new)
    for _ in range(2):  # a redelivery
        await system.producer.send_and_wait(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())

    await system.known(job_id)
    job = await system.at_rest(job_id)
    assert (job.status, job.title, job.payload) == (JobStatus.COMPLETED, "From upstream", {"n": 2**80})
    assert len(agent.calls[job_id]) == 1


async def test_a_poison_message_is_kept_as_it_was_and_delays_nobody(system: System) -> None:
    """Records that cannot be read go to the dead-letter topic with a reason, and the next job runs."""
    topic = TOPIC_OF[ExecuteRequested]
    too_large = b'{"execution_id": "' + b"x" * (2 << 20) + b'"}'
    no_criteria = b'{"execution_id": "0190a000-0000-7000-8000-00000000beef", "job_id": "a", "job": {"title": "t"}}'
    poison = [
        (b"no json \xff", [], "malformed_json"),
        (b'{"job_id": 1}', [], "schema_mismatch"),
        (b"{}", [("note", b"\xff\xfe")], "malformed_header"),
        (too_large, [], "payload_too_large"),
        (b'{"execution_id": "0190a000-0000-7000-8000-00000000dead", "job_id": "nobody"}', [], "unknown_job"),
        (no_criteria, [], "criteria_empty"),
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
        body, original, code = next(p for p in poison if p[0][:FORGED_BYTES] == record.value)
        assert headers["dlq-error-code"].decode() == code
        assert headers["dlq-topic"].decode() == topic
        assert dict(original).items() <= headers.items()
        poison = [p for p in poison if p[0] != body]
    await consumer.stop()


async def test_a_job_cancelled_while_its_agent_works_rests_and_may_be_executed_again(
    system: System, agent: Agent
) -> None:
    """A cancel aborts the call that is under way, the log says who asked, and the job can run again."""
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
    cancelled = await system.client.cancel_job(job.id, "not needed")
    assert cancelled.status is JobStatus.ASSIGNED
    await asyncio.wait_for(aborted.wait(), 30)
    entry = await system.logged(job.id, lambda entry: entry.status is JobLogStatus.CANCELLED)
    assert entry.message == "cancelled by token:bootstrap: not needed"

    del agent.answers[job.id]
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED


async def test_dead_letters_are_redriven_once_and_what_comes_back_is_no_more_than_before(
    system: System, agent: Agent
) -> None:
    """Ten requests of jobs that nobody knows; one job is created, and an operator asks for all again, thrice."""
    topic, dlq = TOPIC_OF[ExecuteRequested], str(TOPICS[TOPIC_OF[ExecuteRequested]].dlq)
    async with system.http.post("/api/dead-letters/resolve", json={"topic": topic, "outcome": "DISCARDED"}) as answer:
        assert answer.status == 200, await answer.text()
    jobs = [f"late-{number}" for number in range(10)]
    for job_id in jobs:
        event = ExecuteRequested(execution_id=new_execution_id(), job_id=job_id)
        await system.producer.send_and_wait(topic, event.model_dump_json().encode(), key=job_id.encode())

    async def open_ones(number: int) -> None:
        """Wait until so many are open, each of which says why."""
        async with asyncio.timeout(WAIT_S):
            while True:
                listed = (await system.client.list_dead_letters(page_size=50)).items
                letters = [each for each in listed if each.topic == dlq]
                assert {each.message for each in letters} <= {f"no job has the id {job_id}" for job_id in jobs}
                if len(letters) == number:
                    return
                await asyncio.sleep(0.05)

    await open_ones(10)
    await system.create(id=jobs[0])
    redriven = []
    for _ in range(3):
        chosen = NewResolution(topic=topic, outcome=LetterOutcome.REDRIVEN, code="unknown_job", reason="they are there")
        redriven.append((await system.client.resolve_dead_letters(chosen)).letters)
        await open_ones(9)
    assert redriven == [10, 9, 9]
    assert (await system.at_rest(jobs[0])).status is JobStatus.COMPLETED
    assert len(agent.calls[jobs[0]]) == 1
