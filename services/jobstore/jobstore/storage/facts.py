"""Add the facts that are not in job logs: agents as they are now, and execution ids answered without a request.

A cancel of an execution that nobody has asked for is a row of executions, and no fact until somebody asks.

A fact takes its number from the sequence of the logs, in the transaction that writes the row that it tells of, so that
the relay sees both or neither (docs/adr/0023).
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.events import AgentChanged, ExecutionRefused
from contracts.topics import TOPIC_OF
from jobstore.domain.actor import Actor
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection

AGENTS, REFUSALS = TOPIC_OF[AgentChanged], TOPIC_OF[ExecutionRefused]

_ADD_AGENT: Final = text(
    f"""
    WITH added AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{AGENTS}', id, json_build_object('agent_id', id, 'cursor', number, 'agent', json_build_object(
            'id', id, 'name', name, 'protocol', protocol, 'url', url, 'capabilities', capabilities, 'policy', policy,
            'enabled', enabled, 'deterministic', deterministic, 'headers', headers, 'created_at', created_at,
            'updated_at', updated_at), 'actor', CAST(:actor AS text))
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
                'refused_at', created_at, 'actor', actor))
        FROM (
            SELECT nextval('job_logs_seq_seq') AS number, *
            FROM executions JOIN unnest(CAST(:ids AS uuid[]), CAST(:actors AS text[])) AS asked (execution_id, actor)
                USING (execution_id)
        ) AS numbered
    )
    SELECT {notify(Wake.RECORDED)}
    """,  # noqa: S608 - names of our own
)
#: The cancels of executions that nobody has asked for; an index has them.
EARLY_CANCELS: Final = "state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL"
#: Rows deleted by one `forget_early_cancels`.
FORGET_BATCH: Final = 10_000
_COUNT_EARLY: Final = text(
    f"SELECT count(*) FROM (SELECT FROM executions WHERE {EARLY_CANCELS} LIMIT :limit) AS early",  # noqa: S608 - words of our own
)
#: SKIP LOCKED: a row whose execution is just asked for is not forgotten.
_FORGET_EARLY: Final = text(
    f"""
    DELETE FROM executions WHERE execution_id = ANY(ARRAY(
        SELECT execution_id FROM executions WHERE {EARLY_CANCELS} AND due_at <= signoff_now()
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,  # noqa: S608 - words of our own
)


async def add_agent_fact(connection: Connection, agent_id: str, actor: Actor) -> None:
    """Add a fact of an agent as its row is now, which an actor has changed."""
    await connection.execute(_ADD_AGENT, {"id": agent_id, "actor": actor})


async def add_refusal_facts(connection: Connection, answered: Mapping[UUID, Actor]) -> None:
    """Add a fact of each execution id that was answered without a request, with who asked."""
    if answered:
        await connection.execute(_ADD_REFUSALS, {"ids": list(answered), "actors": list(answered.values())})


async def count_early_cancels(connection: Connection, limit: int) -> int:
    """Count the cancels of executions that nobody has asked for, up to a limit."""
    return int(await connection.scalar(_COUNT_EARLY, {"limit": limit}) or 0)


async def forget_early_cancels(connection: Connection) -> int:
    """Delete up to FORGET_BATCH cancels whose executions did not come in time, and return how many."""
    return await connection.change(_FORGET_EARLY, {"limit": FORGET_BATCH})
