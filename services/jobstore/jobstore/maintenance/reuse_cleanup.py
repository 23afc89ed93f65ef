"""Forget what is too old to be reused, and the oldest of too much."""

import asyncio

from jobstore.domain.reuse import ReuseTerms
from jobstore.maintenance.sweeper import FORGET_PERIOD_S, log
from jobstore.storage import reusable
from jobstore.storage.database import Database
from servicekit.errors import TransientError


class Forgetting:
    """Keeps what may be reused bounded, in number and in age."""

    def __init__(self, database: Database, terms: ReuseTerms) -> None:
        self._database = database
        self._terms = terms

    async def run(self) -> None:
        """Forget, for ever."""
        while True:
            try:
                while await self.forget() == reusable.FORGOTTEN_AT_ONCE:
                    pass
            except TransientError as error:
                log.warning("nothing is forgotten", extra={"code": error.code, "reason": str(error)})
            await asyncio.sleep(FORGET_PERIOD_S)

    async def forget(self) -> int:
        """Forget some, once; how many."""
        async with self._database.transaction() as connection:
            return await reusable.forget(connection, self._terms)
