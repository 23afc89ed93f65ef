"""Work that waits without its slot, so that others run meanwhile."""

import asyncio
import time

import pytest
from leased_work import Work, begin, begun
from support.factories import lease
from support.fakes import until

from servicekit.leasing.renewal import LeaseState
from servicekit.leasing.worker import HeldLease, Worker

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
    assert (worker.room, worker.may_wait, waiting.begun[-1].has_slot) == (0, True, True)
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
    await until(lambda: waiting.begun[0].has_slot)
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
