"""End lapsed leases and executions out of time, but never because of an outage of our own."""

import time
from collections.abc import Callable

from jobstore.domain.model import ExecutionStage, TransitionKind
from jobstore.runner import CommandRunner
from jobstore.storage import leases
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

#: Rows of one kind that a sweep takes up.
BATCH_MAX = 500


class Sweeper:
    """End lapsed leases and executions out of time; after a gap in this service, wait before doing so.

    The wait is one lease length, and until the consumers have caught up.

    While the database was away nobody could take work, renew a lease or have an outcome recorded: without this wait an
    outage would have every agent called again.
    """

    def __init__(self, database: Database, runner: CommandRunner, has_caught_up: Callable[[], bool]) -> None:
        self._database = database
        self._runner = runner
        self._has_caught_up = has_caught_up
        self._lease_s = runner.terms.lease_s
        self._period_s = min(1.0, self._lease_s / 10)
        self._swept_at = 0.0
        self._lapse_from = time.monotonic() + self._lease_s

    async def run(self) -> None:
        """Sweep for ever."""
        await run_forever(self.sweep, name="sweeper", every_s=self._period_s)

    async def sweep(self) -> None:
        """Notice once what has lapsed or is out of time, unless this service had a gap of late.

        While the database cannot be written it may still be read, and yet nobody can renew a lease: that is a gap, too.
        """
        if self._database.availability.find_outage() is not None:
            return
        async with self._database.transaction() as connection:
            late = await leases.find_overdue(connection, BATCH_MAX)
            lapsed = [row for stage in ExecutionStage for row in await leases.find_lapsed(connection, stage, BATCH_MAX)]
        now = time.monotonic()
        if now - self._swept_at > self._lease_s / 2:
            self._lapse_from = now + self._lease_s
        self._swept_at = now
        if not (late or lapsed) or now < self._lapse_from or not self._has_caught_up():
            return
        await self._runner.end_leases(TransitionKind.DEADLINE, [(row.execution_id, row.lease, False) for row in late])
        await self._runner.end_leases(TransitionKind.LAPSED, [(row.execution_id, row.lease, False) for row in lapsed])
