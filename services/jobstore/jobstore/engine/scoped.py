"""Execute the statements of callers, who see the rows of their tenants alone: this is the one place that adds these."""

import contextlib
import copy
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

import asyncpg
from sqlalchemy import TextClause

from jobstore.access.callers import find_tenants, narrow_tenants
from jobstore.engine.database import Database
from jobstore.engine.sql import Connection, Parameters, Row, Statement, Tenants
from jobstore.schema.scopes import CLOSED, SCOPED, OfAll

#: The queries of all tables that a caller of some tenants does not read whole, in their order.
_QUERIES: Final = {
    name: f"SELECT * FROM {name} WHERE {condition}"  # noqa: S608 - names of our own
    for name, condition in {**dict.fromkeys(CLOSED, "NULL {mine}"), **SCOPED}.items()
}
#: The names of these anywhere, also of columns: a query that the statement does not use costs nothing.
_NAMED: Final = re.compile(rf"\b(?:{'|'.join(_QUERIES)})\b")
#: What names a table as no query before the statement can stand for it: the target of a write, and a schema's.
_REFUSED: Final = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)\s+[a-z]\w*|\b(?:public|signoff)\.[a-z]\w*"
)
_WITH: Final = re.compile(r"\s*WITH\s+(RECURSIVE\b)?", re.IGNORECASE)
_PARAMETER: Final = re.compile(r"\$(\d+)")


class ScopedConnection(Connection):
    """A connection for a caller: each statement reads, of the tables that it names, the rows of `tenants` alone.

    Before the statement stand queries with the names of these tables, so that the statement needs no condition of its
    own, and cannot be written without it. If `tenants` is None, statements are executed as they are.
    """

    def __init__(self, driver: "asyncpg.Connection[Row]", tenants: Tenants) -> None:
        super().__init__(driver)
        self.tenants = tenants

    def bind(self, statement: Statement, parameters: Parameters | None) -> tuple[str, Iterator[object]]:
        """Return a statement with the scopes of its tables before it, and the values of its parameters."""
        sql, values = super().bind(statement, parameters)
        if self.tenants is None:
            return sql, values
        names = sorted(self.tenants)
        scoped = _scope_bound(sql, of_one=len(names) == 1)
        return scoped, values if scoped == sql else chain(values, names if len(names) == 1 else [names])

    async def insert(self, table: str, columns: Sequence[str], query: Statement) -> None:
        """Insert what a query finds among the rows of the tenants, for a command of a caller of these."""
        sql, values = self.bind(query, None)
        await self.driver.execute(f"INSERT INTO {table} ({', '.join(columns)}) {sql}", *values)

    async def execute_many(self, statement: TextClause, parameters: Sequence[Parameters]) -> None:
        """Execute a statement for each of several mappings of parameters: for a caller of all tenants alone."""
        if self.tenants is not None:
            raise TypeError("callers of some tenants only read: write by a command")
        await super().execute_many(statement, parameters)


@lru_cache(maxsize=2_000)
def _scope_bound(sql: str, *, of_one: bool) -> str:
    """Return a statement whose parameters have numbers with its scopes before it; one more parameter: the tenants."""
    number = max(map(int, _PARAMETER.findall(sql)), default=0) + 1
    return scope(sql, f"= CAST(${number} AS text)" if of_one else f"= ANY(CAST(${number} AS text[]))")


def scope(sql: str, mine: str) -> str:
    """Return a query with a query before it for each table that it names; `mine` compares a tenant with the caller's.

    TypeError: it writes, or names the schema of a table.
    """
    if (refused := _REFUSED.search(sql)) is not None:
        raise TypeError(f"callers of some tenants only read, and no {refused[0]!r}: write by a command")
    named = set(_NAMED.findall(sql))
    if not named:
        return sql
    scopes = ", ".join(
        f"{name} AS NOT MATERIALIZED ({query.format(mine=mine)})" for name, query in _QUERIES.items() if name in named
    )
    begin = _WITH.match(sql)
    if begin is None:
        return f"WITH {scopes} {sql}"
    if begin[1]:  # it stays within: under the name of its table, a recursive query would read itself
        return f"WITH {scopes} SELECT * FROM ({sql}) AS scoped"  # noqa: S608 - as above
    return f"WITH {scopes}, {sql[begin.end() :]}"


def of_all(connection: Connection, reason: OfAll) -> Connection:
    """Return a caller's connection for a statement that looks at the rows of all tenants, for one of the `OfAll`."""
    del reason
    return Connection(connection.driver)


class Callers:
    """The database as calls read it: each session sees the rows of the tenants of the call that is under way.

    The services of api/ have it in place of a `Database`, so that no read of a call can be written without its tenants.
    Calls never take all connections of the pool; `lasting` ones, such as watches, have a share of their own.
    """

    def __init__(self, database: Database, *, lasting: bool = False) -> None:
        self._database, self._read = database, database.for_callers(lasting=lasting)

    @property
    def answering(self) -> "Callers":
        """The same beyond the share of calls: it answers a change that is done, which must not fail as many read."""
        view = copy.copy(self)
        view._read = self._database  # noqa: SLF001 - its own
        return view

    @contextlib.asynccontextmanager
    async def session(self, tenant: str = "") -> AsyncIterator[ScopedConnection]:
        """Open a connection on which each statement is a transaction of its own, for the rows of a tenant, or of all.

        InvalidError (`unknown_tenant`): the tenant is not the caller's.
        """
        tenants = narrow_tenants(tenant)
        async with self._read.session() as connection:
            yield ScopedConnection(connection.driver, tenants)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[ScopedConnection]:
        """Open a transaction: commit it when the context ends, or roll it back if the context raises an error."""
        async with self._read.transaction() as connection:
            yield ScopedConnection(connection.driver, find_tenants())

    def of_all(self, reason: OfAll) -> Database:
        """Return the database as calls of all tenants read it, for one of the `OfAll`."""
        del reason
        return self._read
