"""Operations and their items as rows. A batch is an operation of kind `execute`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import Row, func, insert, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import JobFilter, NewJob, Operation, OperationState
from contracts.status import JobStatus
from jobstore.reads.job_filter import where_matching
from jobstore.storage import sql
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.tables import jobs, operation_items, operations

#: Who takes an operation is taken to be lost when it said nothing for so long.
TAKEN_S: Final = 10.0
#: Over which the rate is told; of what is younger, over its age, and no less than the other.
RATE_OVER_S: Final = 60.0
RATE_OVER_MIN_S: Final = 1.0
WAITING, REFUSED = "WAITING", "REFUSED"
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})

_ITEM: Final = sql.columns(operation_items, only={"item", "job_id", "spec"})
_ANSWER: Final = sql.columns(operation_items, only={"item", "execution_id", "code", "message"})
_INSERT_ITEMS: Final = text(
    f"INSERT INTO operation_items (operation_id, answered, item, job_id, spec) "  # noqa: S608 - names of our own
    f"SELECT :id, false, {sql.values('u', _ITEM)} FROM {sql.unnest('u', _ITEM, 'u')}",
)
_UNANSWERED: Final = "SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered"
_LIVE: Final = "SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE'"
_TAKE: Final = text(
    f"""
    UPDATE operations SET due_at = clock_timestamp() + make_interval(secs => :taken_s)
    WHERE id = (
        SELECT id FROM operations o WHERE state NOT IN ('CANCELLED', 'DONE') AND due_at <= clock_timestamp()
            AND (state = 'CANCELLING' OR state = 'RUNNING' AND EXISTS ({_UNANSWERED}))
            AND (CAST(:id AS uuid) IS NULL OR id = :id)
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, state, about
    """,  # noqa: S608 - fragments of our own
)
_TAKEABLE: Final = text(
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
_LIVE_OF: Final = text(
    "SELECT execution_id FROM executions WHERE batch_id = :id AND state <> 'DONE' ORDER BY execution_id LIMIT :limit",
)
#: At rest is what is answered and has no execution that is live: of the same snapshot, so that none is overlooked.
_FINISH: Final = text(
    f"""
    WITH done AS (
        UPDATE operations o SET state = 'DONE', finished_at = clock_timestamp()
        WHERE state IN ('RUNNING', 'PAUSED') AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE}) RETURNING id
    )
    DELETE FROM limits WHERE name IN (SELECT 'batch:' || id FROM done)
    """,  # noqa: S608 - fragments of our own
)
_CANCELLED: Final = text(
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
_RETRIED: Final = text(
    """
    INSERT INTO operation_items (operation_id, item, job_id, answered)
    SELECT :id, row_number() OVER (ORDER BY i.item) - 1, i.job_id, false
    FROM (SELECT min(item) AS item, job_id FROM operation_items WHERE operation_id = :of GROUP BY job_id) AS i
    JOIN jobs j ON j.id = i.job_id WHERE j.status = ANY(CAST(:statuses AS text[]))
    """,
)
_MOVE: Final = text(
    "UPDATE operations SET state = :state, due_at = clock_timestamp(), "
    "about = (CAST(about AS jsonb) || CAST(:about AS jsonb))::json WHERE id = :id",
)
_TOLD: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` where the operation brings it, as JSON text."""

    item: int
    job_id: str
    spec: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """How an item was answered: with an execution, or with a code."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


def execution_of(operation_id: UUID, job_id: str) -> UUID:
    """The execution that an operation asks for; asking again is asking for the same."""
    return uuid5(operation_id, f"execution/{job_id}")


def new_items(operation_id: UUID, job_ids: Sequence[str], new: Iterable[NewJob]) -> list[Item]:
    """Items for jobs that exist, and for new ones, whose ids follow from the operation's where they have none."""
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    for number, job in enumerate(new):
        job_id = job.id or str(uuid5(operation_id, str(number)))
        items.append(Item(len(items), job_id, job.model_dump_json(exclude_defaults=True)))
    return items


async def create(
    connection: AsyncConnection, operation_id: UUID, request_hash: bytes, retry_of: UUID | None = None
) -> bool:
    """Add an operation without items; False where it is there already."""
    row = {"id": operation_id, "request_hash": request_hash, "retry_of": retry_of}
    added = text(
        "INSERT INTO operations (id, request_hash, retry_of) VALUES (:id, :request_hash, :retry_of) "
        "ON CONFLICT DO NOTHING",
    )
    return bool((await connection.execute(added, row)).rowcount)


async def add_items(connection: AsyncConnection, operation_id: UUID, items: Sequence[Item]) -> None:
    """Add items that are not answered yet."""
    rows = [asdict(item) for item in items]
    await connection.execute(_INSERT_ITEMS, {"id": operation_id, **sql.arrays(_ITEM, "u", rows)})


async def add_matching(
    connection: AsyncConnection, operation_id: UUID, chosen: JobFilter, first: int, most: int
) -> int:
    """Add items for jobs that match, oldest first, numbered from `first`; how many there are, and no more than most."""
    number = func.row_number().over(order_by=(jobs.c.created_at, jobs.c.id)) - 1 + first
    found = select(literal(operation_id), number, jobs.c.id, literal(value=False))
    found = where_matching(found, chosen).order_by(jobs.c.created_at, jobs.c.id).limit(most)
    names = ["operation_id", "item", "job_id", "answered"]
    return int((await connection.execute(insert(operation_items).from_select(names, found))).rowcount)


async def add_retried(connection: AsyncConnection, operation_id: UUID, of: UUID, statuses: Iterable[JobStatus]) -> int:
    """Add items for the jobs of another operation that stand at one of the statuses; how many."""
    about = {"id": operation_id, "of": of, "statuses": [status.value for status in statuses]}
    return int((await connection.execute(_RETRIED, about)).rowcount)


async def take(connection: AsyncConnection, operation_id: UUID | None = None) -> Row[Any] | None:
    """An operation on which something is to be done, or this one: nobody else takes it until it is answered."""
    asked = {"id": operation_id, "taken_s": TAKEN_S}
    return (await connection.execute(_TAKE, asked)).one_or_none()


async def is_takeable(connection: AsyncConnection, operation_id: UUID) -> bool:
    """Whether items of it are to be answered, be it by somebody who has taken it."""
    return bool(await connection.scalar(_TAKEABLE, {"id": operation_id}))


async def next_items(connection: AsyncConnection, operation_id: UUID, limit: int) -> list[Item]:
    """The next items that are not answered."""
    rows = await connection.execute(_NEXT_ITEMS, {"id": operation_id, "limit": limit})
    return [Item(row.item, row.job_id, row.spec) for row in rows]


async def answer(connection: AsyncConnection, operation_id: UUID, answers: Iterable[Answered]) -> None:
    """Keep how items were answered, and let go of the operation."""
    rows = [asdict(answer) for answer in answers]
    await connection.execute(_ANSWER_ITEMS, {"id": operation_id, **sql.arrays(_ANSWER, "u", rows)})


async def live(connection: AsyncConnection, operation_id: UUID, limit: int) -> list[UUID]:
    """Executions of it that are live, automatic resubmissions included."""
    return list(await connection.scalars(_LIVE_OF, {"id": operation_id, "limit": limit}))


async def finish(connection: AsyncConnection) -> None:
    """Note which running operations have ended."""
    await connection.execute(_FINISH)


async def cancelled(connection: AsyncConnection, operation_id: UUID) -> bool:
    """Note that an operation is cancelled, unless something of it is left."""
    return bool((await connection.execute(_CANCELLED, {"id": operation_id})).rowcount)


async def locked(connection: AsyncConnection, operation_id: UUID) -> OperationState | None:
    """The state of an operation, which nobody changes until the commit."""
    query = select(operations.c.state).where(operations.c.id == operation_id).with_for_update()
    state = await connection.scalar(query)
    return None if state is None else OperationState(state)


async def move(connection: AsyncConnection, operation_id: UUID, state: OperationState, about: str = "{}") -> None:
    """Change the state of an operation, and wake who goes on with it; `about` is a JSON object to keep with it."""
    await connection.execute(_MOVE, {"id": operation_id, "state": state.value, "about": about})
    await connection.execute(_TOLD)


async def hash_of(connection: AsyncConnection, operation_id: UUID) -> bytes | None:
    """The hash of the request that made an operation; None of such as an older version made."""
    found: bytes | None = await connection.scalar(
        select(operations.c.request_hash).where(operations.c.id == operation_id)
    )
    return found


async def one(connection: AsyncConnection, operation_id: UUID) -> Operation | None:
    """An operation as it stands."""
    found = await _told(connection, select(operations).where(operations.c.id == operation_id))
    return found[0] if found else None


async def list_(
    connection: AsyncConnection, limit: int, before: tuple[datetime, UUID] | None = None
) -> list[Operation]:
    """Operations, newest first, from before (created_at, id)."""
    query = select(operations).order_by(operations.c.created_at.desc(), operations.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(operations.c.created_at, operations.c.id) < tuple_(*before))
    return await _told(connection, query)


async def items(connection: AsyncConnection, operation_id: UUID) -> Sequence[Row[Any]]:
    """All items of an operation, in order."""
    return (await connection.execute(_ITEMS, {"id": operation_id})).all()


async def _told(connection: AsyncConnection, query: Any) -> list[Operation]:
    rows = (await connection.execute(query.add_columns(func.clock_timestamp().label("now")))).all()
    progress: dict[UUID, list[Row[Any]]] = {row.id: [] for row in rows}
    if rows:
        for part in await connection.execute(_PROGRESS, {"ids": list(progress), "over_s": RATE_OVER_S}):
            progress[part.operation_id].append(part)
    return [_operation(row, progress[row.id]) for row in rows]


def _operation(row: Row[Any], parts: Sequence[Row[Any]]) -> Operation:
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
