"""Count the judgings without a job that wait, for validators, and queue those again whose lease has lapsed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import SIGNOFF
from jobstore.judging import store as judgings
from jobstore.judging.judgings import LoseJudging
from servicekit.process.runtime import run_forever

#: Seconds between two counts while no judging is open: commits notify of new ones.
POLL_S: Final = 60.0
#: The shortest time between two counts, however many judgings are queued meanwhile.
REST_S: Final = 0.2


class JudgingQueue:
    """Count waiting judgings for all watchers at once; a watcher causes no read of the database.

    Judgings whose leases have lapsed are queued again, if leases `may_end`.
    """

    def __init__(self, database: Database, runner: CommandRunner, may_end: Callable[[], bool] = lambda: True) -> None:
        self._database = database
        self._runner = runner
        self._lease_s = runner.terms.lease_s
        self._may_end = may_end
        self.waiting = 0
        #: Whether any was open at the last count: only then a change of an operation matters.
        self.has_open = True
        self.wake = asyncio.Event()
        self._news = asyncio.Event()
        #: Set when a judging may have been answered; a new event takes its place then.
        self.answers = asyncio.Event()

    def note_answers(self) -> None:
        """Wake the watches of judgings, since a commit may have answered some judgings."""
        self.answers.set()
        self.answers = asyncio.Event()

    async def run(self) -> None:
        """Count waiting judgings for ever: after each commit that queues a judging, and at intervals."""
        await run_forever(self._look_and_rest, name="judgings", every_s=self._find_wait_s, wake=self.wake)

    async def _look_and_rest(self) -> None:
        await self.look()
        await asyncio.sleep(REST_S)

    def _find_wait_s(self) -> float:
        return self._lease_s / 4 if self.has_open else POLL_S

    async def look(self) -> None:
        """Count once, and queue again what was lost."""
        async with self._database.session() as session:
            found = await judgings.look(session, may_end=self._may_end())
        self.waiting, self.has_open = found.waiting, found.are_open
        if self.waiting:
            self._news.set()
            self._news = asyncio.Event()
        await self._runner.judge.run([LoseJudging(judging_id, actor=SIGNOFF) for judging_id in found.lost])

    async def watch(self) -> AsyncIterator[int]:
        """Yield the number of waiting judgings: at once, and then after each count that finds some."""
        while True:
            news = self._news  # taken before the yield, so that no later count is missed
            yield self.waiting
            await news.wait()

    def take(self, taken: int, asked: int) -> None:
        """Subtract `taken` granted judgings from those that wait; if fewer than `asked` were granted, none waits."""
        self.waiting = max(0, self.waiting - taken) if taken == asked else 0
