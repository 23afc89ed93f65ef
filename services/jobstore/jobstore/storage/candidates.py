"""Agents as rows that jobs are matched to, jobs that wait for one, and who had a job so far."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Agent
from jobstore.commands.resubmission import TELLING, history_of
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.matching import LOAD_MAX, Candidate
from jobstore.storage import row_mapping

#: Who has nothing of what is needed need not be read. Executions are counted along their index, in its order: by the
#: agent's id alone the planner would first collect all of them, and a million that are queued would cost what they do.
_CANDIDATES: Final = text(
    """
    SELECT a.id, a.name, a.protocol, a.url, a.capabilities, a.policy::text AS policy, a.enabled, a.deterministic,
        a.created_at, a.updated_at,
        NOT EXISTS (SELECT FROM circuits c WHERE c.agent_id = a.id AND c.open_until IS NOT NULL) AS closed,
        (SELECT count(*) FILTER (WHERE live.agent_id = a.id) FROM (
            SELECT agent_id FROM executions e WHERE e.agent_id >= a.id AND e.state <> 'DONE'
            ORDER BY agent_id LIMIT :most) AS live) AS load
    FROM agents a
    WHERE a.enabled AND a.capabilities && CAST(:needs AS text[]) AND NOT coalesce(
        (SELECT paused FROM limits WHERE name = 'agent:' || a.id),
        (SELECT paused FROM limits WHERE name = 'agent:*'), false)
    """,
)
_WAITING: Final = text(
    """
    SELECT j.id, j.version, j.capabilities, (
        SELECT l.message FROM job_logs l WHERE l.job_id = j.id AND l.kind = 'matching_failed'
        ORDER BY l.version DESC LIMIT 1) AS missing
    FROM jobs j WHERE j.status = 'PENDING' AND j.capabilities <> '{}' AND j.id > :after ORDER BY j.id LIMIT :most
    """,
)
_HISTORIES: Final = text(
    """
    SELECT l.job_id, l.kind, l.agent_id, e.result_hash
    FROM job_logs l LEFT JOIN executions e ON e.execution_id = l.execution_id
    WHERE l.job_id = ANY(CAST(:ids AS text[])) AND l.kind = ANY(CAST(:kinds AS text[])) ORDER BY l.job_id, l.version
    """,
)


async def load(connection: AsyncConnection, uow: UnitOfWork, needs: Collection[str]) -> None:
    """Add the agents that have any of these capabilities."""
    for agent, candidate in await with_any(connection, needs, LOAD_MAX):
        uow.agents[agent.id] = agent
        uow.candidates[agent.id] = candidate


async def with_any(
    connection: AsyncConnection, needs: Collection[str], load_max: int = 0
) -> list[tuple[Agent, Candidate]]:
    """The agents that may be given work and have any of these capabilities, with their loads up to so much."""
    rows = await connection.execute(_CANDIDATES, {"needs": sorted(needs), "most": load_max})
    return [
        (row_mapping.agent(row), Candidate(row.id, frozenset(row.capabilities), row.closed, row.load)) for row in rows
    ]


async def waiting(connection: AsyncConnection, after: str, most: int) -> Sequence[Row[Any]]:
    """The next jobs that wait for an agent, in the order of their ids, each with what was missing last."""
    return (await connection.execute(_WAITING, {"after": after, "most": most})).all()


async def load_histories(connection: AsyncConnection, uow: UnitOfWork, job_ids: Iterable[str]) -> None:
    """Add what the logs say of these jobs' agents and verdicts."""
    told: dict[str, list[Any]] = {job_id: [] for job_id in job_ids}
    about = {"ids": sorted(told), "kinds": [kind.value for kind in TELLING]}
    for row in await connection.execute(_HISTORIES, about):
        told[row.job_id].append(row)
    uow.histories.update({job_id: history_of(rows) for job_id, rows in told.items()})
