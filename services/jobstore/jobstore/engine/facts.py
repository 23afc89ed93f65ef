"""Add the facts that are not in job logs: of agents, of all that administrators set, and of refused execution ids.

A cancel of an execution that is not requested yet is a row of executions, and no fact until it is requested; nor is the
error of a wrong record. Both are remembered for a time.

A fact takes its number from the sequence of the logs, in the transaction that writes its row, so that the relay sees
both or neither (docs/adr/0023).
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Integer, Table, TextClause, text

from contracts.events import AdministrationChanged, AgentChanged, ExecutionRefused
from contracts.topics import TOPIC_OF
from jobstore.engine import sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.sql import Connection
from jobstore.jobs.model import SIGNOFF, Actor
from jobstore.schema import tables

AGENTS, REFUSALS, ADMINISTRATION = TOPIC_OF[AgentChanged], TOPIC_OF[ExecutionRefused], TOPIC_OF[AdministrationChanged]
#: The tables that administrators set, in the order in which rows refer to each other.
ADMINISTERED: Final = (
    tables.tenants,
    tables.limits,
    tables.retentions,
    tables.judging_versions,
    tables.judging_moves,
    tables.judging_evaluations,
    tables.operations,
    tables.operation_items,
    tables.holds,
)
#: Columns of these that change without a fact: when an operation is next taken up.
UNTOLD: Final[Mapping[str, Collection[str]]] = {"operations": frozenset({"turn_at"})}
#: The key of the fact from which on facts have all that administrators set: no limit, policy, set or operation has it.
COMPLETE: Final = "*"
#: The maximum of rows of a fact, and the bytes of rows after which the next fact begins.
PART_ROWS: Final = 1_000
PART_BYTES: Final = 1 << 20

_JSON: Final = frozenset({"json", "jsonb"})
_NOW: Final = sql.time_text("signoff_now()")


def told_columns(table: Table) -> dict[str, str]:
    """Return the columns of a table of ADMINISTERED that facts contain, as types by column name."""
    return sql.columns(table, without=UNTOLD.get(table.name, ()))


def tell(table: Table, rows: str, *, removed: bool = False, beside: str = "") -> TextClause:
    """Return the statement that adds facts of rows of a table: as they are now or, if `removed`, as they were before.

    `rows` is a query that selects these rows, or a change that returns them; `beside`: further changes, as CTEs.
    `actor` is its parameter. A fact has JSON columns as strings: PostgreSQL does not read JSON with an escaped NUL.
    """
    columns = ", ".join(
        f"{sql.time_text(name) if kind == sql.TIME else f'{name}::text' if kind in _JSON else name} AS {name}"
        for name, kind in told_columns(table).items()
    )
    name = ", ".join(f"row_of.{column.name}" for column in table.primary_key if not isinstance(column.type, Integer))
    return text(
        f"""
        WITH {beside} changed AS ({rows}), numbered AS (
            SELECT concat_ws(':', {name}) AS name, row, row_number() OVER in_order AS number,
                sum(octet_length(row::text)) OVER in_order - octet_length(row::text) AS bytes_before
            FROM (SELECT {columns} FROM changed) AS row_of, LATERAL json_strip_nulls(row_to_json(row_of)) AS row
            WINDOW in_order AS (ORDER BY {", ".join(f"row_of.{column.name}" for column in table.primary_key)})
        ), parts AS (
            SELECT nextval('job_logs_seq_seq') AS seq, part.* FROM (
                SELECT name, json_agg(row ORDER BY number) AS rows FROM numbered
                GROUP BY name, (number - 1) / {PART_ROWS}, bytes_before / {PART_BYTES}
            ) AS part
        ), added AS (
            INSERT INTO facts (seq, topic, key, body)
            SELECT seq, '{ADMINISTRATION}', name, json_build_object('kind', '{table.name}', 'name', name, 'cursor', seq,
                'rows', rows, 'removed', {removed}, 'changed_at', {_NOW}, 'actor', CAST(:actor AS text))
            FROM parts
        )
        SELECT {notify(Wake.RECORDED)} WHERE EXISTS (SELECT FROM parts)
        """  # noqa: S608 - names of our own
    )


def forget(table: Table, where: str) -> TextClause:
    """Return the statement that deletes rows and adds facts of that, which have their keys and nothing else of them."""
    keys = [column.name for column in table.primary_key]
    nothing = ", ".join(
        name if name in keys else f"CAST(NULL AS {kind}) AS {name}" for name, kind in told_columns(table).items()
    )
    gone = f"gone AS (DELETE FROM {table.name} WHERE {where} RETURNING {', '.join(keys)}),"  # noqa: S608 - our own
    return tell(table, f"SELECT {nothing} FROM gone", removed=True, beside=gone)  # noqa: S608 - our own


_COMPLETE: Final = text(
    f"""
    WITH added AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT seq, '{ADMINISTRATION}', '{COMPLETE}', json_build_object('kind', 'complete', 'name', '{COMPLETE}',
            'cursor', seq, 'rows', CAST('[]' AS json), 'changed_at', {_NOW}, 'actor', CAST(:actor AS text))
        FROM (SELECT nextval('job_logs_seq_seq') AS seq) AS numbered RETURNING seq
    )
    UPDATE relay SET administered_since = added.seq FROM added
    """  # noqa: S608 - names of our own
)
#: With this lock each transaction that has drawn a number has committed, so that a snapshot has all rows before it.
_LOCK_FACTS: Final = text("LOCK TABLE facts IN SHARE ROW EXCLUSIVE MODE")
_SNAPSHOTS: Final = [tell(table, f"SELECT * FROM {table.name}") for table in ADMINISTERED]  # noqa: S608 - our own
_IS_UNTOLD: Final = text("SELECT administered_since = 0 FROM relay")


async def complete_administration(connection: Connection, actor: Actor) -> None:
    """Add the fact after which facts have all that administrators set, and then facts of all that is set now."""
    await connection.execute(_LOCK_FACTS)
    await connection.execute(_COMPLETE, {"actor": actor})
    for snapshot in _SNAPSHOTS:
        await connection.execute(snapshot, {"actor": actor})


async def begin_administration(connection: Connection) -> None:
    """Call `complete_administration` for a database that was not rebuilt, unless a jobstore has done that before."""
    if await connection.scalar(_IS_UNTOLD):
        await connection.execute(_LOCK_FACTS)
        if await connection.scalar(_IS_UNTOLD):
            await complete_administration(connection, SIGNOFF)
