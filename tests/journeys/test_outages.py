"""Outages of the database and of the broker, and records a day old, call no agent again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import asyncpg
import psutil
from faults.checking.reading import GROUPS, Tables, differences, quiet, topics
from support.outsiders import frozen
from support.system import Agent, Judge, System

from contracts.events import CancelRequested
from contracts.topics import REPLAY_HEADER
from servicekit.kafka.access import KafkaAccess
from signoff.status import JobStatus

LEASE_S = 3.0
BLUE = {"text": "The sky is blue."}
DAY = timedelta(days=1)


async def test_an_outage_of_the_database_longer_than_every_lease_calls_no_agent_again(
    system: System, agent: Agent
) -> None:
    """The database stands still for longer than a lease: the work goes on afterwards, and nobody is called twice."""
    over = asyncio.Event()

    def after(wait: Callable[[], Awaitable[object]], wait_s: float) -> Callable[[dict[str, Any]], Any]:
        async def answer(_: dict[str, Any]) -> dict[str, str]:
            await wait()
            await asyncio.sleep(wait_s)
            return BLUE

        return answer

    begun = asyncio.Event()
    waits = [(begun.wait, 0.0), (begun.wait, LEASE_S), (over.wait, 0.0), (over.wait, 1.5 * LEASE_S)]
    jobs = [await system.create() for _ in waits]
    for job, wait in zip(jobs, waits, strict=True):
        agent.answers[job.id] = after(*wait)
        await system.client.execute_job(job.id)
    async with asyncio.timeout(30):
        while any(job.id not in agent.calls for job in jobs):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
    with frozen(system.endpoints["processes"]["postgres"]):
        begun.set()
        await asyncio.sleep(3 * LEASE_S)
    over.set()
    for job in jobs:
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
        assert len(agent.calls[job.id]) == 1
        assert {entry.attempt for entry in await system.logs(job.id)} <= {None, 1}


@asynccontextmanager
async def a_day_later(postgres: str, job_id: str) -> Any:
    """All that is known of a job was written a day ago."""
    database = await asyncpg.connect(postgres)
    for sign in ("-", "+"):
        for table, key, column in (
            ("jobs", "id", "created_at"),
            ("jobs", "id", "updated_at"),
            ("job_logs", "job_id", "created_at"),
            ("executions", "job_id", "created_at"),
        ):
            await database.execute(
                f"UPDATE {table} SET {column} = {column} {sign} interval '1 day' WHERE {key} = $1", job_id
            )
        if sign == "-":
            yield
    await database.close()


async def test_a_jobstore_that_starts_while_the_broker_is_away_takes_jobs(system: System) -> None:
    """A jobstore that cannot reach Kafka as it starts still creates jobs, and executes them later."""
    processes = system.endpoints["processes"]
    with frozen(processes["kafka"]):
        psutil.Process(processes["jobstore"]).kill()
        async with asyncio.timeout(30):
            while not await system.client.is_serving():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        job = await system.create()
        await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED


async def test_records_a_day_old_that_are_published_again_change_nothing_and_call_nobody(
    system: System, agent: Agent, judge: Judge
) -> None:
    """Requests, results and cancels of yesterday are published again: tables and agents notice nothing."""
    job = await system.create(policy={"max_submissions": 2})
    done = await system.client.execute_job(job.id)
    await system.at_rest(job.id)
    cancel = CancelRequested(execution_id=done.id, job_id=job.id)
    await system.producer.send_and_wait("cancel-requested", cancel.model_dump_json().encode(), key=job.id.encode())
    kafka, tables = KafkaAccess(system.endpoints["kafka"]), Tables(system.endpoints["postgres"])
    assert await quiet(tables, kafka, 30) is None
    records = await topics(kafka)
    at_ms = int((datetime.now(UTC) - DAY).timestamp() * 1000)
    async with a_day_later(system.endpoints["postgres"], job.id):
        before, calls, asked = await tables.standing(), sum(map(len, agent.calls.values())), judge.asked
        for topic, replayed in product(GROUPS, ([], [(REPLAY_HEADER, b"1")])):
            assert records[topic], topic
            for r in records[topic]:
                headers = [*((name, value) for name, value in r.headers if name != REPLAY_HEADER), *replayed]
                await system.producer.send(topic, r.value, key=r.key, headers=headers, timestamp_ms=at_ms)
            await system.producer.flush()
            assert await quiet(tables, kafka, 30) is None
            assert differences(before, await tables.standing()) == [], (topic, replayed)
            assert (sum(map(len, agent.calls.values())), judge.asked) == (calls, asked), (topic, replayed)
