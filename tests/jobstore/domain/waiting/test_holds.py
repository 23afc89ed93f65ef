"""What held the queue back is remembered pass by pass, and told of what is offered: the longest waits, in order."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.jobstore.builders import TIMES, job, offered, report

from contracts.waiting import WaitCode
from jobstore.jobs.model import Decision, TransitionKind
from jobstore.jobs.transitions import decide
from jobstore.jobs.waiting import WAITS_MAX, Cause, Hold, Holds, choose_waits, format_waits
from signoff.status import JobStatus
from signoff.types import PastWait

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRESS, WRITER = ("tenant:press", "agent:writer"), ("tenant:other", "agent:writer")
FULL, LIMIT = Cause(WaitCode.NO_ROOM, "executor"), Cause(WaitCode.LIMIT_CONCURRENCY, "tenant:press")
CIRCUIT = Cause(WaitCode.CIRCUIT_OPEN, "writer")


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_flow_is_held_back_until_a_pass_finds_another_cause():
    holds = Holds()
    holds.note(at(0), {PRESS: CIRCUIT, WRITER: CIRCUIT})
    holds.note(at(1), {PRESS: CIRCUIT, WRITER: CIRCUIT})
    holds.note(at(2), {PRESS: LIMIT, WRITER: None})
    assert holds.find_holds(PRESS, at(5)) == [Hold(CIRCUIT, at(0), at(2)), Hold(LIMIT, at(2), at(5))]
    assert holds.find_holds(WRITER, at(5)) == [Hold(CIRCUIT, at(0), at(2))]


def test_what_holds_all_back_comes_before_what_holds_one_back():
    """While there is no room nobody reads what waits."""
    holds = Holds()
    holds.note(at(0), {PRESS: LIMIT})
    holds.note(at(1), {}, FULL)
    holds.note(at(3), {PRESS: LIMIT})
    assert holds.find_holds(PRESS, at(4)) == [
        Hold(LIMIT, at(0), at(1)),
        Hold(FULL, at(1), at(3)),
        Hold(LIMIT, at(3), at(4)),
    ]
    assert holds.find_holds(WRITER, at(4)) == [Hold(FULL, at(1), at(3))]


def test_what_holds_back_again_after_nothing_did_is_told_too():
    holds = Holds()
    for n, cause in enumerate([LIMIT, None, LIMIT]):
        holds.note(at(n), {PRESS: cause})
    assert holds.find_holds(PRESS, at(3)) == [Hold(LIMIT, at(0), at(1)), Hold(LIMIT, at(2), at(3))]


def test_the_same_cause_found_otherwise_is_one_wait():
    holds = Holds()
    holds.note(at(0), {PRESS: FULL})
    holds.note(at(1), {}, FULL)
    holds.note(at(2), {PRESS: None})
    assert holds.find_holds(PRESS, at(4)) == [Hold(FULL, at(0), at(2))]


def test_what_held_back_a_flow_of_which_none_waits_any_more_is_forgotten():
    holds = Holds()
    holds.note(at(0), {PRESS: LIMIT, WRITER: None})
    holds.note(at(1), {})
    assert holds.find_holds(PRESS, at(2)) == holds.find_holds(WRITER, at(2)) == []


def test_an_execution_waited_only_since_it_was_due_and_only_for_what_took_long():
    holds = [Hold(FULL, at(0), at(2)), Hold(LIMIT, at(2), at(2.05)), Hold(CIRCUIT, at(3), at(4))]
    assert choose_waits(holds, at(1.5)) == [Hold(FULL, at(1.5), at(2)), Hold(CIRCUIT, at(3), at(4))]
    assert choose_waits(holds, at(3.99)) == choose_waits(holds, at(9)) == []


def test_a_tenth_of_a_second_is_told():
    tenth, less = Hold(FULL, at(0), at(0.1)), Hold(LIMIT, at(1), at(1.099))
    assert choose_waits([tenth, less], at(0)) == [tenth]


def test_of_many_waits_the_longest_are_told_in_order():
    many = [Hold(Cause(WaitCode.LIMIT_RATE, f"{n}"), at(10 * n), at(10 * n + 1 + n % 7)) for n in range(20)]
    told = choose_waits(many, at(0))
    assert [wait.cause.name for wait in told] == ["5", "6", "12", "13"]
    assert len(told) == WAITS_MAX


def test_the_text_of_waits_is_what_is_read_of_it():
    text = format_waits([Hold(LIMIT, at(0), at(1))])
    (wait,) = map(PastWait.model_validate, json.loads(text or ""))
    assert wait == PastWait(code="limit_concurrency", name="tenant:press", since=at(0), until=at(1))
    assert format_waits([]) is None


@pytest.mark.parametrize("passes", [1_000])
def test_memory_is_bounded_however_often_the_cause_changes(passes: int):
    holds = Holds()
    for n in range(passes):
        holds.note(at(n), {PRESS: LIMIT if n % 2 else CIRCUIT})
    assert len(holds.find_holds(PRESS, at(passes))) < 40
    for n in range(passes, 2 * passes):
        holds.note(at(n), {}, FULL if n % 2 else None)
    assert len(holds.find_holds(WRITER, at(2 * passes))) < 40


@pytest.mark.parametrize("kind", [TransitionKind.CLAIMED, TransitionKind.CANCELLED])
def test_what_was_waited_for_moves_from_the_row_to_the_next_entry(kind: TransitionKind):
    waited = format_waits([Hold(LIMIT, at(0), at(1))])
    decision = decide(job(JobStatus.ASSIGNED), offered(waited=waited), report(kind, 0), TIMES)
    assert isinstance(decision, Decision)
    assert decision.entry is not None
    assert decision.execution is not None
    assert (decision.entry.waited, decision.execution.waited) == (waited, None)
