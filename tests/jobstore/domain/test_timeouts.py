"""Timeouts and progress: what becomes of an execution at each stage."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from support.jobstore.builders import (
    NOW,
    POLICY,
    TIMES,
    awaiting_judge,
    job,
    judging,
    next_of,
    offered,
    queued,
    report,
    running,
)
from support.jobstore.terms import TERMS

from jobstore.engine.parts import UnitOfWork
from jobstore.executions.rows import Executions
from jobstore.jobs.model import Decision, Execution, ExecutionState, Refusal, TransitionKind
from jobstore.jobs.transitions import decide
from signoff.status import JobStatus

S = JobStatus


@pytest.mark.parametrize(
    ("execution", "waits_for"),
    [
        (queued(), "an executor, or for the time of its next call"),
        (offered(), "an executor"),
        (running(), "its agent"),
        (awaiting_judge(), "a validator"),
        (judging(), "its judge"),
    ],
)
def test_a_passed_deadline_is_failed_at_every_stage(execution: Execution, waits_for: str) -> None:
    late = replace(execution, deadline_at=NOW, fails_at=NOW, policy={**POLICY, "deadline_s": 90.0})
    code, message = ended(late, TransitionKind.DEADLINE)
    assert (code, message) == ("deadline_exceeded", f"not done within 90 s; it was waiting for {waits_for}")
    ahead = replace(late, deadline_at=NOW + timedelta(seconds=1), fails_at=NOW + timedelta(seconds=1))
    assert isinstance(decide(job(), ahead, report(TransitionKind.DEADLINE), TIMES), Refusal)


def ended(execution: Execution, kind: TransitionKind) -> tuple[str | None, str | None]:
    """The code and the message with which the job FAILED."""
    decision = decide(job(), execution, report(kind, execution.lease), TIMES)
    assert isinstance(decision, Decision)
    assert decision.entry is not None
    assert (decision.job.status, decision.job.live) == (S.FAILED, False)
    return decision.entry.report.code, decision.entry.report.message


TIMEOUTS = {**POLICY, "queue_timeout_s": 20.0, "judging_timeout_s": 30.0}


def seconds(count: float) -> datetime:
    return NOW + timedelta(seconds=count)


def test_the_time_to_be_taken_runs_while_it_is_queued_and_from_when_it_is_due() -> None:
    requested = next_of(queued(policy=TIMEOUTS), TransitionKind.REQUESTED, S.ASSIGNED)
    assert requested.fails_at == seconds(20)
    assert next_of(requested, TransitionKind.CLAIMED, S.ASSIGNED).fails_at is None
    working = running(policy=TIMEOUTS)
    for kind, fields in (
        (TransitionKind.ATTEMPT_FAILED, {"retry_after_s": 100.0}),
        (TransitionKind.GIVEN_BACK, {}),
        (TransitionKind.LAPSED, {}),
    ):
        waits = replace(working, due_at=NOW) if kind is TransitionKind.LAPSED else working
        assert next_of(waits, kind, **fields).fails_at == seconds(120 if fields else 20)
    overdue = replace(requested, fails_at=NOW)
    assert ended(overdue, TransitionKind.DEADLINE) == ("queue_timeout", "no executor took it within 20 s")


def test_the_time_to_be_judged_runs_from_the_result_whoever_judges() -> None:
    waits = next_of(running(policy=TIMEOUTS), TransitionKind.RESULT)
    assert waits.fails_at == seconds(30)
    judged = next_of(waits, TransitionKind.JUDGING_CLAIMED)
    assert judged.fails_at == seconds(30)
    given_back = next_of(judged, TransitionKind.GIVEN_BACK, lease=judged.lease)
    assert given_back.fails_at == next_of(replace(judged, due_at=NOW), TransitionKind.LAPSED).fails_at == seconds(30)
    for overdue in (waits, judged, given_back):
        code, message = ended(replace(overdue, fails_at=NOW), TransitionKind.DEADLINE)
        assert (code, message) == ("judging_timeout", "the result was not judged within 30 s")


def test_the_deadline_comes_before_a_longer_time() -> None:
    soon = queued(policy=TIMEOUTS, deadline_at=seconds(5))
    requested = next_of(soon, TransitionKind.REQUESTED, S.ASSIGNED)
    assert requested.fails_at == seconds(5)
    assert next_of(running(policy=TIMEOUTS, deadline_at=seconds(5)), TransitionKind.RESULT).fails_at == seconds(5)
    assert next_of(requested, TransitionKind.CLAIMED, S.ASSIGNED).fails_at == seconds(5)


def test_nothing_is_due_after_the_deadline() -> None:
    soon = offered(deadline_at=NOW + timedelta(seconds=3))
    decision = decide(job(S.ASSIGNED), soon, report(TransitionKind.CLAIMED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert decision.execution.due_at == soon.deadline_at


def test_the_newest_progress_is_the_jobs_until_another_execution_is_requested() -> None:
    stands, execution = job(), running()
    for seq, (fraction, message, becomes) in enumerate(
        [(None, "begun", (0.0, "begun")), (0.5, None, (0.5, None)), (None, "on", (0.5, "on")), (0.2, "a", (0.2, "a"))]
    ):
        told = report(TransitionKind.PROGRESS, seq=seq + 1, progress=fraction, message=message)
        decision = decide(stands, execution, told, TIMES)
        assert isinstance(decision, Decision)
        assert decision.execution is not None
        assert decision.entry is not None
        stands, execution = decision.job, decision.execution
        assert (stands.progress, stands.progress_message) == becomes
        assert decision.entry.job.progress == becomes[0]
    failed = decide(stands, execution, report(TransitionKind.FAILED), TIMES)
    assert isinstance(failed, Decision)
    assert (failed.job.progress, failed.job.progress_message) == (0.2, "a")
    again = decide(failed.job, queued(), report(TransitionKind.REQUESTED), TIMES)
    assert isinstance(again, Decision)
    assert (again.job.progress, again.job.progress_message) == (None, None)


def test_progress_is_recorded_once_and_in_order() -> None:
    first = decide(job(), running(), report(TransitionKind.PROGRESS, seq=2), TIMES)
    assert isinstance(first, Decision)
    for seq in (1, 2):
        refused = decide(first.job, first.execution, report(TransitionKind.PROGRESS, seq=seq), TIMES)
        assert isinstance(refused, Refusal)
        assert refused.code == "repeat"


def test_the_next_timeout_is_the_first_of_what_is_written_and_has_not_ended() -> None:
    soon, later = NOW + timedelta(seconds=1), NOW + timedelta(seconds=9)
    written = [queued(fails_at=at) for at in (later, soon, None)]
    ended = replace(queued(fails_at=NOW), state=ExecutionState.DONE)
    uow = UnitOfWork(TERMS, TIMES)
    assert uow[Executions].find_next_timeout() is None
    uow[Executions].executions.update((UUID(int=n), each) for n, each in enumerate([*written, ended]))
    assert uow[Executions].find_next_timeout() == soon
