"""An execution is offered with its request where that takes nobody's turn."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from support.jobstore.builders import NOW, OWNER, TIMES, awaiting_judge, judging, offered, queued, running

from jobstore.executions import states
from jobstore.executions.states import Openings
from jobstore.jobs.model import ExecutionState

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
