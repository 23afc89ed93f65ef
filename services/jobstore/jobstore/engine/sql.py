"""Speak SQL to PostgreSQL: execute statements by asyncpg, and build those that write a batch of rows at once.

A batch is written by `unnest` over one array parameter a column; few rows by VALUES, with a parameter for each cell.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast

import asyncpg
from sqlalchemy import ClauseElement, Table, TextClause, text
from sqlalchemy.dialects.postgresql import asyncpg as sqlalchemy_asyncpg
from sqlalchemy.sql.compiler import SQLCompiler

from jobstore.engine.patches import get_pipeline
from jobstore.jobs.model import UNPROVEN
from signoff.values import SUM_NANOS_MAX

_DIALECT: Final = sqlalchemy_asyncpg.dialect()  # type: ignore[no-untyped-call]

#: SQL as a constant of a module with `:name` for each parameter, or an expression of SQLAlchemy.
Statement: TypeAlias = ClauseElement
Parameters: TypeAlias = Mapping[str, object]
#: The tenants of a caller; None: all of them.
Tenants: TypeAlias = frozenset[str] | None
#: A row to write: a value for each column.
Values: TypeAlias = dict[str, Any]


#: Plans anew for each value, until the commit: a filter that nearly all jobs match needs another plan than a rare one.
#: Pages are in memory, or on a disk that seeks fast: with the default cost, all rows that match are read and sorted
#: instead of being read in the order of an index.
PLAN_ANEW: Final = text(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('random_page_cost', '1.1', true)"
)


#: The type of the columns that are times.
TIME: Final = "timestamp with time zone"


def time_text(time: str) -> str:
    """Return the SQL expression that formats a time, itself an expression, as in all JSON (signoff.values)."""
    return f"""to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24\\:MI\\:SS.US"Z"')"""


def is_verdict(alias: str) -> str:
    """Return the SQL condition that the log entry `alias` holds a verdict (`is_verdict` in jobs.transitions)."""
    return f"({alias}.kind IN ('met', 'not_met') OR {alias}.kind = 'failed' AND {alias}.code = '{UNPROVEN}')"


class Row(asyncpg.Record):  # type: ignore[misc] # asyncpg has no types
    """A row of a result. Its columns are attributes, too."""

    def __getattr__(self, name: str) -> Any:
        """Return a column's value, and make the column a property of all rows, which is seven times as fast to read."""
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(name) from None
        setattr(Row, name, property(itemgetter(name)))
        return value


class Rows(list[Row]):
    """The rows that a statement returned."""

    def one(self) -> Row:
        """Return the only row. Raise ValueError if there is none, or more than one."""
        (row,) = self
        return row

    def one_or_none(self) -> Row | None:
        """Return the only row, or None if there is none. Raise ValueError if there are several."""
        return self.one() if self else None


class Connection:
    """A connection of the pool, for one transaction or one session."""

    #: The tenants whose rows it reads; None: those of all (engine.scoped).
    tenants: Tenants = None

    def __init__(self, driver: "asyncpg.Connection[Row]") -> None:
        self.driver = driver
        self._pipeline, self._prepared = get_pipeline(driver), driver._stmt_cache  # noqa: SLF001 - no public way

    def bind(self, statement: Statement, parameters: Parameters | None) -> tuple[str, Iterator[object]]:
        """Return a statement's SQL as asyncpg takes it, and the values of its parameters in order."""
        return bind(statement, parameters)

    async def execute(
        self, statement: Statement, parameters: Parameters | None = None, *, commits: bool = False
    ) -> Rows:
        """Execute a statement, and return its rows.

        `commits`: this is the last statement of the pipelined transaction, and COMMIT may go with it; none may follow.
        """
        sql, values = self.bind(statement, parameters)
        if commits and self._prepared.has((sql, Row, False)):  # else asyncpg asks for its types first, and for no more
            self._pipeline.commit_with_next()
        return Rows(await self.driver.fetch(sql, *values))

    async def scalars(self, statement: Statement, parameters: Parameters | None = None) -> list[Any]:
        """Execute a statement, and return the list of the first column's values."""
        return [row[0] for row in await self.execute(statement, parameters)]

    async def scalar(self, statement: Statement, parameters: Parameters | None = None) -> Any:
        """Execute a statement, and return the first column of its first row, or None if it returns no row."""
        sql, values = self.bind(statement, parameters)
        return await self.driver.fetchval(sql, *values)

    async def change(self, statement: Statement, parameters: Parameters | None = None) -> int:
        """Execute a statement, and return how many rows it inserted, updated or deleted."""
        sql, values = self.bind(statement, parameters)
        return int((await self.driver.execute(sql, *values)).rpartition(" ")[2])

    async def execute_many(self, statement: TextClause, parameters: Sequence[Parameters]) -> None:
        """Execute a statement once for each of several mappings of parameters."""
        sql, names = _compile_text(statement.text)
        await self.driver.executemany(sql, [[one[name] for name in names] for one in parameters])

    async def stream(
        self, statement: Statement, parameters: Parameters | None = None, *, rows_ahead: int
    ) -> AsyncIterator[Row]:
        """Yield the rows of a statement, of which `rows_ahead` are read at once; call within a transaction."""
        sql, values = self.bind(statement, parameters)
        async for row in self.driver.cursor(sql, *values, prefetch=rows_ahead):
            yield row

    def invalidate(self) -> None:
        """Close the connection, so that no other user of the pool gets it."""
        with contextlib.suppress(asyncpg.InterfaceError):  # it was lost, and the pool has dropped it
            self.driver.terminate()


def bind(statement: Statement, parameters: Parameters | None) -> tuple[str, Iterator[object]]:
    """Return a statement's SQL as asyncpg takes it, and the values of its parameters in the order of their numbers."""
    if isinstance(statement, TextClause):
        sql, names = _compile_text(statement.text)
        return sql, map((parameters or {}).__getitem__, names)
    compiled = cast("SQLCompiler", statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}))
    values = compiled.construct_params(parameters)
    return str(compiled), map(values.__getitem__, compiled.positiontup or ())


@lru_cache(maxsize=1_000)
def _compile_text(statement: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with parameters `:name` as asyncpg takes it, and the names of its parameters in order."""
    compiled = text(statement).compile(dialect=_DIALECT)
    return str(compiled), tuple(compiled.positiontup or ())


#: Types that are passed as another and cast in the row. `unnest` would flatten arrays of arrays.
CAST = {"json": "text", "jsonb": "text", "text[]": "text"}


def columns(table: Table, *, only: Collection[str] = (), without: Collection[str] = ()) -> dict[str, str]:
    """Return columns of a table, in its order, as types by name: all columns, or `only` some, or all `without` some."""
    return {
        column.name: column.type.compile(dialect=_DIALECT).lower()
        for column in table.columns
        if column.name not in without and (not only or column.name in only)
    }


def attributes(names: Mapping[str, str] | Iterable[str]) -> Callable[[object], Values]:
    """Return a function that makes a row of an object's attributes, given by name, or by names of columns."""
    columns = (names if isinstance(names, Mapping) else {name: name for name in names}).items()
    return lambda source: {column: getattr(source, name) for column, name in columns}


def unnest(alias: str, columns: Mapping[str, str]) -> str:
    """Return `unnest(...)` of one array for each column, with row numbers `n`. Parameters are named alias_column."""
    arrays = ", ".join(f"CAST(:{alias}_{name} AS {CAST.get(kind, kind)}[])" for name, kind in columns.items())
    return f"unnest({arrays}) WITH ORDINALITY AS {alias}({', '.join(columns)}, n)"


def value(alias: str, name: str, kind: str) -> str:
    """Return the SQL of a column of the `unnest` called `alias`, cast to `kind`, the column's type in the table."""
    return f"{alias}.{name}::{kind}" if kind in CAST else f"{alias}.{name}"


def values(alias: str, columns: Mapping[str, str]) -> str:
    """Return the SQL of all columns of the `unnest` called `alias`, cast to their types in the table."""
    return ", ".join(value(alias, name, kind) for name, kind in columns.items())


def assignments(alias: str, columns: Mapping[str, str], *, key: str) -> str:
    """Return the SET of an UPDATE from an `unnest`: all columns but `key`, each cast to its type in the table."""
    return ", ".join(f"{name} = {value(alias, name, kind)}" for name, kind in columns.items() if name != key)


def few(alias: str, columns: Mapping[str, str], count: int) -> str:
    """Return VALUES of `count` rows in place of an `unnest`. Parameters are named alias_row_column.

    If there is one row, PostgreSQL puts the parameters in place of the columns; an `unnest` becomes a table in memory.
    """
    rows = (
        ", ".join(f"CAST(:{alias}_{n}_{name} AS {CAST.get(kind, kind)})" for name, kind in columns.items()) + f", {n}"
        for n in range(1, 1 + count)
    )
    return f"(VALUES ({'), ('.join(rows)})) AS {alias}({', '.join(columns)}, n)"


def cells(columns: Mapping[str, str], alias: str, rows: Sequence[Values]) -> dict[str, object]:
    """Return the parameters of the VALUES that `few` makes, from rows that have at least these columns."""
    return {
        f"{alias}_{n}_{name}": _literal(row[name]) if kind == "text[]" else row[name]
        for n, row in enumerate(rows, 1)
        for name, kind in columns.items()
    }


def arrays(columns: Mapping[str, str], alias: str, rows: Sequence[Values]) -> dict[str, list[object]]:
    """Return the parameters of the SQL that `unnest` makes, from rows that have at least these columns.

    A column that is NULL in all rows is an empty array, which PostgreSQL fills up with NULLs, which need no encoding.
    """
    parameters: dict[str, list[object]] = {}
    for name, kind in columns.items():
        column = [row[name] for row in rows]
        if column.count(None) == len(column):
            column = []
        parameters[f"{alias}_{name}"] = [_literal(each) for each in column] if kind == "text[]" else column
    return parameters


def _literal(texts: Sequence[str] | None) -> str | None:
    """Return an array of texts as PostgreSQL's array literal; None for None."""
    if texts is None:
        return None
    quoted = ('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts)
    return f"{{{','.join(quoted)}}}"


def add_up(table: str, name: str) -> str:
    """Return the assignment of an upsert that adds the new value to the stored one, up to the maximum of a BIGINT."""
    return f"{name} = least({table}.{name}::numeric + excluded.{name}, {SUM_NANOS_MAX})"


def insert(table: str, columns: Mapping[str, str], *, order: str = "n", alias: str = "u") -> TextClause:
    """Return an INSERT of the rows of an `unnest`, sorted by `order`; `n` is the order in which the rows were given."""
    names = ", ".join(columns)
    return text(
        f"INSERT INTO {table} ({names}) SELECT {values(alias, columns)} "  # noqa: S608 - names of our own
        f"FROM {unnest(alias, columns)} ORDER BY {order}"
    )


def update(table: str, columns: Mapping[str, str], *, key: str, alias: str = "u", also: str = "") -> str:
    """Return an UPDATE from an `unnest` that has the keys and new values of rows; `also`: sets further columns."""
    return (
        f"UPDATE {table} SET {assignments(alias, columns, key=key)}{also} "  # noqa: S608 - names of our own
        f"FROM {unnest(alias, columns)} WHERE {table}.{key} = {alias}.{key}"
    )


#: The maximum of characters in the texts of a page: well below the 4 MiB that gRPC's clients take by default.
PAGE_MAX_BYTES: Final = 2 << 20
#: Rows read ahead of the page's end: few, since each may hold bodies of a megabyte.
ROWS_AT_ONCE: Final = 20


async def fetch_page(
    connection: Connection, query: Statement, parameters: Parameters | None = None, *, bodies: bool
) -> tuple[list[Row], bool]:
    """Fetch a page of rows; with `bodies`, stop at PAGE_MAX_BYTES. Return the rows, and whether more rows were left.

    A page has at least one row, unless the query returns none. Call within a transaction.
    """
    if not bodies:
        return list(await connection.execute(query, parameters)), False
    rows: list[Row] = []
    total = 0
    async for row in connection.stream(query, parameters, rows_ahead=ROWS_AT_ONCE):
        total += sum(len(value) for value in row if isinstance(value, str))
        if rows and total > PAGE_MAX_BYTES:
            return rows, True
        rows.append(row)
    return rows, False
