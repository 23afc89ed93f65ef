"""An execution is offered with its request where that takes nobody's turn."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from support.jobstore.builders import NOW, queued

from jobstore.executions.states import Openings

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
