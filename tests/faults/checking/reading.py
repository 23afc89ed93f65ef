"""Reading what there is: the tables, the topics, and how far their readers have come."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.signing import is_marker
from contracts.topics import TOPICS
from faults.checking.observed import AFTERWARDS, CONCLUDING, FORGED, ExecutionRow, JobRow, LogRow, Record
from jobstore.engine.locks import Lock
from localstack.postgres import find_binaries
from servicekit.kafka.access import KafkaAccess
from servicekit.patches import UnreadableBatch, skip_unreadable_batches
from signoff import AsyncClient, DeadlineError, UnavailableError
from signoff.jsontext import json_text
from signoff.status import View
from signoff.types import JobLog
from validator.judge_config import JudgeConfig
from validator.sections import cut_result

T = TypeVar("T")

PAGE = 500
AT_ONCE = 16
AGAIN_S = 0.5
GROUPS = {
    "execute-requested": ("signoff-executor",),
    "result-produced": ("signoff-validator", "signoff-jobstore-results"),
    "job-status-reported": ("signoff-jobstore-reports",),
    "cancel-requested": ("signoff-jobstore-cancels",),
}
_UNFINISHED = """
SELECT (SELECT count(*) FROM executions WHERE state <> 'DONE'),
    (SELECT count(*) FROM job_logs WHERE seq > (SELECT published_seq FROM relay))
"""
#: Whoever publishes facts holds this lock on a session of its own.
_PUBLISHING = """
SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = $1
"""
_REMOVED = "SELECT job_id, actor FROM job_logs WHERE kind = 'removed' ORDER BY seq"
#: Entries of removed jobs that are not cut yet.
_UNCUT = """
SELECT count(*) FROM job_logs JOIN job_logs AS last USING (job_id)
WHERE last.kind = 'removed' AND job_logs.version < last.version
"""
#: Everything that an execution came to. Who held it, how often it was offered, and whether a forged report was buried
#: may change in a replay.
_STANDING = {
    "jobs": "SELECT id AS key, to_jsonb(jobs)::text AS row FROM jobs",
    "job_logs": "SELECT seq::text AS key, to_jsonb(job_logs)::text AS row FROM job_logs",
    "executions": """SELECT execution_id::text AS key,
        (to_jsonb(executions) - 'owner' - 'due_at' - 'offers' - 'forged_lease')::text AS row FROM executions""",
}

#: In whatever form a row has a payload of the crowd, as JSON or as a text in JSON.
_OF_JOB = re.compile(rb'\bjob[\\"]+: ?[\\"]+([\w:-]+)')


class Tables:
    """The database, read past the link before it: whether it is quiet, who publishes, and what replays change."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def _fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url, timeout=10)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close(timeout=5)

    async def unfinished(self) -> tuple[int, int]:
        """Executions under way, and facts that were not published."""
        ((live, facts),) = await self._fetch(_UNFINISHED)
        return live, facts

    async def removed(self) -> dict[str, str]:
        """The removed jobs, each with who removed it."""
        return {row["job_id"]: row["actor"] or "" for row in await self._fetch(_REMOVED)}

    async def uncut(self) -> int:
        """Entries of removed jobs that are still there, beside the last of each."""
        ((count,),) = await self._fetch(_UNCUT)
        return int(count)

    async def jobs_of_payloads(self) -> set[str]:
        """The jobs of which a dump of the database has a payload: the crowd's name their job."""
        return {job_id.decode() for job_id in _OF_JOB.findall(await dump(self._url))}

    async def publishing_from(self) -> list[int]:
        """The port from which whoever publishes facts has come; nobody may."""
        return [port for (port,) in await self._fetch(_PUBLISHING, Lock.RELAY)]

    async def standing(self) -> dict[str, dict[str, str]]:
        """Every row of each table as text, by its key."""
        return {
            table: {row["key"]: row["row"] for row in await self._fetch(query)} for table, query in _STANDING.items()
        }


async def dump(url: str) -> bytes:
    """What pg_dump writes of a database."""
    command = (find_binaries() / "pg_dump", url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    if process.returncode:
        raise OSError(f"pg_dump ended with {process.returncode}")
    return said


def digest(value: Any) -> str:
    """A short text that is the same for the same JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def _shown_to_judges(result: Any) -> list[Any]:
    """The result or, where it is long, its sections: a pass of one of them may be enough."""
    limit = JudgeConfig().section_chars
    return [result] if len(json_text(result)) <= limit else cut_result(result, limit)


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


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, however often it must be asked for: a machine that others load may keep a call from its time."""
    while True:
        with suppress(UnavailableError, DeadlineError):
            return await ask()
        await asyncio.sleep(AGAIN_S)


async def all_jobs(client: AsyncClient) -> list[JobRow]:
    """Every job, as the public door tells of it."""
    jobs: list[JobRow] = []
    token = ""
    while True:
        page = await _answered(lambda token=token: client.list_matching({}, page_size=PAGE, page_token=token))
        jobs += [JobRow(job.id, job.status, job.version, live=bool(job.live), tenant=job.tenant) for job in page.jobs]
        token = page.next_page_token
        if not token:
            return sorted(jobs, key=lambda job: job.id)


async def all_logs(client: AsyncClient, jobs: Iterable[JobRow]) -> list[LogRow]:
    """Every entry of their logs, likewise."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def read(job: JobRow) -> list[LogRow]:
        rows, token = [], ""
        async with at_once:
            while True:
                logs, token = await _answered(
                    lambda token=token: client.list_job_logs(job.id, page_token=token, view=View.FULL)
                )
                rows += [_log(entry) for entry in logs]
                if not token:
                    return rows

    return [row for rows in await asyncio.gather(*map(read, jobs)) for row in rows]


async def removed_jobs(client: AsyncClient, job_ids: Iterable[str]) -> tuple[list[JobRow], list[LogRow]]:
    """Removed jobs, and every entry of their logs, as the archive has them by the public door."""
    at_once = asyncio.Semaphore(AT_ONCE)

    async def read(job_id: str) -> tuple[JobRow, list[LogRow]]:
        rows, token = [], ""
        async with at_once:
            while True:
                found = await _answered(lambda token=token: client.get_removed_job(job_id, page_token=token))
                rows += [_log(entry) for entry in found.logs]
                token = found.next_page_token or ""
                if not token:
                    last = rows[-1]
                    return JobRow(job_id, last.job_status, last.version, live=False, tenant=found.job.tenant), rows

    read_all = await asyncio.gather(*map(read, job_ids))
    return [job for job, _ in read_all], [row for _, rows in read_all for row in rows]


def _log(entry: JobLog) -> LogRow:
    verdict = entry.verdict
    texts = entry.model_dump_json()
    return LogRow(
        job_id=entry.job_id,
        version=entry.version,
        id=str(entry.id),
        status=entry.status,
        job_status=entry.job_status,
        kind=entry.kind or "",
        at=entry.created_at.timestamp(),
        code=entry.code,
        execution_id=str(entry.execution_id) if entry.execution_id else None,
        attempt=entry.attempt,
        lease=entry.lease,
        event_id=str(entry.event_id) if entry.event_id else None,
        agent_id=entry.agent_id,
        submission=entry.submission,
        tokens=entry.tokens or 0,
        is_valid=verdict.is_valid if verdict else None,
        shown=tuple(map(digest, _shown_to_judges(entry.result))) if entry.kind == "result" else (),
        forged=FORGED in texts,
        policy=verdict.judge if verdict else None,
        stages=tuple(stage.kind for stage in verdict.stages) if verdict else (),
    )


async def outcomes(client: AsyncClient, operation_id: UUID) -> dict[str, str]:
    """By job, what became of it in an operation: an outcome, or the code of a refusal."""
    found: dict[str, str] = {}
    token = ""
    while True:
        items, token = await client.list_operation_items(operation_id, page_size=PAGE, page_token=token)
        found |= {item.job_id: item.code or item.outcome for item in items}
        if not token:
            return found


def executions(logs: Iterable[LogRow], refused: Iterable[Record]) -> list[ExecutionRow]:
    """What became of each execution id, by the logs and by the facts of those that were not even requested."""
    rows: dict[str, ExecutionRow] = {}
    for entry in logs:
        if entry.execution_id:
            row = rows.setdefault(
                entry.execution_id, ExecutionRow(entry.execution_id, entry.job_id, "LIVE", None, False)
            )
            is_end = entry.status in CONCLUDING and entry.kind not in {"result", *AFTERWARDS}
            ended = {"state": "DONE", "answer": entry.status.lower()} if is_end else {}
            rows[entry.execution_id] = replace(row, requested=row.requested or entry.kind == "requested", **ended)
    for fact in (json.loads(record.value or b"{}") for record in refused if not is_marker(record)):
        answer = ":".join(filter(None, (fact.get("answer"), fact.get("code"))))
        row = ExecutionRow(fact["execution_id"], fact.get("job_id") or "", "DONE", answer, requested=False)
        rows.setdefault(row.execution_id, row)
    return list(rows.values())


async def topics(kafka: KafkaAccess) -> dict[str, list[Record]]:
    """Every record of every topic, each topic in the order of its partitions and offsets."""
    skip_unreadable_batches()
    consumer = kafka.make_consumer(enable_auto_commit=False, check_crcs=False)
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
            read += [
                Record(topic, r.partition, r.offset, r.key, r.value, r.headers)
                for r in records
                if not isinstance(r, UnreadableBatch)
            ]
        wanted = [p for p in wanted if await consumer.position(p) < ends[p]]
    return sorted(read, key=lambda record: (record.partition, record.offset))


async def quiet(tables: Tables, kafka: KafkaAccess, patience_s: float) -> str | None:
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
async def _readers(kafka: KafkaAccess) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    async with kafka.make_consumer() as consumer:
        admin = kafka.make_admin()
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
