"""Retries: when an agent is called again, after how long, and who waits."""

import asyncio

import pytest
from support.factories import execute_requested, grant, incoming_request, lease
from support.fakes import FakeAgent, until

from contracts.events import ResultProduced
from contracts.resources import Policy
from executor.errors import (
    AgentBusyError,
    AgentDeclinedError,
    AgentStatusError,
    AgentTimeoutError,
    AgentUnreachableError,
)
from executor.handlers import Handlers
from executor.outcomes import backoff_s, may_retry, wait_s
from servicekit.errors import TransientError
from servicekit.leasing.worker import LeaseState
from signoff.status import Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol

BUSY, NOT_FOUND = AgentBusyError("busy", status=503), AgentStatusError("who?", status=404)
TIMEOUT, UNREACHABLE = AgentTimeoutError("late"), AgentUnreachableError("nobody there")
ONCE = Delivery.AT_MOST_ONCE


@pytest.mark.parametrize(
    ("policy", "error", "again"),
    [
        ({}, BUSY, True),
        ({}, NOT_FOUND, False),
        ({"retry_codes": ["404"]}, NOT_FOUND, True),
        ({"retry_codes": ["agent_status"]}, NOT_FOUND, True),
        ({"retry_codes": ["403"]}, NOT_FOUND, False),
        ({"no_retry_codes": ["503"]}, BUSY, False),
        ({"no_retry_codes": ["agent_timeout"]}, TIMEOUT, False),
        ({"no_retry_codes": ["agent_timeout"]}, BUSY, True),
        ({"no_retry_codes": ["503"], "retry_codes": ["agent_status"]}, BUSY, False),
        ({"retry_codes": ["agent_declined", "422"]}, AgentDeclinedError("no", status=422), False),
        ({"delivery": ONCE}, BUSY, False),
        ({"delivery": ONCE}, TIMEOUT, False),
        ({"delivery": ONCE, "retry_codes": ["503"]}, BUSY, False),
        ({"delivery": ONCE}, UNREACHABLE, True),
        ({"delivery": ONCE, "no_retry_codes": ["agent_unreachable"]}, UNREACHABLE, False),
    ],
)
def test_which_failure_is_followed_by_another_call(policy, error, again):
    assert may_retry(Policy(**policy), error) == again


def test_work_that_is_only_looked_for_is_looked_for_again_as_under_any_policy():
    once = Policy(delivery=ONCE)
    assert [may_retry(once, error, sends=False) for error in (BUSY, TIMEOUT, NOT_FOUND)] == [True, True, False]


@pytest.mark.parametrize(("number", "most_s"), [(1, 1.0), (2, 3.0), (3, 9.0), (4, 20.0), (100, 20.0), (10**6, 20.0)])
def test_waits_grow_up_to_the_longest_with_full_jitter(number, most_s):
    policy = Policy(backoff_first_s=1.0, backoff_factor=3.0, backoff_max_s=20.0)
    waits = [backoff_s(policy, number) for _ in range(300)]
    assert 0 <= min(waits) < most_s * 0.1
    assert most_s * 0.9 < max(waits) <= most_s


def test_what_the_agent_asks_for_is_the_least():
    assert wait_s(grant(), 1, AgentBusyError("busy", retry_after_s=9.0)) == 9.0
    slow = grant(policy={"backoff_first_s": 1e-9, "backoff_max_s": 1.0})
    assert 0 < wait_s(slow, 1, BUSY) < 0.1


def test_calls_are_counted_over_all_attempts():
    three = grant(policy={"max_calls": 3})
    assert [wait_s(three, number, BUSY) for number in (1, 2, 3, 4)] == [0.0, 0.0, None, None]


class Scripted:
    """One execution whose agent does as a list says, call by call."""

    def __init__(self, handlers, agent, executions, publisher):
        self.handlers, self.agent, self.executions, self.publisher = handlers, agent, executions, publisher

    async def run(self, *script, **fields):
        steps = iter(script)

        async def does(_):
            step = next(steps)
            if isinstance(step, Exception):
                raise step
            return await step() if callable(step) else step

        self.agent.does = does
        a_lease = lease()
        self.executions.answers[a_lease.execution_id] = grant(lease=a_lease, **fields)
        await self.handlers.on_execute_requested(
            [incoming_request(execute_requested(execution_id=a_lease.execution_id))]
        )

    @property
    def told(self):
        return [(e.kind, e.call) if not isinstance(e, ResultProduced) else e.result for e in self.publisher.events]


@pytest.fixture
def scripted(worker, executions, publisher):
    agent = FakeAgent()
    return Scripted(Handlers(worker, executions, {AgentProtocol.HTTP: agent}, publisher), agent, executions, publisher)


async def test_short_waits_are_spent_under_the_lease_and_each_failed_call_is_told(scripted):
    await scripted.run(BUSY, TIMEOUT, "blue")
    await until(lambda: len(scripted.told) == 3)
    assert scripted.told == [(ReportKind.CALL_FAILED, 1), (ReportKind.CALL_FAILED, 2), "blue"]
    first, second, _ = scripted.publisher.events
    assert (first.message, first.retryable, first.seq) == ("busy; call 2 of 3 follows in 0 s", True, 2)
    assert (second.message, second.code, second.seq) == ("late; call 3 of 3 follows in 0 s", "agent_timeout", 3)
    assert [call.number for call in scripted.agent.called] == [1, 2, 3]
    assert scripted.publisher.soon == [], "the first failure told that the attempt began"


async def test_the_last_failure_says_that_it_was_the_last(scripted):
    await scripted.run(BUSY, spent=2, attempt=2)
    await until(lambda: scripted.told)
    assert scripted.told == [(ReportKind.FAILED, 3)]
    assert scripted.publisher.events[0].message == "busy; it was call 3 of 3"
    assert [call.number for call in scripted.agent.called] == [3]


async def test_a_long_wait_gives_the_lease_back(scripted, worker):
    await scripted.run(AgentBusyError("busy", retry_after_s=31.0))
    await until(lambda: scripted.told)
    assert scripted.told == [(ReportKind.ATTEMPT_FAILED, 1)]
    assert scripted.publisher.events[0].message == "busy; call 2 of 3 follows in 31 s"
    assert worker.room == 10


async def test_a_wait_takes_no_place_and_its_lease_is_kept(scripted, worker, leases):
    await scripted.run(AgentBusyError("busy", retry_after_s=20.0))
    await until(lambda: worker.room == 10)
    leases.held = []
    await until(lambda: leases.held)


async def test_whoever_waited_goes_on_before_newcomers_are_let_in(scripted, worker):
    release = asyncio.Event()
    worker._slots.count = 1
    await scripted.run(AgentBusyError("busy", retry_after_s=0.05), "blue")
    await until(lambda: worker.room == 1)
    hanging = lease()
    worker.start_work(hanging, "job-2", 1e12, lambda _: release.wait(), lambda *_: release.wait())
    await until(lambda: worker._slots._waiting)
    assert (worker.room, len(scripted.agent.called)) == (0, 1)
    release.set()
    await until(lambda: scripted.told[-1] == "blue")


async def test_an_execution_cancelled_while_it_waits_is_not_called_again(scripted, worker, leases):
    await scripted.run(AgentBusyError("busy", retry_after_s=20.0))
    await until(lambda: leases.held)
    leases.states[leases.held[0]] = LeaseState.CANCELLED
    await until(lambda: leases.held == [])
    assert (worker.room, worker.may_wait, len(scripted.agent.called)) == (10, True, 1)


async def test_a_stopping_worker_gives_back_at_once_what_waits_and_lets_nothing_wait(scripted, worker, leases):
    fails = asyncio.Event()

    async def is_busy_then():
        await fails.wait()
        raise AgentBusyError("busy", retry_after_s=20.0)

    await scripted.run(AgentUnreachableError("nobody there", retry_after_s=20.0), policy={"delivery": ONCE})
    await until(lambda: scripted.told)
    await scripted.run(is_busy_then)
    await until(lambda: len(scripted.agent.called) == 2)
    stopping = asyncio.create_task(worker.stop(10.0))
    await until(lambda: leases.given_back)
    assert [begun for _, begun in leases.given_back] == [False]
    fails.set()
    await until(lambda: len(scripted.told) == 2)
    stopping.cancel()
    assert scripted.told == [(ReportKind.CALL_FAILED, 1), (ReportKind.ATTEMPT_FAILED, 1)]


async def test_no_call_follows_one_whose_failure_cannot_be_told(scripted, publisher):
    tries = []

    async def away(event, lease):
        del lease
        tries.append(event)
        if len(tries) == 1:
            raise TransientError("away")
        publisher.events.append(event)

    publisher.publish_report = away
    await scripted.run(BUSY, "blue")
    await until(lambda: len(scripted.told) == 2)
    assert scripted.told == [(ReportKind.CALL_FAILED, 1), "blue"]
    assert tries[0] is tries[1]


async def fails_behind_its_lease(scripted, leases, worker):
    """An agent fails when the lease has lapsed by this process's clock, as after a freeze."""
    await until(lambda: leases.calls)
    leases.away, asked_before = True, leases.calls

    async def late():
        (held,) = worker._held.values()
        await until(held.has_lapsed)
        raise BUSY

    await scripted.run(late, "blue", lease_s=0.05)
    await until(lambda: leases.calls > asked_before + 3)
    assert len(scripted.agent.called) == 1


async def test_no_call_follows_while_the_lease_does_not_run(scripted, leases, worker):
    await fails_behind_its_lease(scripted, leases, worker)
    leases.away = False
    await until(lambda: "blue" in scripted.told)


async def test_no_call_follows_once_the_lease_is_lost(scripted, leases, worker):
    await fails_behind_its_lease(scripted, leases, worker)
    ((execution_id, held),) = worker._held.items()
    leases.states[held.lease] = LeaseState.LOST
    leases.away = False
    await until(lambda: execution_id not in worker._held)
    assert len(scripted.agent.called) == 1
