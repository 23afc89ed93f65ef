"""A worker of leases: what it renews, aborts, reports and gives back."""

import asyncio
import random
import time
from itertools import pairwise

import pytest
from leased_work import Work, begin, begun, refuse, waiting
from support.factories import lease
from support.fakes import FakeLeases, until, working

from contracts.signing import KeyUse, Secrets, make_secret
from servicekit.errors import PermanentError, TransientError
from servicekit.leasing.worker import RENEWALS_MAX, HeldLease, LeaseState, Worker

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_lease_is_renewed_while_its_work_lasts(worker, leases, work):
    held = await begun(worker, work)
    await until(lambda: leases.held == [held.lease])
    expires_at = held.expires_at
    await until(lambda: held.expires_at > expires_at)
    assert leases.held == [held.lease]


async def test_a_lease_runs_from_before_its_renewal_was_asked_for(worker, leases, work):
    held = await begun(worker, work)
    asked = asyncio.Event()
    answer = asyncio.Event()

    async def slowly() -> None:
        asked.set()
        await answer.wait()

    leases.during = slowly
    await asked.wait()
    asked_by = time.monotonic()
    await until(lambda: time.monotonic() > asked_by + 0.02)
    leases.during = None
    answer.set()
    await until(lambda: held.expires_at == asked_by + leases.lease_s)


@pytest.mark.parametrize("state", [LeaseState.RECORDED, LeaseState.LOST, LeaseState.CANCELLED])
async def test_a_grant_that_is_answered_again_after_its_work_has_ended_begins_nothing(worker, leases, work, state):
    """A record that came twice was claimed twice, and the second answer was on its way for as long as all this took."""
    held = await begun(worker, work)
    if state is LeaseState.RECORDED:
        work.finish.set()
        await until(lambda: work.reported)
    leases.states[held.lease] = state
    await until(lambda: held.lease in worker._ended)
    assert not begin(worker, work, held.lease)
    assert worker.room == 10
    await until(lambda: not worker._ended)  # an answer that comes so late finds that its lease has lapsed


@pytest.mark.parametrize("state", [LeaseState.LOST, LeaseState.CANCELLED])
async def test_work_whose_lease_is_gone_is_aborted_and_reports_nothing(worker, leases, work, state):
    held = await begun(worker, work)
    assert not held.cancelled
    leases.states[held.lease] = state
    await until(lambda: work.aborted)
    await until(lambda: leases.held == [])
    assert held.cancelled == (state is LeaseState.CANCELLED)
    assert work.reported == 0
    assert worker.room == 10


async def test_a_lease_is_signed_for_by_the_new_key_once_the_secret_has_changed(worker, leases, work):
    held = await begun(worker, work)
    secrets = Secrets.parse(make_secret("new", b"another secret, which is not shown"))
    leases.new_keys = [secrets.make_key(KeyUse.EXECUTING, held.lease.execution_id, held.lease.lease)]
    await until(lambda: held.lease.secret_id == "new")


async def test_a_worker_that_holds_nothing_shows_seldom_that_it_is_alive_and_renews_as_ever_once_it_does(
    worker, leases, work
):
    leases.lease_s = 0.5
    await until(lambda: worker._lease_s == leases.lease_s)
    asked_at: list[float] = []

    async def note() -> None:
        asked_at.append(time.monotonic())

    leases.during = note
    await until(lambda: len(asked_at) == 3)
    assert [later - earlier for earlier, later in pairwise(asked_at)] == pytest.approx([0.3, 0.3])
    assert leases.rooms[-1] == worker.room
    worker.holds_more = lambda: True
    asked_at.clear()
    await until(lambda: len(asked_at) == 3)
    assert [later - earlier for earlier, later in pairwise(asked_at)] == pytest.approx([0.1, 0.1])
    worker.holds_more = lambda: False
    held = await begun(worker, work)
    await until(lambda: leases.held == [held.lease], timeout_s=leases.lease_s)
    asked_at.clear()
    await until(lambda: len(asked_at) == 3)
    assert [later - earlier for earlier, later in pairwise(asked_at)] == pytest.approx([0.1, 0.1])


async def test_a_heartbeat_that_fails_is_made_up_for_within_the_time_that_counts(worker, leases):
    leases.lease_s = 0.5
    await until(lambda: worker._lease_s == leases.lease_s)
    await until(lambda: leases.rooms)
    rooms, leases.away = len(leases.rooms), True
    calls = leases.calls
    await until(lambda: leases.calls == calls + 1)
    leases.away, started = False, time.monotonic()
    await until(lambda: len(leases.rooms) > rooms)
    assert time.monotonic() - started < leases.lease_s / 2


async def test_an_outage_aborts_nothing(worker, leases, work):
    await begun(worker, work)
    leases.away = True
    calls = leases.calls
    await until(lambda: leases.calls > calls + 5)
    leases.away = False
    work.finish.set()
    await until(lambda: work.reported)
    assert work.aborted == 0


async def test_an_outcome_is_reported_again_until_it_is_recorded(worker, leases, work):
    held = await begun(worker, work)
    work.finish.set()
    await until(lambda: work.reported >= 3)
    assert leases.outcomes == [held.lease]
    assert leases.held == []
    leases.states[held.lease] = LeaseState.RECORDED
    await until(lambda: leases.outcomes == [])
    assert worker.room == 10
    reported = work.reported
    calls = leases.calls
    await until(lambda: leases.calls > calls + 10)
    assert work.reported == reported


async def test_a_report_that_fails_is_tried_again(worker, work):
    work.report_errors = [TransientError(), TransientError()]
    work.finish.set()
    await begun(worker, work)
    await until(lambda: waiting("kafka"))
    await until(lambda: work.reported >= 3)
    assert not waiting("kafka")


async def test_an_outcome_is_reported_ever_more_seldom_until_a_minute_lies_between(leases, work, monkeypatch):
    monkeypatch.setattr(random, "uniform", max)  # each wait is the longest that may be drawn
    worker, reported_at, enough = Worker("test", leases, capacity=10, outcomes_max=20), [], asyncio.Event()

    async def report() -> None:
        reported_at.append(time.monotonic())
        if len(reported_at) == 6:
            enough.set()

    async def do(_: HeldLease):
        return report

    begin(worker, work, do=do)
    async with asyncio.timeout(600):
        await enough.wait()
    gaps = [later - earlier for earlier, later in pairwise(reported_at)]
    assert gaps == pytest.approx([15, 30, 60, 60, 60])
    await worker.stop(0.0)


async def test_leases_are_renewed_while_reports_hang_in_an_outage_of_the_broker(worker, leases, work):
    still_working, stuck = Work(), work
    stuck.report_hangs = True
    stuck.finish.set()
    await begun(worker, stuck)
    held = await begun(worker, still_working)
    await until(lambda: stuck.reported)
    calls = leases.calls
    await until(lambda: leases.calls > calls + 20)  # many times the interval of reporting again
    assert leases.held == [held.lease]
    assert still_working.aborted == 0


async def test_an_outcome_that_can_never_be_reported_is_let_go(worker, work, caplog):
    work.report_errors = [PermanentError("too large")]
    work.finish.set()
    await begun(worker, work)
    await until(lambda: work.reported)
    await until(lambda: worker.room == 10)
    assert "an outcome cannot be reported" in caplog.text


async def test_an_outcome_that_is_let_go_while_a_renewal_asks_for_it_disturbs_nothing(worker, leases, work, caplog):
    failing = asyncio.Event()

    async def fail() -> None:
        await failing.wait()
        raise PermanentError("too large")

    async def do(_: HeldLease):
        return fail

    async def let_go() -> None:
        failing.set()
        await until(lambda: "its lease will lapse" in caplog.text)
        leases.states[a_lease] = LeaseState.RECORDED

    work.give_up_fails = True
    begin(worker, work, a_lease := lease(), do=do)
    await until(lambda: leases.outcomes == [a_lease])
    leases.during, calls = let_go, leases.calls
    await until(lambda: leases.calls > calls + 2)


async def test_work_that_only_a_newer_worker_can_do_is_given_back_after_a_while(worker, leases, work):
    a_lease, began_at = lease(), time.monotonic()
    leases.lease_s = 5.0
    begin(worker, work, a_lease, do=refuse)
    await until(lambda: leases.held == [a_lease])
    leases.away = True
    await until(lambda: waiting("jobstore"), timeout_s=15.0)
    assert 10.0 <= time.monotonic() - began_at < 10.5
    leases.away = False
    await until(lambda: leases.given_back)
    assert leases.given_back == [(a_lease, False)]
    assert (worker.room, work.given_up) == (10, [])


async def test_a_renewal_says_how_long_a_judge_has_been_away(worker, leases, work):
    held = await begun(worker, work)
    await until(lambda: leases.held == [held.lease])
    assert leases.away_s == [None]
    held.absences += [time.monotonic() - 5, time.monotonic() - 60]
    await until(lambda: leases.away_s != [None])
    assert 60 <= leases.away_s[0] < 90


async def test_a_grant_of_a_lease_already_held_begins_nothing(worker, work):
    held = await begun(worker, work)
    assert not begin(worker, work, held.lease)
    assert not begin(worker, work, lease(held.lease.execution_id, held.lease.lease - 1 or 1))
    assert worker.room == 9


async def test_a_grant_of_a_lease_whose_outcome_is_awaited_begins_nothing(worker, leases, work):
    held = await begun(worker, work)
    work.finish.set()
    await until(lambda: leases.outcomes == [held.lease])
    assert not begin(worker, work, held.lease)


async def test_a_newer_lease_replaces_an_older_one_of_its_execution(worker, leases, work):
    old = await begun(worker, work)
    newer = lease(old.lease.execution_id, old.lease.lease + 1)
    await begun(worker, work, newer)
    assert work.aborted == 1
    await until(lambda: leases.held == [newer])


async def test_work_whose_lease_has_run_out_before_it_starts_does_not_start_and_is_given_back(worker, leases, work):
    a_lease = lease()
    assert begin(worker, work, a_lease, runs_for_s=0.0)
    await until(lambda: worker.room == 10)
    await until(lambda: leases.given_back == [(a_lease, False)])
    assert leases.due_after_s == {}
    assert not begin(worker, work, a_lease)
    assert work.begun == []


async def test_what_is_granted_too_late_is_given_back_together(work):
    leases = FakeLeases(lease_s=600.0)
    leases.during = lambda: asyncio.sleep(0)
    worker = Worker("test", leases, capacity=50, outcomes_max=50)
    for _ in range(50):
        begin(worker, work, runs_for_s=0.0)
    async with working(worker):
        await until(lambda: len(leases.given_back) == 50)
        assert leases.calls <= 2
        assert worker.room == 50
    assert work.begun == []


async def test_what_is_granted_under_a_name_that_has_nearly_all_is_given_back_at_once(worker, leases, work):
    """Else a burst of records, which the jobstores' transactions count by the same room, leaves nothing for others."""
    for _ in range(10):
        assert begin(worker, work, names=("tenant:flood", "agent:drips"), within_share=True)
    await until(lambda: len(leases.given_back) == 1)
    assert len(work.begun) == 9
    assert begin(worker, work, other := lease(), names=("agent:well",), within_share=True)
    await until(lambda: len(work.begun) == 10)
    assert work.begun[-1].lease == other
    assert [begun for _, begun in leases.given_back] == [False]


async def test_what_cannot_be_given_back_goes_with_the_next_renewal(work):
    leases = FakeLeases(lease_s=60.0)
    worker = Worker("test", leases, capacity=10, outcomes_max=10)
    async with working(worker):
        await until(lambda: leases.calls == 1)
        leases.away, away_at = True, time.monotonic()
        begin(worker, work, late := lease(), runs_for_s=0.0)
        await until(lambda: leases.calls == 2)
        leases.away = False
        await until(lambda: leases.given_back == [(late, False)], 60.0)
    assert time.monotonic() - away_at < leases.lease_s / 4


async def buggy(_: HeldLease):
    raise ZeroDivisionError


async def test_work_that_fails_unexpectedly_is_reported_until_that_is_recorded(worker, leases, work):
    worker.start_work(failed := lease(), "job-7", time.monotonic() + 60, buggy, work.give_up)
    await until(lambda: len(work.given_up) >= 2)
    assert all(isinstance(bug, ZeroDivisionError) for bug in work.given_up)
    assert leases.outcomes == [failed]
    leases.states[failed] = LeaseState.RECORDED
    await until(lambda: leases.outcomes == [])


async def test_an_outcome_that_cannot_be_reported_is_reported_as_a_failure(worker, work):
    work.report_errors = [PermanentError("its topic takes it never")]
    work.finish.set()
    begin(worker, work)
    await until(lambda: len(work.given_up) >= 2)
    assert work.reported == 1


async def test_a_failure_that_cannot_be_reported_either_lets_the_lease_lapse(worker, leases, work, caplog):
    work.give_up_fails = True
    worker.start_work(lease(), "job-7", time.monotonic() + 60, buggy, work.give_up)
    await until(lambda: any("its lease will lapse" in line.message for line in caplog.records))
    await until(lambda: leases.held == leases.outcomes == [])
    assert len(work.given_up) == 2


async def test_room_is_what_neither_work_nor_outcomes_take(leases):
    worker = Worker("test", leases, capacity=3, outcomes_max=2)
    work, endless = Work(), Work()
    work.finish.set()
    assert worker.room == 2  # each may become an outcome
    begin(worker, endless)
    assert worker.room == 2
    begin(worker, endless)
    begin(worker, endless)
    assert worker.room == 0
    await until(lambda: len(endless.begun) == 3)
    endless.finish.set()
    await until(lambda: endless.reported == 3)
    assert worker.room == 0  # one more than it holds at most
    await worker.stop(0.0)


async def test_a_full_worker_tells_of_its_room_before_the_next_renewal(work):
    leases = FakeLeases(lease_s=600.0)
    worker = Worker("test", leases, capacity=1, outcomes_max=20)
    running = asyncio.create_task(worker.run())
    await until(lambda: leases.rooms == [1])
    worker.start_work(lease(), "job-1", time.monotonic() + 60, work, work.give_up)
    await until(lambda: work.begun and worker.room == 0)
    work.finish.set()
    await until(lambda: leases.rooms == [1, 1])
    running.cancel()
    await worker.stop(0.0)


async def test_more_room_is_told_soon_when_it_is_more_than_twice_what_was_told():
    leases = FakeLeases(lease_s=600.0)
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    running = asyncio.create_task(worker.run())
    await until(lambda: leases.rooms == [10])
    works = [Work() for _ in range(6)]
    for each in works:
        await begun(worker, each)
    for each in works[:4]:
        each.finish.set()
    await until(lambda: worker.room == 8)
    await asyncio.sleep(1.0)  # of the tests' own clock
    assert leases.rooms == [10]
    works[4].finish.set()
    await until(lambda: leases.rooms == [10, 9], timeout_s=0.1)
    running.cancel()
    await worker.stop(0.0)


async def test_more_leases_than_one_call_takes_are_renewed_and_given_back_in_several(leases, work):
    worker, many = Worker("test", leases, capacity=10_000, outcomes_max=10_000), RENEWALS_MAX + 1
    for _ in range(many):
        begin(worker, work)
    await worker.renew()
    assert (leases.calls, len(leases.held)) == (2, 1), "each of them once"
    await worker.stop(5.0)
    assert len(leases.given_back) == len(set(leases.given_back)) == many


async def test_more_outcomes_than_one_call_takes_are_asked_for_in_several(leases, work):
    worker, many = Worker("test", leases, capacity=10_000, outcomes_max=10_000), RENEWALS_MAX + 1
    work.finish.set()
    for _ in range(many):
        begin(worker, work)
    await until(lambda: work.reported == many)
    await worker.renew()
    assert (leases.calls, len(leases.outcomes)) == (2, 1)
    await worker.stop(0.0)


async def test_two_renewals_are_never_under_way_at_once(worker, leases):
    leases.during = lambda: asyncio.sleep(0)
    await asyncio.gather(*(worker.renew() for _ in range(5)))
    assert leases.at_once_max == 1
