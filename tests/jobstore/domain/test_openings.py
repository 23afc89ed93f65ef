"""An execution is offered with its request where that takes nobody's turn."""

from datetime import timedelta

import pytest
from support.jobstore.builders import NOW, queued

from jobstore.domain.execution_states import Openings


def test_it_is_offered_while_there_is_room() -> None:
    openings = Openings(room=2)
    assert [openings.take(queued(), (), NOW) for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("openings", "limits"),
    [
        (Openings(room=0), ()),
        (Openings(room=1, is_waiting=True), ()),
        (Openings(room=1, has_open_circuits=True), ()),
        (Openings(room=1), ("agent:other",)),
    ],
)
def test_where_it_might_take_anothers_turn_it_is_queued(openings: Openings, limits: tuple[str, ...]) -> None:
    assert not openings.take(queued(), limits, NOW)


def test_past_its_deadline_it_is_not_offered() -> None:
    soon = NOW + timedelta(seconds=1)
    assert [Openings(room=1).take(queued(deadline_at=at), (), NOW) for at in (NOW, soon)] == [False, True]


def test_before_its_time_it_is_queued_and_takes_no_room() -> None:
    openings = Openings(room=1)
    assert not openings.take(queued(due_at=NOW + timedelta(seconds=1)), (), NOW)
    assert openings.take(queued(), (), NOW)
