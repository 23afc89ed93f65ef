"""Connections that are lost at one of their statements, before it is executed or before it is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from jobstore.engine.database import Database
from jobstore.engine.sql import Connection, Parameters, Rows, Statement
from servicekit.errors import TransientError
from signoff.errors import ErrorCode


class Losses:
    """From the step after so many on, all that is tried fails."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self) -> None:
        if self._left == 0:
            raise TransientError("the connection is lost", code=ErrorCode.DATABASE_UNAVAILABLE)
        self._left -= 1


class LosingConnection(Connection):
    """A connection that is lost at a step: there is one before each statement, and one before its answer."""

    def __init__(self, whole: Connection, losses: Losses) -> None:
        super().__init__(whole.driver)
        self._losses = losses

    async def execute(
        self, statement: Statement, parameters: Parameters | None = None, *, commits: bool = False
    ) -> Rows:
        self._losses.step()
        rows = await super().execute(statement, parameters, commits=commits)
        self._losses.step()
        return rows

    async def scalar(self, statement: Statement, parameters: Parameters | None = None) -> Any:
        self._losses.step()
        found = await super().scalar(statement, parameters)
        self._losses.step()
        return found


class LosingDatabase:
    """A database whose connections are lost at a step that all count."""

    def __init__(self, database: Database, losses: Losses) -> None:
        self._database, self._losses = database, losses

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Connection]:
        async with self._database.session() as connection:
            yield LosingConnection(connection, self._losses)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._database.transaction() as connection:
            yield LosingConnection(connection, self._losses)
