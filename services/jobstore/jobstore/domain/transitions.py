"""The job state machine: which report moves a job from which status to which (docs/protocol.md#states-of-a-job). Pure.

`decide` returns what to record, or a refusal: why nothing is. A new job gets its first status in `commands.assigning`;
no status changes anywhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.decisions import conclude, fail, go_on, queue, record
from jobstore.domain.fences import expired_timeout, is_current, is_open, refuse_fenced
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

_ASKED: Final[Mapping[TransitionKind, str]] = {
    TransitionKind.ASSIGNED: "be assigned",
    TransitionKind.REQUESTED: "be executed",
    TransitionKind.CANCELLED: "be cancelled",
    TransitionKind.EDITED: "be edited",
}

#: From which statuses each report leads on, whatever the execution says.
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
    TransitionKind.EDITED: _ANY - {_S.COMPLETED},
}

#: Leases that may have been granted, and of which a rebuilt database knows nothing: it never grants those again.
LEASES_UNKNOWN: Final = 1_000


def decide(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """What to record of a report; a Refusal is a value, never an error."""
    if _is_late_result(execution, report):
        assert execution is not None
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return record(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.status not in SOURCES[report.kind]:
        asked = _ASKED.get(report.kind, f"take the report `{report.kind}`")
        return Refusal("illegal_transition", f"the job is {job.status} and cannot {asked}")
    return _RULES[report.kind](job, execution, report, clock)


def _is_late_result(execution: Execution | None, report: Report) -> bool:
    """The result of a cancelled execution is kept in the log, once."""
    return (
        execution is not None
        and report.kind is TransitionKind.RESULT
        and execution.state is ExecutionState.DONE
        and execution.answer == "cancelled"
        and execution.result_lease is None
        and execution.lease == report.lease
    )


def _assign(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    fields = {"agent_id": report.agent_id, "not_met": 0, "feedback": None}
    return record(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _hand_over(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Matched, or handed on by policy: what was judged so far stays with the job."""
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    return record(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, agent_id=report.agent_id)


def _note_no_match(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    return record(job, execution, report, JobLogStatus.MATCHING_FAILED, job.status)


def _edit(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """The job stands where it stood, and asks for something else."""
    del execution, clock
    if job.live or job.status is JobStatus.IN_PROGRESS:
        return Refusal("execution_live", "an execution of the job is live")
    return record(job, None, report, JobLogStatus(job.status.value), job.status)


def _request(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
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
    if not is_open(execution, ExecutionStage.EXECUTING, clock):
        return refuse_fenced()
    attempt = execution.attempt + 1
    told = replace(report, message=f"attempt {attempt} was taken by an executor")
    return go_on(
        job, execution, told, **_lease_fields(execution, report, clock), attempt=attempt, fails_at=execution.deadline_at
    )


def _claim_judging(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if not is_open(execution, ExecutionStage.JUDGING, clock):
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
    """The call began, failed and will be tried again, or progress: told once, and only of the lease that runs."""
    if not is_current(execution, report, ExecutionStage.EXECUTING) or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    if report.seq <= execution.seq:
        return Refusal("repeat", "recorded already")
    if report.kind is TransitionKind.PROGRESS:
        # What is said without a fraction leaves the last one; a job with a message of progress has a progress.
        fraction = report.progress if report.progress is not None else job.progress or 0.0
        job = replace(job, progress=fraction, progress_message=report.message)
    told = go_on(job, execution, report, seq=report.seq, spent=max(execution.spent, report.call))
    return (
        _with_next_attempt(told, clock.after(report.retry_after_s, execution))
        if report.kind is TransitionKind.CALL_FAILED
        else told
    )


def _with_next_attempt(decision: Decision, at: datetime | None) -> Decision:
    """What is recorded of a failure says when the agent is called again."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _fail_attempt(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    runs = execution.state is ExecutionState.LEASED  # else it lapsed, and is spent
    spent = max(execution.spent + runs, report.call)
    if not execution.may_call_after(spent):
        return fail(job, replace(execution, spent=spent), report)
    queued = queue(execution, clock.after(report.retry_after_s, execution))
    return _with_next_attempt(go_on(job, queued, report, lease=execution.lease + 1, spent=spent), queued.due_at)


def _take_result(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
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
    if report.reused is not None:  # nobody else tells the validators of it
        awaiting |= {"state": ExecutionState.QUEUED, "due_at": clock.now}
    return go_on(job, execution, report, **awaiting)


def _accept(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _send_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    fields = {"not_met": job.not_met + 1, "feedback": report.feedback}
    if execution.submissions_left:
        again = JobLogStatus.RESUBMISSION_REQUIRED
        return conclude(job, execution, report, again, JobStatus.RESUBMISSION_REQUIRED, **fields)
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED, **fields)


def _decline(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _give_up(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if execution is None or not is_current(execution, report, execution.stage):
        return refuse_fenced()
    return fail(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _stop_over_budget(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Instead of a grant."""
    if execution is None or not is_open(execution, execution.stage, clock):
        return refuse_fenced()
    return fail(job, execution, report)


def _give_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """A stopping worker's lease: its number is spent. `code` says `begun` where the agent may have been called."""
    if execution is None or execution.lease != report.lease or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    queued = replace(queue(execution, clock.now), lease=execution.lease + 1)
    if execution.stage is ExecutionStage.JUDGING:
        return Decision(job, queued)
    if report.code == "begun" and execution.at_most_once:
        stopped = replace(report, code="worker_stopped", message="the worker stopped while the agent was being called")
        return fail(job, replace(execution, spent=execution.spent + 1), stopped)
    handed = replace(report, code="handed_over", message="the worker stopped; another one goes on")
    return go_on(job, queued, handed)


def _lapse(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if execution is None or execution.state is not ExecutionState.LEASED or execution.due_at is None:
        return refuse_fenced()
    if execution.due_at > clock.now:
        return Refusal("lease_runs", "the lease was renewed")
    queued = queue(execution, clock.now)
    if execution.stage is ExecutionStage.JUDGING:  # never an attempt
        return Decision(job, queued)
    spent = execution.spent + 1
    if execution.at_most_once:
        lost = replace(report, code="lease_lapsed", message="the worker was lost, and the agent is called at most once")
        return fail(job, replace(execution, spent=spent), lost)
    if not execution.may_call_after(spent):
        message = f"attempt {execution.attempt} lost its worker, and no call is left"
        exhausted = replace(report, code="attempts_exhausted", message=message)
        return fail(job, replace(execution, spent=spent), exhausted)
    again = replace(report, code="lease_lapsed", message=f"attempt {execution.attempt} lost its worker")
    return _with_next_attempt(go_on(job, queued, again, spent=spent), queued.due_at)


def _expire(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if execution is None or execution.state is ExecutionState.DONE or execution.fails_at is None:
        return refuse_fenced()
    if execution.fails_at > clock.now:
        return Refusal("deadline_ahead", "there is time left")
    code, message = expired_timeout(execution, clock)
    if code == "queue_timeout" and report.message:
        message = f"{message}: {report.message}"
    return fail(job, execution, replace(report, code=code, message=message))


def _cancel(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return record(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is ExecutionState.DONE or execution.execution_id != job.execution_id:
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.CANCELLED, target)


def _requeue_after_rebuild(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """What was live when the database was lost: nobody knows whether the agent has been called since."""
    if execution is None or execution.state is ExecutionState.DONE or not job.live:
        return refuse_fenced()
    if execution.at_most_once and execution.stage is ExecutionStage.EXECUTING:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return fail(job, execution, replace(report, code="rebuilt", message=message))
    timeout = "queue_timeout_s" if execution.stage is ExecutionStage.EXECUTING else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, clock.now)
    queued = replace(queue(execution, clock.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, queued)


_RULES: Final[Mapping[TransitionKind, Callable[[Job, Execution | None, Report, Clock], Decision | Refusal]]] = {
    TransitionKind.ASSIGNED: _assign,
    TransitionKind.MATCHED: _hand_over,
    TransitionKind.MATCHING_FAILED: _note_no_match,
    TransitionKind.HANDED_ON: _hand_over,
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
    TransitionKind.EDITED: _edit,
}
