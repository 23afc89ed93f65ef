"""Leases as rows of executions: renew them, and find those that lapsed or are out of time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.domain.model import ExecutionStage

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
    connection: AsyncConnection,
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


async def load_states(connection: AsyncConnection, execution_ids: Sequence[UUID]) -> Mapping[UUID, Row[Any]]:
    """Return the rows (state, lease, result_lease, answer) of executions, by id."""
    rows = await connection.execute(_STATES, {"ids": list(execution_ids)})
    return {row.execution_id: row for row in rows}


async def find_lapsed(connection: AsyncConnection, stage: ExecutionStage, limit: int) -> Sequence[Row[Any]]:
    """Return rows (execution_id, lease) of leases that were not renewed in time."""
    return (await connection.execute(_LAPSED, {"stage": stage.value, "limit": limit})).all()


async def find_overdue(connection: AsyncConnection, limit: int) -> Sequence[Row[Any]]:
    """Return rows (execution_id, lease) of executions whose queue timeout, judging timeout or deadline has passed."""
    return (await connection.execute(_OVERDUE, {"limit": limit})).all()
