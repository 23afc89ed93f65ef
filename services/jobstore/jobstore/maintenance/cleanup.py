"""Forget what is kept for a time: what may be reused, answers of unknown executions, workers that are gone."""

from collections.abc import Awaitable, Callable
from typing import Final

from jobstore.storage.database import Database
from jobstore.storage.sql import Connection
from servicekit.process.runtime import run_forever

PERIOD_S: Final = 60.0


class Cleanup:
    """Keep one kind of rows bounded. `forget` deletes some that are due, at most `batch`, and returns how many."""

    def __init__(
        self, database: Database, name: str, forget: Callable[[Connection], Awaitable[int]], batch: int
    ) -> None:
        self._database = database
        self._name = name
        self._forget = forget
        self._batch = batch

    async def run(self) -> None:
        """Forget for ever."""
        await run_forever(self._forget_some, name=self._name, every_s=PERIOD_S)

    async def _forget_some(self) -> bool:
        return await self.forget() == self._batch

    async def forget(self) -> int:
        """Forget some rows, and return how many."""
        async with self._database.session() as session:
            return await self._forget(session)
