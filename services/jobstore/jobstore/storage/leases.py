"""The table of executions as a queue and a set of leases: what is due, offered, renewed."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.domain.model import ExecutionStage

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


async def renew(
    connection: AsyncConnection,
    owner: UUID,
    stage: ExecutionStage,
    leases: Sequence[tuple[UUID, int]],
    lease_s: float,
) -> set[tuple[UUID, int]]:
    """Renew leases, also lapsed ones that nobody else was granted, which are no attempts spent; those that run."""
    if not leases:
        return set()
    ids, numbers = zip(*sorted(leases), strict=True)
    parameters = {"owner": owner, "stage": stage.value, "lease_s": lease_s, "ids": list(ids), "leases": list(numbers)}
    return {(row.execution_id, row.lease) for row in await connection.execute(_RENEW, parameters)}


_STANDING: Final = text(
    "SELECT execution_id, state, lease, result_lease, answer FROM executions "
    "WHERE execution_id = ANY(CAST(:ids AS uuid[]))",
)


async def standing(connection: AsyncConnection, execution_ids: Sequence[UUID]) -> Mapping[UUID, Row[Any]]:
    """Where executions stand: state, lease, result_lease, answer."""
    rows = await connection.execute(_STANDING, {"ids": list(execution_ids)})
    return {row.execution_id: row for row in rows}


_LAPSED: Final = text(
    "SELECT execution_id, lease FROM executions "
    "WHERE stage = :stage AND state = 'LEASED' AND due_at <= now() LIMIT :most",
)
_OVERDUE: Final = text(
    "SELECT execution_id, lease FROM executions WHERE state <> 'DONE' AND fails_at <= now() LIMIT :most",
)


async def lapsed(connection: AsyncConnection, stage: ExecutionStage, most: int) -> Sequence[Row[Any]]:
    """Leases that were not renewed in time."""
    return (await connection.execute(_LAPSED, {"stage": stage.value, "most": most})).all()


async def overdue(connection: AsyncConnection, most: int) -> Sequence[Row[Any]]:
    """Executions whose time is over: to be taken, to be judged, or all of it."""
    return (await connection.execute(_OVERDUE, {"most": most})).all()
