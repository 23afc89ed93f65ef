"""Add the facts that are not in job logs: agents as they are now, and execution ids answered without a request.

A cancel of an execution that nobody has asked for is a row of executions, and no fact until somebody asks; nor is why a
record was wrong. Both are remembered for a time.

A fact takes its number from the sequence of the logs, in the transaction that writes the row that it tells of, so that
the relay sees both or neither (docs/adr/0023).
"""

from collections.abc import Collection, Mapping
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
#: The answers that are remembered for a time; an index has them.
REMEMBERED: Final = "state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL"
#: Rows deleted by one `forget_remembered`.
FORGET_BATCH: Final = 10_000
_COUNT_REMEMBERED: Final = text(
    f"""
    SELECT count(*) FROM (
        SELECT FROM executions WHERE {REMEMBERED} AND (answer = 'cancelled') = :cancelled LIMIT :limit
    ) AS remembered
    """,  # noqa: S608 - words of our own
)
#: SKIP LOCKED: a row whose execution is just asked for is not forgotten.
_FORGET_REMEMBERED: Final = text(
    f"""
    DELETE FROM executions WHERE execution_id = ANY(ARRAY(
        SELECT execution_id FROM executions WHERE {REMEMBERED} AND due_at <= signoff_now()
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """,  # noqa: S608 - words of our own
)
_FORGET_ANSWERS: Final = text(
    f"DELETE FROM executions WHERE {REMEMBERED} AND execution_id = ANY(CAST(:ids AS uuid[]))",  # noqa: S608 - words of our own
)


async def add_agent_fact(connection: Connection, agent_id: str, actor: Actor) -> None:
    """Add a fact of an agent as its row is now, which an actor has changed."""
    await connection.execute(_ADD_AGENT, {"id": agent_id, "actor": actor})


async def add_refusal_facts(connection: Connection, answered: Mapping[UUID, Actor]) -> None:
    """Add a fact of each execution id that was answered without a request, with who asked."""
    await connection.execute(_ADD_REFUSALS, {"ids": list(answered), "actors": list(answered.values())})


async def count_remembered(connection: Connection, limit: int, *, cancelled: bool) -> int:
    """Count the answers that are remembered, early cancels or all others, up to a limit."""
    return int(await connection.scalar(_COUNT_REMEMBERED, {"limit": limit, "cancelled": cancelled}) or 0)


async def forget_remembered(connection: Connection) -> int:
    """Delete up to FORGET_BATCH answers whose time is over, and return how many."""
    return await connection.change(_FORGET_REMEMBERED, {"limit": FORGET_BATCH})


async def forget_answers(connection: Connection, execution_ids: Collection[UUID]) -> None:
    """Delete answers that are remembered, before their time."""
    await connection.execute(_FORGET_ANSWERS, {"ids": list(execution_ids)})
