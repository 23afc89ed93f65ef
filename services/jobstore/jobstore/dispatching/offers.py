"""Mark due executions, and results to be judged, as offered, so that workers may claim them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from jobstore.domain.model import ExecutionStage
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.room import read_room
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
    """A result that awaits a judge, of what was asked for, and when it arrived."""

    title: str
    acceptance_criteria: str
    result: object
    arrived_at: datetime


#: Past its deadline nothing is offered: the sweeper ends it.
IN_TIME: Final = "(deadline_at IS NULL OR deadline_at > signoff_now())"
DUE: Final = f"due_at <= signoff_now() AND {IN_TIME}"


def mark(besides: str = "") -> str:
    """Return the UPDATE that marks the executions of `due` as offered.

    An array, not a join: the planner cannot know how few rows a join on `due` leaves, and would read the whole table.
    """
    return f"""
        UPDATE executions e SET state = 'OFFERED', offers = e.offers + 1,
            due_at = least(e.deadline_at,
                signoff_now() + make_interval(secs => least(:again_s * 2 ^ least(e.offers, 10), :again_max_s))){besides}
        WHERE e.execution_id = ANY(ARRAY(SELECT execution_id FROM due))
        RETURNING e.execution_id, e.job_id, e.attempt, e.result_lease, e.submission, e.priority, e.agent_id
    """  # noqa: S608 - fragments of our own


_OFFER_RESULTS: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = 'JUDGING' AND state = 'QUEUED' AND {DUE}
        ORDER BY priority DESC, due_at
        LIMIT (SELECT greatest(0, least(:limit, room)) FROM {read_room(ExecutionStage.JUDGING)}) FOR UPDATE SKIP LOCKED
    )
    {mark()}
    """,  # noqa: S608 - fragments of our own
)
#: What is offered again takes up its room already.
_OFFER_AGAIN: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = :stage AND state = 'OFFERED' AND {DUE}
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    {mark()}
    """,  # noqa: S608 - fragments of our own
)
#: `|| ''`: only the index of the ids can serve.
_OFFER_AT_ONCE: Final = text(
    f"""
    WITH due AS (
        UPDATE executions SET offers = 0, due_at = least(deadline_at, signoff_now())
        WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND state || '' = 'OFFERED' RETURNING 1
    )
    SELECT {notify(Wake.QUEUED)} WHERE EXISTS (SELECT FROM due)
    """,  # noqa: S608 - a fragment of our own
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


async def offer_results(connection: Connection, limit: int, terms: OfferTerms) -> list[Row]:
    """Mark results that are queued to be judged as offered, as many as there is room for; return them by priority."""
    rows = await connection.execute(_OFFER_RESULTS, {"limit": limit, **asdict(terms)})
    return sorted(rows, key=lambda row: -row.priority)


async def offer_again(connection: Connection, stage: ExecutionStage, limit: int, terms: OfferTerms) -> list[Row]:
    """Mark offers of a stage that nobody has claimed in time as offered again, and return them by priority."""
    parameters = {"stage": stage.value, "limit": limit, "again_s": terms.again_s, "again_max_s": terms.again_max_s}
    return sorted(await connection.execute(_OFFER_AGAIN, parameters), key=lambda row: -row.priority)


async def offer_at_once(connection: Connection, execution_ids: Sequence[UUID]) -> None:
    """Make offers that were perhaps not published due again at once, and wake the dispatchers of all jobstores."""
    await connection.execute(_OFFER_AT_ONCE, {"ids": sorted(execution_ids)})


async def get_results(connection: Connection, execution_ids: Sequence[UUID]) -> Mapping[UUID, ResultToJudge]:
    """Return the results of executions that await a judge, by execution id."""
    results = {}
    for row in await connection.execute(_RESULTS, {"ids": list(execution_ids)}):
        asked, result = from_json(row.request), from_json(row.response)["result"]
        results[row.execution_id] = ResultToJudge(asked["title"], asked["acceptance_criteria"], result, row.created_at)
    return results
