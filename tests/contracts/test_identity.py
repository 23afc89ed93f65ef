"""Ids of executions sort by time, and ids of events are the same for the same happening only."""

import time
from itertools import pairwise
from uuid import RFC_4122, UUID

import pytest

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced, event_id
from signoff.status import ReportKind
from signoff.values import new_execution_id

FIRST, SECOND = new_execution_id(), new_execution_id()


def now_ms():
    return time.time_ns() // 1_000_000


def test_execution_id_is_a_uuid_of_version_7():
    for execution_id in [new_execution_id() for _ in range(200)]:
        assert (execution_id.version, execution_id.variant) == (7, RFC_4122)


def test_execution_ids_sort_by_the_time_they_begin_with():
    for _ in range(20):
        earliest_ms, execution_id, latest_ms = now_ms(), new_execution_id(), now_ms()
        assert earliest_ms <= execution_id.int >> 80 <= latest_ms
    by_id = sorted(new_execution_id() for _ in range(200))
    assert all(one.int >> 80 <= other.int >> 80 for one, other in pairwise(by_id))
    assert len(set(by_id)) == len(by_id)


def test_event_id_is_the_same_for_the_same_happening_only():
    assert event_id(FIRST, 1, "verdict/1") == event_id(FIRST, 1, "verdict/1")
    happenings = [(FIRST, 1, "a"), (SECOND, 1, "a"), (FIRST, 2, "a"), (FIRST, 1, "b"), (FIRST, 11, "a")]
    assert len({event_id(*happening) for happening in happenings}) == len(happenings)


def test_event_ids_never_change():
    """They stand in every record that was ever written."""
    execution_id = UUID("0192f0c4-7b1e-7c3a-9f52-3a6f0d1e8b47")
    assert str(event_id(execution_id, 3, "verdict/1")) == "81625c94-c5f8-589f-b4e6-73e8c28d05c3"


def reported(**changes):
    fields = {"execution_id": FIRST, "job_id": "a", "kind": ReportKind.PROGRESS, "attempt": 1, "lease": 1, "seq": 1}
    return JobStatusReported(**fields | {"reported_at": "2026-11-24T09:30:00Z"} | changes)


@pytest.mark.parametrize("change", [{"execution_id": SECOND}, {"kind": ReportKind.FAILED}, {"lease": 2}, {"seq": 2}])
def test_another_report_is_another_event(change):
    assert reported(**change).event_id != reported().event_id


def test_words_and_times_do_not_make_another_report():
    assert reported(message="again", reported_at="2026-11-24T10:00:00Z").event_id == reported().event_id


def test_events_of_one_execution_differ_by_what_they_say():
    result = ResultProduced(
        execution_id=FIRST, job_id="a", attempt=1, lease=1, acceptance_criteria="b", produced_at="2026-11-24T09:30:00Z"
    )
    requested, cancel = ExecuteRequested(execution_id=FIRST, job_id="a"), CancelRequested(execution_id=FIRST)
    assert len({event.event_id for event in [result, requested, cancel, reported()]}) == 4
    assert {event.key for event in [result, requested, reported()]} == {"a"}
    assert cancel.key == str(FIRST)
