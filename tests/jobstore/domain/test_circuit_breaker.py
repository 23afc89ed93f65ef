"""The circuit breaker of an agent, on every pair of where it stands and what happens."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import pytest
from support.jobstore.builders import (
    EXECUTION_ID,
    NOW,
    OWNER,
    TIMES,
    awaiting_judge,
    done,
    judging,
    offered,
    queued,
    running,
)

from jobstore.agents.rules import CLOSED, Breaker
from jobstore.executions import states
from jobstore.executions.states import Openings
from jobstore.jobs.model import BreakerTerms, ExecutionState
from signoff.status import Circuit

TERMS = BreakerTerms(failures=3, open_first_s=5.0, open_max_s=60.0)
PROBE, OTHER = UUID(int=1), UUID(int=2)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)

STANDS = {
    "closed": CLOSED,
    "failing": Breaker(failures=1),
    "about to open": Breaker(failures=2),
    "open": Breaker(3, 1, LATER),
    "open again": Breaker(4, 2, LATER, PROBE),
    "open, probe still called": Breaker(4, 2, LATER, PROBE, probing=True),
    "half open": Breaker(3, 1, EARLIER),
    "half open at this moment": Breaker(3, 1, NOW),
    "probing": Breaker(3, 1, EARLIER, PROBE, probing=True),
    "probe lost": Breaker(3, 1, EARLIER, PROBE),
}


@pytest.mark.parametrize(
    ("stands", "circuit", "admits_probe", "admits_other"),
    [
        ("closed", Circuit.CLOSED, True, True),
        ("failing", Circuit.CLOSED, True, True),
        ("about to open", Circuit.CLOSED, True, True),
        ("open", Circuit.OPEN, False, False),
        ("open again", Circuit.OPEN, False, False),
        ("open, probe still called", Circuit.OPEN, False, False),
        ("half open", Circuit.HALF_OPEN, True, True),
        ("half open at this moment", Circuit.HALF_OPEN, True, True),
        ("probing", Circuit.HALF_OPEN, True, False),
        ("probe lost", Circuit.HALF_OPEN, True, True),
    ],
)
def test_whom_it_admits(stands: str, circuit: Circuit, *, admits_probe: bool, admits_other: bool) -> None:
    breaker = STANDS[stands]
    assert breaker.circuit_at(NOW) is circuit
    assert [breaker.may_call(execution, NOW) for execution in (PROBE, OTHER)] == [admits_probe, admits_other]


#: Where it stands after a failure of the probe's call, and of another one; None: as before.
FAILED: dict[str, tuple[Breaker | None, Breaker | None]] = {
    "closed": (Breaker(1), Breaker(1)),
    "failing": (Breaker(2), Breaker(2)),
    "about to open": (Breaker(3, 1, NOW + timedelta(seconds=5)), Breaker(3, 1, NOW + timedelta(seconds=5))),
    "open": (None, None),
    "open again": (None, None),
    "open, probe still called": (None, None),
    "half open": (None, None),
    "half open at this moment": (None, None),
    "probing": (Breaker(4, 2, NOW + timedelta(seconds=10), PROBE, probing=True), None),
    "probe lost": (Breaker(4, 2, NOW + timedelta(seconds=10), PROBE), None),
}


@pytest.mark.parametrize("stands", STANDS)
def test_what_a_failure_makes_of_it(stands: str) -> None:
    before = STANDS[stands]
    of_probe, of_other = FAILED[stands]
    assert before.note_failure(PROBE, NOW, TERMS) == (of_probe or before)
    assert before.note_failure(OTHER, NOW, TERMS) == (of_other or before)


@pytest.mark.parametrize("stands", STANDS)
def test_only_a_grant_while_half_open_takes_the_place_of_the_probe(stands: str) -> None:
    before = STANDS[stands]
    after = before.note_grant(OTHER, NOW)
    if before.circuit_at(NOW) is Circuit.HALF_OPEN:
        assert after == Breaker(before.failures, before.opened, before.open_until, OTHER, probing=True)
        assert not after.may_call(PROBE, NOW)
    else:
        assert after == before


def test_the_time_doubles_with_each_opening_up_to_the_longest() -> None:
    breaker, now, seconds = Breaker(failures=2), NOW, []
    for _ in range(7):
        breaker = breaker.note_failure(PROBE, now, TERMS)
        assert breaker.open_until is not None
        seconds.append((breaker.open_until - now).total_seconds())
        now = breaker.open_until
        breaker = breaker.note_grant(PROBE, now)
    assert seconds == [5, 10, 20, 40, 60, 60, 60]
    assert TERMS.open_until(NOW, 10_000) == NOW + timedelta(seconds=60)


FLOW = ("agent:writer", "label:team=red")


def test_it_is_offered_while_there_is_room() -> None:
    openings = Openings(room=1)
    assert [openings.take(queued(), NOW) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(
    ("room", "capacity", "taken"),
    [(1_000, 1_000, 200), (201, 1_000, 1), (200, 1_000, 0), (5, 5, 1), (1, 1, 1), (0, 0, 0)],
)
def test_the_last_fifth_is_the_dispatchers_to_give_and_a_transaction_takes_a_quarter_of_the_rest(
    room: int, capacity: int, taken: int
) -> None:
    """Others count the same room at the same time."""
    openings = Openings(room=room, capacity=capacity)
    assert sum(openings.take(queued(), NOW) for _ in range(1_000)) == taken


@pytest.mark.parametrize("held_back", [{"agent:writer"}, {"agent:*"}, {"tenant:press"}, {"tenant:*"}, {"label:team=*"}])
def test_where_something_of_its_own_holds_it_back_it_is_queued(held_back: Collection[str]) -> None:
    openings = Openings(room=1, held_back=held_back)
    assert not openings.take(queued(tenant="press", flow=FLOW), NOW)
    assert openings.room == 1


def test_what_holds_others_back_does_not_keep_it() -> None:
    openings = Openings(room=1, held_back={"agent:other", "tenant:other", "label:team=blue", "label:size=*"})
    assert openings.take(queued(tenant="press", flow=FLOW), NOW)


def test_where_others_wait_it_takes_only_what_is_to_spare() -> None:
    """With so much room, what waits does not wait for room; with less, the dispatcher says whose turn it is."""
    openings = Openings(room=66, capacity=66, is_waiting=True)
    assert [openings.take(queued(), NOW) for _ in range(3)] == [True, True, False]
    assert openings.room == 64


def test_past_its_deadline_it_is_not_offered() -> None:
    soon = NOW + timedelta(seconds=1)
    assert [Openings(room=1).take(queued(deadline_at=at), NOW) for at in (NOW, soon)] == [False, True]


def test_before_its_time_it_is_queued_and_takes_no_room() -> None:
    openings = Openings(room=1)
    assert not openings.take(queued(due_at=NOW + timedelta(seconds=1)), NOW)
    assert openings.take(queued(), NOW)


SOON = NOW + timedelta(seconds=3)


def test_the_wait_between_two_offers_doubles_up_to_a_bound_and_the_deadline() -> None:
    waits = []
    execution = queued()
    for _ in range(5):
        execution = states.offer(execution, NOW, again_s=5.0, again_max_s=60.0)
        assert execution.due_at is not None
        waits.append((execution.due_at - NOW).total_seconds())
    assert waits == [5, 10, 20, 40, 60]
    assert states.offer(queued(deadline_at=SOON), NOW, again_s=5.0, again_max_s=60.0).due_at == SOON


def test_an_offer_that_was_not_published_is_the_first_again() -> None:
    again = states.offer_at_once(offered(offers=4), NOW)
    assert (again.offers, again.due_at) == (0, NOW)


def test_what_is_taken_back_waits_as_if_it_was_never_offered() -> None:
    back = states.take_back(offered(offers=4), NOW)
    assert (back.state, back.offers, back.due_at) == (ExecutionState.QUEUED, 0, NOW)
    assert states.decline_offer(offered(offers=4), NOW).offers == 4


def test_a_lapsed_lease_that_is_renewed_was_no_call_that_is_spent() -> None:
    assert states.renew(running(spent=1), OWNER, TIMES).spent == 1
    assert states.renew(queued(spent=1, lease=1, attempt=1), OWNER, TIMES).spent == 0
    assert states.renew(awaiting_judge(spent=1), OWNER, TIMES).spent == 1


def test_a_lapsed_judging_lease_that_is_renewed_has_lost_no_validator() -> None:
    assert states.renew(awaiting_judge(validators_lost=2), OWNER, TIMES).validators_lost == 1
    assert states.renew(judging(validators_lost=2), OWNER, TIMES).validators_lost == 2
    assert states.renew(queued(validators_lost=2, lease=1, attempt=1), OWNER, TIMES).validators_lost == 2


def test_callers_are_shown_where_an_execution_stands() -> None:
    stages = (queued(), offered(), running(), awaiting_judge(), judging())
    shown = [states.show(each, NOW)["state"] for each in stages]
    assert shown == ["WAITING", "WAITING", "RUNNING", "JUDGING", "JUDGING"]


def test_callers_are_shown_the_calls_of_an_execution_and_how_it_ended() -> None:
    shown = states.show(queued(attempt=3, spent=2), NOW)
    assert (shown["attempt"], shown["spent_calls"], shown["max_calls"], shown["ended_at"]) == (3, 2, 3, None)
    ends = [
        (done("completed"), ("COMPLETED", None)),
        (done("failed:agent_timeout"), ("FAILED", "agent_timeout")),
        (done("cancelled"), ("CANCELLED", "cancelled")),
    ]
    assert [(states.show(each, NOW)["state"], states.show(each, NOW)["code"]) for each, _ in ends] == [
        e for _, e in ends
    ]
    assert states.show(states.make_answer(EXECUTION_ID, None, "default", "cancelled"), NOW)["ended_at"] == NOW
