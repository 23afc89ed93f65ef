"""Agents that want a key are sent one, which stands nowhere else: not in topics, tables, logs or any answer."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from support.system import AGENT_KEY, AGENT_TOKEN, Agent, System, signoff

from contracts.topics import TOPICS
from signoff.status import JobStatus

SECRETS = (AGENT_KEY, AGENT_TOKEN)
HEADERS = {"Authorization": "env:SIGNOFF_AGENT_JOURNEY", "X-Key": "file:journey/key"}


async def test_an_agent_is_sent_values_that_are_found_nowhere_else(system: System, agent: Agent) -> None:
    """One call succeeds, and one fails with an answer that repeats what it was sent."""
    new = {"id": "keyed", "name": "keyed", "url": agent.url, "headers": HEADERS}
    async with system.http.post("/api/agents", json=new) as answer:
        assert (await answer.json())["headers"] == HEADERS
    done, failed = await system.create("keyed"), await system.create("keyed")
    agent.answers[failed.id] = lambda _: web.Response(status=401, text=f"nobody knows {AGENT_TOKEN} or {AGENT_KEY}")
    for job in (done, failed):
        await system.client.execute_job(job.id)
    assert (await system.at_rest(done.id)).status is JobStatus.COMPLETED
    assert (await system.at_rest(failed.id)).status is JobStatus.FAILED
    for job in (done, failed):
        ((headers, _),) = agent.calls[job.id]
        assert (headers["Authorization"], headers["X-Key"]) == (f"Bearer {AGENT_TOKEN}", AGENT_KEY)
    assert (await system.logs(failed.id))[-1].message == "the agent answered 401: nobody knows *** or ***"

    await system.calm()
    said = [
        json.dumps(each) for words in (["agents", "get", "keyed"], ["doctor"]) for each in await signoff(system, *words)
    ]
    for path in ("/api/agents", "/api/agents/keyed", f"/api/jobs/{failed.id}", f"/api/jobs/{failed.id}/logs"):
        async with system.http.get(path) as answer:
            said.append(await answer.text())
    said += [*await rows(system.endpoints["postgres"]), *await records(system.endpoints["kafka"])]
    assert "env:SIGNOFF_AGENT_JOURNEY" in "".join(said)
    assert not [text for text in said for secret in SECRETS if secret in text]
    written = contents(system.endpoints_file.parent)
    assert not [path for path, data in written for secret in SECRETS if secret.encode() in data]


async def test_an_agent_of_a_tenant_is_sent_its_tenants_values_alone(system: System, agent: Agent) -> None:
    """It is not saved with others; and where others stand in the database all the same, nothing is sent."""
    await system.client.create_tenant(name="press")
    system.keep_header("press/key", "a key of the press")
    new = {"id": "press:keyed", "name": "keyed", "url": agent.url, "tenant": "press"}
    async with system.http.post("/api/agents", json=new | {"headers": HEADERS}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "agent_value_forbidden")
    async with system.http.post("/api/agents", json=new | {"headers": {"X-Key": "file:press/key"}}) as answer:
        assert answer.status == 201, await answer.text()
    own, forged = [await system.create("press:keyed", tenant="press") for _ in range(2)]
    await system.client.execute_job(own.id)
    assert (await system.at_rest(own.id)).status is JobStatus.COMPLETED
    ((headers, _),) = agent.calls[own.id]
    assert headers["X-Key"] == "a key of the press"

    database = await asyncpg.connect(system.endpoints["postgres"])
    await database.execute("UPDATE agents SET headers = $1 WHERE id = 'press:keyed'", json.dumps(HEADERS))
    await database.close()
    await system.client.execute_job(forged.id)
    assert (await system.at_rest(forged.id)).code == "agent_value_forbidden"
    assert forged.id not in agent.calls


async def rows(postgres: str) -> list[str]:
    """All rows of all tables, as text."""
    database = await asyncpg.connect(postgres)
    tables = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = [row[0] for (name,) in tables for row in await database.fetch(f'SELECT t::text FROM "{name}" AS t')]
    await database.close()
    return found


async def records(kafka: str) -> list[str]:
    """All records of all topics, with their headers."""
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = consumer.assignment()
        ends = await consumer.end_offsets(partitions)
        found: list[str] = []
        async with asyncio.timeout(60):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    found += [repr((record.key, record.value, record.headers)) for record in batch]
    finally:
        await consumer.stop()
    return found


def contents(data: Path) -> Iterator[tuple[Path, bytes]]:
    """All files that the system wrote: logs, segments of topics, pages of tables; and no empty index of a segment."""
    for path in data.rglob("*"):
        if path.is_file() and path.suffix not in {".index", ".timeindex"}:
            yield path, path.read_bytes()
