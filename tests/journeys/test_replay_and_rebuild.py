"""Operators read the topics, publish them again, rebuild the database from them, and compare."""

import asyncio
import json

from aiokafka import AIOKafkaProducer
from faults.checking.reading import differences
from support.system import Agent, Judge, System, signoff

from contracts.topics import TOPICS
from signoff.status import JobStatus


async def test_an_operator_reads_all_that_a_topic_says_of_a_job(system: System) -> None:
    """`signoff replay` shows the records of a job by topic, place and time."""
    job = await system.create()
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await system.calm()

    (result,) = await signoff(system, "replay", "result-produced", "--job", job.id)
    assert result["value"]["result"] == {"text": "The sky is blue."}
    facts = await signoff(system, "replay", "job-changed", "--job", job.id)
    assert [fact["value"]["version"] for fact in facts] == list(range(1, 1 + len(await system.logs(job.id))))

    at = f"--partition {result['partition']} --from-offset {result['offset']} --to-offset {result['offset']}"
    assert await signoff(system, "replay", "result-produced", *at.split()) == [result]
    assert not await signoff(system, "replay", "result-produced", "--job", job.id, "--since", "2100-01-01T00:00:00Z")


async def test_every_topic_published_again_changes_nothing_and_calls_nobody(
    system: System, agent: Agent, judge: Judge
) -> None:
    """All topics are published again in full: no table changes, and no agent or judge is called."""
    met, unmet, cancelled = [await system.create() for _ in range(3)]
    agent.answers[unmet.id] = lambda _: {"text": "red"}
    agent.answers[cancelled.id] = lambda _: asyncio.Event().wait()
    for job in (met, unmet, cancelled):
        await system.client.execute_job(job.id)
    await system.client.cancel_job(cancelled.id)
    assert (await system.at_rest(met.id)).status is JobStatus.COMPLETED
    assert (await system.at_rest(unmet.id)).status is JobStatus.RESUBMISSION_REQUIRED
    tables = await system.calm()
    before, calls, asked = await tables.standing(), sum(map(len, agent.calls.values())), judge.asked

    for topic in TOPICS.values():
        if topic.dlq is not None:
            (told,) = await signoff(system, "replay", topic.name, "--publish", "--yes")
            assert told["published"] > 0 or topic.name == "cancel-requested"
    await system.calm()

    assert differences(before, await tables.standing()) == []
    assert (sum(map(len, agent.calls.values())), judge.asked) == (calls, asked)


async def test_a_lost_database_is_made_again_from_the_facts(system: System) -> None:
    """`signoff rebuild` fills an empty database from Kafka, and `signoff verify` finds it equal."""
    job = await system.create()
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await system.calm()

    rebuilt = f"{system.endpoints['postgres']}_rebuilt"
    *_, told = await signoff(system, "rebuild", "--database-url", rebuilt, "--create")
    assert told["counts"]["jobs"] > 0
    (result,) = await signoff(system, "verify", "--database-url", rebuilt)
    assert result["ok"]
    assert result["counts"] == told["counts"]


async def test_a_stranger_who_writes_facts_changes_nothing_in_a_database_that_is_made_of_them(system: System) -> None:
    """He can write to the broker, and has no key: that a job failed, and that an agent lives elsewhere, is left out."""
    job = await system.create()
    await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    await system.calm()
    (last,) = (await signoff(system, "replay", "job-changed", "--job", job.id))[-1:]
    (agent,) = [fact for fact in await signoff(system, "replay", "agent-changed") if fact["value"]][-1:]
    assert (last["signature"], agent["signature"]) == ("signed by local", "signed by local")
    failed = last["value"] | {"version": last["value"]["version"] + 1, "kind": "failed"}
    failed["log"] |= {"version": failed["version"], "cursor": 10**9, "status": "FAILED", "job_status": "FAILED"}
    moved = agent["value"] | {"cursor": 10**9 + 1, "agent": agent["value"]["agent"] | {"url": "http://10.0.0.1/"}}
    async with AIOKafkaProducer(bootstrap_servers=system.endpoints["kafka"]) as stranger:
        for topic, key, value in (("job-changed", job.id, failed), ("agent-changed", agent["key"], moved)):
            await stranger.send_and_wait(topic, json.dumps(value).encode(), key=key.encode())

    rebuilt = f"{system.endpoints['postgres']}_forged"
    *_, told = await signoff(system, "rebuild", "--database-url", rebuilt, "--create")
    (result,) = await signoff(system, "verify", "--database-url", rebuilt)
    assert result["ok"]
    assert told["left"] == result["left"] == {"job-changed": {"unsigned": 1}, "agent-changed": {"unsigned": 1}}
