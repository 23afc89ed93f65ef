"""The job state machine: which report moves a job from which status to which (docs/protocol.md#states-of-a-job). Pure.

`decide` returns what to record, or a refusal: why nothing is. A new job gets its first status in `commands.assigning`;
no status changes anywhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.decisions import conclude, fail, keep_in_progress, queue, record
from jobstore.domain.fences import describe_timeout, is_claimable, is_current, refuse_fenced
from jobstore.domain.model import (
    Clock,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    Refusal,
    Report,
    TransitionKind,
)

_S = JobStatus
_ANY: Final = frozenset(JobStatus)
_ASSIGNABLE: Final = frozenset({_S.PENDING, _S.ASSIGNED, _S.FAILED, _S.REJECTED, _S.RESUBMISSION_REQUIRED})
_UNDER_WAY: Final = frozenset({_S.IN_PROGRESS})

#: How a refusal names what was asked for.
_REQUEST_WORDS: Final[Mapping[TransitionKind, str]] = {
    TransitionKind.ASSIGNED: "be assigned",
    TransitionKind.REQUESTED: "be executed",
    TransitionKind.CANCELLED: "be cancelled",
    TransitionKind.EDITED: "be edited",
}

#: The statuses from which each transition may happen. The rules below look at the execution besides.
SOURCES: Final[Mapping[TransitionKind, frozenset[JobStatus]]] = {
    TransitionKind.CREATED: frozenset(),
    TransitionKind.ASSIGNED: _ASSIGNABLE,
    TransitionKind.MATCHED: frozenset({_S.PENDING}),
    TransitionKind.MATCHING_FAILED: frozenset({_S.PENDING}),
    TransitionKind.HANDED_ON: frozenset({_S.RESUBMISSION_REQUIRED}),
    TransitionKind.REQUESTED: frozenset({_S.ASSIGNED, _S.FAILED, _S.RESUBMISSION_REQUIRED}),
    TransitionKind.CLAIMED: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    TransitionKind.CALL_BEGUN: _UNDER_WAY,
    TransitionKind.PROGRESS: _UNDER_WAY,
    TransitionKind.CALL_FAILED: _UNDER_WAY,
    TransitionKind.ATTEMPT_FAILED: _UNDER_WAY,
    TransitionKind.RESULT: _UNDER_WAY,
    TransitionKind.JUDGING_CLAIMED: _UNDER_WAY,
    TransitionKind.MET: _UNDER_WAY,
    TransitionKind.NOT_MET: _UNDER_WAY,
    TransitionKind.DECLINED: _UNDER_WAY,
    TransitionKind.FAILED: _UNDER_WAY,
    TransitionKind.GIVEN_BACK: _UNDER_WAY,
    TransitionKind.LAPSED: _UNDER_WAY,
    TransitionKind.DEADLINE: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    TransitionKind.CANCELLED: frozenset({_S.PENDING, _S.ASSIGNED, _S.IN_PROGRESS}),
    TransitionKind.REBUILT: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    TransitionKind.OVER_BUDGET: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    TransitionKind.MISJUDGED: _UNDER_WAY,
    TransitionKind.EDITED: _ANY - {_S.COMPLETED},
}

#: Added to lease numbers after a rebuild: the lost database may have granted leases that no fact tells of, and a
#: number is never granted twice.
LEASES_UNKNOWN: Final = 1_000
#: Judging leases of one result that may end in no sound verdict; after the last the job fails.
MISJUDGED_MAX: Final = 3


def decide(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Return what to record of a report, or why nothing is. A refusal is a value, never an exception."""
    if _is_late_result(execution, report):
        assert execution is not None
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return record(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.status not in SOURCES[report.kind]:
        request = _REQUEST_WORDS.get(report.kind, f"take the report `{report.kind}`")
        return Refusal("illegal_transition", f"the job is {job.status} and cannot {request}")
    return _RULES[report.kind](job, execution, report, clock)


def _is_late_result(execution: Execution | None, report: Report) -> bool:
    """Return whether the report is the result of a cancelled execution, which is kept in the log, once."""
    return (
        execution is not None
        and report.kind is TransitionKind.RESULT
        and execution.state is ExecutionState.DONE
        and execution.answer == "cancelled"
        and execution.result_lease is None
        and execution.lease == report.lease
    )


def _assign(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Assign an agent by hand: submissions count from 1 again, and old feedback is dropped."""
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    fields = {"agent_id": report.agent_id, "not_met": 0, "feedback": None}
    return record(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _change_agent(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Change the agent by matching or policy: unlike an assignment by hand, this keeps feedback and count."""
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    return record(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, agent_id=report.agent_id)


def _note_no_match(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Record which capabilities no agent has; the job stays PENDING."""
    del clock
    return record(job, execution, report, JobLogStatus.MATCHING_FAILED, job.status)


def _edit(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Record an edit; the status stays."""
    del execution, clock
    if job.live or job.status is JobStatus.IN_PROGRESS:
        return Refusal("execution_live", "an execution of the job is live")
    return record(job, None, report, JobLogStatus(job.status.value), job.status)


def _request(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution, and make the job ASSIGNED and live (rule `request-assigns`)."""
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    if execution is None or execution.state is not ExecutionState.QUEUED or execution.attempt:
        return refuse_fenced()
    queued = queue(execution, max(clock.now, execution.not_before or clock.now))
    fields = {
        "live": True,
        "execution_id": execution.execution_id,
        "batch_id": execution.batch_id or job.batch_id,
        "progress": None,
        "progress_message": None,
    }
    return record(job, queued, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _claim(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Grant a lease for executing: the next attempt begins (rules `claim-begins`, `attempt-at-grant`)."""
    if not is_claimable(execution, ExecutionStage.EXECUTING, clock):
        return refuse_fenced()
    attempt = execution.attempt + 1
    report = replace(report, message=f"attempt {attempt} was taken by an executor")
    changes = {**_lease_fields(execution, report, clock), "attempt": attempt, "fails_at": execution.deadline_at}
    return keep_in_progress(job, execution, report, **changes)


def _claim_judging(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Grant a lease for judging; the job's log gets no entry."""
    if not is_claimable(execution, ExecutionStage.JUDGING, clock):
        return refuse_fenced()
    return Decision(job, replace(execution, **_lease_fields(execution, report, clock)))


def _lease_fields(execution: Execution, report: Report, clock: Clock) -> dict[str, Any]:
    return {
        "state": ExecutionState.LEASED,
        "lease": execution.lease + 1,
        "seq": 0,
        "offers": 0,
        "owner": report.owner,
        "due_at": clock.after(clock.lease_s, execution),
    }


def _note_progress(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Record that a call began, failed and will be tried again, or progressed: once, and only while the lease runs."""
    if not is_current(execution, report, ExecutionStage.EXECUTING) or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    if report.seq <= execution.seq:
        return Refusal("repeat", "recorded already")
    if report.kind is TransitionKind.PROGRESS:
        # A message without a fraction keeps the last fraction; a job with a message always has a fraction.
        fraction = report.progress if report.progress is not None else job.progress or 0.0
        job = replace(job, progress=fraction, progress_message=report.message)
    decision = keep_in_progress(job, execution, report, seq=report.seq, spent=max(execution.spent, report.call))
    if report.kind is TransitionKind.CALL_FAILED:
        return _with_next_attempt(decision, clock.after(report.retry_after_s, execution))
    return decision


def _with_next_attempt(decision: Decision, at: datetime | None) -> Decision:
    """Add to the entry of a failure when the agent is called again."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _fail_attempt(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue a failed attempt again, or fail the job if no call is left. The lease's number is spent."""
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    # A lapsed lease was counted as spent when it lapsed.
    spent = max(execution.spent + (execution.state is ExecutionState.LEASED), report.call)
    if not execution.may_call_after(spent):
        return fail(job, replace(execution, spent=spent), report)
    queued = queue(execution, clock.after(report.retry_after_s, execution))
    decision = keep_in_progress(job, queued, report, lease=execution.lease + 1, spent=spent)
    return _with_next_attempt(decision, queued.due_at)


def _take_result(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Move an execution on to be judged."""
    if execution is not None and execution.result_lease == report.lease and execution.stage is ExecutionStage.JUDGING:
        return Refusal("repeat", "recorded already")
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    awaiting = {
        "stage": ExecutionStage.JUDGING,
        "state": ExecutionState.OFFERED,
        "owner": None,
        "offers": 0,
        "result_lease": report.lease,
        "result_hash": report.result_hash,
        "due_at": clock.after(clock.offer_again_s, execution),
        "fails_at": execution.fails_after("judging_timeout_s", clock.now),
    }
    if report.reused is not None:  # no worker published it: the dispatcher must offer it to the validators
        awaiting |= {"state": ExecutionState.QUEUED, "due_at": clock.now}
    return keep_in_progress(job, execution, report, **awaiting)


def _accept(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Complete the job after a verdict that every required criterion is met."""
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _send_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Count a not-met verdict: RESUBMISSION_REQUIRED, or REJECTED if no submission is left."""
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    fields = {"not_met": job.not_met + 1, "feedback": report.feedback}
    if execution.has_submissions_left:
        log = JobLogStatus.RESUBMISSION_REQUIRED
        return conclude(job, execution, report, log, JobStatus.RESUBMISSION_REQUIRED, **fields)
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED, **fields)


def _decline(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Reject the job, since the agent will not do it."""
    del clock
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _give_up(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Fail the job after a failure that is not tried again, in either stage."""
    del clock
    if execution is None or not is_current(execution, report, execution.stage):
        return refuse_fenced()
    return fail(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _judge_again(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Spend a judging lease that ended in no sound verdict, and queue the result again; at last fail the job."""
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    counted = replace(execution, misjudged=execution.misjudged + 1)
    if counted.misjudged >= MISJUDGED_MAX:
        return fail(job, counted, report)
    return Decision(job, replace(queue(counted, clock.now), lease=execution.lease + 1))


def _stop_over_budget(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """End an execution that would have been granted, since its job's budget is used up."""
    if execution is None or not is_claimable(execution, execution.stage, clock):
        return refuse_fenced()
    return fail(job, execution, report)


def _give_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution whose lease a stopping worker gave back; the lease's number is spent.

    `report.code` is `begun` if the agent may have been called (rule `no-hand-back-once-begun`).
    """
    if execution is None or execution.lease != report.lease or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    queued = replace(queue(execution, clock.now), lease=execution.lease + 1)
    if execution.stage is ExecutionStage.JUDGING:
        return Decision(job, queued)
    if report.code == "begun" and execution.is_at_most_once:
        stopped = replace(report, code="worker_stopped", message="the worker stopped while the agent was being called")
        return fail(job, replace(execution, spent=execution.spent + 1), stopped)
    handed = replace(report, code="handed_over", message="the worker stopped; another one goes on")
    return keep_in_progress(job, queued, handed)


def _lapse(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution whose lease was not renewed in time, unless the call it may have made must be the last."""
    if execution is None or execution.state is not ExecutionState.LEASED or execution.due_at is None:
        return refuse_fenced()
    if execution.due_at > clock.now:
        return Refusal("lease_runs", "the lease was renewed")
    queued = queue(execution, clock.now)
    if execution.stage is ExecutionStage.JUDGING:  # judging never counts against max_attempts
        return Decision(job, queued)
    spent = execution.spent + 1
    if execution.is_at_most_once:
        lost = replace(report, code="lease_lapsed", message="the worker was lost, and the agent is called at most once")
        return fail(job, replace(execution, spent=spent), lost)
    if not execution.may_call_after(spent):
        message = f"attempt {execution.attempt} lost its worker, and no call is left"
        exhausted = replace(report, code="attempts_exhausted", message=message)
        return fail(job, replace(execution, spent=spent), exhausted)
    again = replace(report, code="lease_lapsed", message=f"attempt {execution.attempt} lost its worker")
    return _with_next_attempt(keep_in_progress(job, queued, again, spent=spent), queued.due_at)


def _expire(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Fail the job after its deadline or a timeout of the stage."""
    if execution is None or execution.state is ExecutionState.DONE or execution.fails_at is None:
        return refuse_fenced()
    if execution.fails_at > clock.now:
        return Refusal("deadline_ahead", "there is time left")
    code, message = describe_timeout(execution, clock)
    if code == "queue_timeout" and report.message:
        message = f"{message}: {report.message}"
    return fail(job, execution, replace(report, code=code, message=message))


def _cancel(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """End the live execution, if any. The job goes back to ASSIGNED, or stays PENDING."""
    del clock
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return record(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is ExecutionState.DONE or execution.execution_id != job.execution_id:
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.CANCELLED, target)


def _requeue_after_rebuild(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue what was live when the database was lost: the agent may have been called since the last fact."""
    if execution is None or execution.state is ExecutionState.DONE or not job.live:
        return refuse_fenced()
    if execution.is_at_most_once and execution.stage is ExecutionStage.EXECUTING:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return fail(job, execution, replace(report, code="rebuilt", message=message))
    timeout = "queue_timeout_s" if execution.stage is ExecutionStage.EXECUTING else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, clock.now)
    queued = replace(queue(execution, clock.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, queued)


#: The rule of each transition; CREATED has none, since a new job is no change of one.
_RULES: Final[Mapping[TransitionKind, Callable[[Job, Execution | None, Report, Clock], Decision | Refusal]]] = {
    TransitionKind.ASSIGNED: _assign,
    TransitionKind.MATCHED: _change_agent,
    TransitionKind.MATCHING_FAILED: _note_no_match,
    TransitionKind.HANDED_ON: _change_agent,
    TransitionKind.REQUESTED: _request,
    TransitionKind.CLAIMED: _claim,
    TransitionKind.CALL_BEGUN: _note_progress,
    TransitionKind.PROGRESS: _note_progress,
    TransitionKind.CALL_FAILED: _note_progress,
    TransitionKind.ATTEMPT_FAILED: _fail_attempt,
    TransitionKind.RESULT: _take_result,
    TransitionKind.JUDGING_CLAIMED: _claim_judging,
    TransitionKind.MET: _accept,
    TransitionKind.NOT_MET: _send_back,
    TransitionKind.DECLINED: _decline,
    TransitionKind.FAILED: _give_up,
    TransitionKind.GIVEN_BACK: _give_back,
    TransitionKind.LAPSED: _lapse,
    TransitionKind.DEADLINE: _expire,
    TransitionKind.CANCELLED: _cancel,
    TransitionKind.REBUILT: _requeue_after_rebuild,
    TransitionKind.OVER_BUDGET: _stop_over_budget,
    TransitionKind.MISJUDGED: _judge_again,
    TransitionKind.EDITED: _edit,
}
