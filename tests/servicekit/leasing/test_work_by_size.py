"""Slots stand for memory: large work takes several, and leaves room for others."""

import asyncio

import pytest
from leased_work import Work, begin, begun
from support.factories import lease
from support.fakes import FakeLeases, until, working

from servicekit.leasing import worker as module
from servicekit.leasing.worker import COPIES, HeldLease, LeaseState, Worker

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: Bytes of a slot, and of work that is as large as one.
SLOT = 100_000
ONE = SLOT // COPIES


def make_worker(leases: FakeLeases, capacity: int = 100, **more) -> Worker:
    return Worker("test", leases, capacity, outcomes_max=1_000, slot_bytes=SLOT, **more)


@pytest.mark.parametrize(
    ("size", "slots"), [(0, 1), (90, 1), (ONE - 1, 1), (ONE, 2), (10 * ONE - 1, 10), (10 * ONE, 11)]
)
async def test_work_takes_slots_by_its_size(leases, work, size: int, slots: int):
    worker = make_worker(leases)
    begin(worker, work, size=size)
    assert worker._slots.free == 100 - slots
    work.finish.set()
    await until(lambda: work.reported)
    assert worker._slots.free == 100 - slots + 1, "its outcome is as large, until it is recorded"
    leases.states[next(iter(worker._awaited))] = LeaseState.RECORDED
    await worker.renew()
    assert worker._slots.free == 100
    await worker.stop(0.0)


async def test_without_a_size_of_slots_all_work_takes_one(leases, work):
    worker = Worker("test", leases, 10, outcomes_max=20)
    begin(worker, work, size=1 << 30)
    assert (worker.room, worker.find_room([1 << 30] * 20)) == (9, 9)
    await worker.stop(0.0)


async def test_an_outcome_that_can_never_be_reported_leaves_its_slots(leases, work):
    worker = make_worker(leases)
    begin(worker, work, size=10 * ONE)
    work.report_errors.append(ZeroDivisionError())
    work.give_up_fails = True
    work.finish.set()
    await until(lambda: work.given_up and not worker._awaited)
    assert worker._slots.free == 100
    await worker.stop(0.0)


async def test_an_outcome_that_became_larger_than_the_work_takes_more(leases):
    """As a result is larger than what the agent was asked for."""
    worker = make_worker(leases)

    async def answer(held: HeldLease):
        held.size = 40 * ONE
        return Work().report

    begin(worker, Work(), do=answer)
    await until(lambda: worker._awaited)
    assert worker.room == 60
    await worker.stop(0.0)


async def test_what_a_lease_and_its_copies_take_is_what_the_pages_name():
    held = HeldLease(lease(), "job-1", 0.0)
    assert (module.LEASE_BYTES, module.COPIES) == (128 << 10, 10)
    assert (held.weight, held.reserved) == (1, 0)


async def test_an_ask_takes_as_many_slots_as_its_work(leases):
    worker, free = make_worker(leases), list[int]()

    async def ask(held: HeldLease):
        async with worker.with_slot(held, ("tenant:a", "model:b")):
            free.append(worker._slots.free)
        free.append(worker._slots.free)
        return Work().report

    begin(worker, Work(), do=ask, size=10 * ONE)
    await until(lambda: len(free) == 2)
    assert free == [89, 100]
    await worker.stop(0.0)


async def test_room_is_told_for_work_as_large_as_the_newest(leases, work):
    worker = make_worker(leases, capacity=1_000)
    for _ in range(50):
        begin(worker, work, size=9 * ONE)
    assert (worker._slots.free, worker.room) == (500, 51), "it nears ten slots for each"
    for _ in range(100):
        begin(worker, work)
    assert (worker._slots.free, worker.room) == (400, 400)
    begin(worker, work, size=8 * ONE)
    assert worker.room == 196, "an eighth of what is new counts"
    await worker.stop(0.0)


@pytest.mark.parametrize(
    ("sizes", "room"),
    [
        ([], 0),
        ([0] * 200, 20),
        ([90] * 7, 7),
        ([9 * ONE] * 5, 2),  # of ten slots each
        ([9 * ONE] * 2 + [0] * 5, 2),  # whichever are granted
        ([8 * ONE] * 2 + [0] * 5, 4),
        ([9 * ONE, 8 * ONE, 0, 0], 3),
        ([1_000 * ONE] * 3 + [0], 1),  # it is begun once anything is free
    ],
)
async def test_of_works_of_known_sizes_as_many_are_taken_as_fit(leases, sizes: list[int], room: int):
    worker = make_worker(leases, capacity=20)
    assert worker.find_room(sizes) == room
    worker.take_no_more()
    assert worker.find_room(sizes) == 0


async def test_no_work_of_any_size_is_taken_while_outcomes_wait_or_no_slot_is_free(leases, work):
    worker = Worker("test", leases, capacity=2, outcomes_max=1, slot_bytes=SLOT)
    assert worker.find_room([0, 0]) == 1
    begin(worker, work, size=5 * ONE)
    assert (worker.find_room([0]), worker.room) == (0, 0)
    await worker.stop(0.0)


async def test_a_tenant_with_large_results_leaves_room_for_those_of_others(leases):
    """Of both no more ask than fit; what is small finds room although what is large comes without end."""
    worker = make_worker(leases, waiting_max_bytes=1 << 40)
    asking = dict[str, list[int]](a=[], b=[])

    async def ask(held: HeldLease):
        async with worker.with_slot(held, (held.names[0],)):
            asking[held.names[0]].append(held.size)
            await asyncio.Event().wait()

    for _ in range(50):
        begin(worker, Work(), do=ask, names=("a",), size=4 * ONE)
        await until(lambda: worker._slots.free)
    assert len(asking["a"]) == 16, "four fifths of the hundred slots, in fives"
    for _ in range(10):
        begin(worker, Work(), do=ask, names=("b",), size=90)
    await until(lambda: len(asking["b"]) == 10)
    await worker.stop(0.0)


async def test_memory_for_what_is_large_is_reserved_until_its_outcome_is_recorded(leases):
    """As for answers of agents, which may be as large as they like: ten fit here at a time."""
    worker, done = make_worker(leases), list[HeldLease]()
    answered = asyncio.Event()

    async def answer(held: HeldLease):
        await worker.reserve(held, 10 * ONE)
        done.append(held)
        await answered.wait()
        return Work().report

    for number in range(12):
        begin(worker, Work(), do=answer, names=(f"agent:{number}",))
    await until(lambda: len(done) == 10)
    assert worker._memory.free == 0
    async with asyncio.timeout(1):
        await worker.reserve(done[0], 10 * ONE)  # which it has
    worker.note_size(done[0], 4 * ONE)
    assert (worker._memory.free, done[0].size) == (0, 4 * ONE), "it goes to who waits"
    await until(lambda: len(done) == 11)
    worker.note_size(done[1], 10 * ONE)
    worker.note_size(done[1], 2 * ONE)
    assert (done[1].size, done[1].reserved) == (10 * ONE, COPIES * 2 * ONE), "the largest counts for its outcome"
    await until(lambda: len(done) == 12)
    answered.set()
    await until(lambda: len(worker._awaited) == 12)
    leases.states |= dict.fromkeys(worker._awaited, LeaseState.RECORDED)
    await worker.renew()
    assert (worker._memory.free, worker._slots.free) == (100 * SLOT, 100)
    await worker.stop(0.0)


async def test_what_is_reserved_again_is_reserved_once_and_what_is_aborted_has_nothing(leases):
    worker, free = make_worker(leases), list[int]()

    async def answer(held: HeldLease):
        for size in (ONE, ONE, 3 * ONE, 2 * ONE):
            await worker.reserve(held, size)
            free.append(100 * SLOT - worker._memory.free)
        await asyncio.Event().wait()

    begin(worker, Work(), do=answer)
    await until(lambda: len(free) == 4)
    assert free == [COPIES * ONE, COPIES * ONE, 3 * COPIES * ONE, 3 * COPIES * ONE]
    (held,) = worker._held.values()
    leases.states[held.lease] = LeaseState.LOST
    await worker.renew()
    assert (worker._memory.free, held.reserved) == (100 * SLOT, 0)
    await worker.stop(0.0)


async def test_without_a_size_of_slots_nothing_is_reserved(leases, work):
    worker = Worker("test", leases, 10, outcomes_max=20)
    held = await begun(worker, work)
    await worker.reserve(held, 1 << 40)
    assert held.reserved == 0
    await worker.stop(0.0)


async def test_to_a_worker_without_a_partition_nothing_is_offered(work):
    leases, partitions = FakeLeases(lease_s=1_000.0), list[int]()
    worker = Worker("test", leases, 10, 20, is_reading=lambda: bool(partitions))
    async with working(worker):
        await until(lambda: leases.rooms)
        held = await begun(worker, work, lease())
        work.finish.set()
        await until(lambda: work.reported and held.lease in worker._awaited)
        assert leases.rooms == [0], "and there is nothing to tell"
        partitions.append(3)
        worker.note_reading()
        await until(lambda: len(leases.rooms) > 1)
    assert leases.rooms[1] == 10
