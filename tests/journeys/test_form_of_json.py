"""What programs read has one form at every door: times in UTC with six digits and Z, and what is not set left out."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from support.system import WAIT_S, System, signoff

from contracts.resources import NewLimit
from contracts.schemas import schemas as schemas_by_name
from contracts.topics import TOPICS

TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
PATHS = (
    *("/api/jobs", "/api/jobs/{job}", "/api/jobs/{job}/logs", "/api/jobs/{job}/result", "/api/jobs/{job}/waiting"),
    *("/api/agents", "/api/agents/agent", "/api/agent-stats", "/api/limits", "/api/operations", "/api/overview"),
    *("/api/inbox", "/api/quality"),
    *("/api/judges", "/api/judges/default", "/api/criteria-sets"),
)


def find_odd(value: Any, place: str = "") -> Iterator[str]:
    """Where a JSON value has null, but in JSON of users, or a text begins with a time in another form.

    JSON within a text is looked into for times.
    """
    if isinstance(value, dict):
        for name, part in value.items():
            yield from find_odd(part, f"{place}/{name}")
    elif isinstance(value, list):
        for part in value:
            yield from find_odd(part, f"{place}/-")
    elif value is None and not re.search(r"/(payload|request|request_payload|result|partial)\b| as JSON", place):
        yield f"{place}: null"
    elif isinstance(value, str) and re.match(r"\[|\{(?!\{)", value):  # `{{` begins a template
        yield from find_odd(json.loads(value), f"{place} as JSON")
    elif isinstance(value, str) and TIME.match(value) and not FORM.fullmatch(value):
        yield f"{place}: {value}"


async def read_topics(system: System, keys: set[str]) -> dict[str, list[ConsumerRecord[bytes, bytes]]]:
    """All records of these keys that the topics hold, and all markers, by topic: other tests write what is no event."""
    found: dict[str, list[Any]] = {}
    async with AIOKafkaConsumer(bootstrap_servers=system.endpoints["kafka"], auto_offset_reset="earliest") as consumer:
        for name, topic in TOPICS.items():
            places = [TopicPartition(name, number) for number in range(topic.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning()
            ends, read = await consumer.end_offsets(places), found.setdefault(name, [])
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=1_000)).values():
                    read += [
                        one for one in records if _is_marker(one) or (one.key or b"").decode(errors="replace") in keys
                    ]
    return found


def _is_marker(record: ConsumerRecord[bytes, bytes]) -> bool:
    return ("ce_type", b"signoff.marker.v1") in record.headers


async def live_a_life(system: System) -> tuple[str, set[str]]:
    """Let there be a job that is created, edited, executed and judged, and something of all else.

    Return its id, and the keys of all records about it and what is around it.
    """
    once = {"reuse_verdict": False}  # else no validator need say anything
    job = await system.create(labels={"a": "b"}, not_before="2026-01-01T01:00:00+01:00", policy=once)
    async with system.http.patch(f"/api/jobs/{job.id}", json={"not_before": "2026-01-02T00:00:00Z"}) as answer:
        assert answer.status == 200, await answer.text()
    await system.client.set_limit("agent:nobody", NewLimit(concurrency=3))
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    other = await system.create()
    async with system.http.post("/api/batches", json={"name": "one", "job_ids": [other.id]}) as answer:
        assert answer.status == 201, await answer.text()
    await system.at_rest(other.id)
    await system.client.remove_limit("agent:nobody")
    await system.calm()
    return job.id, {job.id, other.id, "agent:nobody", str(job.agent_id)}


async def test_times_have_one_form_and_nothing_is_null_in_every_topic_answer_and_event(system: System) -> None:
    """A job lives, and whatever is told of it and of what is around it has its times in one form, and no null."""
    job_id, keys = await live_a_life(system)
    topics = {
        name: [
            json.loads(record.value) for record in records if record.key and record.value and not name.endswith("-dlq")
        ]
        for name, records in (await read_topics(system, keys)).items()
    }
    assert {name for name, values in topics.items() if values} >= {
        *("result-produced", "job-status-reported", "job-changed", "agent-changed", "administration-changed")
    }
    odd = [f"{name}{place}" for name, values in topics.items() for place in find_odd(values)]
    for path in PATHS:
        async with system.http.get(path.format(job=job_id)) as answer:
            assert answer.status in {200, 404}, await answer.text()
            odd += [f"{path}{place}" for place in find_odd(json.loads(await answer.text()))]
    for command in ("jobs list", f"jobs get {job_id}", f"jobs logs {job_id}", "agents list", "limits list", "doctor"):
        odd += [f"{command}{place}" for place in find_odd(await signoff(system, *command.split()))]
    async with asyncio.timeout(WAIT_S), system.http.get(f"/api/jobs/{job_id}/events", params={"after": "0"}) as events:
        async for line in events.content:
            if line.startswith(b"data: "):
                odd += [f"events{place}" for place in find_odd(json.loads(line[6:]))]
                if b'"COMPLETED"' in line:
                    break
    assert sorted(set(odd)) == []


async def test_each_record_says_as_a_cloud_event_of_what_it_is_who_wrote_it_and_its_schema(system: System) -> None:
    """A reader of any language leaves out by type what is no event, and finds the schema of all else by its name."""
    _, keys = await live_a_life(system)
    schemas = {json.loads(text)["$id"] for text in schemas_by_name().values()}
    sources = set()
    for name, records in (await read_topics(system, keys)).items():
        for record in records:
            headers = {key: value.decode() for key, value in record.headers}
            if "ce_source" not in headers or name.endswith("-dlq"):
                continue  # of another test, or a dead letter of one
            sources.add(headers["ce_source"])
            kind = headers["ce_type"]
            if kind == "signoff.marker.v1":
                assert (record.key, record.value, "ce_dataschema" in headers) == (None, b"{}", False)
                continue
            body = json.loads(record.value)
            assert headers["ce_dataschema"] in schemas
            is_complete = body.get("kind") == "complete"
            assert kind == (f"signoff.{name}.v1" if not is_complete else "signoff.administration-complete.v1")
            named = body.get("job_id") or body.get("agent_id") or body.get("name") or body["execution_id"]
            assert headers["ce_subject"] == named
            assert FORM.fullmatch(headers["ce_time"])
    installations = {source.split("/")[2] for source in sources}
    (installation,) = installations
    assert sources == {f"/signoff/{installation}/{part}" for part in ("jobstore", "executor", "validator")}
