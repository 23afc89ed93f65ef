"""End lapsed leases and executions out of time, but never because of an outage of our own."""

import time
from collections.abc import Callable

from jobstore.domain.model import TransitionKind
from jobstore.runner import CommandRunner
from jobstore.storage import leases
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

#: Rows of one kind that a sweep takes up.
BATCH_MAX = 500
#: The shortest and the longest wait in seconds between two sweeps. Between, they come when the next lease lapses or the
#: next time is up; of an execution that was requested since the last sweep, that may be noticed late by the longest.
SWEEP_MIN_S, SWEEP_MAX_S = 0.1, 2.0


class Sweeper:
    """End lapsed leases and executions out of time; after a gap in this service, wait before doing so.

    The wait is one lease length, and until the consumers have caught up.

    While the database was away nobody could take work, renew a lease or have an outcome recorded: without this wait an
    outage would have every agent called again. So would a clock of the database that jumps, by which all leases lapse
    at once: that is a gap, too.
    """

    def __init__(self, database: Database, runner: CommandRunner, has_caught_up: Callable[[], bool]) -> None:
        self._database = database
        self._runner = runner
        self._has_caught_up = has_caught_up
        self._lease_s = runner.terms.lease_s
        self._period_s = self._wait_s = min(SWEEP_MAX_S, self._lease_s / 5)
        self._swept_at = 0.0
        self._ahead_s: float | None = None  # by how much the database's clock is ahead of this process's own
        self._lapse_from = time.monotonic() + self._lease_s

    async def run(self) -> None:
        """Sweep for ever."""
        await run_forever(self.sweep, name="sweeper", every_s=lambda: self._wait_s)

    async def sweep(self) -> None:
        """Notice once what has lapsed or is out of time, unless this service had a gap of late.

        While the database cannot be written it may still be read, and yet nobody can renew a lease: that is a gap, too.
        """
        if self._database.availability.find_outage() is not None:
            return
        async with self._database.session() as session:
            asked_at = time.monotonic()
            late = await leases.find_late(session, BATCH_MAX)
        self._wait_s = max(min(self._period_s, late.next_in_s or self._period_s), SWEEP_MIN_S)
        now = time.monotonic()
        ahead_s = late.now - asked_at
        jumped_s = 0.0 if self._ahead_s is None else abs(ahead_s - self._ahead_s)
        if max(now - self._swept_at, jumped_s) > self._lease_s / 2:
            self._lapse_from = now + self._lease_s
        self._swept_at, self._ahead_s = now, ahead_s
        if not (late.overdue or late.lapsed) or now < self._lapse_from or not self._has_caught_up():
            return
        await self._runner.end_leases(TransitionKind.DEADLINE, [(*lease, False) for lease in late.overdue])
        await self._runner.end_leases(TransitionKind.LAPSED, [(*lease, False) for lease in late.lapsed])
