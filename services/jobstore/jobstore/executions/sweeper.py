"""End lapsed leases and executions out of time, but never because of an outage of this service."""

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import text

from jobstore.engine.database import Database, Wake, notify
from jobstore.engine.lanes import Lane
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Connection
from jobstore.executions import leases
from jobstore.executions.commands import EndLease
from jobstore.executions.leases import Late, LateLease
from jobstore.jobs.model import SIGNOFF, Actor, TransitionKind
from servicekit.kafka.broker import Ends
from servicekit.process.runtime import Alarm, run_forever

#: Rows of one kind that a sweep takes up.
BATCH_MAX = 500
#: The shortest and the longest wait in seconds between two sweeps. Otherwise a sweep comes when the next lease lapses
#: or execution is out of time; rows that another jobstore has written meanwhile may be noticed so much later.
SWEEP_MIN_S, SWEEP_MAX_S = 0.1, 2.0
#: The longest wait between two checks whether the records were read that may hold an outcome. Each comes after as long
#: as that has taken so far, the first soon, since all consumers were notified to hurry.
READ_AGAIN_S = 0.5
_HURRY = text(f"SELECT {notify(Wake.LATE)}")


class ReportReaders(Protocol):
    """The consumers of workers' reports, in all jobstores together."""

    async def find_ends(self) -> Ends:
        """Return where the topics of reports end now. TransientError: the broker is out of reach."""

    async def have_read(self, ends: Ends) -> bool:
        """Return whether all records before these ends were handled. TransientError: the broker is out of reach."""


class _Mark(NamedTuple):
    """The ends of the topics at the time `at`: outcomes of leases that were late by then stand before these ends."""

    at: datetime
    ends: Ends
    made_at: float


class Sweeper:
    """End lapsed leases and executions out of time; after a gap in this service, wait before doing so.

    The wait is one lease length. Records that workers may have sent in time are always read before a lease ends, by all
    jobstores, which are notified to hurry.

    While the database was away no worker could claim, renew a lease or have an outcome recorded: without this wait
    every agent would be called again after an outage. A jump of the database's clock, by which all leases lapse at
    once, is a gap, too.
    """

    def __init__(self, database: Database, runner: CommandRunner, readers: ReportReaders) -> None:
        self._database = database
        self._runner = runner
        self._readers = readers
        self._lease_s = runner.terms.lease_s
        self._period_s = self._wait_s = min(SWEEP_MAX_S, self._lease_s / 5)
        self._swept_at = -math.inf
        self._ahead_s: float | None = None  # by how much the database's clock is ahead of this process's own
        self._lapse_from = time.monotonic() + self._lease_s
        self._mark: _Mark | None = None
        self._wake = Alarm()

    async def run(self) -> None:
        """Sweep for ever; meanwhile the runner tells when executions are out of time before the next sweep."""
        self._runner.listeners.on_timed = self.expect
        try:
            await run_forever(self.sweep, name="sweeper", every_s=lambda: self._wait_s, wake=self._wake)
        finally:
            self._runner.listeners.on_timed = None

    def may_end(self) -> bool:
        """Return whether leases may end: in this service there is no gap, and none was within a lease's length."""
        now = time.monotonic()
        return now >= self._lapse_from and now - self._swept_at <= self._lease_s / 2

    def expect(self, in_s: float) -> None:
        """Sweep in `in_s` seconds, unless the next sweep comes earlier."""
        if in_s < self._period_s:
            self._wake.set_within(max(in_s, SWEEP_MIN_S))

    async def sweep(self) -> None:
        """End leases that lapsed and executions out of time, unless there was a gap in this service lately.

        A database that can be read but not written is a gap, too, since no lease can be renewed.
        """
        self._wait_s = self._period_s  # if it fails, too
        if self._database.availability.find_outage() is not None:
            return
        async with self._database.session() as session:
            asked_at = time.monotonic()
            late = await leases.find_late(session, BATCH_MAX)
        self._wait_s = max(min(self._period_s, late.next_in_s or self._period_s), SWEEP_MIN_S)
        now = time.monotonic()
        ahead_s = late.now.timestamp() - asked_at
        jumped_s = 0.0 if self._ahead_s is None else abs(ahead_s - self._ahead_s)
        if max(now - self._swept_at, jumped_s) > self._lease_s / 2:
            self._lapse_from = now + self._lease_s
        self._swept_at, self._ahead_s = now, ahead_s
        if not late.leases or now < self._lapse_from:
            return
        await self._end([lease for lease in late.leases if not lease.may_be_reported])
        await self._end(await self._choose_read(late))

    async def _choose_read(self, late: Late) -> Sequence[LateLease]:
        """Return those late leases of which all outcomes that came in time have been read, in all jobstores."""
        reported = [lease for lease in late.leases if lease.may_be_reported]
        if not reported:
            return ()
        mark = self._mark = self._mark or _Mark(late.now, await self._readers.find_ends(), time.monotonic())
        if not await self._readers.have_read(mark.ends):
            waited_s = time.monotonic() - mark.made_at
            self._wait_s = min(self._wait_s, max(SWEEP_MIN_S, min(waited_s, READ_AGAIN_S)))
            async with self._database.session() as session:
                await session.execute(_HURRY)
            return ()
        self._mark = None
        # Leases that became late after the mark wait for the next one, which is made at once.
        chosen = [lease for lease in reported if lease.since <= mark.at]
        if len(chosen) < len(reported):
            self._wait_s = SWEEP_MIN_S
        return chosen

    async def _end(self, late: Sequence[LateLease]) -> None:
        for kind, is_overdue in ((TransitionKind.DEADLINE, True), (TransitionKind.LAPSED, False)):
            ended = [(lease.execution_id, lease.lease, False) for lease in late if lease.is_overdue is is_overdue]
            await end_leases(self._runner.record, kind, ended, actor=SIGNOFF)


PERIOD_S: Final = 60.0


class Cleanup:
    """Keep one kind of rows bounded. `forget` deletes up to `batch` rows that are due, and returns how many."""

    def __init__(
        self, database: Database, name: str, forget: Callable[[Connection], Awaitable[int]], batch: int
    ) -> None:
        self._database = database
        self._name = name
        self._forget = forget
        self._batch = batch

    async def run(self) -> None:
        """Delete rows that are due, for ever."""
        await run_forever(self._forget_some, name=self._name, every_s=PERIOD_S)

    async def _forget_some(self) -> bool:
        return await self.forget() == self._batch

    async def forget(self) -> int:
        """Delete up to `batch` rows that are due, and return how many."""
        async with self._database.session() as session:
            return await self._forget(session)


async def end_leases(
    lane: Lane, kind: TransitionKind, leases: Sequence[tuple[UUID, int, bool]], *, actor: Actor
) -> None:
    """End leases (execution_id, lease, begun) that were given back, lapsed or timed out, each by an EndLease."""
    await lane.run([EndLease(each, kind, lease, begun=begun, actor=actor) for each, lease, begun in leases])
