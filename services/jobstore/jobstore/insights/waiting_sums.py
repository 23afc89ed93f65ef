"""Sum up why executions wait, for however many ask."""

import asyncio
from typing import Final

from jobstore.reads.waiting import WaitingNow, sum_up_all
from jobstore.storage.database import Database
from servicekit.errors import ServiceError

#: Seconds that a sum is old at most.
AGE_MAX_S: Final = 2.0
#: A cheap sum is used again for so many times as long as it took: where little waits, each is counted anew.
USED_AGAIN: Final = 20.0
#: One that took longer is read ahead, with so much to spare, for as long as somebody has asked of late.
CHEAP_S, SPARE_S, ASKED_S = 0.02, 0.3, 30.0


class WaitingSums:
    """Read the sums once for all who ask at a time; what takes long is read before it is asked for again."""

    def __init__(self, database: Database, alive_s: float) -> None:
        self._database = database
        self._alive_s = alive_s
        self._sums: WaitingNow | None = None
        self._read_at = self._took_s = self._asked_at = 0.0
        self._reading = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    async def get(self) -> WaitingNow:
        """Return why all that wait do so. TransientError: the database cannot be read."""
        self._asked_at = _now()
        if (sums := self._find_new()) is None:
            async with self._reading:
                sums = self._find_new() or await self._read()
        if self._took_s > CHEAP_S and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.create_task(self._keep(), name="waiting sums")
        return sums

    async def close(self) -> None:
        """Read nothing ahead any more."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    def _find_new(self) -> WaitingNow | None:
        """Return the last sums, unless they are too old."""
        age_max_s = AGE_MAX_S if self._took_s > CHEAP_S else USED_AGAIN * self._took_s
        return self._sums if _now() - self._read_at < age_max_s else None

    async def _read(self) -> WaitingNow:
        began = _now()
        async with self._database.session() as session:
            sums = self._sums = await sum_up_all(session, self._alive_s)
        self._read_at, self._took_s = began, _now() - began
        return sums

    async def _keep(self) -> None:
        """Read before the sums are too old, until it is cheap or nobody asks; whoever asks next begins again."""
        while self._took_s > CHEAP_S and _now() - self._asked_at < ASKED_S:
            await asyncio.sleep(max(self._took_s, AGE_MAX_S - SPARE_S - 2 * self._took_s))  # half of the time at most
            try:
                async with self._reading:
                    await self._read()
            except ServiceError:  # whoever asks is told
                return


def _now() -> float:
    return asyncio.get_running_loop().time()
