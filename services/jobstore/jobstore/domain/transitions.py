"""What becomes of a job when something is reported: the table of docs/protocol.md#states-of-a-job, pure.

`decide` answers what to record, or why nothing is. It is the only place where a status changes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.fences import fenced, is_current, is_open, overdue
from jobstore.domain.model import Decision, Entry, Execution, Job, Kind, Refusal, Report, Stage, State, Times

_S = JobStatus
_ANY: Final = frozenset(JobStatus)
_ASSIGNABLE: Final = frozenset({_S.PENDING, _S.ASSIGNED, _S.FAILED, _S.REJECTED, _S.RESUBMISSION_REQUIRED})
_UNDER_WAY: Final = frozenset({_S.IN_PROGRESS})

_ASKED: Final[Mapping[Kind, str]] = {
    Kind.ASSIGNED: "be assigned",
    Kind.REQUESTED: "be executed",
    Kind.CANCELLED: "be cancelled",
    Kind.EDITED: "be edited",
}

#: From which statuses each report leads on, whatever the execution says.
SOURCES: Final[Mapping[Kind, frozenset[JobStatus]]] = {
    Kind.CREATED: frozenset(),
    Kind.ASSIGNED: _ASSIGNABLE,
    Kind.MATCHED: frozenset({_S.PENDING}),
    Kind.MATCHING_FAILED: frozenset({_S.PENDING}),
    Kind.HANDED_ON: frozenset({_S.RESUBMISSION_REQUIRED}),
    Kind.REQUESTED: frozenset({_S.ASSIGNED, _S.FAILED, _S.RESUBMISSION_REQUIRED}),
    Kind.CLAIMED: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    Kind.CALL_BEGUN: _UNDER_WAY,
    Kind.PROGRESS: _UNDER_WAY,
    Kind.CALL_FAILED: _UNDER_WAY,
    Kind.ATTEMPT_FAILED: _UNDER_WAY,
    Kind.RESULT: _UNDER_WAY,
    Kind.JUDGING_CLAIMED: _UNDER_WAY,
    Kind.MET: _UNDER_WAY,
    Kind.NOT_MET: _UNDER_WAY,
    Kind.DECLINED: _UNDER_WAY,
    Kind.FAILED: _UNDER_WAY,
    Kind.GIVEN_BACK: _UNDER_WAY,
    Kind.LAPSED: _UNDER_WAY,
    Kind.DEADLINE: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    Kind.CANCELLED: frozenset({_S.PENDING, _S.ASSIGNED, _S.IN_PROGRESS}),
    Kind.REBUILT: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    Kind.OVER_BUDGET: frozenset({_S.ASSIGNED, _S.IN_PROGRESS}),
    Kind.EDITED: _ANY - {_S.COMPLETED},
}

#: Leases that may have been granted, and of which a rebuilt database knows nothing: it never grants those again.
LEASES_UNKNOWN: Final = 1_000

#: Counted no further: strangers say what they consume, and every reader of JSON knows such a number.
TOKENS_MAX: Final = 2**53


def decide(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """What to record of a report; a Refusal is a value, never an error."""
    if _late_result(execution, report):
        assert execution is not None
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return _recorded(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.status not in SOURCES[report.kind]:
        asked = _ASKED.get(report.kind, f"take the report `{report.kind}`")
        return Refusal("illegal_transition", f"the job is {job.status} and cannot {asked}")
    return _RULES[report.kind](job, execution, report, times)


def _late_result(execution: Execution | None, report: Report) -> bool:
    """The result of a cancelled execution is kept in the log, once."""
    return (
        execution is not None
        and report.kind is Kind.RESULT
        and execution.state is State.DONE
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
    with_result = execution.result_version if execution and report.kind in {Kind.MET, Kind.NOT_MET} else None
    entry = Entry(after, log, report, execution, with_result)
    if report.kind is Kind.RESULT and report.reused is not None:
        entry = replace(entry, with_result_of=report.reused.version, result_job_id=report.reused.job_id)
    if execution is not None and report.kind is Kind.RESULT:
        execution = replace(execution, result_version=after.version)
    if execution is not None and report.kind is Kind.REQUESTED:
        execution = replace(execution, request_version=after.version)
    return Decision(after, execution, entry)


_NOTHING_DUE: Final[Mapping[str, Any]] = {"owner": None, "due_at": None, "fails_at": None}


def _concluded(
    job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus, **job_fields: Any
) -> Decision:
    done = replace(execution, state=State.DONE, answer=str(log).lower(), seq=0, offers=0, **_NOTHING_DUE)
    return _recorded(job, done, report, log, status, live=False, **job_fields)


def _failed(job: Job, execution: Execution, report: Report) -> Decision:
    return _concluded(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def _goes_on(job: Job, execution: Execution, report: Report, **changes: Any) -> Decision:
    return _recorded(job, replace(execution, **changes), report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def _queued(execution: Execution, due_at: datetime) -> Execution:
    fails_at = execution.fails_at  # of a judgement the time runs on
    if execution.stage is Stage.EXECUTING:
        fails_at = execution.fails_after("queue_timeout_s", due_at)
    return replace(execution, state=State.QUEUED, owner=None, due_at=due_at, fails_at=fails_at)


def _assigned(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    fields = {"agent_id": report.agent_id, "not_met": 0, "feedback": None}
    return _recorded(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _handed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """Matched, or handed on by policy: what was judged so far stays with the job."""
    del times
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    return _recorded(job, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, agent_id=report.agent_id)


def _matching_failed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    return _recorded(job, execution, report, JobLogStatus.MATCHING_FAILED, job.status)


def _edited(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """The job stands where it stood, and asks for something else."""
    del execution, times
    if job.live or job.status is JobStatus.IN_PROGRESS:
        return Refusal("execution_live", "an execution of the job is live")
    return _recorded(job, None, report, JobLogStatus(job.status.value), job.status)


def _requested(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if job.live:
        return Refusal("execution_live", "an execution of the job is live")
    if execution is None or execution.state is not State.QUEUED or execution.attempt:
        return fenced()
    queued = _queued(execution, max(times.now, execution.not_before or times.now))
    fields = {
        "live": True,
        "execution_id": execution.execution_id,
        "batch_id": execution.batch_id or job.batch_id,
        "progress": None,
        "progress_message": None,
    }
    return _recorded(job, queued, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED, **fields)


def _claimed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if not is_open(execution, Stage.EXECUTING, times):
        return fenced()
    attempt = execution.attempt + 1
    told = replace(report, message=f"attempt {attempt} was taken by an executor")
    return _goes_on(
        job, execution, told, **_granted(execution, report, times), attempt=attempt, fails_at=execution.deadline_at
    )


def _judging_claimed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if not is_open(execution, Stage.JUDGING, times):
        return fenced()
    return Decision(job, replace(execution, **_granted(execution, report, times)))


def _granted(execution: Execution, report: Report, times: Times) -> dict[str, Any]:
    return {
        "state": State.LEASED,
        "lease": execution.lease + 1,
        "seq": 0,
        "offers": 0,
        "owner": report.owner,
        "due_at": times.after(times.lease_s, execution),
    }


def _told(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """The call began, failed and will be tried again, or progress: told once, and only of the lease that runs."""
    if not is_current(execution, report, Stage.EXECUTING) or execution.state is not State.LEASED:
        return fenced()
    if report.seq <= execution.seq:
        return Refusal("repeat", "recorded already")
    if report.kind is Kind.PROGRESS:
        # What is said without a fraction leaves the last one; a job with a message of progress has a progress.
        fraction = report.progress if report.progress is not None else job.progress or 0.0
        job = replace(job, progress=fraction, progress_message=report.message)
    told = _goes_on(job, execution, report, seq=report.seq, spent=max(execution.spent, report.call))
    return _again_at(told, times.after(report.retry_after_s, execution)) if report.kind is Kind.CALL_FAILED else told


def _again_at(decision: Decision, at: datetime | None) -> Decision:
    """What is recorded of a failure says when the agent is called again."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _attempt_failed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if not is_current(execution, report, Stage.EXECUTING):
        return fenced()
    runs = execution.state is State.LEASED  # else it lapsed, and is spent
    spent = max(execution.spent + runs, report.call)
    if not execution.may_call_after(spent):
        return _failed(job, replace(execution, spent=spent), report)
    queued = _queued(execution, times.after(report.retry_after_s, execution))
    return _again_at(_goes_on(job, queued, report, lease=execution.lease + 1, spent=spent), queued.due_at)


def _result(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if execution is not None and execution.result_lease == report.lease and execution.stage is Stage.JUDGING:
        return Refusal("repeat", "recorded already")
    if not is_current(execution, report, Stage.EXECUTING):
        return fenced()
    awaiting = {
        "stage": Stage.JUDGING,
        "state": State.OFFERED,
        "owner": None,
        "offers": 0,
        "result_lease": report.lease,
        "result_hash": report.result_hash,
        "due_at": times.after(times.offer_again_s, execution),
        "fails_at": execution.fails_after("judging_timeout_s", times.now),
    }
    if report.reused is not None:  # nobody else tells the validators of it
        awaiting |= {"state": State.QUEUED, "due_at": times.now}
    return _goes_on(job, execution, report, **awaiting)


def _met(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    if not is_current(execution, report, Stage.JUDGING):
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _not_met(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    if not is_current(execution, report, Stage.JUDGING):
        return fenced()
    fields = {"not_met": job.not_met + 1, "feedback": report.feedback}
    if execution.submissions_left:
        again = JobLogStatus.RESUBMISSION_REQUIRED
        return _concluded(job, execution, report, again, JobStatus.RESUBMISSION_REQUIRED, **fields)
    return _concluded(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED, **fields)


def _declined(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    if not is_current(execution, report, Stage.EXECUTING):
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _given_up(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    if execution is None or not is_current(execution, report, execution.stage):
        return fenced()
    return _failed(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _over_budget(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """Instead of a grant."""
    if execution is None or not is_open(execution, execution.stage, times):
        return fenced()
    return _failed(job, execution, report)


def _given_back(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """A stopping worker's lease: its number is spent. `code` says `begun` where the agent may have been called."""
    if execution is None or execution.lease != report.lease or execution.state is not State.LEASED:
        return fenced()
    queued = replace(_queued(execution, times.now), lease=execution.lease + 1)
    if execution.stage is Stage.JUDGING:
        return Decision(job, queued)
    if report.code == "begun" and execution.at_most_once:
        stopped = replace(report, code="worker_stopped", message="the worker stopped while the agent was being called")
        return _failed(job, replace(execution, spent=execution.spent + 1), stopped)
    handed = replace(report, code="handed_over", message="the worker stopped; another one goes on")
    return _goes_on(job, queued, handed)


def _lapsed(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if execution is None or execution.state is not State.LEASED or execution.due_at is None:
        return fenced()
    if execution.due_at > times.now:
        return Refusal("lease_runs", "the lease was renewed")
    queued = _queued(execution, times.now)
    if execution.stage is Stage.JUDGING:  # never an attempt
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


def _deadline(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    if execution is None or execution.state is State.DONE or execution.fails_at is None:
        return fenced()
    if execution.fails_at > times.now:
        return Refusal("deadline_ahead", "there is time left")
    code, message = overdue(execution, times)
    if code == "queue_timeout" and report.message:
        message = f"{message}: {report.message}"
    return _failed(job, execution, replace(report, code=code, message=message))


def _cancelled(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    del times
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return _recorded(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is State.DONE or execution.execution_id != job.execution_id:
        return fenced()
    return _concluded(job, execution, report, JobLogStatus.CANCELLED, target)


def _rebuilt(job: Job, execution: Execution | None, report: Report, times: Times) -> Decision | Refusal:
    """What was live when the database was lost: nobody knows whether the agent has been called since."""
    if execution is None or execution.state is State.DONE or not job.live:
        return fenced()
    if execution.at_most_once and execution.stage is Stage.EXECUTING:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return _failed(job, execution, replace(report, code="rebuilt", message=message))
    timeout = "queue_timeout_s" if execution.stage is Stage.EXECUTING else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, times.now)
    queued = replace(_queued(execution, times.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, queued)


_RULES: Final[Mapping[Kind, Callable[[Job, Execution | None, Report, Times], Decision | Refusal]]] = {
    Kind.ASSIGNED: _assigned,
    Kind.MATCHED: _handed,
    Kind.MATCHING_FAILED: _matching_failed,
    Kind.HANDED_ON: _handed,
    Kind.REQUESTED: _requested,
    Kind.CLAIMED: _claimed,
    Kind.CALL_BEGUN: _told,
    Kind.PROGRESS: _told,
    Kind.CALL_FAILED: _told,
    Kind.ATTEMPT_FAILED: _attempt_failed,
    Kind.RESULT: _result,
    Kind.JUDGING_CLAIMED: _judging_claimed,
    Kind.MET: _met,
    Kind.NOT_MET: _not_met,
    Kind.DECLINED: _declined,
    Kind.FAILED: _given_up,
    Kind.GIVEN_BACK: _given_back,
    Kind.LAPSED: _lapsed,
    Kind.DEADLINE: _deadline,
    Kind.CANCELLED: _cancelled,
    Kind.REBUILT: _rebuilt,
    Kind.OVER_BUDGET: _over_budget,
    Kind.EDITED: _edited,
}
