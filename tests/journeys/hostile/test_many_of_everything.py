"""Many of everything: refused at a bound with a code, or seen through all services in time that its size explains."""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer
from support.system import Agent, System

from contracts.events import ExecuteRequested
from contracts.resources import JobFilter, JobPatch, NewAgent
from contracts.topics import TOPIC_OF, TOPICS
from signoff.status import JobStatus
from signoff.values import new_execution_id

EDITS = 2_000
SUBMISSIONS_MAX = 100
AGENTS = 1_000
#: Calls that are under way at once.
AT_ONCE = 200


async def all_of(calls: Iterable[Awaitable[Any]]) -> None:
    """Make calls, AT_ONCE at a time."""
    left = iter(calls)
    while part := list(itertools.islice(left, AT_ONCE)):
        await asyncio.gather(*part)


async def read_stream(system: System, job_id: str, is_last: Callable[[str], bool]) -> int:
    """How many changes the stream of a job tells from the first on, until one of which `is_last` is true."""
    count = 0
    async with system.http.get(f"/api/jobs/{job_id}/events?after=0") as events:
        async for line in events.content:
            count += line.startswith(b"event: job-changed")
            if line.startswith(b"data: ") and is_last(line.decode()):
                return count
    raise AssertionError


async def test_criteria_edited_thousands_of_times_are_seen_through(system: System, agent: Agent) -> None:
    job, began = await system.create(), time.monotonic()
    edits = (JobPatch(acceptance_criteria=f'Says "blue"\nIs not empty, and edit {n} of it') for n in range(EDITS))
    await all_of(system.client.edit_job(job.id, edit) for edit in edits)
    await system.client.edit_job(job.id, JobPatch(acceptance_criteria='Says "blue"'))
    edited_s = time.monotonic() - began
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    ((_, body),) = agent.calls[job.id]
    assert body["acceptance_criteria"] == 'Says "blue"'
    version = (await system.client.get_job(job.id)).version
    assert version > EDITS
    async with asyncio.timeout(60):
        assert await read_stream(system, job.id, lambda line: f'"version":{version},' in line) == version
    await system.calm()  # every fact is told
    assert time.monotonic() - began < 2 * edited_s + 30


async def test_as_many_submissions_are_made_as_a_policy_may_ask_for(system: System, agent: Agent) -> None:
    """What a thousand cost, by ten assignments, is in test_many_submissions.py."""
    new = {"title": "t", "acceptance_criteria": "c", "policy": {"max_submissions": SUBMISSIONS_MAX + 1}}
    async with system.http.post("/api/jobs", json=new) as refused:
        assert (refused.status, (await refused.json())["code"]) == (422, "invalid_request")
    job = await system.create(policy={"resubmit": "automatic", "max_submissions": SUBMISSIONS_MAX})
    count = itertools.count(1)
    agent.answers[job.id] = lambda _: {"text": f"It is red, and that is answer {next(count)}."}
    await system.client.execute_job(job.id)
    async with asyncio.timeout(100):
        await read_stream(system, job.id, lambda line: '"job_status":"REJECTED"' in line)
    calls = agent.calls.pop(job.id)
    assert len(calls) == len({headers["Idempotency-Key"] for headers, _ in calls}) == SUBMISSIONS_MAX
    version = (await system.client.get_job(job.id)).version
    assert await read_stream(system, job.id, lambda line: f'"version":{version},' in line) == version


async def test_among_a_thousand_agents_the_one_that_can_is_found(system: System, agent: Agent) -> None:
    mark = f"{uuid4()}"

    def make(n: int) -> NewAgent:
        able = ["is patient", f"counts to {n}"]
        return NewAgent(id=f"{mark}-{n}", name=f"agent {n}", url=agent.url, capabilities=able)

    await all_of(system.client.create_agent(make(n)) for n in range(AGENTS))
    listed, token = [], None
    while token != "":
        page, token = await system.client.list_agents(page_size=500, page_token=token or "")
        listed += [one.id for one in page if one.id.startswith(mark)]
    assert len(listed) == len(set(listed)) == AGENTS
    jobs = [await system.create(None, capabilities=["is patient", f"counts to {n}"]) for n in (0, AGENTS - 1)]
    assert [job.agent_id for job in jobs] == [f"{mark}-0", f"{mark}-{AGENTS - 1}"]
    each = [await system.create(f"{mark}-{n}", labels={"of": mark}) for n in range(0, AGENTS, 50)]
    await system.client.execute_jobs(filter=JobFilter(labels={"of": mark}))
    for job in each:
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    async with system.http.get("/api/overview") as answer:
        assert answer.status == 200
    await system.calm()


async def test_ten_thousand_labels_are_refused_at_every_door(system: System) -> None:
    labels = {f"label-{n}": "x" for n in range(10_000)}
    new = {"title": "t", "acceptance_criteria": 'Says "blue"', "agent_id": "agent", "labels": labels}
    async with system.http.post("/api/jobs", json=new) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "invalid_request")
    topic = TOPIC_OF[ExecuteRequested]
    consumer = AIOKafkaConsumer(TOPICS[topic].dlq, bootstrap_servers=system.endpoints["kafka"])
    await consumer.start()
    await consumer.seek_to_end()
    known = await system.create(labels={f"label-{n}": "x" for n in range(64)})
    body = {"execution_id": str(new_execution_id()), "job_id": f"labels-{uuid4()}", "job": new}
    await system.producer.send_and_wait(topic, json.dumps(body).encode())
    async with asyncio.timeout(30):
        letter = await consumer.getone()
    await consumer.stop()
    assert dict(letter.headers)["dlq-error-code"] == b"schema_mismatch"
    await system.client.execute_job(known.id)
    assert (await system.at_rest(known.id)).status is JobStatus.COMPLETED
