"""Say what statements look at, which no load on the machine changes: buffers, rows, and tables that are read whole."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from jobstore.engine.database import Database
from jobstore.engine.scoped import ScopedConnection
from jobstore.engine.sql import Connection, Parameters, Row, Rows, Statement, Tenants


@dataclass
class Looked:
    """What statements looked at: pages of 8 KiB, rows of tables, and the tables that they read whole."""

    buffers: int = 0
    rows: int = 0
    read_whole: list[str] = field(default_factory=list)
    plans: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, plan: Mapping[str, Any]) -> None:
        """Add what a statement looked at, as EXPLAIN says it."""
        self.plans.append(plan)
        self.buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        for node in _walk(plan):
            removed = sum(node.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck"))
            self.rows += round((node["Actual Rows"] + removed) * node["Actual Loops"]) if "Relation Name" in node else 0
            if node["Node Type"] == "Seq Scan":
                self.read_whole.append(node["Relation Name"])


def _walk(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _walk(each)


class ExplainingConnection(ScopedConnection):
    """A connection that explains each statement that reads, before it is executed."""

    def __init__(self, connection: Connection, tenants: Tenants) -> None:
        super().__init__(connection.driver, tenants)
        self.looked = Looked()

    async def execute(
        self, statement: Statement, parameters: Parameters | None = None, *, commits: bool = False
    ) -> Rows:
        """Explain a statement, and execute it."""
        await self._explain(statement, parameters)
        return await super().execute(statement, parameters, commits=commits)

    async def scalar(self, statement: Statement, parameters: Parameters | None = None) -> Any:
        """Explain a statement, and return the first column of its first row."""
        await self._explain(statement, parameters)
        return await super().scalar(statement, parameters)

    async def stream(
        self, statement: Statement, parameters: Parameters | None = None, *, rows_ahead: int
    ) -> AsyncIterator[Row]:
        """Explain a statement, and yield its rows."""
        await self._explain(statement, parameters)
        async for row in super().stream(statement, parameters, rows_ahead=rows_ahead):
            yield row

    async def _explain(self, statement: Statement, parameters: Parameters | None) -> None:
        sql, values = self.bind(statement, parameters)
        if sql.lstrip().startswith(("SELECT", "WITH", "(")):
            told = await self.driver.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {sql}", *values)
            self.looked.add(json.loads(told)[0]["Plan"])


@asynccontextmanager
async def explaining(database: Database, tenants: Tenants = None) -> AsyncIterator[ExplainingConnection]:
    """Open a transaction of a caller of these tenants, of all if None, that says what its statements look at."""
    async with database.transaction() as connection:
        yield ExplainingConnection(connection, tenants)
