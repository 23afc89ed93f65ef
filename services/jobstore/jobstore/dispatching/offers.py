"""Mark what is due as offered: what lets a worker claim an execution, or a result to be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.domain.model import ExecutionStage, ExecutionState


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """When an offer is made again, doubling up to a longest interval, and how long a silent worker counts; seconds."""

    again_s: float
    again_max_s: float
    alive_s: float


ROOM: Final = """
    room AS (
        SELECT greatest(0, least(:most, coalesce(sum(room), 0) - (
            SELECT count(*) FROM executions WHERE stage = :stage AND state = 'OFFERED'))) AS free
        FROM workers WHERE stage = :stage AND seen_at > now() - make_interval(secs => :alive_s)
    )
"""


DUE: Final = "due_at <= now() AND (deadline_at IS NULL OR deadline_at > now())"


#: Arrays, not joins: the planner cannot know how few rows such a limit leaves, and would read the whole table.
MARK: Final = """
    UPDATE executions e SET state = 'OFFERED', offers = e.offers + 1,
        due_at = least(e.deadline_at,
            now() + make_interval(secs => least(:again_s * 2 ^ least(e.offers, 10), :again_max_s)))
    WHERE e.execution_id = ANY(ARRAY(SELECT execution_id FROM due))
    RETURNING e.execution_id, e.job_id, e.attempt, e.result_lease, e.submission, e.priority, e.agent_id
"""


#: Without room for those that were not offered before; those offered again have theirs.
_OFFER: Final = text(
    f"""
    WITH {ROOM}, due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = :stage AND state = :state AND {DUE}
        ORDER BY priority DESC, due_at
        LIMIT CASE WHEN :state = 'OFFERED' THEN :most ELSE (SELECT free FROM room) END
        FOR UPDATE SKIP LOCKED
    )
    {MARK}
    """,  # noqa: S608 - fragments of our own
)


_OFFER_SOON: Final = text(
    "UPDATE executions SET offers = 0, due_at = least(deadline_at, now() + make_interval(secs => :again_s)) "
    "WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND state = 'OFFERED'",
)


_RESULTS: Final = text(
    """
    SELECT e.execution_id, a.request_payload::text AS request, r.response_payload::text AS response, r.created_at
    FROM executions e
    JOIN job_logs a ON a.job_id = e.job_id AND a.version = e.request_version
    JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.result_version
    WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))
    """,
)


async def offer(
    connection: AsyncConnection, stage: ExecutionStage, state: ExecutionState, most: int, terms: OfferTerms
) -> list[Row[Any]]:
    """Mark what is due as offered, by priority; of what is QUEUED no more than the workers have room for."""
    parameters = {"stage": stage.value, "state": state.value, "most": most, **asdict(terms)}
    return sorted(await connection.execute(_OFFER, parameters), key=lambda row: -row.priority)


async def offer_soon(connection: AsyncConnection, execution_ids: Sequence[UUID], again_s: float) -> None:
    """What was marked as offered, and perhaps not published, is offered again as if for the first time."""
    await connection.execute(_OFFER_SOON, {"ids": sorted(execution_ids), "again_s": again_s})


async def results(connection: AsyncConnection, execution_ids: Sequence[UUID]) -> Mapping[UUID, tuple[Any, Any, Any]]:
    """For executions that await a judge: the request, the result's log payload, and when it arrived."""
    rows = await connection.execute(_RESULTS, {"ids": list(execution_ids)})
    return {row.execution_id: (from_json(row.request), from_json(row.response), row.created_at) for row in rows}
