"""Do work under leases, whatever the work is: the part that an executor and a validator share.

A lease is claimed at the jobstore, work runs while it is renewed, and the outcome is kept, and reported again, until
the jobstore says that it is recorded (docs/protocol.md#leases-and-fencing).
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Final, NamedTuple, NoReturn, Protocol
from uuid import UUID, uuid4

from contracts.signing import SigningKey
from servicekit.errors import TransientError, UnableError
from servicekit.leasing.slots import Names, Slots
from servicekit.logs import note_about
from servicekit.metrics import IN_FLIGHT, OUTCOMES, WAITING
from servicekit.retry import backoffs_s, retry_transient

log = logging.getLogger(__name__)


class LeaseState(Enum):
    """The jobstore's answer about a lease: keep it; its outcome is recorded; it is lost; its execution is cancelled."""

    KEEP = "keep"
    RECORDED = "recorded"
    LOST = "lost"
    CANCELLED = "cancelled"


#: A lease as its worker has it: the fencing token, and the key that proves it and signs its reports.
Lease = SigningKey


class GivenBackLease(NamedTuple):
    """A lease that is given back, whether its work has begun, and the seconds until the work may be offered again."""

    lease: Lease
    begun: bool
    due_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a renewal: a state for each lease held and each outcome, in order; leases last `lease_s`.

    `new_keys` replace keys from a secret that no longer signs. `judgings_waiting` counts those that wait without a job.
    """

    held: Sequence[LeaseState]
    outcomes: Sequence[LeaseState]
    lease_s: float
    new_keys: Sequence[Lease]
    judgings_waiting: int


#: Renewals in one call, so that its message stays small.
RENEWALS_MAX = 5_000
#: Seconds until an outcome is reported again that is not known to be recorded, doubling up to REPORT_AGAIN_MAX_S.
REPORT_AGAIN_S = 15.0
REPORT_AGAIN_MAX_S = 60.0
#: The shortest time between two reports of more room, or of work that is given back unbegun.
NEWS_AGAIN_S = 0.05
#: Seconds until work is given back that only a newer worker can do, so that one may have started by then.
LEFT_AFTER_S = 10.0
#: Bounds of the time after which excess work that waits is due again: as long as its judge has been away.
DUE_AFTER_MIN_S = 30.0
DUE_AFTER_MAX_S = 600.0
#: Bytes of memory that waiting work takes besides its result.
WORK_BYTES = 32 << 10
#: Bytes of memory that work in a slot takes besides what it is about, above all a connection by TLS; and how often what
#: it is about is in memory then: as a record, as values, as a request, in buffers of sockets.
LEASE_BYTES = 128 << 10
COPIES = 10
#: The newest works, by whose size it is told for how many more there is room.
_RECENT: Final = 8
#: Bytes of work that may wait without a slot.
WAITING_MAX_BYTES = 64 << 20
#: The share of the grace time for giving back leases, and until outcomes are recorded.
HAND_BACK_SHARE = 0.25
#: Seconds between two looks whether a renewal has revived a lapsed lease.
REVIVED_POLL_S = 0.05


class Leases(Protocol):
    """The jobstore, as a worker sees it."""

    async def renew(
        self,
        owner: UUID,
        room: int,
        held: Sequence["HeldLease"],
        outcomes: Sequence[Lease],
        given_back: Sequence[GivenBackLease],
    ) -> Renewal:
        """Renew the leases held, ask whether outcomes are recorded, and give leases back.

        Raise TransientError if the jobstore is out of reach.
        """


#: Publishes an outcome once. Raises TransientError if it may not have arrived.
PublishOutcome = Callable[[], Awaitable[None]]


@dataclass(slots=True, eq=False)
class HeldLease:
    """Work under a lease of this process. `lease` is replaced, with another key, when the jobstore's secret changes.

    `expires_at` is in this process's monotonic time. The work sets `begun`, which is sent when the lease is given back.
    `cancelled`: the work is aborted, and no other worker continues it. `absences` has, for each judge that the work
    waits for, the time since when that judge is away, by the same clock. `names` are those of the work's last slot, or
    of the slot that it waits for, and `size` is the number of bytes of what it is about, such as its result.
    """

    lease: Lease
    job_id: str
    expires_at: float
    begun: bool = False
    cancelled: bool = False
    names: Names = ()
    size: int = 0
    #: How many slots each of its own counts for.
    weight: int = 1
    #: Bytes of memory that it has besides its slots.
    reserved: int = 0
    #: The slots that it has; its first one is given up for the next that it asks for.
    slots: list[Names] = field(default_factory=list)
    is_in_first_slot: bool = True
    absences: list[float] = field(default_factory=list)
    #: Of the execution, once the work has begun and knows it.
    trace_id: str = ""
    task: "asyncio.Task[None] | None" = None

    def has_lapsed(self) -> bool:
        """Return whether the lease has ended, by this process's own clock."""
        return time.monotonic() >= self.expires_at

    @property
    def names_in_logs(self) -> dict[str, str]:
        """The ids that a line about it has, where its own task does not write the line."""
        trace = {"trace_id": self.trace_id} if self.trace_id else {}
        return {"job_id": self.job_id, "execution_id": str(self.lease.execution_id), **trace}

    @property
    def judge_away_s(self) -> float | None:
        """The longest time in seconds that a judge has been away that the work waits for; None if it waits for none."""
        return time.monotonic() - min(self.absences) if self.absences else None


#: Publishes, instead of an outcome, that work under a lease failed by an unexpected error.
PublishFailure = Callable[[HeldLease, Exception], Awaitable[None]]


class AwaitedOutcome(NamedTuple):
    """An outcome that is not known to be recorded, and the task that reports it again and again."""

    held: HeldLease
    reporting: "asyncio.Task[None]"
    #: The slots that a large one takes.
    weight: int


@dataclass(slots=True)
class Worker:
    """Hold the leases of one process, and run the work under them. `owner` is a new id at each start.

    `slot_bytes` are the bytes of memory that each of the `capacity` slots stands for: large work takes several, and so
    does a large outcome; 0: all work takes one.
    """

    kind: str
    leases: Leases
    capacity: int
    outcomes_max: int
    waiting_max_bytes: int = WAITING_MAX_BYTES
    slot_bytes: int = 0
    owner: UUID = field(default_factory=uuid4)
    report_again_s: float = REPORT_AGAIN_S
    #: Called at each renewal with the number of judgings without a job that wait.
    on_waiting: Callable[[int], None] | None = None
    #: Returns whether something else is under way for which leases are renewed as often as for held work.
    holds_more: Callable[[], object] = bool
    #: Returns how many asks under way wait for the pace that their servers take.
    count_paced: Callable[[], int] = int
    #: Returns whether records reach this process: to one without a partition nothing is offered.
    is_reading: Callable[[], bool] = lambda: True
    _held: dict[UUID, HeldLease] = field(default_factory=dict)
    _awaited: dict[Lease, "AwaitedOutcome"] = field(default_factory=dict)
    #: For each lease that has ended here, the time until when an older grant of it may still arrive.
    _ended: dict[Lease, float] = field(default_factory=dict)
    #: Leases that were granted too late to begin, and are given back with the next renewal.
    _unbegun: list[GivenBackLease] = field(default_factory=list)
    _lease_s: float = 10.0
    _stopping: bool = False
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _has_news: asyncio.Event = field(default_factory=asyncio.Event)
    _slots: Slots = field(init=False)
    #: The bytes of memory for what is large, as if each were a slot.
    _memory: Slots = field(init=False)
    _without_slot: int = 0
    #: The mean weight of the newest works.
    _mean_weight: float = 1.0
    _reported_room: int = 0
    _heard_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._slots = Slots(self.capacity)
        self._memory = Slots(self.capacity * self.slot_bytes)

    @property
    def room(self) -> int:
        """The number of further leases that this process takes now, if their work is as large as the newest is."""
        return self._bound_room(math.ceil(self._slots.free / self._mean_weight))

    def find_room(self, sizes: Iterable[int]) -> int:
        """Return how many of the works with these sizes this process takes now, whichever they are.

        The last may be more than fits, so that a very large one is not left for ever.
        """
        free, count = self._slots.free, 0
        for weight in sorted(map(self.weigh, sizes), reverse=True):
            if free <= 0:
                break
            free, count = free - weight, count + 1
        return self._bound_room(count)

    def _bound_room(self, room: int) -> int:
        return 0 if self._stopping else max(0, min(room, self.outcomes_max - len(self._awaited)))

    def weigh(self, size: int) -> int:
        """Return how many slots work with so many bytes takes."""
        return 1 + (COPIES * size // self.slot_bytes if self.slot_bytes else 0)

    def note_reading(self) -> None:
        """Report the room soon, since it has changed whether records reach this process."""
        self._has_news.set()

    @property
    def is_stopping(self) -> bool:
        """Whether this worker takes no more work."""
        return self._stopping

    @property
    def may_wait(self) -> bool:
        """Whether work may wait here without a slot rather than be given back."""
        return not self._stopping and self._without_slot < self.capacity

    def start_work(
        self,
        lease: Lease,
        job_id: str,
        expires_at: float,
        work: Callable[[HeldLease], Awaitable[PublishOutcome]],
        give_up: PublishFailure,
        *,
        names: Names = (),
        size: int = 0,
        within_share: bool = False,
    ) -> bool:
        """Start granted work; return False if this worker holds the grant, or a later one, or if the lease has ended.

        The work takes slots under `names`, as its `size` in bytes asks for. With `within_share` it is given back
        unbegun if one of its names holds far more than its share. `work` returns the function that publishes the
        outcome, or raises UnableError, after which the lease is given back. `give_up` publishes instead that `work`, or
        that function, failed unexpectedly.
        """
        older = self._held.get(lease.execution_id)
        if (older is not None and older.lease.lease >= lease.lease) or lease in self._awaited or lease in self._ended:
            return False
        if older is not None:
            self._abort(older)
        weight = self.weigh(size)
        self._mean_weight += (weight - self._mean_weight) / _RECENT
        held = HeldLease(lease, job_id, expires_at, names=names, size=size, weight=weight, slots=[names])
        if within_share and self._slots.is_overfull(names):
            self._turn_away(held)  # concurrent transactions may grant the same room twice
            return True
        self._held[lease.execution_id] = held
        self._slots.take(names, weight)
        self._reported_room = self.room  # the jobstore knows it: it granted this
        held.task = asyncio.create_task(self._run(held, work, give_up))
        IN_FLIGHT.labels(self.kind).set(len(self._held))
        return True

    async def _run(
        self, held: HeldLease, work: Callable[[HeldLease], Awaitable[PublishOutcome]], give_up: PublishFailure
    ) -> None:
        note_about(job_id=held.job_id, execution_id=held.lease.execution_id)
        if self._stopping or held.has_lapsed():
            self._turn_away(held)
            return
        try:
            publish = await work(held)
        except asyncio.CancelledError:
            raise
        except UnableError as error:
            log.warning("work is left to a newer worker", extra={"reason": str(error)})
            held.begun = False
            await asyncio.sleep(LEFT_AFTER_S)
            await self._give_back([held])
            return
        except Exception as error:
            # A bug. It is reported, so that the jobstore can count such failures and then fail the job.
            log.exception("work failed by a bug")
            publish = partial(give_up, held, error)
        reporting, weight = asyncio.create_task(self._report(held, publish, give_up)), self.weigh(held.size) - 1
        self._awaited[held.lease] = AwaitedOutcome(held, reporting, weight)
        self._slots.take(weight=weight)
        self._forget(held)

    async def reserve(self, held: HeldLease, size: int) -> None:
        """Wait until there is memory for so many bytes of what the work is about, such as a large answer to it.

        The work has that memory until it is aborted, or its outcome is recorded. Shares hold as for slots.
        """
        missing = COPIES * size - held.reserved
        if self.slot_bytes and missing > 0:
            await self._memory.enter(held.names, missing)
            held.reserved += missing

    def note_size(self, held: HeldLease, size: int) -> None:
        """Note how many bytes what the work is about has, and give up memory that was reserved beyond that."""
        held.size = max(held.size, size)
        self._give_up_memory(held, COPIES * size)

    def _give_up_memory(self, held: HeldLease, needed: int = 0) -> None:
        if held.reserved > needed:
            self._memory.leave(held.names, held.reserved - needed)
            held.reserved = needed

    def _settle(self, lease: Lease) -> AwaitedOutcome | None:
        """Forget an outcome that is recorded, or cannot be; return it, None if it is not awaited."""
        if (outcome := self._awaited.pop(lease, None)) is not None:
            self._end(lease)
            self._slots.leave(weight=outcome.weight)
            self._give_up_memory(outcome.held)
        return outcome

    def _turn_away(self, held: HeldLease, due_after_s: float = 0.0) -> None:
        """Abort work that this worker shall not do, and give its lease back unbegun with the next report."""
        self._abort(held)
        self._unbegun.append(GivenBackLease(held.lease, begun=False, due_after_s=due_after_s))
        self._has_news.set()

    async def _report(self, held: HeldLease, publish: PublishOutcome, give_up: PublishFailure) -> None:
        """Report an outcome repeatedly, until a renewal learns that it is recorded and cancels this task."""
        try:
            await self._repeat(publish)
        except Exception as error:
            log.exception("an outcome cannot be reported")
            failed = error
        try:
            await self._repeat(partial(give_up, held, failed))
        except Exception:
            log.exception("that work failed cannot be reported, its lease will lapse")
            self._settle(held.lease)

    async def _repeat(self, publish: PublishOutcome) -> NoReturn:
        for wait_s in backoffs_s(self.report_again_s, REPORT_AGAIN_MAX_S):
            await retry_transient(publish, on="kafka")
            await asyncio.sleep(wait_s)
        raise AssertionError

    @contextlib.asynccontextmanager
    async def without_slot(self, held: HeldLease) -> AsyncIterator[None]:
        """Give up the work's slot within the block; then wait until a slot is free and the lease has not lapsed.

        A process that was frozen meanwhile thus learns the state of its lease first.
        """
        self._leave(held, held.names)
        self._without_slot += 1
        try:
            yield
            await self._enter(held, held.names)
        finally:
            self._without_slot -= 1

    @contextlib.asynccontextmanager
    async def with_slot(self, held: HeldLease, names: Names) -> AsyncIterator[None]:
        """Hold a slot under these names within the block, once one is free; until then the work waits.

        After a TransientError in the block, the work counts as waiting, too. If too much work waits, the newest work
        under the name with the most waiting bytes is given back, which may be this work.
        """
        if held.is_in_first_slot:
            held.is_in_first_slot = False
            self._leave(held, held.names)
        held.names = names
        if not self._slots.may_enter(names):
            self._bound_waiting(held)
        held.absences.append(came_at := time.monotonic())  # as its judge, which is busy or away
        try:
            await self._enter(held, names)
        finally:
            held.absences.remove(came_at)
        refused: TransientError | None = None
        try:
            yield
        except TransientError as error:
            refused = error
        finally:
            self._leave(held, names)
        if refused is not None:
            self._bound_waiting(held)
            raise refused

    async def _enter(self, held: HeldLease, names: Names) -> None:
        await self._slots.enter(names, held.weight)
        held.slots.append(names)
        while held.has_lapsed():  # noqa: ASYNC110 - a renewal revives the lease, or cancels this task
            await asyncio.sleep(REVIVED_POLL_S)

    def _leave(self, held: HeldLease, names: Names) -> None:
        """Give up the work's slot under these names, unless all its slots were given up when it was aborted."""
        if names in held.slots:
            held.slots.remove(names)
            self._slots.leave(names, held.weight)
            self._signal_room()

    def _bound_waiting(self, newcomer: HeldLease) -> None:
        """While too many bytes of work wait, give back the newest work under the name with the most waiting bytes."""
        waiting = [held for held in self._held.values() if not held.slots]
        excess = sum(held.size + WORK_BYTES for held in waiting) - self.waiting_max_bytes
        if excess <= 0:
            return
        bytes_of = Counter[str]()
        for held in waiting:
            bytes_of.update(dict.fromkeys(held.names, held.size + WORK_BYTES))
        largest = max(bytes_of, key=bytes_of.__getitem__)
        theirs = [held for held in waiting if largest in held.names]
        away_s = [held.judge_away_s for held in theirs if held.judge_away_s is not None]
        due_after_s = min(max([DUE_AFTER_MIN_S, *away_s]), DUE_AFTER_MAX_S)
        while excess > 0 and theirs:
            last = theirs.pop()
            excess -= last.size + WORK_BYTES
            log.debug("work that waits is given back, since too much does", extra=last.names_in_logs)
            self._turn_away(last, due_after_s)
        if self._held.get(newcomer.lease.execution_id) is not newcomer:
            raise asyncio.CancelledError

    def _forget(self, held: HeldLease) -> None:
        if self._held.get(held.lease.execution_id) is held:
            del self._held[held.lease.execution_id]
            while held.slots:
                self._slots.leave(held.slots.pop(), held.weight)
        self._signal_room()
        IN_FLIGHT.labels(self.kind).set(len(self._held))

    def _signal_room(self) -> None:
        """Have the room reported soon if it is more than twice the room that was reported last."""
        if self.room > 2 * self._reported_room and self.is_reading():
            self._has_news.set()

    def _abort(self, held: HeldLease) -> None:
        """Cancel work and end its lease."""
        if held.task is not None and held.task is not asyncio.current_task():
            held.task.cancel()
        self._end(held.lease)
        self._forget(held)
        self._give_up_memory(held)

    def _end(self, lease: Lease) -> None:
        """Note that a lease has ended here, since a repeated record may bring its grant again."""
        self._ended[lease] = time.monotonic() + self._lease_s

    async def run(self) -> None:
        """Renew leases for ever, also through outages: no work is aborted unless the jobstore says so."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_regularly())
            tasks.create_task(self._report_news())

    async def _report_news(self) -> None:
        """Report more room, and leases that are given back unbegun, without waiting for the next renewal."""
        while True:
            await self._has_news.wait()
            await asyncio.sleep(NEWS_AGAIN_S)
            self._has_news.clear()
            async with self._renewing:
                with contextlib.suppress(TransientError):  # the next renewal says it too
                    await self._renew_part([], [], [])

    async def _renew_regularly(self) -> None:
        """Renew five times within a lease, so that a few renewals that fail let none lapse.

        A worker without leases or outcomes renews less often, only to stay alive for the dispatcher (ALIVE_LEASES).
        """
        while True:
            began_at = time.monotonic()
            try:
                is_busy = self._held or self._awaited or self._unbegun or self.holds_more()
                if is_busy or time.monotonic() - self._heard_at >= self._lease_s / 2:
                    await self.renew()
                WAITING.labels("jobstore leases").set(0)
            except TransientError as error:
                WAITING.labels("jobstore leases").set(1)
                log.warning("leases not renewed, trying again", extra={"code": error.code, "reason": str(error)})
            # A renewal that took longer than the interval is followed by the next after a short pause.
            await asyncio.sleep(max(self._lease_s / 50, began_at + self._lease_s / 5 - time.monotonic()))

    async def renew(self, given_back: Sequence[GivenBackLease] = ()) -> None:
        """Renew all leases once, learn which outcomes are recorded, and give leases back."""
        async with self._renewing:  # a concurrent renewal could renew a lease that is given back
            held, awaited = list(self._held.values()), [one.held.lease for one in self._awaited.values()]
            size = max(len(held), len(awaited), len(given_back), 1)
            for start in range(0, size, RENEWALS_MAX):
                part = slice(start, start + RENEWALS_MAX)
                await self._renew_part(held[part], awaited[part], given_back[part])
            OUTCOMES.labels(self.kind).set(len(self._awaited))

    async def _renew_part(
        self, held: Sequence[HeldLease], awaited: Sequence[Lease], given_back: Sequence[GivenBackLease]
    ) -> None:
        asked_at = time.monotonic()  # before the call, so that no lease is taken to last longer than it does
        self._reported_room = self.room if self.is_reading() else 0
        unbegun = list(self._unbegun)
        answer = await self.leases.renew(self.owner, self._reported_room, held, awaited, [*given_back, *unbegun])
        del self._unbegun[: len(unbegun)]
        self._lease_s, self._heard_at = answer.lease_s, asked_at
        self._ended = {lease: until for lease, until in self._ended.items() if until > asked_at}
        for item, state in zip(held, answer.held, strict=True):
            if state in {LeaseState.LOST, LeaseState.CANCELLED} and self._held.get(item.lease.execution_id) is item:
                log.info("work aborted", extra=item.names_in_logs | {"lease_state": state.value})
                item.cancelled = state is LeaseState.CANCELLED
                self._abort(item)
            else:
                item.expires_at = asked_at + answer.lease_s
        for lease, state in zip(awaited, answer.outcomes, strict=True):
            if state is not LeaseState.KEEP and (outcome := self._settle(lease)) is not None:
                outcome.reporting.cancel()
        self._signal_room()
        for key in answer.new_keys:
            self._take_key(key)
        if self.on_waiting is not None:
            self.on_waiting(answer.judgings_waiting)

    def _take_key(self, key: Lease) -> None:
        """Give held work, or an outcome to be reported, the new key of its lease, for all signatures from now on."""
        work, outcome = self._held.get(key.execution_id), self._awaited.get(key)
        for held in (work, outcome and outcome.held):
            if held is not None and held.lease == key:
                held.lease = key

    def take_no_more(self) -> None:
        """Report no room from now on, so that the jobstore grants nothing more to this worker."""
        self._stopping = True

    async def stop(self, grace_s: float) -> None:
        """Take nothing more; give back unbegun work, finish other work within `grace_s`, and give back the rest."""
        self.take_no_more()
        renewing = asyncio.create_task(self.run())
        try:
            async with asyncio.timeout(grace_s):
                await self._give_back([held for held in self._held.values() if not held.begun])
                if self._reported_room:  # so that no more work is offered to this worker
                    with contextlib.suppress(TransientError):
                        await self.renew()
                tasks = [held.task for held in self._held.values() if held.task is not None]
                if tasks:
                    await asyncio.wait(tasks, timeout=grace_s * (1 - HAND_BACK_SHARE))
                await self._give_back(list(self._held.values()))
                while self._awaited:
                    await retry_transient(self.renew, on="jobstore")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log.warning(
                "the grace time is over, what is left will lapse",
                extra={"held": len(self._held), "outcomes": len(self._awaited)},
            )
        finally:
            reporting = [outcome.reporting for outcome in self._awaited.values()]
            left = [renewing, *reporting, *(held.task for held in self._held.values() if held.task)]
            for task in left:
                task.cancel()  # before their connections are closed, which is no failure of an agent
            await asyncio.gather(*left, return_exceptions=True)

    async def _give_back(self, work: Sequence[HeldLease]) -> None:
        for held in work:
            self._abort(held)
        given_back = [GivenBackLease(held.lease, held.begun) for held in work]
        if given_back or self._unbegun:
            await retry_transient(lambda: self.renew(given_back), on="jobstore")
