"""Read what matching needs: agents by capability with their load, jobs that wait for one, and agents' histories."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy import text

from jobstore.commands.resubmission import HISTORY_KINDS, HistoryRow, build_history
from jobstore.commands.rows import AgentHistory
from jobstore.domain.matching import Candidate
from jobstore.storage.agents import to_agent
from jobstore.storage.limits import is_agent_paused
from jobstore.storage.sql import Connection, Row
from signoff.types import Agent

#: The load is counted along the index on agent_id, in its order and up to LIMIT. With `agent_id = a.id` the planner
#: would collect all live executions of an agent first, however many are queued.
_CANDIDATES: Final = text(
    f"""
    SELECT a.id, a.name, a.protocol, a.url, a.capabilities, a.policy::text AS policy, a.enabled, a.deterministic,
        a.created_at, a.updated_at, a.headers::text AS headers,
        NOT EXISTS (SELECT FROM circuits c WHERE c.agent_id = a.id AND c.open_until IS NOT NULL) AS circuit_closed,
        (SELECT count(*) FILTER (WHERE live.agent_id = a.id) FROM (
            SELECT agent_id FROM executions e WHERE e.agent_id >= a.id AND e.state <> 'DONE'
            ORDER BY agent_id LIMIT :load_max) AS live) AS load
    FROM agents a
    WHERE a.enabled AND a.capabilities && (CAST(:capabilities AS text[]) || ARRAY(
        SELECT unnest(capabilities) FROM jobs WHERE id = ANY(CAST(:job_ids AS text[]))))
        AND NOT {is_agent_paused("a.id")}
    """,  # noqa: S608 - words of our own
)
_WAITING: Final = text(
    """
    SELECT j.id, j.version, j.capabilities, (
        SELECT l.message FROM job_logs l WHERE l.job_id = j.id AND l.kind = 'matching_failed'
        ORDER BY l.version DESC LIMIT 1) AS missing
    FROM jobs j WHERE j.status = 'PENDING' AND j.capabilities <> '{}' AND j.id > :after ORDER BY j.id LIMIT :limit
    """,
)
_HISTORIES: Final = text(
    """
    SELECT l.job_id, l.kind, l.agent_id, e.result_hash
    FROM job_logs l LEFT JOIN executions e ON e.execution_id = l.execution_id
    WHERE l.job_id = ANY(CAST(:ids AS text[])) AND l.kind = ANY(CAST(:kinds AS text[])) AND NOT (l.kind = 'not_met'
        AND EXISTS (SELECT FROM job_logs r WHERE r.job_id = l.job_id AND r.version > l.version
            AND r.execution_id = l.execution_id AND r.kind = 'rejudged'))
    ORDER BY l.job_id, l.version
    """,
)


async def find_with_any(
    connection: Connection, capabilities: Collection[str], *, job_ids: Collection[str] = (), load_max: int = 0
) -> list[tuple[Agent, Candidate]]:
    """Return the enabled agents, not paused, that have any of these capabilities, or of those that these jobs need.

    Their load is counted up to `load_max`.
    """
    parameters = {"capabilities": sorted(capabilities), "job_ids": sorted(job_ids), "load_max": load_max}
    rows = await connection.execute(_CANDIDATES, parameters)
    return [(to_agent(row), _to_candidate(row)) for row in rows]


def _to_candidate(row: Row) -> Candidate:
    return Candidate(row.id, frozenset(row.capabilities), circuit_closed=row.circuit_closed, load=row.load)


async def find_waiting_jobs(connection: Connection, after: str, limit: int) -> Sequence[Row]:
    """Return the next jobs that wait for an agent, by id: (id, version, capabilities, missing).

    `missing` is the message of the last entry MATCHING_FAILED.
    """
    return await connection.execute(_WAITING, {"after": after, "limit": limit})


async def load_histories(connection: Connection, job_ids: Iterable[str]) -> dict[str, AgentHistory]:
    """Return the histories of these jobs' agents."""
    rows_of: dict[str, list[HistoryRow]] = {job_id: [] for job_id in job_ids}
    parameters = {"ids": sorted(rows_of), "kinds": [kind.value for kind in HISTORY_KINDS]}
    for row in await connection.execute(_HISTORIES, parameters):
        rows_of[row.job_id].append(HistoryRow(row.kind, row.agent_id, row.result_hash))
    return {job_id: build_history(rows) for job_id, rows in rows_of.items()}
