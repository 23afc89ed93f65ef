"""Facts that no job's log holds: how agents are, and how execution ids were answered of which nothing was requested.

They take their numbers from the sequence of the logs, after the row that they tell of was written in the same
transaction, so that the relay's horizon covers them (docs/adr/0002).
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import AgentChanged, ExecutionRefused
from contracts.topics import TOPIC_OF
from jobstore.storage.notifications import Wake, notify

AGENTS, REFUSALS = TOPIC_OF[AgentChanged], TOPIC_OF[ExecutionRefused]

_TELL_AGENT: Final = text(
    f"""
    WITH told AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{AGENTS}', id, json_build_object('agent_id', id, 'cursor', number, 'agent', json_build_object(
            'id', id, 'name', name, 'protocol', protocol, 'url', url, 'capabilities', capabilities, 'policy', policy,
            'enabled', enabled, 'deterministic', deterministic, 'created_at', created_at, 'updated_at', updated_at))
        FROM (SELECT nextval('job_logs_seq_seq') AS number, * FROM agents WHERE id = :id) AS numbered
    )
    SELECT {notify(Wake.RECORDED | Wake.AGENTS)}
    """,  # noqa: S608 - names of our own
)
_TELL_REFUSALS: Final = text(
    f"""
    WITH told AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{REFUSALS}', coalesce(nullif(job_id, ''), CAST(execution_id AS text)),
            json_strip_nulls(json_build_object(
                'execution_id', execution_id, 'job_id', nullif(job_id, ''), 'cursor', number,
                'answer', split_part(answer, ':', 1), 'code', nullif(split_part(answer, ':', 2), ''),
                'refused_at', created_at))
        FROM (
            SELECT nextval('job_logs_seq_seq') AS number, *
            FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[]))
        ) AS numbered
    )
    SELECT {notify(Wake.RECORDED)}
    """,  # noqa: S608 - names of our own
)


async def tell_agent(connection: AsyncConnection, agent_id: str) -> None:
    """An agent is new or another than before."""
    await connection.execute(_TELL_AGENT, {"id": agent_id})


async def tell_refusals(connection: AsyncConnection, execution_ids: Collection[UUID]) -> None:
    """Execution ids were answered, and nothing was requested."""
    if execution_ids:
        await connection.execute(_TELL_REFUSALS, {"ids": list(execution_ids)})
