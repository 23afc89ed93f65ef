"""What a worker reads of operations, and its claim on one."""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.resources import NewJob
from jobstore.commands.rows import Item
from jobstore.domain.ids import IdKey
from jobstore.storage.sql import Connection, Row

#: A worker's claim on an operation expires after this many seconds without progress.
CLAIM_S: Final = 10.0

_UNANSWERED: Final = "SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered"
_LIVE: Final = "SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE'"
_JUDGED: Final = "SELECT FROM judgings g WHERE g.group_id = o.id AND g.state <> 'DONE'"
#: SKIP LOCKED: the operation that another worker claims just now is not waited for.
_CLAIM: Final = text(
    f"""
    UPDATE operations SET turn_at = signoff_now() + make_interval(secs => :claim_s)
    WHERE id = (
        SELECT id FROM operations o WHERE state NOT IN ('CANCELLED', 'DONE') AND turn_at <= signoff_now()
            AND (state = 'CANCELLING' OR state = 'RUNNING' AND EXISTS ({_UNANSWERED}))
            AND (CAST(:id AS uuid) IS NULL OR id = :id)
        ORDER BY turn_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, state, parameters::text AS parameters, about, actor
    """,  # noqa: S608 - fragments of our own
)
_NEXT: Final = text(
    "SELECT extract(epoch FROM min(turn_at) - signoff_now())::float8 FROM operations o "  # noqa: S608
    f"WHERE state = 'RUNNING' AND turn_at > signoff_now() AND EXISTS ({_UNANSWERED})"
)
_HAS_OPEN: Final = text("SELECT EXISTS (SELECT FROM operations WHERE state NOT IN ('CANCELLED', 'DONE'))")
_HAS_UNANSWERED: Final = text(
    f"SELECT EXISTS (SELECT FROM operations o WHERE id = :id AND state = 'RUNNING' AND EXISTS ({_UNANSWERED}))",  # noqa: S608
)
_NEXT_ITEMS: Final = text(
    "SELECT item, job_id, execution_id, spec::text AS spec FROM operation_items "
    "WHERE operation_id = :id AND NOT answered ORDER BY item LIMIT :limit",
)
_GIVEN_ITEMS: Final = text(
    "SELECT item FROM operation_items WHERE operation_id = :id AND NOT answered AND spec IS NOT NULL "
    "ORDER BY item LIMIT :limit",
)
_LIST_LIVE: Final = text(
    "SELECT execution_id FROM executions WHERE batch_id = :id AND state <> 'DONE' ORDER BY execution_id LIMIT :limit",
)
_LIST_ENDED: Final = text(
    f"SELECT id FROM operations o WHERE state IN ('RUNNING', 'PAUSED') "  # noqa: S608 - fragments of our own
    f"AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE}) AND NOT EXISTS ({_JUDGED})",
)
_FIND: Final = text("SELECT id FROM operations WHERE id = :id")


def derive_execution_id(ids: IdKey, operation_id: UUID, job_id: str) -> UUID:
    """Return the id of the execution that an operation requests of a job, so that requesting again is a repeat."""
    return ids.derive("execution of a batch", str(operation_id), job_id)


def make_items(ids: IdKey, operation_id: UUID, job_ids: Sequence[str], new: Iterable[NewJob] = ()) -> list[Item]:
    """Make items for jobs that exist, and for new ones, whose ids follow from the operation's where they have none."""
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    for number, job in enumerate(new):
        job_id = job.id or str(ids.derive("job of a batch", str(operation_id), str(number)))
        items.append(Item(len(items), job_id, job.model_dump_json(exclude_defaults=True)))
    return items


async def find(connection: Connection, operation_id: UUID) -> UUID | None:
    """Return the id of an operation, or None where there is none."""
    found: UUID | None = await connection.scalar(_FIND, {"id": operation_id})
    return found


async def claim(connection: Connection, operation_id: UUID | None = None) -> Row | None:
    """Claim an operation on which there is work, or the one named, for CLAIM_S; None where there is none.

    Nobody else claims it until then, or until its items are answered.
    """
    parameters = {"id": operation_id, "claim_s": CLAIM_S}
    return (await connection.execute(_CLAIM, parameters)).one_or_none()


async def find_next(connection: Connection) -> float | None:
    """Return in how many seconds the claim on an operation ends that has items left; None where there is none."""
    seconds: float | None = await connection.scalar(_NEXT)
    return seconds


async def has_open(connection: Connection) -> bool:
    """Return whether any operation has not ended."""
    return bool(await connection.scalar(_HAS_OPEN))


async def has_unanswered(connection: Connection, operation_id: UUID) -> bool:
    """Return whether an operation runs and has items without an answer, whether or not somebody has claimed it."""
    return bool(await connection.scalar(_HAS_UNANSWERED, {"id": operation_id}))


async def list_next_items(connection: Connection, operation_id: UUID, limit: int) -> list[Item]:
    """Return the next items that are not answered."""
    rows = await connection.execute(_NEXT_ITEMS, {"id": operation_id, "limit": limit})
    return [Item(row.item, row.job_id, row.spec, row.execution_id) for row in rows]


async def list_given_items(connection: Connection, operation_id: UUID, limit: int) -> list[int]:
    """Return the next items of new jobs that are not answered: what those ask for is stored until then."""
    return list(await connection.scalars(_GIVEN_ITEMS, {"id": operation_id, "limit": limit}))


async def list_live(connection: Connection, operation_id: UUID, limit: int) -> list[UUID]:
    """Return the live executions of an operation, automatic resubmissions included."""
    return list(await connection.scalars(_LIST_LIVE, {"id": operation_id, "limit": limit}))


async def list_ended(connection: Connection) -> list[UUID]:
    """Return the operations that run or are paused, and of which nothing is left."""
    return list(await connection.scalars(_LIST_ENDED))
