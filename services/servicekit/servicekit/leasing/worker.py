"""Work under leases: what an executor and a validator do alike, whatever the work is.

A lease is claimed at the jobstore, work runs while it is renewed, and the outcome is held, and reported again, until
the jobstore says that it is recorded (docs/protocol.md#leases-and-fencing).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol
from uuid import UUID, uuid4

from servicekit.errors import TransientError
from servicekit.leasing.slots import Slots
from servicekit.metrics import IN_FLIGHT, OUTCOMES, WAITING
from servicekit.retry import backoffs_s, retry_transient

log = logging.getLogger(__name__)

#: Renewals in one call, so that its message stays small.
RENEWALS_MAX = 5_000
#: An outcome that is not known to be recorded is reported again, at growing intervals.
REPORT_AGAIN_S = 15.0
#: A worker tells that it has more room no more often than this.
ROOM_AGAIN_S = 0.05
REPORT_AGAIN_MAX_S = 60.0
#: Of the grace time, what is left for handing back and for outcomes to be recorded.
HAND_BACK_SHARE = 0.25
#: How often work looks whether its lease runs again.
RUNS_POLL_S = 0.05


class LeaseState(Enum):
    """What the jobstore says of a lease."""

    KEEP = "keep"
    RECORDED = "recorded"
    LOST = "lost"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Lease:
    """A fencing token: one grant of one execution."""

    execution_id: UUID
    lease: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a renewal: a state for each lease held and each outcome, in order."""

    held: Sequence[LeaseState]
    outcomes: Sequence[LeaseState]
    lease_s: float


class Leases(Protocol):
    """The jobstore, as seen by a worker. TransientError: out of reach."""

    async def renew(
        self,
        owner: UUID,
        room: int,
        held: Sequence[Lease],
        outcomes: Sequence[Lease],
        given_back: Sequence[tuple[Lease, bool]],
    ) -> Renewal:
        """Renew what is held, ask for outcomes, and give back (each with: has the work begun?)."""


#: Publishes an outcome. TransientError: it may not have arrived.
Report = Callable[[], Awaitable[None]]


@dataclass(slots=True, eq=False)
class HeldLease:
    """Work under a lease of this process. `cancelled`: it was aborted, and nobody goes on with it."""

    lease: Lease
    job_id: str
    expires_at: float
    begun: bool = False
    cancelled: bool = False
    placed: bool = True
    task: "asyncio.Task[None] | None" = None

    def runs(self) -> bool:
        """Whether the lease, by this process's own clock, still runs."""
        return time.monotonic() < self.expires_at


@dataclass(slots=True)
class Worker:
    """Holds the leases of one process. `owner` is new at each start."""

    kind: str
    leases: Leases
    capacity: int
    outcomes_max: int
    owner: UUID = field(default_factory=uuid4)
    report_again_s: float = REPORT_AGAIN_S
    _held: dict[UUID, HeldLease] = field(default_factory=dict)
    _awaited: dict[Lease, "asyncio.Task[None]"] = field(default_factory=dict)
    _lease_s: float = 10.0
    _stopping: bool = False
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _freed: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: Slots = field(init=False)
    _aside: int = 0
    _told_room: int = 0

    def __post_init__(self) -> None:
        self._slots = Slots(self.capacity)

    @property
    def room(self) -> int:
        """How many more leases this process takes now."""
        if self._stopping:
            return 0
        return max(0, min(self._slots.free, self.outcomes_max - len(self._awaited)))

    @property
    def may_wait(self) -> bool:
        """Whether work may step aside rather than be given back."""
        return not self._stopping and self._aside < self.capacity

    def begin(
        self, lease: Lease, job_id: str, expires_at: float, work: Callable[[HeldLease], Awaitable[Report]]
    ) -> bool:
        """Start work that was granted, unless it is held already. `work` answers how its outcome is reported."""
        known = self._held.get(lease.execution_id)
        if (known is not None and known.lease.lease >= lease.lease) or lease in self._awaited:
            return False
        if known is not None:
            self._drop(known)
        held = HeldLease(lease, job_id, expires_at)
        self._held[lease.execution_id] = held
        self._slots.take()
        self._told_room = self.room  # it was told with the claim
        held.task = asyncio.create_task(self._run(held, work))
        IN_FLIGHT.labels(self.kind).set(len(self._held))
        return True

    async def _run(self, held: HeldLease, work: Callable[[HeldLease], Awaitable[Report]]) -> None:
        if not held.runs():
            self._forget(held)
            return
        try:
            report = await work(held)
        except asyncio.CancelledError:
            raise
        except Exception:
            # A bug: the lease lapses, and another attempt, or the sweeper, ends the execution.
            log.exception("work failed unexpectedly", extra={"job_id": held.job_id})
        else:
            self._awaited[held.lease] = asyncio.create_task(self._report(held, report))
        self._forget(held)

    async def _report(self, held: HeldLease, report: Report) -> None:
        """Report an outcome, again and again; cancelled once it is known to be recorded. Renewals never wait for it."""
        try:
            for wait_s in backoffs_s(self.report_again_s, REPORT_AGAIN_MAX_S):
                await retry_transient(report, on="kafka")
                await asyncio.sleep(wait_s)
        except Exception:
            log.exception("an outcome cannot be reported", extra={"job_id": held.job_id})
            self._awaited.pop(held.lease, None)

    @contextlib.asynccontextmanager
    async def without_slot(self, held: HeldLease) -> AsyncIterator[None]:
        """Wait under the lease without taking a place; afterwards go on once there is one, and the lease runs.

        A process that was frozen meanwhile learns first what became of its lease.
        """
        held.placed = False
        self._slots.leave()
        self._aside += 1
        self._tell_of_room()
        try:
            yield
            await self._slots.come_back()
        finally:
            self._aside -= 1
        held.placed = True
        while not held.runs():  # noqa: ASYNC110 - renewals tell, or end this
            await asyncio.sleep(RUNS_POLL_S)

    def _forget(self, held: HeldLease) -> None:
        if self._held.get(held.lease.execution_id) is held:
            del self._held[held.lease.execution_id]
            if held.placed:
                self._slots.leave()
        self._tell_of_room()
        IN_FLIGHT.labels(self.kind).set(len(self._held))

    def _tell_of_room(self) -> None:
        """Soon, once there is twice the room that the jobstore knows of."""
        if self.room > 2 * self._told_room:
            self._freed.set()

    def _drop(self, held: HeldLease) -> None:
        """Abort work whose lease is lost or whose execution was cancelled."""
        if held.task is not None:
            held.task.cancel()
        self._forget(held)

    async def run(self) -> None:
        """Renew, for ever. Outages are waited out: nothing is aborted unless the jobstore says so."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_on())
            tasks.create_task(self._tell_room())

    async def _tell_room(self) -> None:
        """Say soon that there is more room: what waits in the queue need not wait for the next renewal."""
        while True:
            await self._freed.wait()
            await asyncio.sleep(ROOM_AGAIN_S)
            self._freed.clear()
            async with self._renewing:
                with contextlib.suppress(TransientError):
                    self._told_room = self.room
                    await self.leases.renew(self.owner, self._told_room, [], [], [])

    async def _renew_on(self) -> None:
        while True:
            try:
                await self.renew()
                WAITING.labels("jobstore leases").set(0)
            except TransientError as error:
                WAITING.labels("jobstore leases").set(1)
                log.warning("leases not renewed", extra={"code": error.code, "reason": str(error)})
            await asyncio.sleep(self._lease_s / 5)

    async def renew(self, given_back: Sequence[tuple[HeldLease, bool]] = ()) -> None:
        """Renew all leases once, and learn of outcomes."""
        async with self._renewing:  # a renewal that is under way could undo a giving back
            held, awaited = list(self._held.values()), list(self._awaited)
            size = max(len(held), len(awaited), len(given_back), 1)
            for start in range(0, size, RENEWALS_MAX):
                part = slice(start, start + RENEWALS_MAX)
                await self._renew_part(held[part], awaited[part], given_back[part])
            OUTCOMES.labels(self.kind).set(len(self._awaited))

    async def _renew_part(
        self,
        held: Sequence[HeldLease],
        awaited: Sequence[Lease],
        given_back: Sequence[tuple[HeldLease, bool]],
    ) -> None:
        asked_at = time.monotonic()
        back = [(h.lease, begun) for h, begun in given_back]
        self._told_room = self.room
        answer = await self.leases.renew(self.owner, self._told_room, [h.lease for h in held], awaited, back)
        self._lease_s = answer.lease_s
        for item, state in zip(held, answer.held, strict=True):
            if state in {LeaseState.LOST, LeaseState.CANCELLED} and self._held.get(item.lease.execution_id) is item:
                log.info("work aborted", extra={"job_id": item.job_id, "lease_state": state.value})
                item.cancelled = state is LeaseState.CANCELLED
                self._drop(item)
            else:
                item.expires_at = asked_at + answer.lease_s
        for lease, state in zip(awaited, answer.outcomes, strict=True):
            if state is not LeaseState.KEEP and (reporting := self._awaited.pop(lease, None)) is not None:
                reporting.cancel()

    def take_no_more(self) -> None:
        """Have no room from now on, and so be granted nothing."""
        self._stopping = True

    async def stop(self, grace_s: float) -> None:
        """Take no more; give back what has not begun, finish what can be finished in time, hand the rest back."""
        self.take_no_more()
        renewing = asyncio.create_task(self.run())
        try:
            async with asyncio.timeout(grace_s):
                await self._give_back([(held, False) for held in self._held.values() if not held.begun])
                tasks = [held.task for held in self._held.values() if held.task is not None]
                if tasks:
                    await asyncio.wait(tasks, timeout=grace_s * (1 - HAND_BACK_SHARE))
                await self._give_back([(held, True) for held in self._held.values()])
                while self._awaited:
                    await retry_transient(self.renew, on="jobstore")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning(
                "stopped with work that lapses", extra={"held": len(self._held), "outcomes": len(self._awaited)}
            )
        finally:
            left = [renewing, *self._awaited.values(), *(held.task for held in self._held.values() if held.task)]
            for task in left:
                task.cancel()  # before what they use is closed: that is no failure of an agent
            await asyncio.gather(*left, return_exceptions=True)

    async def _give_back(self, leases: Sequence[tuple[HeldLease, bool]]) -> None:
        for held, _ in leases:
            self._drop(held)
        if leases:
            await retry_transient(lambda: self.renew(leases), on="jobstore")
