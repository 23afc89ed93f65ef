"""A worker that stops: what it gives back, what it waits for, and for how long."""

import asyncio
import time

import pytest
from leased_work import Work, begin, begun, refuse, waiting
from support.factories import lease
from support.fakes import until

from servicekit.leasing.worker import LeaseState, Worker

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_stopped_it_gives_back_what_has_not_begun_and_takes_no_more(leases, work):
    worker = Worker("test", leases, capacity=10, outcomes_max=10)
    a_lease = lease()
    begin(worker, work, a_lease)  # its task has not run yet
    await worker.stop(5.0)
    assert leases.given_back == [(a_lease, False)]
    assert work.begun == []
    assert set(leases.rooms) == {0}


async def test_stopped_it_gives_back_at_once_what_runs_and_has_not_begun(worker, leases, work):
    """As a call that waits for its agent's turn."""
    runs = asyncio.Event()

    async def wait(_):
        runs.set()
        await asyncio.Event().wait()

    begin(worker, work, a_lease := lease(), do=wait)
    await runs.wait()
    await worker.stop(5.0)
    assert leases.given_back == [(a_lease, False)]


async def test_what_is_granted_once_it_stops_is_given_back_and_not_begun(worker, leases, work):
    """As the claims are answered that were under way."""
    worker.take_no_more()
    begin(worker, work, first := lease())
    await until(lambda: leases.given_back == [(first, False)])
    stopping = asyncio.create_task(worker.stop(5.0))
    begin(worker, work, second := lease())
    await stopping
    assert leases.given_back == [(first, False), (second, False)]
    assert work.begun == []


async def test_it_does_not_end_before_what_was_granted_too_late_is_given_back(leases, work):
    """Else it lapses, and its job waits for a whole lease."""
    worker = Worker("test", leases, capacity=10, outcomes_max=10)
    leases.during = lambda: asyncio.sleep(0.5)
    worker.take_no_more()
    begin(worker, work, a_lease := lease())
    await until(lambda: not worker._held)  # its task has run
    await worker.stop(5.0)
    assert leases.given_back == [(a_lease, False)]


async def test_stopped_before_anybody_heard_of_it_it_says_nothing(leases):
    await Worker("test", leases, capacity=10, outcomes_max=10).stop(5.0)
    assert leases.calls == 0


async def test_stopped_with_nothing_in_hand_it_says_that_it_takes_no_more(worker, leases):
    await until(lambda: leases.rooms == [worker.room])
    await worker.stop(5.0)
    assert leases.rooms[-1] == 0


async def test_stopped_it_lets_work_end_and_waits_until_its_outcome_is_recorded(worker, leases, work):
    held = await begun(worker, work)
    stopping = asyncio.create_task(worker.stop(10.0))
    await until(lambda: leases.rooms[-1:] == [0])
    work.finish.set()
    await until(lambda: leases.outcomes == [held.lease])
    leases.away = True
    await until(lambda: waiting("jobstore"))
    assert not stopping.done()
    leases.away, recorded_at = False, time.monotonic()
    leases.states[held.lease] = LeaseState.RECORDED
    await stopping
    assert time.monotonic() - recorded_at < 0.5
    assert leases.given_back == []


async def test_stopped_it_hands_back_what_does_not_end_in_time(worker, leases, work):
    held = await begun(worker, work)
    await worker.stop(1.5)
    assert leases.given_back == [(held.lease, True)]
    assert work.aborted == 1
    assert work.reported == 0


async def test_a_lease_handed_back_is_in_no_later_renewal(worker, leases, work):
    await begun(worker, work)
    await worker.stop(1.5)
    assert leases.held == []


async def test_stopped_while_the_jobstore_is_away_it_ends_within_the_grace_time(worker, leases, work, caplog):
    await begun(worker, work)
    leases.away = True
    begin(worker, Work())  # will have to be given back, which nobody takes
    started = time.monotonic()
    stopping = asyncio.create_task(worker.stop(0.2))
    await until(lambda: waiting("jobstore"))
    await stopping
    assert time.monotonic() - started == pytest.approx(0.2)
    assert "the grace time is over" in caplog.text
    assert work.aborted == 1  # else its agent's connection would be closed under it, as if the agent had failed


async def test_stopped_while_the_broker_is_away_it_ends_within_the_grace_time(worker, work):
    work.report_hangs = True
    work.finish.set()
    await begun(worker, work)
    await until(lambda: work.reported)
    started = time.monotonic()
    await worker.stop(0.2)
    assert time.monotonic() - started == pytest.approx(0.2)


async def test_stopped_it_gives_back_at_once_what_only_a_newer_worker_can_do(worker, leases, work):
    a_lease, began_at = lease(), time.monotonic()
    begin(worker, work, a_lease, do=refuse)
    await until(lambda: leases.held == [a_lease])
    await worker.stop(5.0)
    assert leases.given_back == [(a_lease, False)]
    assert time.monotonic() - began_at < 1.0
