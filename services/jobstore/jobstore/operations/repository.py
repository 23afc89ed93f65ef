"""Read and write operations and their items. A batch is an operation of kind `execute`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import func, insert, literal, select, text, tuple_

from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus, OperationState
from jobstore.domain.ids import VERSION, IdKey
from jobstore.reads.job_filter import where_matching
from jobstore.storage import sql
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection, Row
from jobstore.storage.tables import jobs, operation_items, operations

#: A worker's claim on an operation expires after this many seconds without progress.
CLAIM_S: Final = 10.0
#: Seconds over which an operation's rate is taken; of a younger one its age, but no less than the second.
RATE_OVER_S: Final = 60.0
RATE_OVER_MIN_S: Final = 1.0
#: Words that items without a job's status are counted under.
WAITING, REFUSED = "WAITING", "REFUSED"
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})

_ITEM: Final = sql.columns(operation_items, only={"item", "job_id", "spec"})
_ANSWER: Final = sql.columns(operation_items, only={"item", "execution_id", "code", "message"})
_CREATE: Final = text(
    "INSERT INTO operations (id, request_hash, retry_of) VALUES (:id, :request_hash, :retry_of) ON CONFLICT DO NOTHING",
)
_INSERT_ITEMS: Final = text(
    f"INSERT INTO operation_items (operation_id, answered, item, job_id, spec) "  # noqa: S608 - names of our own
    f"SELECT :id, false, {sql.values('u', _ITEM)} FROM {sql.unnest('u', _ITEM, 'u')}",
)
_UNANSWERED: Final = "SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered"
_LIVE: Final = "SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE'"
#: SKIP LOCKED: the operation that another worker claims just now is not waited for.
_CLAIM: Final = text(
    f"""
    UPDATE operations SET due_at = clock_timestamp() + make_interval(secs => :claim_s)
    WHERE id = (
        SELECT id FROM operations o WHERE state NOT IN ('CANCELLED', 'DONE') AND due_at <= clock_timestamp()
            AND (state = 'CANCELLING' OR state = 'RUNNING' AND EXISTS ({_UNANSWERED}))
            AND (CAST(:id AS uuid) IS NULL OR id = :id)
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, state, about
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
_ANSWER_ITEMS: Final = text(
    f"""
    WITH freed AS (UPDATE operations SET due_at = clock_timestamp() WHERE id = :id)
    UPDATE operation_items SET answered = true, spec = NULL, execution_id = u.execution_id, code = u.code,
        message = u.message
    FROM {sql.unnest("u", _ANSWER, "u")}
    WHERE operation_id = :id AND operation_items.item = u.item AND NOT answered
    """,  # noqa: S608 - names of our own
)
_LIST_LIVE: Final = text(
    "SELECT execution_id FROM executions WHERE batch_id = :id AND state <> 'DONE' ORDER BY execution_id LIMIT :limit",
)
#: Both in one statement, hence of one snapshot: an execution requested between two would be overlooked.
_FINISH: Final = text(
    f"""
    WITH done AS (
        UPDATE operations o SET state = 'DONE', finished_at = clock_timestamp()
        WHERE state IN ('RUNNING', 'PAUSED') AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE}) RETURNING id
    )
    DELETE FROM limits WHERE name IN (SELECT 'batch:' || id FROM done)
    """,  # noqa: S608 - fragments of our own
)
_FINISH_CANCELLED: Final = text(
    f"""
    UPDATE operations o SET state = 'CANCELLED', finished_at = clock_timestamp()
    WHERE id = :id AND state = 'CANCELLING' AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE})
    """,  # noqa: S608 - fragments of our own
)
_PROGRESS: Final = text(
    f"""
    SELECT i.operation_id, count(*) AS number,
        CASE WHEN NOT i.answered THEN '{WAITING}' WHEN i.code IS NOT NULL THEN '{REFUSED}' ELSE j.status END AS word,
        count(*) FILTER (WHERE i.answered AND (i.code IS NOT NULL OR NOT j.live)) AS rested,
        count(*) FILTER (WHERE i.answered AND i.code IS NULL AND NOT j.live AND j.updated_at > o.since) AS lately
    FROM (
        SELECT id, coalesce(finished_at, clock_timestamp()) - make_interval(secs => :over_s) AS since
        FROM operations WHERE id = ANY(CAST(:ids AS uuid[]))
    ) AS o
    JOIN operation_items i ON i.operation_id = o.id LEFT JOIN jobs j ON j.id = i.job_id
    GROUP BY i.operation_id, word
    """,  # noqa: S608 - words of our own
)
_ITEMS: Final = text(
    "SELECT job_id, execution_id, code, message, answered FROM operation_items WHERE operation_id = :id ORDER BY item",
)
_ADD_RETRIED: Final = text(
    """
    INSERT INTO operation_items (operation_id, item, job_id, answered)
    SELECT :id, row_number() OVER (ORDER BY i.item) - 1, i.job_id, false
    FROM (SELECT min(item) AS item, job_id FROM operation_items WHERE operation_id = :retry_of GROUP BY job_id) AS i
    JOIN jobs j ON j.id = i.job_id WHERE j.status = ANY(CAST(:statuses AS text[]))
    """,
)
_TENANTS: Final = text("SELECT DISTINCT tenant FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
#: Due at once, so that a worker goes on with it without waiting for the last claim to expire.
_CHANGE_STATE: Final = text(
    "UPDATE operations SET state = :state, due_at = clock_timestamp(), "
    "about = (CAST(about AS jsonb) || CAST(:extra AS jsonb))::json WHERE id = :id",
)
_NOTIFY: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` is the new job as JSON text, None where the job exists."""

    item: int
    job_id: str
    spec: str | None = None


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to an item: an execution, or the code and message of a refusal."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


def derive_execution_id(ids: IdKey, operation_id: UUID, job_id: str) -> UUID:
    """Return the id of the execution that an operation requests of a job, so that requesting again is a repeat."""
    if operation_id.version != VERSION:
        return uuid5(operation_id, f"execution/{job_id}")  # accepted before ids had a key, and perhaps half requested
    return ids.derive("execution of a batch", str(operation_id), job_id)


def make_items(ids: IdKey, operation_id: UUID, job_ids: Sequence[str], new: Iterable[NewJob]) -> list[Item]:
    """Make items for jobs that exist, and for new ones, whose ids follow from the operation's where they have none."""
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    for number, job in enumerate(new):
        job_id = job.id or str(ids.derive("job of a batch", str(operation_id), str(number)))
        items.append(Item(len(items), job_id, job.model_dump_json(exclude_defaults=True)))
    return items


async def create(connection: Connection, operation_id: UUID, request_hash: bytes, retry_of: UUID | None = None) -> bool:
    """Add an operation without items, and return whether it was not there yet."""
    row = {"id": operation_id, "request_hash": request_hash, "retry_of": retry_of}
    return bool(await connection.change(_CREATE, row))


async def find_tenants(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Return the tenants of those of these jobs that exist."""
    return set(await connection.scalars(_TENANTS, {"ids": list(job_ids)})) if job_ids else set()


async def add_items(connection: Connection, operation_id: UUID, items: Sequence[Item]) -> None:
    """Add items that are not answered yet."""
    rows = [asdict(item) for item in items]
    await connection.execute(_INSERT_ITEMS, {"id": operation_id, **sql.arrays(_ITEM, "u", rows)})


async def add_matching(connection: Connection, operation_id: UUID, chosen: JobFilter, first: int, limit: int) -> int:
    """Add items for at most `limit` jobs that match, oldest first, numbered from `first`, and return how many."""
    number = func.row_number().over(order_by=(jobs.c.created_at, jobs.c.id)) - 1 + first
    query = select(literal(operation_id), number, jobs.c.id, literal(value=False))
    query = where_matching(query, chosen).order_by(jobs.c.created_at, jobs.c.id).limit(limit)
    names = ["operation_id", "item", "job_id", "answered"]
    return await connection.change(insert(operation_items).from_select(names, query))


async def add_retried(connection: Connection, operation_id: UUID, retry_of: UUID, statuses: Iterable[JobStatus]) -> int:
    """Add items for the jobs of another operation that stand at one of the statuses, and return how many."""
    parameters = {"id": operation_id, "retry_of": retry_of, "statuses": [status.value for status in statuses]}
    return await connection.change(_ADD_RETRIED, parameters)


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


async def answer(connection: Connection, operation_id: UUID, answers: Iterable[ItemAnswer]) -> None:
    """Store the answers to items, and release the claim on the operation."""
    rows = [asdict(answer) for answer in answers]
    await connection.execute(_ANSWER_ITEMS, {"id": operation_id, **sql.arrays(_ANSWER, "u", rows)})


async def list_live(connection: Connection, operation_id: UUID, limit: int) -> list[UUID]:
    """Return the live executions of an operation, automatic resubmissions included."""
    return list(await connection.scalars(_LIST_LIVE, {"id": operation_id, "limit": limit}))


async def finish_ended(connection: Connection) -> None:
    """Set running and paused operations DONE that have ended, and drop their limits."""
    await connection.execute(_FINISH)


async def finish_cancelled(connection: Connection, operation_id: UUID) -> bool:
    """Set an operation CANCELLED unless something of it is left, and return whether that was done."""
    return bool(await connection.change(_FINISH_CANCELLED, {"id": operation_id}))


async def lock(connection: Connection, operation_id: UUID) -> OperationState | None:
    """Return the state of an operation, locked to the commit; None where there is none."""
    query = select(operations.c.state).where(operations.c.id == operation_id).with_for_update()
    state = await connection.scalar(query)
    return None if state is None else OperationState(state)


async def change_state(connection: Connection, operation_id: UUID, state: OperationState, extra: str = "{}") -> None:
    """Change the state of an operation, and wake the workers; `extra` is a JSON object to keep with it."""
    await connection.execute(_CHANGE_STATE, {"id": operation_id, "state": state.value, "extra": extra})
    await connection.execute(_NOTIFY)


async def get_request_hash(connection: Connection, operation_id: UUID) -> bytes | None:
    """Return the hash of the request that made an operation; None where an older version made it."""
    request_hash: bytes | None = await connection.scalar(
        select(operations.c.request_hash).where(operations.c.id == operation_id)
    )
    return request_hash


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
    return (await connection.execute(_ITEMS, {"id": operation_id})).all()


async def _fetch_operations(connection: Connection, query: Any) -> list[Operation]:
    rows = (await connection.execute(query.add_columns(func.clock_timestamp().label("now")))).all()
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
