"""Store the facts of agents and refusals, and make rows of them: AgentChanged and ExecutionRefused."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import text

from jobstore.storage import sql, tables
from jobstore.storage.facts import AGENTS, REFUSALS
from jobstore.storage.sql import Connection

_FACT: Final = sql.columns(tables.facts)
#: The whole takes the place of its stub.
_KEEP_FACTS: Final = text(
    f"{sql.insert('facts', _FACT).text} ON CONFLICT (seq) DO UPDATE SET body = excluded.body "
    "WHERE facts.body -> 'stub' IS NOT NULL"
)
_LIST_STUBS: Final = text("SELECT topic, key FROM facts WHERE body -> 'stub' IS NOT NULL ORDER BY seq LIMIT :limit")
_PROJECT_AGENTS: Final = text(
    f"""
    INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, deterministic, created_at, updated_at,
        headers)
    SELECT a.id, a.name, a.protocol, a.url, coalesce(a.capabilities, '{{}}'), coalesce(a.policy, '{{}}'),
        coalesce(a.enabled, false), coalesce(a.deterministic, false), a.created_at, a.updated_at,
        coalesce(a.headers, '{{}}')
    FROM (SELECT DISTINCT ON (key) body FROM facts WHERE topic = '{AGENTS}' ORDER BY key, seq DESC) AS newest,
        json_populate_record(CAST(NULL AS agents), newest.body -> 'agent') AS a
    """,  # noqa: S608 - names of our own
)
_PROJECT_REFUSALS: Final = text(
    f"""
    INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, answer,
        priority, spent, created_at)
    SELECT CAST(body ->> 'execution_id' AS uuid), coalesce(body ->> 'job_id', ''), 'EXECUTING', 'DONE', 0, 0, 0, 0, 1,
        concat_ws(':', body ->> 'answer', body ->> 'code'), 5, 0, CAST(body ->> 'refused_at' AS timestamptz)
    FROM facts WHERE topic = '{REFUSALS}' ORDER BY seq
    ON CONFLICT DO NOTHING
    """,  # noqa: S608 - names of our own
)


class StoredFact(NamedTuple):
    """An AgentChanged or ExecutionRefused as it is stored; `seq` is its cursor, `body` its JSON text."""

    seq: int
    key: str
    body: str


async def keep_facts(connection: Connection, topic: str, facts: Sequence[StoredFact]) -> None:
    """Store facts of a topic; a repeat changes nothing, and a whole one takes the place of its stub."""
    rows = {fact.seq: {"topic": topic, **fact._asdict()} for fact in facts}  # the whole comes last
    await connection.execute(_KEEP_FACTS, sql.arrays(_FACT, "u", list(rows.values())))


async def list_stubs(connection: Connection, limit: int) -> list[str]:
    """Return which stored facts are stubs, as topic and key."""
    return [f"{row.topic} {row.key}" for row in await connection.execute(_LIST_STUBS, {"limit": limit})]


async def project_agents(connection: Connection) -> None:
    """Add the agents, each as its newest fact has it."""
    await connection.execute(_PROJECT_AGENTS)


async def project_refusals(connection: Connection) -> None:
    """Add the executions that were refused: the answers to ids of which nothing was requested."""
    await connection.execute(_PROJECT_REFUSALS)
