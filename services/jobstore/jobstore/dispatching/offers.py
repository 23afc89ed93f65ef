"""Mark due executions, and results to be judged, as offered, so that workers may claim them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from jobstore.domain.model import ExecutionStage, ExecutionState
from jobstore.storage.sql import Connection, Row


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """When offers are made again, and which workers count; all in seconds.

    The wait until an offer is made again begins at `again_s` and doubles up to `again_max_s`. A worker counts while it
    was heard of within `alive_s`.
    """

    again_s: float
    again_max_s: float
    alive_s: float


@dataclass(frozen=True, slots=True)
class ResultToJudge:
    """A result that awaits a judge: the payloads of its request and of its log entry, and when it arrived."""

    request: Mapping[str, Any]
    response: Mapping[str, Any]
    arrived_at: datetime


#: The leases that live workers would still take, less the offers that are not claimed yet.
ROOM: Final = """
    room AS (
        SELECT greatest(0, least(:limit, coalesce(sum(room), 0) - (
            SELECT count(*) FROM executions WHERE stage = :stage AND state = 'OFFERED'))) AS free
        FROM workers WHERE stage = :stage AND seen_at > now() - make_interval(secs => :alive_s)
    )
"""
#: Past its deadline nothing is offered: the sweeper ends it.
DUE: Final = "due_at <= now() AND (deadline_at IS NULL OR deadline_at > now())"
#: An array, not a join: the planner cannot know how few rows a join on `due` leaves, and would read the whole table.
MARK: Final = """
    UPDATE executions e SET state = 'OFFERED', offers = e.offers + 1,
        due_at = least(e.deadline_at,
            now() + make_interval(secs => least(:again_s * 2 ^ least(e.offers, 10), :again_max_s)))
    WHERE e.execution_id = ANY(ARRAY(SELECT execution_id FROM due))
    RETURNING e.execution_id, e.job_id, e.attempt, e.result_lease, e.submission, e.priority, e.agent_id
"""
#: Executions that are QUEUED need room; those offered again take up theirs already.
_OFFER: Final = text(
    f"""
    WITH {ROOM}, due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = :stage AND state = :state AND {DUE}
        ORDER BY priority DESC, due_at
        LIMIT CASE WHEN :state = 'OFFERED' THEN :limit ELSE (SELECT free FROM room) END
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
    connection: Connection, stage: ExecutionStage, state: ExecutionState, limit: int, terms: OfferTerms
) -> list[Row]:
    """Mark due executions of a stage as offered, and return them by priority.

    Of those QUEUED no more are marked than the workers have room for; those OFFERED are offered again.
    """
    parameters = {"stage": stage.value, "state": state.value, "limit": limit, **asdict(terms)}
    return sorted(await connection.execute(_OFFER, parameters), key=lambda row: -row.priority)


async def offer_soon(connection: Connection, execution_ids: Sequence[UUID], again_s: float) -> None:
    """Make offers that were perhaps not published due again after `again_s`, as if offered for the first time."""
    await connection.execute(_OFFER_SOON, {"ids": sorted(execution_ids), "again_s": again_s})


async def get_results(connection: Connection, execution_ids: Sequence[UUID]) -> Mapping[UUID, ResultToJudge]:
    """Return the results of executions that await a judge, by execution id."""
    rows = await connection.execute(_RESULTS, {"ids": list(execution_ids)})
    return {
        row.execution_id: ResultToJudge(from_json(row.request), from_json(row.response), row.created_at) for row in rows
    }
