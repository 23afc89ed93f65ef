"""What becomes of a job when something is reported: the table of DESIGN section 2, pure.

`decide` answers what to record, or why nothing is. It is the only place where a status changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.fences import fenced, is_current, is_open, overdue
from jobstore.domain.model import (
    Clock,
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    LogEntry,
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

#: Counted no further: strangers say what they consume, and every reader of JSON knows such a number.
TOKENS_MAX: Final = 2**53


def decide(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """What to record of a report; a Refusal is a value, never an error."""
    if _late_result(execution, report):
        assert execution is not None
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return _recorded(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.status not in SOURCES[report.kind]:
        asked = _ASKED.get(report.kind, f"take the report `{report.kind}`")
        return Refusal("illegal_transition", f"the job is {job.status} and cannot {asked}")
    return _RULES[report.kind](job, execution, report, clock)


def _late_result(execution: Execution | None, report: Report) -> bool:
    """The result of a cancelled execution is kept in the log, once."""
    return (
        execution is not None
        and report.kind is TransitionKind.RESULT
        and execution.state is ExecutionState.DONE
        and execution.answer == "cancelled"
        and execution.result_lease is None
        and execution.lease == report.lease
    )


def _recorded(
    job: Job,
    execution: Execution | None,
    report: Report,
    log: JobLogStatus,
    status: JobStatus,
    **job_fields: Any,
) -> Decision:
    spent_usd, spent_tokens = job.spent_usd + report.cost_usd, min(job.spent_tokens + report.tokens, TOKENS_MAX)
    moved = {"status": status, "version": job.version + 1, "spent_usd": spent_usd, "spent_tokens": spent_tokens}
    after = replace(job, **{**moved, **job_fields})
    with_result = (
        execution.result_version if execution and report.kind in {TransitionKind.MET, TransitionKind.NOT_MET} else None
    )
    entry = LogEntry(after, log, report, execution, with_result)
    if report.kind is TransitionKind.RESULT and report.reused is not None:
        entry = replace(entry, with_result_of=report.reused.version, result_job_id=report.reused.job_id)
    if execution is not None and report.kind is TransitionKind.RESULT:
        execution = replace(execution, result_version=after.version)
    if execution is not None and report.kind is TransitionKind.REQUESTED:
        execution = replace(execution, request_version=after.version)
    return Decision(after, execution, entry)


_NOTHING_DUE: Final[Mapping[str, Any]] = {"owner": None, "due_at": None, "fails_at": None}


def _concluded(
    job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus, **job_fields: Any
) -> Decision:
    done = replace(execution, state=ExecutionState.DONE, answer=str(log).lower(), seq=0, offers=0, **_NOTHING_DUE)
    return _recorded(job, done, report, log, status, live=False, **job_fields)


def _failed(job: Job, execution: Execution, report: Report) -> Decision:
    return _concluded(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def _goes_on(job: Job, execution: Execution, report: Report, **changes: Any) -> Decision:
    return _recorded(job, replace(execution, **changes), report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def _queued(execution: Execution, due_at: datetime) -> Execution:
    fails_at = execution.fails_at  # of a judgement the time runs on
    if execution.stage is ExecutionStage.EXECUTING:
        fails_at = execution.fails_after("queue_timeout_s", due_at)
    return replace(execution, state=ExecutionState.QUEUED, owner=None, due_at=due_at, fails_at=fails_at)


def _assigned(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    fields = {"agent_id": report.agent_id, "not_met": 0, "feedback": None}
    return _recorded(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _handed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Matched, or handed on by policy: what was judged so far stays with the job."""
    del clock
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    return _recorded(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, agent_id=report.agent_id)


def _matching_failed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    return _recorded(job, execution, report, JobLogStatus.MATCHING_FAILED, job.status)


def _edited(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """The job stands where it stood, and asks for something else."""
    del execution, clock
    if job.live or job.status is JobStatus.IN_PROGRESS:
        return Refusal("execution_live", "an execution of the job is live")
    return _recorded(job, None, report, JobLogStatus(job.status.value), job.status)


def _requested(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    if execution is None or execution.state is not ExecutionState.QUEUED or execution.attempt:
        return fenced()
    queued = _queued(execution, max(clock.now, execution.not_before or clock.now))
    fields = {
        "live": True,
        "execution_id": execution.execution_id,
        "batch_id": execution.batch_id or job.batch_id,
        "progress": None,
        "progress_message": None,
    }
    return _recorded(job, queued, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _claimed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if not is_open(execution, ExecutionStage.EXECUTING, clock):
        return fenced()
    attempt = execution.attempt + 1
    told = replace(report, message=f"attempt {attempt} was taken by an executor")
    return _goes_on(
        job, execution, told, **_granted(execution, report, clock), attempt=attempt, fails_at=execution.deadline_at
    )


def _judging_claimed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if not is_open(execution, ExecutionStage.JUDGING, clock):
        return fenced()
    return Decision(job, replace(execution, **_granted(execution, report, clock)))


def _granted(execution: Execution, report: Report, clock: Clock) -> dict[str, Any]:
    return {
        "state": ExecutionState.LEASED,
        "lease": execution.lease + 1,
        "seq": 0,
        "offers": 0,
        "owner": report.owner,
        "due_at": clock.after(clock.lease_s, execution),
    }


def _told(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """The call began, failed and will be tried again, or progress: told once, and only of the lease that runs."""
    if not is_current(execution, report, ExecutionStage.EXECUTING) or execution.state is not ExecutionState.LEASED:
        return fenced()
    if report.seq <= execution.seq:
        return Refusal("repeat", "recorded already")
    if report.kind is TransitionKind.PROGRESS:
        # What is said without a fraction leaves the last one; a job with a message of progress has a progress.
        fraction = report.progress if report.progress is not None else job.progress or 0.0
        job = replace(job, progress=fraction, progress_message=report.message)
    told = _goes_on(job, execution, report, seq=report.seq, spent=max(execution.spent, report.call))
    return (
        _again_at(told, clock.after(report.retry_after_s, execution))
        if report.kind is TransitionKind.CALL_FAILED
        else told
    )


def _again_at(decision: Decision, at: datetime | None) -> Decision:
    """What is recorded of a failure says when the agent is called again."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _attempt_failed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return fenced()
    runs = execution.state is ExecutionState.LEASED  # else it lapsed, and is spent
    spent = max(execution.spent + runs, report.call)
    if not execution.may_call_after(spent):
        return _failed(job, replace(execution, spent=spent), report)
    queued = _queued(execution, clock.after(report.retry_after_s, execution))
    return _again_at(_goes_on(job, queued, report, lease=execution.lease + 1, spent=spent), queued.due_at)


def _result(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if execution is not None and execution.result_lease == report.lease and execution.stage is ExecutionStage.JUDGING:
        return Refusal("repeat", "recorded already")
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return fenced()
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
    return _goes_on(job, execution, report, **awaiting)


def _met(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _not_met(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return fenced()
    fields = {"not_met": job.not_met + 1, "feedback": report.feedback}
    if execution.submissions_left:
        again = JobLogStatus.RESUBMISSION_REQUIRED
        return _concluded(job, execution, report, again, JobStatus.RESUBMISSION_REQUIRED, **fields)
    return _concluded(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED, **fields)


def _declined(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _given_up(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    if execution is None or not is_current(execution, report, execution.stage):
        return fenced()
    return _failed(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _over_budget(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Instead of a grant."""
    if execution is None or not is_open(execution, execution.stage, clock):
        return fenced()
    return _failed(job, execution, report)


def _given_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """A stopping worker's lease: its number is spent. `code` says `begun` where the agent may have been called."""
    if execution is None or execution.lease != report.lease or execution.state is not ExecutionState.LEASED:
        return fenced()
    queued = replace(_queued(execution, clock.now), lease=execution.lease + 1)
    if execution.stage is ExecutionStage.JUDGING:
        return Decision(job, queued)
    if report.code == "begun" and execution.at_most_once:
        stopped = replace(report, code="worker_stopped", message="the worker stopped while the agent was being called")
        return _failed(job, replace(execution, spent=execution.spent + 1), stopped)
    handed = replace(report, code="handed_over", message="the worker stopped; another one goes on")
    return _goes_on(job, queued, handed)


def _lapsed(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if execution is None or execution.state is not ExecutionState.LEASED or execution.due_at is None:
        return fenced()
    if execution.due_at > clock.now:
        return Refusal("lease_runs", "the lease was renewed")
    queued = _queued(execution, clock.now)
    if execution.stage is ExecutionStage.JUDGING:  # never an attempt
        return Decision(job, queued)
    spent = execution.spent + 1
    if execution.at_most_once:
        lost = replace(report, code="lease_lapsed", message="the worker was lost, and the agent is called at most once")
        return _failed(job, replace(execution, spent=spent), lost)
    if not execution.may_call_after(spent):
        message = f"attempt {execution.attempt} lost its worker, and no call is left"
        exhausted = replace(report, code="attempts_exhausted", message=message)
        return _failed(job, replace(execution, spent=spent), exhausted)
    again = replace(report, code="lease_lapsed", message=f"attempt {execution.attempt} lost its worker")
    return _again_at(_goes_on(job, queued, again, spent=spent), queued.due_at)


def _deadline(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    if execution is None or execution.state is ExecutionState.DONE or execution.fails_at is None:
        return fenced()
    if execution.fails_at > clock.now:
        return Refusal("deadline_ahead", "there is time left")
    code, message = overdue(execution, clock)
    if code == "queue_timeout" and report.message:
        message = f"{message}: {report.message}"
    return _failed(job, execution, replace(report, code=code, message=message))


def _cancelled(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    del clock
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return _recorded(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is ExecutionState.DONE or execution.execution_id != job.execution_id:
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.CANCELLED, target)


def _rebuilt(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """What was live when the database was lost: nobody knows whether the agent has been called since."""
    if execution is None or execution.state is ExecutionState.DONE or not job.live:
        return fenced()
    if execution.at_most_once and execution.stage is ExecutionStage.EXECUTING:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return _failed(job, execution, replace(report, code="rebuilt", message=message))
    timeout = "queue_timeout_s" if execution.stage is ExecutionStage.EXECUTING else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, clock.now)
    queued = replace(_queued(execution, clock.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, queued)


_RULES: Final[Mapping[TransitionKind, Callable[[Job, Execution | None, Report, Clock], Decision | Refusal]]] = {
    TransitionKind.ASSIGNED: _assigned,
    TransitionKind.MATCHED: _handed,
    TransitionKind.MATCHING_FAILED: _matching_failed,
    TransitionKind.HANDED_ON: _handed,
    TransitionKind.REQUESTED: _requested,
    TransitionKind.CLAIMED: _claimed,
    TransitionKind.CALL_BEGUN: _told,
    TransitionKind.PROGRESS: _told,
    TransitionKind.CALL_FAILED: _told,
    TransitionKind.ATTEMPT_FAILED: _attempt_failed,
    TransitionKind.RESULT: _result,
    TransitionKind.JUDGING_CLAIMED: _judging_claimed,
    TransitionKind.MET: _met,
    TransitionKind.NOT_MET: _not_met,
    TransitionKind.DECLINED: _declined,
    TransitionKind.FAILED: _given_up,
    TransitionKind.GIVEN_BACK: _given_back,
    TransitionKind.LAPSED: _lapsed,
    TransitionKind.DEADLINE: _deadline,
    TransitionKind.CANCELLED: _cancelled,
    TransitionKind.REBUILT: _rebuilt,
    TransitionKind.OVER_BUDGET: _over_budget,
    TransitionKind.EDITED: _edited,
}
