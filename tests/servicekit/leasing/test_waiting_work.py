"""Work that waits without its slot, so that others run meanwhile."""

import asyncio
import time

import pytest
from leased_work import Work, begin, begun
from support.factories import lease
from support.fakes import FakeLeases, until

from servicekit.errors import TransientError
from servicekit.leasing.slots import Names
from servicekit.leasing.worker import (
    DUE_AFTER_MAX_S,
    DUE_AFTER_MIN_S,
    WAITING_MAX_BYTES,
    WORK_BYTES,
    HeldLease,
    Lease,
    LeaseState,
    Worker,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Waiting(Work):
    """Work that waits without its slot until `go_on`, and then goes on."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self.worker = worker
        self.go_on = asyncio.Event()

    async def __call__(self, held: HeldLease):
        self.begun.append(held)
        async with self.worker.without_slot(held):
            await self.go_on.wait()
        return await super().__call__(held)


async def test_work_that_waits_leaves_its_slot_and_takes_it_again(leases):
    worker = Worker("test", leases, capacity=1, outcomes_max=10)
    waiting = Waiting(worker)
    begin(worker, waiting)
    assert (worker.room, worker.may_wait) == (0, True)
    await until(lambda: worker.room == 1)
    assert not worker.may_wait, "as many wait as there are slots"
    newcomer = Work()
    begin(worker, newcomer)
    waiting.go_on.set()
    await until(lambda: newcomer.begun)
    assert (len(waiting.begun), worker.room, worker.may_wait) == (1, 0, False)
    newcomer.finish.set()
    await until(lambda: len(waiting.begun) == 2)
    assert (worker.room, worker.may_wait, len(waiting.begun[-1].slots)) == (0, True, 1)
    waiting.finish.set()
    await until(lambda: worker.room == 1)
    await worker.stop(0.0)
    assert not worker.may_wait


async def test_work_that_waited_goes_on_once_its_lease_is_known_to_run(leases):
    worker = Worker("test", leases, capacity=1, outcomes_max=10)
    waiting = Waiting(worker)
    worker.start_work(lease(), "job-1", time.monotonic() + 0.05, waiting, waiting.give_up)
    await until(lambda: waiting.begun and waiting.begun[0].has_lapsed())
    waiting.go_on.set()
    await until(lambda: waiting.begun[0].slots)
    assert len(waiting.begun) == 1
    await worker.renew()
    await until(lambda: len(waiting.begun) == 2)
    await worker.stop(0.0)


async def test_as_many_wait_as_there_are_slots(leases):
    worker = Worker("test", leases, capacity=2, outcomes_max=10)
    for _ in range(2):  # who has waited makes room for others who do
        first, second = Waiting(worker), Waiting(worker)
        await begun(worker, first)
        assert worker.may_wait
        await begun(worker, second)
        assert not worker.may_wait
        for each in (first, second):
            each.go_on.set()
            each.finish.set()
        await until(lambda: worker.room == 2 and worker.may_wait)
    await worker.stop(0.0)


async def test_work_that_is_aborted_while_it_waits_leaves_no_slot_behind(leases):
    worker = Worker("test", leases, capacity=1, outcomes_max=10)
    waiting = Waiting(worker)
    begin(worker, waiting)
    await until(lambda: worker.room == 1)
    leases.states[waiting.begun[0].lease] = LeaseState.LOST
    await worker.renew()
    await until(lambda: worker.may_wait)
    assert worker.room == 1
    await worker.stop(0.0)


class Asking(Work):
    """Work that asks somebody, in a slot; who is asked may be away, and then it waits without one."""

    def __init__(self, worker: Worker, names: Names, *, size: int = 0) -> None:
        super().__init__()
        self.worker, self.names, self.size = worker, names, size
        self.is_away, self.back = False, asyncio.Event()

    async def __call__(self, held: HeldLease):
        try:
            async with self.worker.with_slot(held, self.names):
                self.begun.append(held)
                await self._ask()
        except TransientError:
            held.absences.append(time.monotonic())
            await self.back.wait()
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        return self.report

    async def _ask(self) -> None:
        if self.is_away:
            raise TransientError("away")
        await self.finish.wait()

    def start(self) -> Lease:
        """Have it begun by its worker, under a lease of its own."""
        own = lease()
        now = time.monotonic()
        sized = {"size": self.size} if self.size else {}
        self.worker.start_work(own, "job-1", now + 60, self, self.give_up, names=self.names[:1], **sized)
        return own


async def test_of_one_name_no_more_ask_at_once_than_its_share_and_others_find_a_slot(leases):
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    many = [Asking(worker, ("tenant:a", "model:slow")) for _ in range(10)]
    for each in many:
        each.start()
    assert worker.room == 0, "what is granted is begun"
    await until(lambda: worker.room == 2)
    assert sum(bool(each.begun) for each in many) == 8
    other = Asking(worker, ("tenant:b", "model:quick"))
    other.start()
    await until(lambda: other.begun)
    for each in many:
        each.finish.set()
    await until(lambda: all(each.begun for each in many))
    await until(lambda: worker.room == 9)
    await worker.stop(0.0)


async def test_work_between_two_asks_has_no_slot_and_two_asks_at_once_have_two(leases):
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    rooms: list[int] = []

    async def ask(held: HeldLease) -> None:
        async with worker.with_slot(held, ("tenant:a",)):
            await asyncio.sleep(1)
            rooms.append(worker.room)

    async def work(held: HeldLease):
        rooms.append(worker.room)
        await asyncio.gather(ask(held), ask(held))
        rooms.append(worker.room)
        await ask(held)
        return Work().report

    begin(worker, Work(), do=work)
    await until(lambda: len(rooms) == 5)
    await until(lambda: worker.room == 10)
    assert rooms == [9, 8, 9, 10, 9]
    await worker.stop(0.0)


async def test_what_waits_for_somebody_who_is_away_leaves_its_slot_and_beyond_a_bound_its_lease(leases):
    """The newest of those with most of it; the next time is as far away as the absence is long."""
    worker = Worker("test", leases, 10, 100, waiting_max_bytes=4 * (WORK_BYTES + 1_000))
    dead = [Asking(worker, ("tenant:a", "model:dead"), size=1_000) for _ in range(6)]
    other = Asking(worker, ("tenant:b", "model:away"), size=1_000)
    for each in (*dead, other):
        each.is_away = True
    kept = [each.start() for each in dead[:3]]
    other.start()
    await until(lambda: worker.room == 10 and other.begun)
    assert worker._unbegun == []
    late = [each.start() for each in dead[3:]]
    await until(lambda: sum(each.aborted for each in dead) == 3)
    await worker.renew()
    assert {held for held, _ in leases.given_back} == {*late}
    assert set(leases.due_after_s.values()) == {DUE_AFTER_MIN_S}
    assert {*kept} < {*leases.held}

    for held in worker._held.values():
        held.absences[:] = [time.monotonic() - 100]
    again = Asking(worker, ("tenant:a", "model:dead"))
    again.is_away = True
    a_lease = again.start()
    await until(lambda: len(worker._unbegun) == 1)
    await worker.renew()
    assert leases.due_after_s[a_lease] == pytest.approx(100, abs=1)
    for held in worker._held.values():
        held.absences[:] = [time.monotonic() - 10_000]
    a_lease = again.start()
    await until(lambda: worker._unbegun)
    await worker.renew()
    assert leases.due_after_s[a_lease] == DUE_AFTER_MAX_S
    assert not other.aborted
    await worker.stop(0.0)


async def test_what_waits_for_its_share_of_the_slots_is_bounded_too(leases):
    worker = Worker("test", leases, 5, 100, waiting_max_bytes=2 * WORK_BYTES)
    many = [Asking(worker, ("tenant:a",)) for _ in range(20)]
    for each in many:
        each.start()
        await until(lambda: worker.room > 0)
    await worker.renew()
    assert (sum(bool(each.begun) for each in many), len(leases.held), len(leases.given_back)) == (4, 6, 14)
    for each in many:
        each.finish.set()
    await until(lambda: worker.room == 5)
    assert sum(each.reported for each in many) == 6
    await worker.stop(0.0)


async def test_an_agents_work_that_returns_finds_only_its_share_of_the_slots(leases):
    """One that fails first, and hangs when it is called again, would have all of them else."""
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    many = [Waiting(worker) for _ in range(10)]
    for each in many:
        worker.start_work(lease(), "job-1", time.monotonic() + 60, each, each.give_up, names=("agent:slow",))
    await until(lambda: worker.room == 10)
    for each in many:
        each.go_on.set()
    await until(lambda: worker.room == 2)
    assert sum(len(each.begun) == 2 for each in many) == 8
    await worker.stop(0.0)


@pytest.mark.parametrize(("size", "room_bytes", "given_back"), [(0, 0, 0), (0, -1, 1), (40_000, 0, 0), (40_000, -1, 1)])
async def test_each_that_waits_counts_for_what_it_is_about_and_what_it_takes_up(leases, size, room_bytes, given_back):
    bound = 3 * (WORK_BYTES + size) + room_bytes
    worker = Worker("test", leases, 10, 100, waiting_max_bytes=bound)
    many = [Asking(worker, ("tenant:a",), size=size) for _ in range(3)]
    for each in many:
        each.is_away = True
        each.start()
    await until(lambda: worker.room == 10 and all(each.begun for each in many))
    await worker.renew()
    assert (len(leases.given_back), len(leases.held)) == (given_back, 3 - given_back)
    await worker.stop(0.0)


async def test_bounds_of_what_waits_are_those_that_the_pages_name():
    assert (DUE_AFTER_MIN_S, DUE_AFTER_MAX_S, WORK_BYTES, WAITING_MAX_BYTES) == (30, 600, 32_768, 67_108_864)
    assert Worker("test", FakeLeases(), 1, 1).waiting_max_bytes == WAITING_MAX_BYTES
