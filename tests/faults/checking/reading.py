"""Reading what there is: the tables, the topics, and how far their readers have come."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from faults.checking.observed import FORGED, ExecutionRow, JobRow, LogRow, Record
from jobstore.storage.locks import Lock

GROUPS = {
    "execute-requested": ("signoff-executor",),
    "result-produced": ("signoff-validator", "signoff-jobstore-results"),
    "job-status-reported": ("signoff-jobstore-reports",),
    "cancel-requested": ("signoff-jobstore-cancels",),
}
_LOGS = """
SELECT job_id, version, id::text, status, job_status, kind, extract(epoch FROM created_at)::float8 AS at, code,
    execution_id::text, attempt, lease, event_id::text,
    (response_payload::jsonb #>> '{verdict,is_valid}')::boolean AS is_valid,
    CASE WHEN kind = 'result' THEN response_payload::jsonb -> 'result' END::text AS result,
    to_jsonb(job_logs)::text LIKE $1 AS forged
FROM job_logs ORDER BY job_id, version
"""
_EXECUTIONS = """
SELECT execution_id::text, job_id, state, answer, request_version IS NOT NULL AS requested,
    coalesce(policy::jsonb ->> 'delivery', '') = 'at_most_once' AS at_most_once
FROM executions ORDER BY execution_id
"""
_UNFINISHED = """
SELECT (SELECT count(*) FROM executions WHERE state <> 'DONE'),
    (SELECT count(*) FROM job_logs WHERE seq > (SELECT published_seq FROM relay))
"""
#: Whoever publishes facts holds this lock on a session of its own.
_PUBLISHING = """
SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = $1
"""
#: Everything that an execution came to. Who held it, how often it was offered, and whether a forged report was buried
#: may change in a replay.
_STANDING = {
    "jobs": "SELECT id AS key, to_jsonb(jobs)::text AS row FROM jobs",
    "job_logs": "SELECT seq::text AS key, to_jsonb(job_logs)::text AS row FROM job_logs",
    "executions": """SELECT execution_id::text AS key,
        (to_jsonb(executions) - 'owner' - 'due_at' - 'offers' - 'forged_lease')::text AS row FROM executions""",
}


class Tables:
    """The database, read past the link before it."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def _fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url, timeout=10)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close(timeout=5)

    async def jobs(self) -> list[JobRow]:
        return [JobRow(*row) for row in await self._fetch("SELECT id, status, version, live FROM jobs ORDER BY id")]

    async def executions(self) -> list[ExecutionRow]:
        return [ExecutionRow(*row) for row in await self._fetch(_EXECUTIONS)]

    async def logs(self) -> list[LogRow]:
        rows = [dict(row) for row in await self._fetch(_LOGS, f"%{FORGED}%")]
        return [LogRow(**row | {"result": row["result"] and as_text(json.loads(row["result"]))}) for row in rows]

    async def unfinished(self) -> tuple[int, int]:
        """Executions under way, and facts that were not published."""
        ((live, facts),) = await self._fetch(_UNFINISHED)
        return live, facts

    async def publishing_from(self) -> list[int]:
        """The port from which whoever publishes facts has come; nobody may."""
        return [port for (port,) in await self._fetch(_PUBLISHING, Lock.RELAY)]

    async def standing(self) -> dict[str, dict[str, str]]:
        """Every row of each table as text, by its key."""
        return {
            table: {row["key"]: row["row"] for row in await self._fetch(query)} for table, query in _STANDING.items()
        }


def as_text(value: Any) -> str:
    """JSON text that is the same for the same value."""
    return json.dumps(value, sort_keys=True)


def differences(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """What changed between two readings, as sentences."""
    changed = []
    for table, rows in before.items():
        then = after[table]
        changed += [f"{table}: new {then[key]}" for key in then.keys() - rows.keys()]
        changed += [f"{table}: lost {rows[key]}" for key in rows.keys() - then.keys()]
        changed += [
            f"{table}: {_difference(rows[key], then[key])}"
            for key in rows.keys() & then.keys()
            if rows[key] != then[key]
        ]
    return changed


def _difference(before: str, after: str) -> str:
    old, new = json.loads(before), json.loads(after)
    moved = {name: (old[name], new.get(name)) for name in old if old[name] != new.get(name)}
    return f"{old.get('execution_id') or old.get('id')}: {moved}"


async def topics(kafka: str) -> dict[str, list[Record]]:
    """Every record of every topic, each topic in the order of its partitions and offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, check_crcs=False)
    await consumer.start()
    try:
        return {topic: await _records(consumer, topic) for topic in TOPICS}
    finally:
        await consumer.stop()


async def _records(consumer: AIOKafkaConsumer, topic: str) -> list[Record]:
    partitions = [TopicPartition(topic, number) for number in range(TOPICS[topic].partitions)]
    ends = await consumer.end_offsets(partitions)
    begins = await consumer.beginning_offsets(partitions)
    wanted = [partition for partition in partitions if ends[partition] > begins[partition]]
    if not wanted:
        return []  # assigned to nothing, a consumer never reads again
    consumer.assign(wanted)
    for partition in wanted:
        consumer.seek(partition, begins[partition])
    read: list[Record] = []
    while wanted:
        for records in (await consumer.getmany(timeout_ms=500, max_records=1000)).values():
            read += [Record(topic, r.partition, r.offset, r.key, r.value, r.headers) for r in records]
        wanted = [p for p in wanted if await consumer.position(p) < ends[p]]
    return sorted(read, key=lambda record: (record.partition, record.offset))


async def quiet(tables: Tables, kafka: str, patience_s: float) -> str | None:
    """Wait until nothing is under way; None, or what still is when patience ends."""
    left: Sequence[Any] = ("not looked",)
    try:
        async with asyncio.timeout(patience_s), _readers(kafka) as readers:
            calm = 0
            while calm < 3:  # in a row: between two steps a moment looks calm
                left = await _left(tables, *readers)
                calm = 0 if any(left) else calm + 1
                await asyncio.sleep(0.2)
    except TimeoutError:
        return f"after {patience_s:g} s (executions, facts, records) were left: {left}"
    return None


@asynccontextmanager
async def _readers(kafka: str) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    async with AIOKafkaConsumer(bootstrap_servers=kafka) as consumer:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        try:
            yield admin, consumer
        finally:
            await admin.close()


async def _left(tables: Tables, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> Sequence[Any]:
    try:
        unread = [await _behind(admin, consumer, topic, group) for topic, groups in GROUPS.items() for group in groups]
        return *await tables.unfinished(), sum(unread)
    except KafkaError as error:
        return (repr(error),)


async def _behind(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, topic: str, group: str) -> int:
    """Records of a topic that a consumer group has not committed."""
    partitions = [TopicPartition(topic, number) for number in range(TOPICS[topic].partitions)]
    ends = await consumer.end_offsets(partitions)
    committed = await admin.list_consumer_group_offsets(group, partitions=partitions)
    return sum(max(0, ends[p] - max(0, committed[p].offset)) for p in partitions)
