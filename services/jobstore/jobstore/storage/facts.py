"""Add the facts that are not in job logs: agents as they are now, and execution ids answered without a request.

A fact takes its number from the sequence of the logs, after the row that it tells of was written in the same
transaction, so that the relay's horizon covers it (docs/adr/0002).
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

_ADD_AGENT: Final = text(
    f"""
    WITH added AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{AGENTS}', id, json_build_object('agent_id', id, 'cursor', number, 'agent', json_build_object(
            'id', id, 'name', name, 'protocol', protocol, 'url', url, 'capabilities', capabilities, 'policy', policy,
            'enabled', enabled, 'deterministic', deterministic, 'headers', headers, 'created_at', created_at,
            'updated_at', updated_at))
        FROM (SELECT nextval('job_logs_seq_seq') AS number, * FROM agents WHERE id = :id) AS numbered
    )
    SELECT {notify(Wake.RECORDED | Wake.AGENTS)}
    """,  # noqa: S608 - names of our own
)
_ADD_REFUSALS: Final = text(
    f"""
    WITH added AS (
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


async def add_agent_fact(connection: AsyncConnection, agent_id: str) -> None:
    """Add a fact of an agent as its row is now."""
    await connection.execute(_ADD_AGENT, {"id": agent_id})


async def add_refusal_facts(connection: AsyncConnection, execution_ids: Collection[UUID]) -> None:
    """Add a fact of each execution id that was answered without a request."""
    if execution_ids:
        await connection.execute(_ADD_REFUSALS, {"ids": list(execution_ids)})
