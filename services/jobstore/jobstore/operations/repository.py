"""Read operations and their items, and claim them for a worker. A batch is an operation of kind `execute`."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import func, select, text, tuple_

from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus, OperationState
from jobstore.commands.rows import Item
from jobstore.domain.ids import VERSION, IdKey
from jobstore.reads.job_filter import PLAN_ANEW, Query, where_matching
from jobstore.storage.sql import Connection, Row
from jobstore.storage.tables import jobs, operations

#: A worker's claim on an operation expires after this many seconds without progress.
CLAIM_S: Final = 10.0
#: Seconds over which an operation's rate is taken; of a younger one its age, but no less than the second.
RATE_OVER_S: Final = 60.0
RATE_OVER_MIN_S: Final = 1.0
#: Words that items without a job's status are counted under.
WAITING, REFUSED = "WAITING", "REFUSED"

_UNANSWERED: Final = "SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered"
_LIVE: Final = "SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE'"
#: SKIP LOCKED: the operation that another worker claims just now is not waited for.
_CLAIM: Final = text(
    f"""
    UPDATE operations SET due_at = signoff_now() + make_interval(secs => :claim_s)
    WHERE id = (
        SELECT id FROM operations o WHERE state NOT IN ('CANCELLED', 'DONE') AND due_at <= signoff_now()
            AND (state = 'CANCELLING' OR state = 'RUNNING' AND EXISTS ({_UNANSWERED}))
            AND (CAST(:id AS uuid) IS NULL OR id = :id)
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, state, about, actor
    """,  # noqa: S608 - fragments of our own
)
_HAS_OPEN: Final = text("SELECT EXISTS (SELECT FROM operations WHERE state NOT IN ('CANCELLED', 'DONE'))")
_HAS_UNANSWERED: Final = text(
    f"SELECT EXISTS (SELECT FROM operations o WHERE id = :id AND state = 'RUNNING' AND EXISTS ({_UNANSWERED}))",  # noqa: S608
)
_NEXT_ITEMS: Final = text(
    "SELECT item, job_id, spec::text AS spec FROM operation_items WHERE operation_id = :id AND NOT answered "
    "ORDER BY item LIMIT :limit",
)
_LIST_LIVE: Final = text(
    "SELECT execution_id FROM executions WHERE batch_id = :id AND state <> 'DONE' ORDER BY execution_id LIMIT :limit",
)
_LIST_ENDED: Final = text(
    f"SELECT id FROM operations o WHERE state IN ('RUNNING', 'PAUSED') "  # noqa: S608 - fragments of our own
    f"AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE})",
)
_PROGRESS: Final = text(
    f"""
    SELECT i.operation_id, count(*) AS number,
        CASE WHEN NOT i.answered THEN '{WAITING}' WHEN i.code IS NOT NULL THEN '{REFUSED}' ELSE j.status END AS word,
        count(*) FILTER (WHERE i.answered AND (i.code IS NOT NULL OR NOT j.live)) AS rested,
        count(*) FILTER (WHERE i.answered AND i.code IS NULL AND NOT j.live AND j.updated_at > o.since) AS lately
    FROM (
        SELECT id, coalesce(finished_at, signoff_now()) - make_interval(secs => :over_s) AS since
        FROM operations WHERE id = ANY(CAST(:ids AS uuid[]))
    ) AS o
    JOIN operation_items i ON i.operation_id = o.id LEFT JOIN jobs j ON j.id = i.job_id
    GROUP BY i.operation_id, word
    """,  # noqa: S608 - words of our own
)
_ITEMS: Final = text(
    "SELECT job_id, execution_id, code, message, answered FROM operation_items WHERE operation_id = :id ORDER BY item",
)
_RETRIED: Final = text(
    """
    SELECT i.job_id
    FROM (SELECT min(item) AS item, job_id FROM operation_items WHERE operation_id = :retry_of GROUP BY job_id) AS i
    JOIN jobs j ON j.id = i.job_id WHERE j.status = ANY(CAST(:statuses AS text[])) ORDER BY i.item
    """,
)
_TENANTS: Final = text("SELECT DISTINCT tenant FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")


def derive_execution_id(ids: IdKey, operation_id: UUID, job_id: str) -> UUID:
    """Return the id of the execution that an operation requests of a job, so that requesting again is a repeat."""
    if operation_id.version != VERSION:
        return uuid5(operation_id, f"execution/{job_id}")  # accepted before ids had a key, and perhaps half requested
    return ids.derive("execution of a batch", str(operation_id), job_id)


def make_items(ids: IdKey, operation_id: UUID, job_ids: Sequence[str], new: Iterable[NewJob] = ()) -> list[Item]:
    """Make items for jobs that exist, and for new ones, whose ids follow from the operation's where they have none."""
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    for number, job in enumerate(new):
        job_id = job.id or str(ids.derive("job of a batch", str(operation_id), str(number)))
        items.append(Item(len(items), job_id, job.model_dump_json(exclude_defaults=True)))
    return items


async def find_tenants(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Return the tenants of those of these jobs that exist."""
    return set(await connection.scalars(_TENANTS, {"ids": list(job_ids)})) if job_ids else set()


async def list_matching(connection: Connection, chosen: JobFilter, limit: int) -> list[str]:
    """Return the ids of at most `limit` jobs that match, oldest first; call within a transaction."""
    await connection.execute(PLAN_ANEW)
    query = where_matching(select(jobs.c.id), chosen).order_by(jobs.c.created_at, jobs.c.id).limit(limit)
    return list(await connection.scalars(query))


async def list_retried(connection: Connection, retry_of: UUID, statuses: Iterable[JobStatus]) -> list[str]:
    """Return the ids of those jobs of an operation that stand at one of the statuses, in the order of its items."""
    parameters = {"retry_of": retry_of, "statuses": [status.value for status in statuses]}
    return list(await connection.scalars(_RETRIED, parameters))


async def claim(connection: Connection, operation_id: UUID | None = None) -> Row | None:
    """Claim an operation on which there is work, or the one named, for CLAIM_S; None where there is none.

    Nobody else claims it until then, or until its items are answered.
    """
    parameters = {"id": operation_id, "claim_s": CLAIM_S}
    return (await connection.execute(_CLAIM, parameters)).one_or_none()


async def has_open(connection: Connection) -> bool:
    """Return whether any operation has not ended."""
    return bool(await connection.scalar(_HAS_OPEN))


async def has_unanswered(connection: Connection, operation_id: UUID) -> bool:
    """Return whether an operation runs and has items without an answer, whether or not somebody has claimed it."""
    return bool(await connection.scalar(_HAS_UNANSWERED, {"id": operation_id}))


async def list_next_items(connection: Connection, operation_id: UUID, limit: int) -> list[Item]:
    """Return the next items that are not answered."""
    rows = await connection.execute(_NEXT_ITEMS, {"id": operation_id, "limit": limit})
    return [Item(row.item, row.job_id, row.spec) for row in rows]


async def list_live(connection: Connection, operation_id: UUID, limit: int) -> list[UUID]:
    """Return the live executions of an operation, automatic resubmissions included."""
    return list(await connection.scalars(_LIST_LIVE, {"id": operation_id, "limit": limit}))


async def list_ended(connection: Connection) -> list[UUID]:
    """Return the operations that run or are paused, and of which nothing is left."""
    return list(await connection.scalars(_LIST_ENDED))


async def get(connection: Connection, operation_id: UUID) -> Operation | None:
    """Return an operation with its progress, or None where there is none of that id."""
    rows = await _fetch_operations(connection, select(operations).where(operations.c.id == operation_id))
    return rows[0] if rows else None


async def list_operations(
    connection: Connection, limit: int, before: tuple[datetime, UUID] | None = None
) -> list[Operation]:
    """Return operations, newest first, from before (created_at, id)."""
    query = select(operations).order_by(operations.c.created_at.desc(), operations.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(operations.c.created_at, operations.c.id) < tuple_(*before))
    return await _fetch_operations(connection, query)


async def list_items(connection: Connection, operation_id: UUID) -> Sequence[Row]:
    """Return all items of an operation, in order."""
    return await connection.execute(_ITEMS, {"id": operation_id})


async def _fetch_operations(connection: Connection, query: Query) -> list[Operation]:
    rows = await connection.execute(query.add_columns(func.signoff_now().label("now")))
    progress: dict[UUID, list[Row]] = {row.id: [] for row in rows}
    if rows:
        for part in await connection.execute(_PROGRESS, {"ids": list(progress), "over_s": RATE_OVER_S}):
            progress[part.operation_id].append(part)
    return [_make_operation(row, progress[row.id]) for row in rows]


def _make_operation(row: Row, parts: Sequence[Row]) -> Operation:
    counts: Mapping[str, int] = {part.word: part.number for part in parts}
    total, rested = sum(counts.values()), sum(part.rested for part in parts)
    age_s = ((row.finished_at or row.now) - row.created_at).total_seconds()
    rate = sum(part.lately for part in parts) / max(min(age_s, RATE_OVER_S), RATE_OVER_MIN_S)
    ends_at = None
    if row.state == OperationState.RUNNING and rate and rested < total:
        ends_at = row.now + timedelta(seconds=(total - rested) / rate)
    return Operation(
        id=row.id,
        kind=row.kind,
        state=OperationState(row.state),
        total=total,
        counts=dict(sorted(counts.items())),
        rate_per_s=rate,
        ends_at=ends_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
        retry_of=row.retry_of,
    )
