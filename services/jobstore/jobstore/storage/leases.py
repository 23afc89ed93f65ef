"""Leases as rows of executions: renew them, and find those that lapsed or are out of time."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.domain.model import ExecutionStage
from jobstore.storage.sql import Connection, Row

#: A lapsed lease that nobody else was granted still has its number: it is revived, and its attempt, which `_lapse` of
#: domain.transitions counted as spent, is not counted.
_RENEW: Final = text(
    """
    UPDATE executions e SET state = 'LEASED', owner = :owner,
        spent = e.spent - CAST(e.stage = 'EXECUTING' AND e.state <> 'LEASED' AS int),
        due_at = least(clock_timestamp() + make_interval(secs => :lease_s), e.deadline_at),
        fails_at = CASE WHEN e.stage = 'EXECUTING' THEN e.deadline_at ELSE e.fails_at END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[])) AS u(execution_id, lease)
    WHERE e.execution_id = u.execution_id AND e.lease = u.lease AND e.stage = :stage AND e.state <> 'DONE'
    RETURNING e.execution_id, e.lease
    """,
)
#: A report counts while its lease is the row's, and for judging only above the one under which the result came
#: (domain.fences); the result of a cancelled execution is kept once. Rows are locked in the order of their ids.
_NOTE_FORGED: Final = text(
    """
    UPDATE executions e SET forged_lease = e.lease
    FROM (
        SELECT e.execution_id
        FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS bigint[])) AS u(execution_id, lease)
        JOIN executions e ON e.execution_id = u.execution_id AND e.lease = u.lease
        WHERE e.forged_lease IS DISTINCT FROM e.lease AND (
            e.state <> 'DONE' AND (e.stage = 'EXECUTING' OR e.lease > e.result_lease)
            OR e.answer = 'cancelled' AND e.result_lease IS NULL)
        ORDER BY e.execution_id FOR UPDATE OF e
    ) AS locked
    WHERE e.execution_id = locked.execution_id
    RETURNING e.execution_id, e.lease
    """,
)
_STATES: Final = text(
    "SELECT execution_id, state, lease, result_lease, answer FROM executions "
    "WHERE execution_id = ANY(CAST(:ids AS uuid[]))",
)
_LAPSED: Final = text(
    "SELECT execution_id, lease FROM executions "
    "WHERE stage = :stage AND state = 'LEASED' AND due_at <= now() LIMIT :limit",
)
_OVERDUE: Final = text(
    "SELECT execution_id, lease FROM executions WHERE state <> 'DONE' AND fails_at <= now() LIMIT :limit",
)


async def renew(
    connection: Connection,
    owner: UUID,
    stage: ExecutionStage,
    leases: Sequence[tuple[UUID, int]],
    lease_s: float,
) -> set[tuple[UUID, int]]:
    """Renew leases (execution_id, lease) for `lease_s` from now, and return those that are now held.

    A lapsed lease that nobody else was granted is revived, and its attempt is not counted.
    """
    if not leases:
        return set()
    ids, numbers = zip(*sorted(leases), strict=True)
    parameters = {"owner": owner, "stage": stage.value, "lease_s": lease_s, "ids": list(ids), "leases": list(numbers)}
    return {(row.execution_id, row.lease) for row in await connection.execute(_RENEW, parameters)}


async def note_forged(connection: Connection, leases: Collection[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Note leases of which a forged report would count, and return those that were not noted before."""
    ids, numbers = zip(*sorted(leases), strict=True)
    rows = await connection.execute(_NOTE_FORGED, {"ids": list(ids), "leases": list(numbers)})
    return {(row.execution_id, row.lease) for row in rows}


async def load_states(connection: Connection, execution_ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Return the rows (state, lease, result_lease, answer) of executions, by id."""
    rows = await connection.execute(_STATES, {"ids": list(execution_ids)})
    return {row.execution_id: row for row in rows}


async def find_lapsed(connection: Connection, stage: ExecutionStage, limit: int) -> Sequence[Row]:
    """Return rows (execution_id, lease) of leases that were not renewed in time."""
    return (await connection.execute(_LAPSED, {"stage": stage.value, "limit": limit})).all()


async def find_overdue(connection: Connection, limit: int) -> Sequence[Row]:
    """Return rows (execution_id, lease) of executions whose queue timeout, judging timeout or deadline has passed."""
    return (await connection.execute(_OVERDUE, {"limit": limit})).all()
