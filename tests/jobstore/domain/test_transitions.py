"""The table of docs/protocol.md#states-of-a-job, on every pair of a state and a report."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from support.jobstore.builders import (
    NOW,
    OWNER,
    POLICY,
    TIMES,
    awaiting_judge,
    done,
    job,
    judging,
    next_of,
    offered,
    queued,
    report,
    running,
)

from jobstore.jobs.model import Decision, Execution, ExecutionStage, ExecutionState, Refusal, Report, TransitionKind
from jobstore.jobs.transitions import decide, is_cut_short
from signoff.status import JobLogStatus, JobStatus

S = JobStatus
IN_PROGRESS = (S.IN_PROGRESS, JobLogStatus.IN_PROGRESS)
FAILED = (S.FAILED, JobLogStatus.FAILED)

#: Where an execution of a job in each status may stand.
EXECUTIONS: dict[str, Execution | None] = {
    "none": None,
    "queued": queued(),
    "queued again": queued(attempt=1, lease=1),
    "offered": offered(),
    "running": running(),
    "awaiting judge": awaiting_judge(),
    "judging": judging(),
    "done": done(),
    "cancelled": done("cancelled", stage=ExecutionStage.EXECUTING, lease=1, result_lease=None),
}

#: (status, execution, kind) -> (status, log) of what is recorded. What is not named is refused.
RECORDED: dict[tuple[JobStatus, str, TransitionKind], tuple[JobStatus, JobLogStatus | None]] = {
    **{
        (status, execution, TransitionKind.ASSIGNED): (S.ASSIGNED, JobLogStatus.ASSIGNED)
        for status in (S.PENDING, S.ASSIGNED, S.FAILED, S.REJECTED, S.RESUBMISSION_REQUIRED)
        for execution in ("none", "done", "cancelled")
    },
    **{
        (status, execution, kind): (S.ASSIGNED, JobLogStatus.ASSIGNED)
        for status, kind in ((S.PENDING, TransitionKind.MATCHED), (S.RESUBMISSION_REQUIRED, TransitionKind.HANDED_ON))
        for execution in ("none", "done", "cancelled")
    },
    **{
        (status, execution, TransitionKind.EDITED): (status, JobLogStatus(status.value))
        for status in set(JobStatus) - {S.COMPLETED, S.IN_PROGRESS}
        for execution in ("none", "done", "cancelled")
    },
    **{
        (status, execution, TransitionKind.REJUDGED): IN_PROGRESS
        for status in (S.COMPLETED, S.FAILED, S.REJECTED, S.RESUBMISSION_REQUIRED)
        for execution in ("done", "cancelled")
    },
    **{
        (S.PENDING, execution, TransitionKind.MATCHING_FAILED): (S.PENDING, JobLogStatus.MATCHING_FAILED)
        for execution in EXECUTIONS
    },
    **{
        (status, "queued", TransitionKind.REQUESTED): (S.ASSIGNED, JobLogStatus.ASSIGNED)
        for status in (S.ASSIGNED, S.FAILED, S.RESUBMISSION_REQUIRED)
    },
    **{
        (status, execution, TransitionKind.CLAIMED): IN_PROGRESS
        for status, execution in product((S.ASSIGNED, S.IN_PROGRESS), ("queued", "queued again", "offered"))
    },
    **{
        (S.IN_PROGRESS, "running", kind): IN_PROGRESS
        for kind in (TransitionKind.CALL_BEGUN, TransitionKind.CALL_FAILED, TransitionKind.PROGRESS)
    },
    **{
        (S.IN_PROGRESS, execution, kind): IN_PROGRESS
        for execution, kind in product(
            ("running", "queued again"), (TransitionKind.ATTEMPT_FAILED, TransitionKind.RESULT)
        )
    },
    **{
        (S.IN_PROGRESS, execution, TransitionKind.DECLINED): (S.REJECTED, JobLogStatus.REJECTED)
        for execution in ("running", "queued again")
    },
    **{(S.IN_PROGRESS, execution, TransitionKind.FAILED): FAILED for execution in ("running", "queued again")},
    (S.IN_PROGRESS, "judging", TransitionKind.FAILED): FAILED,
    (S.IN_PROGRESS, "judging", TransitionKind.MET): (S.COMPLETED, JobLogStatus.COMPLETED),
    (S.IN_PROGRESS, "judging", TransitionKind.NOT_MET): (S.RESUBMISSION_REQUIRED, JobLogStatus.RESUBMISSION_REQUIRED),
    (S.IN_PROGRESS, "judging", TransitionKind.MISJUDGED): IN_PROGRESS,
    (S.IN_PROGRESS, "awaiting judge", TransitionKind.JUDGING_CLAIMED): (S.IN_PROGRESS, None),
    (S.IN_PROGRESS, "running", TransitionKind.GIVEN_BACK): IN_PROGRESS,
    (S.IN_PROGRESS, "judging", TransitionKind.GIVEN_BACK): (S.IN_PROGRESS, None),
    **{
        (status, execution, TransitionKind.OVER_BUDGET): FAILED
        for status in (S.ASSIGNED, S.IN_PROGRESS)
        for execution in ("queued", "queued again", "offered", "awaiting judge")
    },
    **{
        (status, execution, TransitionKind.CANCELLED): (after, JobLogStatus.CANCELLED)
        for status, after in ((S.PENDING, S.PENDING), (S.ASSIGNED, S.ASSIGNED), (S.IN_PROGRESS, S.ASSIGNED))
        for execution in EXECUTIONS
    },
    **{
        (status, execution, TransitionKind.REBUILT): (status, None)
        for status in (S.ASSIGNED, S.IN_PROGRESS)
        for execution in ("queued", "queued again", "offered", "running", "awaiting judge", "judging")
    },
    **{(status, "cancelled", TransitionKind.RESULT): (status, JobLogStatus.CANCELLED) for status in JobStatus},
    **{
        (status, execution, TransitionKind.REMOVED): (status, JobLogStatus(status.value))
        for status in set(JobStatus) - {S.IN_PROGRESS}
        for execution in ("none", "done", "cancelled")
    },
}


def lease_of(execution: Execution | None, kind: TransitionKind) -> int:
    """The token that the report would carry, were it in order."""
    return execution.lease if execution and kind is not TransitionKind.RESULT else 1


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("status", JobStatus)
def test_every_pair_is_recorded_as_the_table_says_or_refused(status: JobStatus, execution: str) -> None:
    standing = EXECUTIONS[execution]
    for kind in TransitionKind:
        requested_anew = kind is TransitionKind.REQUESTED and execution == "queued"
        live = standing is not None and standing.state is not ExecutionState.DONE and not requested_anew
        before = job(status, live=live)

        decision = decide(before, standing, report(kind, lease_of(standing, kind), code="begun"), TIMES)

        expected = RECORDED.get((status, execution, kind))
        assert isinstance(decision, Refusal if expected is None else Decision), kind
        if expected is None or isinstance(decision, Refusal):
            continue
        after, log = expected
        assert decision.job.status is after, kind
        if log is None:
            assert (decision.entry, decision.job.version) == (None, before.version), kind
        else:
            assert decision.entry is not None, kind
            assert (decision.entry.status, decision.entry.job.status) == (log, after), kind
            assert decision.job.version == decision.entry.job.version == before.version + 1, kind


#: What a worker says under its lease.
FENCED = [
    *(
        TransitionKind.CALL_BEGUN,
        TransitionKind.CALL_FAILED,
        TransitionKind.PROGRESS,
        TransitionKind.ATTEMPT_FAILED,
        TransitionKind.RESULT,
        TransitionKind.MET,
        TransitionKind.NOT_MET,
    ),
    *(TransitionKind.DECLINED, TransitionKind.FAILED, TransitionKind.GIVEN_BACK),
]


@pytest.mark.parametrize("kind", FENCED)
@pytest.mark.parametrize("execution", ["running", "judging", "queued again"])
def test_a_fenced_lease_changes_nothing(execution: str, kind: TransitionKind) -> None:
    standing = EXECUTIONS[execution]
    assert standing is not None
    for lease in (0, standing.lease - 1, standing.lease + 1):
        assert isinstance(decide(job(), standing, report(kind, lease), TIMES), Refusal)


def test_an_executors_lease_is_no_judging_lease() -> None:
    """Rule `judging-lease`: a verdict counts only under a lease granted for judging."""
    for kind in (TransitionKind.MET, TransitionKind.NOT_MET, TransitionKind.FAILED):
        assert isinstance(decide(job(), awaiting_judge(), report(kind, lease=1), TIMES), Refusal)


def test_the_attempt_is_numbered_at_the_grant() -> None:
    """Rule `attempt-at-grant`."""
    decision = decide(job(S.ASSIGNED), offered(attempt=1, lease=3), report(TransitionKind.CLAIMED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert (decision.execution.attempt, decision.execution.lease, decision.execution.owner) == (2, 4, OWNER)
    assert decision.execution.due_at == NOW + timedelta(seconds=10)


def test_a_claim_records_in_progress() -> None:
    """Rule `claim-begins`."""
    decision = decide(job(S.ASSIGNED), offered(), report(TransitionKind.CLAIMED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.status is S.IN_PROGRESS


def test_a_request_assigns() -> None:
    """Rule `request-assigns`."""
    for status in (S.ASSIGNED, S.FAILED, S.RESUBMISSION_REQUIRED):
        decision = decide(job(status, live=False), queued(), report(TransitionKind.REQUESTED), TIMES)
        assert isinstance(decision, Decision)
        assert decision.job.status is S.ASSIGNED
        assert decision.job.live
        assert decision.execution is not None
        assert decision.execution.request_version == decision.job.version


@pytest.mark.parametrize(("lease", "result_lease", "is_cut"), [(1, 1, False), (1, None, True), (2, 1, True)])
def test_only_a_judging_lease_is_cut_short(lease: int, result_lease: int | None, is_cut: bool) -> None:
    cancelled = done("cancelled", seq=0, lease=lease, result_lease=result_lease)
    assert is_cut_short(cancelled, job(), lease) is is_cut
    assert not is_cut_short(cancelled, job(), lease + 1)
    assert not is_cut_short(replace(cancelled, seq=1), job(), lease)


@pytest.mark.parametrize("execution", [None, queued(attempt=1, lease=1), offered(), running(attempt=0)])
def test_only_what_is_new_can_be_requested(execution: Execution | None) -> None:
    assert isinstance(decide(job(S.ASSIGNED, live=False), execution, report(TransitionKind.REQUESTED), TIMES), Refusal)


@pytest.mark.parametrize("kind", [TransitionKind.ASSIGNED, TransitionKind.MATCHED, TransitionKind.REQUESTED])
def test_what_needs_a_job_at_rest_says_that_it_is_not(kind: TransitionKind) -> None:
    for status in (S.PENDING if kind is TransitionKind.MATCHED else S.ASSIGNED, S.IN_PROGRESS):
        refused = decide(job(status, live=True), queued(), report(kind), TIMES)
        assert isinstance(refused, Refusal)
        assert refused.code == "execution_live"


def test_the_outcome_of_a_lapsed_attempt_counts_until_the_next_grant() -> None:
    lapsed = queued(attempt=1, lease=1)
    assert isinstance(decide(job(), lapsed, report(TransitionKind.RESULT), TIMES), Decision)
    granted = running(attempt=2, lease=2)
    assert isinstance(decide(job(), granted, report(TransitionKind.RESULT), TIMES), Refusal)


def test_an_attempt_that_failed_spends_its_lease() -> None:
    decision = decide(job(), running(), report(TransitionKind.ATTEMPT_FAILED, retry_after_s=4.0), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert decision.execution.state is ExecutionState.QUEUED
    assert decision.execution.due_at == NOW + timedelta(seconds=4)
    again = decide(decision.job, decision.execution, report(TransitionKind.ATTEMPT_FAILED), TIMES)
    assert isinstance(again, Refusal)


def test_no_attempts_left_is_failed() -> None:
    last = running(attempt=3, spent=2)
    for kind in (TransitionKind.ATTEMPT_FAILED, TransitionKind.LAPSED):
        decision = decide(job(), replace(last, due_at=NOW), report(kind), TIMES)
        assert isinstance(decision, Decision)
        assert decision.job.status is S.FAILED
        assert not decision.job.live
        assert decision.execution
        assert decision.execution.spent == 3


def test_calls_are_counted_by_their_numbers_so_that_a_lost_report_costs_nothing() -> None:
    second = next_of(running(), TransitionKind.CALL_FAILED, seq=2, call=1)
    assert (second.state, second.lease, second.spent) == (ExecutionState.LEASED, 1, 1)
    assert next_of(second, TransitionKind.ATTEMPT_FAILED, call=2).spent == 2
    assert next_of(running(), TransitionKind.ATTEMPT_FAILED, call=2).spent == 2  # the report of the first was lost
    assert next_of(second, TransitionKind.ATTEMPT_FAILED).spent == 2  # by a worker that numbers none
    assert next_of(replace(second, due_at=NOW), TransitionKind.LAPSED).spent == 2  # one was under way, or about to be
    decision = decide(job(), second, report(TransitionKind.ATTEMPT_FAILED, call=3), TIMES)
    assert isinstance(decision, Decision)
    assert (decision.job.status, decision.execution and decision.execution.spent) == (S.FAILED, 3)


def test_a_lapsed_lease_is_the_next_attempt_or_failed_for_an_agent_called_at_most_once() -> None:
    decision = decide(job(), running(due_at=NOW), report(TransitionKind.LAPSED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    assert decision.execution.state is ExecutionState.QUEUED

    once = running(due_at=NOW, policy={**POLICY, "delivery": "at_most_once"})
    decision = decide(job(), once, report(TransitionKind.LAPSED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.status is S.FAILED
    assert decision.entry is not None
    assert decision.entry.report.code == "lease_lapsed"
    assert decision.execution is not None
    assert decision.execution.spent == once.spent + 1


def test_a_lease_that_was_renewed_does_not_lapse() -> None:
    assert isinstance(decide(job(), running(), report(TransitionKind.LAPSED), TIMES), Refusal)


def test_a_lapsed_judging_lease_is_never_an_attempt() -> None:
    decision = decide(job(), judging(due_at=NOW), report(TransitionKind.LAPSED), TIMES)
    assert isinstance(decision, Decision)
    assert decision.entry is None
    assert decision.execution is not None
    assert (decision.execution.stage, decision.execution.state) == (ExecutionStage.JUDGING, ExecutionState.QUEUED)
    assert (decision.execution.attempt, decision.execution.spent) == (1, 0)


def test_a_result_that_ends_every_process_that_judges_it_fails_its_job_at_last() -> None:
    execution, lapses = judging(due_at=NOW), 0
    while True:
        decision = decide(job(), execution, report(TransitionKind.LAPSED), TIMES)
        lapses += 1
        assert isinstance(decision, Decision)
        assert decision.execution is not None
        if decision.entry is not None:
            break
        execution = replace(decision.execution, state=ExecutionState.LEASED, lease=execution.lease + 1, due_at=NOW)
    assert (lapses, decision.job.status, decision.entry.report.code) == (10, S.FAILED, "judging_lost")


def test_work_begun_on_an_agent_called_at_most_once_is_not_handed_back() -> None:
    """Rule `no-hand-back-once-begun`."""
    once = running(policy={**POLICY, "delivery": "at_most_once"})
    decision = decide(job(), once, report(TransitionKind.GIVEN_BACK, code="begun"), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.status is S.FAILED
    assert decision.entry is not None
    assert decision.entry.report.code == "worker_stopped"
    assert decision.execution is not None
    assert decision.execution.spent == once.spent + 1
    not_begun = decide(job(), once, report(TransitionKind.GIVEN_BACK), TIMES)
    assert isinstance(not_begun, Decision)
    assert not_begun.job.status is S.IN_PROGRESS


@pytest.mark.parametrize(("submission", "status"), [(1, S.RESUBMISSION_REQUIRED), (3, S.REJECTED), (4, S.REJECTED)])
def test_a_verdict_that_is_not_met(submission: int, status: JobStatus) -> None:
    told = report(TransitionKind.NOT_MET, lease=2, feedback='{"reason":"too short"}')
    decision = decide(job(not_met=submission - 1), judging(submission=submission), told, TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.status is status
    assert (decision.job.not_met, decision.job.feedback) == (submission, '{"reason":"too short"}')
    assert decision.entry is not None
    assert decision.entry.result_version == 5


def test_assigning_by_hand_begins_at_the_first_submission() -> None:
    decision = decide(
        job(S.REJECTED, live=False, not_met=3, feedback="{}"), None, report(TransitionKind.ASSIGNED), TIMES
    )
    assert isinstance(decision, Decision)
    assert (decision.job.not_met, decision.job.feedback) == (0, None)


def test_assigning_while_an_execution_is_live_is_refused() -> None:
    decision = decide(job(S.ASSIGNED, live=True), None, report(TransitionKind.ASSIGNED), TIMES)
    assert isinstance(decision, Refusal)
    assert decision.code == "execution_live"


def test_the_late_result_of_a_cancelled_execution_is_kept_once() -> None:
    cancelled = done("cancelled", stage=ExecutionStage.EXECUTING, lease=1, result_lease=None)
    first = decide(job(S.ASSIGNED, live=False), cancelled, report(TransitionKind.RESULT), TIMES)
    assert isinstance(first, Decision)
    assert first.entry is not None
    assert (first.entry.status, first.job.status) == (JobLogStatus.CANCELLED, S.ASSIGNED)
    second = decide(first.job, first.execution, report(TransitionKind.RESULT), TIMES)
    assert isinstance(second, Refusal)


def test_what_the_sweeper_and_a_rebuild_come_too_late_for_is_left_alone() -> None:
    for kind in (TransitionKind.DEADLINE, TransitionKind.REBUILT):
        assert isinstance(decide(job(), done(), report(kind), TIMES), Refusal)
    early = running(fails_at=NOW + timedelta(seconds=1))
    assert decide(job(), early, report(TransitionKind.DEADLINE), TIMES) == Refusal(
        "deadline_ahead", "there is time left"
    )


def test_a_timeout_in_the_queue_says_what_it_waited_for() -> None:
    late = offered(fails_at=NOW, policy=POLICY | {"queue_timeout_s": 5.0})
    decision = decide(job(), late, report(TransitionKind.DEADLINE, message="its circuit is open"), TIMES)
    assert isinstance(decision, Decision)
    assert decision.entry is not None
    assert decision.entry.report.message == "no executor took it within 5 s: its circuit is open"


def test_a_cancel_ends_the_live_execution_and_no_other() -> None:
    other = replace(running(), execution_id=OWNER)
    assert isinstance(decide(job(), other, report(TransitionKind.CANCELLED), TIMES), Refusal)


def test_what_may_have_been_called_before_a_rebuild_is_not_called_again_at_most_once() -> None:
    once = running(policy=POLICY | {"delivery": "at_most_once"})
    decision = decide(job(), once, report(TransitionKind.REBUILT), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.status is JobStatus.FAILED


def decided(execution: Execution, given: Report) -> tuple[Decision, Execution]:
    """The decision on a report on an execution of a job in progress, and the execution after it."""
    decision = decide(job(), execution, given, TIMES)
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    return decision, decision.execution


ONCE = POLICY | {"delivery": "at_most_once"}
#: An execution whose agent shows work that it was given, by our ids or by its own name for the work.
FOUND = [{"protocol": "langgraph"}, {"protocol": "a2a", "handle": ""}, {"protocol": "openai", "handle": "resp_1"}]
#: What may leave work without a worker, once it may have been sent.
LOSSES = [
    report(TransitionKind.LAPSED),
    report(TransitionKind.GIVEN_BACK, code="begun"),
    report(TransitionKind.REBUILT),
]


@pytest.mark.parametrize("lost", LOSSES, ids=lambda lost: lost.kind)
@pytest.mark.parametrize("found", FOUND, ids=lambda found: found["protocol"])
def test_work_that_can_be_found_is_followed_and_never_sent_again(found: dict[str, str], lost: Report) -> None:
    """Rule `follow-never-send`."""
    for policy, follows in (ONCE, True), (POLICY, False):
        decision, after = decided(running(due_at=NOW, policy=policy, **found), lost)
        assert (decision.job.status, after.state, after.follows_only) == (S.IN_PROGRESS, ExecutionState.QUEUED, follows)


@pytest.mark.parametrize("lost", LOSSES, ids=lambda lost: lost.kind)
@pytest.mark.parametrize("unknown", [{}, {"protocol": "http_async"}, {"protocol": "openai", "handle": ""}])
def test_work_that_cannot_be_found_ends_with_its_worker(unknown: dict[str, str], lost: Report) -> None:
    assert decided(running(due_at=NOW, policy=ONCE, **unknown), lost)[0].job.status is S.FAILED


def test_work_that_is_only_followed_stays_so_and_its_calls_are_bounded() -> None:
    follows = running(policy=ONCE, protocol="a2a", follows_only=True)
    for kind in (TransitionKind.ATTEMPT_FAILED, TransitionKind.GIVEN_BACK, TransitionKind.CALL_FAILED):
        assert decided(follows, report(kind))[1].follows_only, kind
    lapsed, _ = decided(replace(follows, due_at=NOW, spent=2), report(TransitionKind.LAPSED))
    assert lapsed.entry is not None
    assert (lapsed.job.status, lapsed.entry.report.code) == (S.FAILED, "attempts_exhausted")


@pytest.mark.parametrize("kind", [TransitionKind.RESULT, TransitionKind.FAILED, TransitionKind.ATTEMPT_FAILED])
def test_the_outcome_of_a_lapsed_lease_counts_before_another_follows(kind: TransitionKind) -> None:
    once = running(due_at=NOW, policy=ONCE, protocol="a2a")
    lapsed, after = decided(once, report(TransitionKind.LAPSED))
    assert isinstance(decide(lapsed.job, after, report(kind, once.lease), TIMES), Decision)


@pytest.mark.parametrize(
    "kind",
    [
        TransitionKind.CALL_BEGUN,
        TransitionKind.PROGRESS,
        TransitionKind.CALL_FAILED,
        TransitionKind.ATTEMPT_FAILED,
        TransitionKind.FAILED,
    ],
)
def test_the_agents_name_for_the_work_is_kept_until_it_is_dropped(kind: TransitionKind) -> None:
    for reported, kept in (("run-2", "run-2"), ("", ""), (None, "run-1")):
        decision, after = decided(running(handle="run-1", seq=0), report(kind, handle=reported))
        assert decision.entry is not None
        assert (after.handle, decision.entry.report.handle) == (kept, reported)
