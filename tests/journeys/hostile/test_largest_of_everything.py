"""The largest of everything that each door takes is run, judged and published; not a byte more is taken."""

import asyncio
from collections import defaultdict
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, TopicPartition
from support.system import Agent, System

from contracts.events import ExecuteRequested, JobChanged
from contracts.resources import JobPatch, NewJob, Policy
from contracts.signing import is_marker
from contracts.topics import PAYLOAD_MAX_BYTES, TOPIC_OF, TOPICS, measure, measure_job
from signoff import SignoffError
from signoff.jsontext import json_text
from signoff.status import JobStatus
from signoff.values import new_execution_id

TOPIC = TOPIC_OF[JobChanged]
#: Three bytes a character, as those with which every fact was once held back: by characters it is a third as large.
MARK = "€"


def text_of(size: int) -> str:
    """A text of so many bytes of JSON, that says "blue" in letters of one byte."""
    marks, rest = divmod(size - 2 - len("blue "), 3)
    return f"blue {'x' * rest}{MARK * marks}"


def largest(more: int = 0, **fields: Any) -> NewJob:
    """A job that asks for as much as is taken, and `more` bytes."""
    new = NewJob(title="Describe the sky", acceptance_criteria='Says "blue"', agent_id="agent", **fields)
    room = PAYLOAD_MAX_BYTES - measure_job(new, "")
    new.payload = text_of(room + more)
    assert measure_job(new, json_text(new.payload)) == PAYLOAD_MAX_BYTES + more
    return new


def answering(result: str) -> web.Response:
    return web.Response(text=json_text(result), content_type="application/json")


async def refused(asked: Any) -> str:
    with pytest.raises(SignoffError) as error:
        await asked
    return str(error.value.code)


async def test_a_job_edited_submitted_again_and_judged_with_the_largest_texts_is_seen_through(
    system: System, agent: Agent
) -> None:
    client = system.client
    assert await refused(client.create_job(largest(more=1))) == "payload_too_large"
    new = largest(policy=Policy(max_submissions=2))
    job = await client.create_job(new)
    after = text_of(measure(new.payload) - 3) + "zzz"
    assert await refused(client.edit_job(job.id, JobPatch(payload=f"{after}z"))) == "payload_too_large"
    assert await refused(client.edit_job(job.id, JobPatch(title=f"{new.title}!"))) == "payload_too_large"
    await client.edit_job(job.id, JobPatch(payload=after))
    assert await refused(client.assign_agent(job.id, "agent", f"{after}z")) == "payload_too_large"
    await client.assign_agent(job.id, "agent", new.payload)

    result = text_of(PAYLOAD_MAX_BYTES)
    agent.answers[job.id] = lambda _: answering(result.replace("blue", "pink"))
    await client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.RESUBMISSION_REQUIRED
    comment = text_of(PAYLOAD_MAX_BYTES)
    assert await refused(client.resubmit_job(job.id, comment=f"{comment}z")) == "payload_too_large"
    agent.answers[job.id] = lambda _: answering(result)
    await client.resubmit_job(job.id, comment=comment)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert agent.calls.pop(job.id)[-1][1]["feedback"]["comment"] == comment
    await system.calm()
    await _is_told(system, job.id)


async def test_what_comes_by_rest_by_an_event_and_in_a_batch_is_seen_through(system: System) -> None:
    statuses, ids = [], []
    for new in (largest(more=1), largest()):
        body = new.model_dump_json(exclude_defaults=True)
        headers = {"Content-Type": "application/json"}
        async with system.http.post("/api/jobs", data=BytesIO(body.encode()), headers=headers) as answer:
            statuses.append(answer.status)
            ids.append((await answer.json()).get("id"))
    assert statuses == [413, 201]
    await system.client.execute_job(ids[1])

    inline, batched = f"inline-{uuid4()}", f"batched-{uuid4()}"
    event = ExecuteRequested(execution_id=new_execution_id(), job_id=inline, job=largest())
    body = event.model_dump_json(exclude_none=True, exclude_defaults=True).encode()
    await system.producer.send_and_wait(TOPIC_OF[ExecuteRequested], body)
    assert await refused(system.client.execute_jobs(jobs=[largest(more=1)])) == "payload_too_large"
    await system.client.execute_jobs(jobs=[largest(id=batched)])
    for job_id in (ids[1], inline, batched):
        await system.known(job_id)
        assert (await system.at_rest(job_id)).status is JobStatus.COMPLETED, job_id
    await system.calm()
    for job_id in (ids[1], inline, batched):
        await _is_told(system, job_id)


async def test_an_inline_job_of_a_byte_more_is_a_dead_letter(system: System) -> None:
    topic = TOPIC_OF[ExecuteRequested]
    consumer = AIOKafkaConsumer(TOPICS[topic].dlq, bootstrap_servers=system.endpoints["kafka"])
    await consumer.start()
    await consumer.seek_to_end()
    event = ExecuteRequested(execution_id=new_execution_id(), job_id="too-large", job=largest(more=1))
    body = event.model_dump_json(exclude_none=True, exclude_defaults=True).encode()
    await system.producer.send_and_wait(topic, body)
    async with asyncio.timeout(30):
        letter = await consumer.getone()
    await consumer.stop()
    assert dict(letter.headers)["dlq-error-code"] == b"payload_too_large"


async def test_the_longest_words_of_a_cancel_are_taken_and_kept_in_part(system: System) -> None:
    job = await system.create()
    words = text_of(PAYLOAD_MAX_BYTES)
    assert await refused(system.client.cancel_job(job.id, f"{words}z")) == "payload_too_large"
    await system.client.cancel_job(job.id, words)
    (entry,) = [entry for entry in await system.logs(job.id) if entry.code == "cancelled"]
    assert entry.message is not None
    assert (len(entry.message), entry.message[-1]) == (4_000, "\N{HORIZONTAL ELLIPSIS}")


async def _is_told(system: System, job_id: str) -> None:
    """Whether every version of a job is in the topic, whole."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.endpoints["kafka"], max_partition_fetch_bytes=16 << 20)
    await consumer.start()
    places = [TopicPartition(TOPIC, number) for number in range(TOPICS[TOPIC].partitions)]
    ends = await consumer.end_offsets(places)
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    told: defaultdict[str, list[JobChanged]] = defaultdict(list)
    async with asyncio.timeout(60):
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(*places, timeout_ms=200)).values():
                for record in (one for one in records if not is_marker(one)):
                    event = JobChanged.model_validate_json(record.value)
                    told[event.job_id].append(event)
    await consumer.stop()
    versions = sorted({event.version for event in told[job_id] if event.stub is None})
    assert versions == list(range(1, (await system.client.get_job(job_id)).version + 1))
    assert not [event.version for event in told[job_id] if event.stub]
