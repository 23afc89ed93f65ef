"""Forget results and verdicts that are too old to be reused, and the oldest where there are too many."""

from typing import Final

from jobstore.domain.reuse import ReuseTerms
from jobstore.storage import reusable
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

PERIOD_S: Final = 10.0


class ReuseCleanup:
    """Keep the results and verdicts that may be reused bounded, in number and in age."""

    def __init__(self, database: Database, terms: ReuseTerms) -> None:
        self._database = database
        self._terms = terms

    async def run(self) -> None:
        """Forget old entries, for ever."""
        await run_forever(self._forget_some, name="reuse cleanup", every_s=PERIOD_S)

    async def _forget_some(self) -> bool:
        return await self.forget() == reusable.FORGET_BATCH

    async def forget(self) -> int:
        """Forget some entries, and return how many."""
        async with self._database.transaction() as connection:
            return await reusable.forget(connection, self._terms)
