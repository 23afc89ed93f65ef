"""Execute the statements of callers, who see the rows of their tenants alone: this is the one place that adds these."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

import asyncpg
from sqlalchemy import TextClause

from jobstore.engine.sql import Connection, Parameters, Row, Statement
from jobstore.schema.scopes import CLOSED, SCOPED, OfAll

#: The tenants of a caller; None: all of them.
Tenants: TypeAlias = frozenset[str] | None

#: The conditions of all tables that a caller of some tenants does not read whole, in the order of their queries.
_CONDITIONS: Final = {**dict.fromkeys(CLOSED, "NULL {mine}"), **SCOPED}
#: The names of these anywhere, also of columns: a query that the statement does not use costs nothing.
_NAMED: Final = re.compile(rf"\b(?:{'|'.join(_CONDITIONS)})\b")
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

    def of_all(self, reason: OfAll) -> Connection:
        """Return this connection for a statement that looks at the rows of all tenants, for one of the `OfAll`."""
        del reason
        return Connection(self.driver)

    def bind(self, statement: Statement, parameters: Parameters | None) -> tuple[str, Iterator[object]]:
        """Return a statement with the scopes of its tables before it, and the values of its parameters."""
        sql, values = super().bind(statement, parameters)
        if self.tenants is None:
            return sql, values
        scoped = scope(sql, of_one=len(self.tenants) == 1)
        names = sorted(self.tenants)
        return scoped, values if scoped == sql else chain(values, names if len(names) == 1 else [names])

    async def execute_many(self, statement: TextClause, parameters: Sequence[Parameters]) -> None:
        """Execute a statement for each of several mappings of parameters: for a caller of all tenants alone."""
        if self.tenants is not None:
            raise TypeError("callers of some tenants only read: write by a command")
        await super().execute_many(statement, parameters)


@lru_cache(maxsize=2_000)
def scope(sql: str, *, of_one: bool) -> str:
    """Return a statement with a query before it for each table that it names; one more parameter: the tenants.

    TypeError: the statement writes, or names the schema of a table.
    """
    if (refused := _REFUSED.search(sql)) is not None:
        raise TypeError(f"callers of some tenants only read, and no {refused[0]!r}: write by a command")
    named = set(_NAMED.findall(sql))
    if not named:
        return sql
    number = max(map(int, _PARAMETER.findall(sql)), default=0) + 1
    mine = f"= CAST(${number} AS text)" if of_one else f"= ANY(CAST(${number} AS text[]))"
    scopes = ", ".join(
        f"{name} AS NOT MATERIALIZED (SELECT * FROM {name} WHERE {condition.format(mine=mine)})"  # noqa: S608 - names of our own
        for name, condition in _CONDITIONS.items()
        if name in named
    )
    begin = _WITH.match(sql)
    if begin is None:
        return f"WITH {scopes} {sql}"
    if begin[1]:  # it stays within: under the name of its table, a recursive query would read itself
        return f"WITH {scopes} SELECT * FROM ({sql}) AS scoped"  # noqa: S608 - as above
    return f"WITH {scopes}, {sql[begin.end() :]}"
