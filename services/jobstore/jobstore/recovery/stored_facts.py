"""Store the facts that are not of jobs, and make rows of them: agents, refused executions, administrators' settings."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Column, DefaultClause, Table, TextClause, text

from jobstore.engine import sql
from jobstore.engine.facts import ADMINISTERED, ADMINISTRATION, AGENTS, REFUSALS, told_columns
from jobstore.engine.sql import Connection
from jobstore.jobs.model import VALIDATOR
from jobstore.jobs.transitions import REJUDGED
from jobstore.limits.store import TODAY, add_to_flows
from jobstore.schema import tables
from signoff.status import OperationKind
from signoff.values import SUM_NANOS_MAX

_FACT: Final = sql.columns(tables.facts)
#: A whole fact replaces its stub.
_KEEP_FACTS: Final = text(
    f"{sql.insert('facts', _FACT).text} ON CONFLICT (seq) DO UPDATE SET body = excluded.body "
    "WHERE facts.body -> 'stub' IS NOT NULL"
)
_LIST_STUBS: Final = text("SELECT topic, key FROM facts WHERE body -> 'stub' IS NOT NULL ORDER BY seq LIMIT :limit")
#: Add the agents, each as in its newest fact; a stub has not all fields.
PROJECT_AGENTS: Final = text(
    f"""
    INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, deterministic, created_at, updated_at,
        headers, version, settings, signing, tenant, shared)
    SELECT a.id, a.name, a.protocol, a.url, coalesce(a.capabilities, '{{}}'), coalesce(a.policy, '{{}}'),
        coalesce(a.enabled, false), coalesce(a.deterministic, false), a.created_at, a.updated_at,
        coalesce(a.headers, '{{}}'), coalesce(a.version, 1), coalesce(a.settings, '{{}}'), a.signing,
        coalesce(a.tenant, 'default'), coalesce(a.shared, true)
    FROM (SELECT DISTINCT ON (key) body FROM facts WHERE topic = '{AGENTS}' ORDER BY key, seq DESC) AS newest,
        json_populate_record(CAST(NULL AS agents), newest.body -> 'agent') AS a
    """  # noqa: S608 - names of our own
)
#: Add the settings that agents have had, as in any fact.
PROJECT_AGENT_SETTINGS: Final = text(
    f"""
    INSERT INTO agent_settings (hash, body)
    SELECT DISTINCT ON (hash) sha256(convert_to(settings::text, 'UTF8')) AS hash, settings
    FROM (SELECT body #> '{{agent,settings}}' AS settings FROM facts WHERE topic = '{AGENTS}') AS given
    WHERE settings IS NOT NULL ORDER BY hash
    """  # noqa: S608 - names of our own
)
#: Add the executions that were refused: the answers to ids for which nothing was requested.
PROJECT_REFUSALS: Final = text(
    f"""
    INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, answer,
        priority, spent, created_at, tenant)
    SELECT CAST(body ->> 'execution_id' AS uuid), coalesce(body ->> 'job_id', ''), 'EXECUTING', 'DONE', 0, 0, 0, 0, 1,
        concat_ws(':', body ->> 'answer', body ->> 'code'), 5, 0, CAST(body ->> 'refused_at' AS timestamptz),
        coalesce((SELECT tenant FROM jobs WHERE id = body ->> 'job_id'), 'default')
    FROM facts WHERE topic = '{REFUSALS}' ORDER BY seq
    ON CONFLICT DO NOTHING
    """  # noqa: S608 - names of our own
)


#: The fact since which the settings of administrators are complete; none if it is lost, or a later fact is a stub.
_COMPLETE_SINCE: Final = text(
    f"""
    SELECT seq FROM facts complete WHERE topic = '{ADMINISTRATION}' AND body ->> 'kind' = 'complete'
        AND NOT EXISTS (SELECT FROM facts later WHERE later.topic = '{ADMINISTRATION}' AND later.seq > complete.seq
            AND later.body -> 'stub' IS NOT NULL)
    ORDER BY seq DESC LIMIT 1
    """  # noqa: S608 - names of our own
)
_SET_SINCE: Final = text("UPDATE relay SET administered_since = :since")
_LIMITS: Final = text("SELECT name FROM limits ORDER BY name")
#: Items that a running operation had queued to be judged are queued again, unless their verdict is recorded by now.
_JUDGE_ANEW: Final = text(
    f"""
    UPDATE operation_items i SET answered = false, execution_id = j.execution_id
    FROM operations o, jobs j
    WHERE o.id = i.operation_id AND o.kind = '{OperationKind.REJUDGE}' AND o.state NOT IN ('CANCELLED', 'DONE')
        AND i.answered AND i.code IS NULL AND j.id = i.job_id
        AND (o.parameters ->> 'shadow' = 'true' OR NOT EXISTS (SELECT FROM job_logs l WHERE l.job_id = i.job_id
            AND l.kind = 'rejudged' AND l.created_at > o.created_at))
    """  # noqa: S608 - a word of our own
)


def _sum_up(which: str) -> str:
    return f"least(coalesce(sum(nanos) FILTER (WHERE {which}), 0), {SUM_NANOS_MAX})"


#: What tenants spent this day, by the log: each entry has what its job had cost after it. Judgings without a job are in
#: no fact.
_COUNT_SPENDING: Final = text(
    f"""
    INSERT INTO spending (day, tenant, part, agents_nanos, judges_nanos)
    SELECT {TODAY}, tenant, 0, {_sum_up("NOT is_judged")}, {_sum_up("is_judged")}
    FROM (
        SELECT j.tenant, l.cost_nanos - coalesce(p.cost_nanos, 0) AS nanos,
            coalesce(l.actor = '{VALIDATOR}' OR l.code = '{REJUDGED}', false) AS is_judged
        FROM job_logs l JOIN jobs j ON j.id = l.job_id
            LEFT JOIN job_logs p ON p.job_id = l.job_id AND p.version = l.version - 1
        WHERE l.cost_nanos IS NOT NULL AND CAST(l.created_at AT TIME ZONE 'UTC' AS date) = {TODAY}
    ) AS spent GROUP BY tenant HAVING sum(nanos) > 0
    """  # noqa: S608 - words of our own
)


def _complete(column: Column[object], kind: str) -> str:
    """Return the SQL expression of a column that is never NULL: as in the fact, or else the column's default."""
    value, default = sql.value("newest", column.name, kind), column.server_default
    if not isinstance(default, DefaultClause):
        return value
    given = f"'{default.arg}'" if isinstance(default.arg, str) else str(default.arg)
    return f"coalesce({value}, {given})"


def _project(table: Table) -> TextClause:
    """Return the statement that adds the rows of a table, each as in its newest fact, unless that fact removed the row.

    If the beginning of the topic is lost, rows that refer to lost rows are left out.
    """
    columns = told_columns(table)
    # Facts of a release before do not have the columns of later ones.
    values = [
        sql.value("newest", name, kind) if table.c[name].nullable else _complete(table.c[name], kind)
        for name, kind in columns.items()
    ]
    types = ", ".join(f"{name} {sql.CAST.get(kind, kind)}" for name, kind in columns.items())
    key = ", ".join(f"given.{column.name}" for column in table.primary_key)
    is_whole = "".join(
        f" AND EXISTS (SELECT FROM {one.column.table.name} WHERE {one.column.name} = newest.{one.parent.name})"
        for one in table.foreign_keys
    )
    return text(
        f"""
        INSERT INTO {table.name} ({", ".join(columns)}) SELECT {", ".join(values)} FROM (
            SELECT DISTINCT ON ({key}) given.*, facts.body ->> 'removed' = 'true' AS is_removed
            FROM facts CROSS JOIN LATERAL json_to_recordset(facts.body -> 'rows') AS given({types})
            WHERE facts.topic = '{ADMINISTRATION}' AND facts.seq > :since AND facts.body ->> 'kind' = '{table.name}'
            ORDER BY {key}, facts.seq DESC
        ) AS newest WHERE NOT is_removed{is_whole}
        """  # noqa: S608 - names of our own
    )


_PROJECT_ADMINISTERED: Final = [_project(table) for table in ADMINISTERED]


class StoredFact(NamedTuple):
    """A fact that is not of a job, as it is stored; `seq` is its cursor, `body` its JSON text."""

    seq: int
    key: str
    body: str


async def keep_facts(connection: Connection, topic: str, facts: Sequence[StoredFact]) -> None:
    """Store facts of a topic; a repeated fact changes nothing, and a whole fact replaces its stub."""
    rows = {fact.seq: {"topic": topic, **fact._asdict()} for fact in facts}  # a whole fact follows its stub
    await connection.execute(_KEEP_FACTS, sql.arrays(_FACT, "u", list(rows.values())))


async def list_stubs(connection: Connection, limit: int) -> list[str]:
    """Return the topic and the key of up to `limit` stored facts that are stubs, each as one text."""
    return [f"{row.topic} {row.key}" for row in await connection.execute(_LIST_STUBS, {"limit": limit})]


async def project_administration(connection: Connection, *, is_new: bool) -> bool:
    """Add the settings of administrators, and return whether these are complete; if not, nothing is offered.

    `is_new`: there are no facts at all, so that none is missing.
    """
    since = await connection.scalar(_COMPLETE_SINCE)
    for statement in _PROJECT_ADMINISTERED:
        await connection.execute(statement, {"since": since or 0})
    await connection.execute(_SET_SINCE, {"since": 0 if since is None and is_new else since})
    return since is not None or is_new


async def go_on_with_administration(connection: Connection) -> None:
    """Apply limits to live executions, count what was spent this day, and queue items to be judged again.

    Call this after all jobs are rebuilt.
    """
    for name in await connection.scalars(_LIMITS):
        await add_to_flows(connection, name)
    await connection.execute(_COUNT_SPENDING)
    await connection.execute(_JUDGE_ANEW)
