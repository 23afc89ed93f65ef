"""Know how many judgings without a job wait, so that validators are told, and take back those whose lease lapsed."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import SIGNOFF
from jobstore.judging import store as judgings
from jobstore.judging.judgings import LoseJudging
from servicekit.process.runtime import run_forever

#: The longest wait between two looks while none is open: commits notify of what they queue.
POLL_S: Final = 60.0
#: Seconds between two looks at least, however many are queued meanwhile.
REST_S: Final = 0.2


class JudgingQueue:
    """Count what waits. Nothing is asked of the database for whoever asks how many that are."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self._database = database
        self._runner = runner
        self._lease_s = runner.terms.lease_s
        self._looked_at = time.monotonic()
        self._lapse_from = self._looked_at + self._lease_s
        self.waiting = 0
        #: Whether any was not done at the last look: only then what becomes of an operation is news.
        self.has_open = True
        self.wake = asyncio.Event()
        self._news = asyncio.Event()
        #: Is set once some may have been answered since it was taken.
        self.answers = asyncio.Event()

    def note_answers(self) -> None:
        """Tell whoever watches judgings that a commit may have answered some."""
        self.answers.set()
        self.answers = asyncio.Event()

    async def run(self) -> None:
        """Count for ever; each commit that queues a judging wakes it."""
        await run_forever(self._look_and_rest, name="judgings", every_s=self._find_wait_s, wake=self.wake)

    async def _look_and_rest(self) -> None:
        await self.look()
        await asyncio.sleep(REST_S)

    def _find_wait_s(self) -> float:
        return self._lease_s / 4 if self.has_open else POLL_S

    async def look(self) -> None:
        """Count once. After a gap in this service no lease lapses for one lease length: nobody could renew it."""
        now = time.monotonic()
        if now - self._looked_at > max(self._lease_s / 2, self._find_wait_s() + self._lease_s / 4):
            self._lapse_from = now + self._lease_s
        self._looked_at = now
        async with self._database.session() as session:
            found = await judgings.look(session, lapse=now >= self._lapse_from)
        self.waiting, self.has_open = found.waiting, found.are_open
        if self.waiting:
            self._news.set()
            self._news = asyncio.Event()
        await self._runner.judge.run([LoseJudging(judging_id, actor=SIGNOFF) for judging_id in found.lost])

    async def watch(self) -> AsyncIterator[int]:
        """Yield how many wait: now, and then each time that a look finds some."""
        while True:
            news = self._news  # taken before the yield, so that what is found meanwhile is not missed
            yield self.waiting
            await news.wait()

    def take(self, taken: int, asked: int) -> None:
        """Count judgings that were granted; fewer than were asked for: none waits."""
        self.waiting = max(0, self.waiting - taken) if taken == asked else 0
