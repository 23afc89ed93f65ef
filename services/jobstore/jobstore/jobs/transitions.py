"""The job state machine: which report moves a job from which status to which (docs/protocol.md#states-of-a-job). Pure.

`decide` returns a decision to record, or a refusal. A new job gets its first status in `jobs.commands`;
no status changes anywhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeAlias, TypeGuard

from contracts.judging.policy import Verdict
from contracts.waiting import WaitCode
from jobstore.executions.states import forbid_sending, lease, queue, reopen
from jobstore.jobs.model import (
    CANCELLED,
    UNPROVEN,
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
    replace,
)
from jobstore.jobs.waiting import Cause, Hold, format_waits
from signoff.errors import ErrorCode
from signoff.status import RESTING, JobLogStatus, JobStatus, Outcome
from signoff.values import SUM_NANOS_MAX

#: Tokens are counted up to the largest integer that every JSON reader keeps exact; agents may report any number.
TOKENS_MAX: Final = 2**53

#: The columns of a job that say how its last execution ended, as far as an entry of its log changes them.
Ending: TypeAlias = Mapping[str, object]

#: The ending of a job whose last execution is under way, or that has had none.
NO_ENDING: Final[Ending] = {"cancelled": False, "code": None, "duration_s": None, "not_met_criteria": None}
#: Characters of a code, and of a criterion, that are kept: an entry of an index holds 2,700 bytes.
CODE_MAX_CHARS: Final = 64
CRITERION_MAX_CHARS: Final = 500
#: The code of the entries of a verdict that was taken anew, without any call of the agent.
REJUDGED: Final = ErrorCode.REJUDGED
#: The transitions with which a job begins anew.
BEGINNINGS: Final = frozenset(
    {TransitionKind.ASSIGNED, TransitionKind.MATCHED, TransitionKind.HANDED_ON, TransitionKind.REQUESTED}
)
_VERDICTS: Final = frozenset({TransitionKind.MET, TransitionKind.NOT_MET})
_LATE: Final = frozenset({TransitionKind.RESULT, TransitionKind.SPENT, TransitionKind.REMOVED})
#: The statuses of entries that end an execution, unless they come late.
ENDS: Final = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


def record(job: Job, execution: Execution | None, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that moves a job to `status` and adds an entry to its log, as its next version.

    The report's cost is added to the job's, and to the execution's unless that is judged again. The entry of a verdict
    quotes the result that was judged; the entry of a reused result quotes the entry that holds this result. The waits
    of the execution move from its row to the entry. A handle that is reported replaces the execution's.
    """
    after = replace(
        job,
        status=status,
        version=job.version + 1,
        cost_nanos=min(job.cost_nanos + report.cost_nanos, SUM_NANOS_MAX),
        tokens=min(job.tokens + report.tokens, TOKENS_MAX),
    )
    if execution is not None and (report.cost_nanos or report.tokens) and report.code != REJUDGED:
        execution = replace(
            execution,
            cost_nanos=min(execution.cost_nanos + report.cost_nanos, SUM_NANOS_MAX),
            tokens=min(execution.tokens + report.tokens, TOKENS_MAX),
        )
    if execution is not None and report.handle is not None:
        execution = replace(execution, handle=report.handle)
    result_version = execution.result_version if execution and is_verdict(report.kind, report.code) else None
    entry = LogEntry(after, log, report, execution, result_version=result_version)
    if report.kind is TransitionKind.RESULT and report.reused is not None:
        entry = replace(entry, result_version=report.reused.version, result_job_id=report.reused.job_id)
    if execution is not None and execution.waited is not None:
        entry, execution = replace(entry, waited=execution.waited), replace(execution, waited=None)
    if execution is not None and report.kind is TransitionKind.RESULT:
        execution = replace(execution, result_version=after.version)
    if execution is not None and report.kind is TransitionKind.REQUESTED:
        execution = replace(execution, request_version=after.version)
    return Decision(after, execution, entry)


def is_verdict(kind: str | None, code: str | None) -> bool:
    """Return whether an entry of this kind and code holds a verdict, and the result that was judged."""
    return kind in _VERDICTS or (kind == TransitionKind.FAILED and code == UNPROVEN)


def conclude(job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that ends an execution: its answer is the log's status, and nothing is due any more.

    An execution is answered once: if its result is judged again, it keeps its answer.
    """
    done = replace(
        execution,
        state=ExecutionState.DONE,
        answer=execution.answer or str(log).lower(),
        seq=0,
        offers=0,
        owner=None,
        due_at=None,
        fails_at=None,
    )
    return record(replace(job, live=False), done, report, log, status)


def fail(job: Job, execution: Execution, report: Report) -> Decision:
    """Return the decision that ends an execution, and moves its job to FAILED."""
    return conclude(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def keep_in_progress(job: Job, execution: Execution, report: Report) -> Decision:
    """Return the decision that changes an execution whose job stays, or becomes, IN_PROGRESS."""
    return record(job, execution, report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def note_ending(decision: Decision, clock: Clock) -> Decision:
    """Return a decision whose job has the columns that say how its execution ended, or that another one begins."""
    entry, execution = decision.entry, decision.execution
    if entry is None:
        return decision
    report = entry.report
    if execution is not None and is_end(report.kind, entry.status, execution.execution_id):
        changes = make_ending(
            entry.status, report.code, execution.created_at, report.at or clock.now, report.not_met_criteria
        )
    else:
        changes = change_ending(report.kind, report.code)
    if not changes:
        return decision
    job = replace(decision.job, **changes)
    return Decision(job, execution, replace(entry, job=job))


def is_end(kind: str | None, status: str, execution_id: object) -> bool:
    """Return whether an entry ends an execution. The late entry of an execution that was cut short does not."""
    return execution_id is not None and kind not in _LATE and status in ENDS


def change_ending(kind: str | None, code: str | None) -> Ending:
    """Return the columns of a job's ending that an entry changes although the entry ends no execution."""
    if kind in BEGINNINGS:
        return NO_ENDING
    return {"code": code} if kind == TransitionKind.MATCHING_FAILED else {}


def make_ending(
    status: JobLogStatus, code: str | None, requested_at: datetime | None, ended_at: datetime, not_met: Sequence[str]
) -> Ending:
    """Return the columns that say how an execution ended; `requested_at` is None if this transaction requested it."""
    is_completed = status is JobLogStatus.COMPLETED
    ending: dict[str, object] = {
        "cancelled": status is JobLogStatus.CANCELLED,
        "code": None if code is None or is_completed else code[:CODE_MAX_CHARS],
        "not_met_criteria": list(not_met) or None,
    }
    if code != REJUDGED:  # judging again is no part of how long the execution took
        # The request's time is that of the statement that inserts it, which is later than the transaction's.
        ending["duration_s"] = 0.0 if requested_at is None else max(0.0, (ended_at - requested_at).total_seconds())
    return ending


def list_not_met(verdict: Verdict) -> list[str]:
    """Return the texts of the required criteria that a verdict did not pass, each once, as they are stored."""
    not_met = (c.text for c in verdict.criteria if c.required and c.outcome is not Outcome.PASS)
    return list(dict.fromkeys(map(cut_criterion, not_met)))


def cut_criterion(text: str) -> str:
    """Return a criterion's text as it is stored: cut, and without U+0000, which PostgreSQL cannot store."""
    return text[:CRITERION_MAX_CHARS].replace("\0", "")


#: The codes of executions that a time-out ended while they were judged.
_TIMEOUTS: Final = frozenset({ErrorCode.DEADLINE_EXCEEDED, ErrorCode.JUDGING_TIMEOUT})
#: What an execution was waiting for when its deadline passed, by stage and state.
_WAITING_FOR: Final[Mapping[tuple[ExecutionStage, ExecutionState], str]] = {
    (ExecutionStage.EXECUTING, ExecutionState.QUEUED): "an executor, or for the time of its next call",
    (ExecutionStage.EXECUTING, ExecutionState.OFFERED): "an executor",
    (ExecutionStage.EXECUTING, ExecutionState.LEASED): "its agent",
    (ExecutionStage.JUDGING, ExecutionState.QUEUED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.OFFERED): "a validator",
    (ExecutionStage.JUDGING, ExecutionState.LEASED): "its judge",
}


def describe_timeout(execution: Execution, clock: Clock) -> tuple[str, str]:
    """Return the code and message of the timeout of an execution that has expired."""
    policy = execution.policy or {}
    if execution.deadline_at is not None and execution.deadline_at <= clock.now:
        waiting_for = _WAITING_FOR[execution.stage, execution.state]
        message = f"not done within {policy.get('deadline_s', 0):g} s; it was waiting for {waiting_for}"
        return ErrorCode.DEADLINE_EXCEEDED, message
    if execution.stage is ExecutionStage.JUDGING:
        return ErrorCode.JUDGING_TIMEOUT, f"the result was not judged within {policy.get('judging_timeout_s', 0):g} s"
    return ErrorCode.QUEUE_TIMEOUT, f"no executor took it within {policy.get('queue_timeout_s', 0):g} s"


def is_claimable(execution: Execution | None, stage: ExecutionStage, clock: Clock) -> TypeGuard[Execution]:
    """Return whether a lease of an execution may be granted at this stage, now."""
    return (
        execution is not None
        and execution.stage is stage
        and execution.state in {ExecutionState.QUEUED, ExecutionState.OFFERED}
        and (execution.deadline_at is None or execution.deadline_at > clock.now)
    )


def is_current(execution: Execution | None, report: Report, stage: ExecutionStage) -> TypeGuard[Execution]:
    """Return whether a report's lease still counts at this stage. A lapsed lease counts until the next grant."""
    return (
        execution is not None
        and execution.state is not ExecutionState.DONE
        and execution.stage is stage
        and execution.lease == report.lease
        # Rule `judging-lease`: the lease under which the result came was for executing, and gives no verdict.
        and report.lease > (execution.result_lease or 0 if stage is ExecutionStage.JUDGING else 0)
    )


def is_late_result(execution: Execution | None, report: Report) -> TypeGuard[Execution]:
    """Return whether a report is the result of a cancelled execution; the log keeps such a result once."""
    return (
        execution is not None
        and report.kind is TransitionKind.RESULT
        and execution.state is ExecutionState.DONE
        and execution.answer == "cancelled"
        and execution.result_lease is None
        and execution.lease == report.lease
    )


def is_cut_short(execution: Execution | None, job: Job, lease: int) -> TypeGuard[Execution]:
    """Return whether a cancel or a time-out ended a judging lease whose cost is not counted yet."""
    if execution is None or (execution.stage, execution.state) != (ExecutionStage.JUDGING, ExecutionState.DONE):
        return False
    is_last = job.execution_id == execution.execution_id
    is_cut = execution.answer == CANCELLED or (is_last and job.code in _TIMEOUTS)
    return is_cut and not execution.seq and execution.lease == lease > (execution.result_lease or 0)


def refuse_fenced() -> Refusal:
    """Return the refusal of a report whose lease no longer counts."""
    return Refusal(ErrorCode.FENCED, "the lease is not the current one, or the execution has moved on")


_S = JobStatus
_ASSIGNABLE: Final = frozenset({_S.PENDING, _S.ASSIGNED, _S.FAILED, _S.REJECTED, _S.RESUBMISSION_REQUIRED})
_UNDER_WAY: Final = frozenset({_S.IN_PROGRESS})
_REMOVABLE: Final = frozenset(JobStatus) - _UNDER_WAY

#: The transitions that are refused while an execution of the job is live, in any status.
_NEEDS_REST: Final = frozenset(
    {
        TransitionKind.ASSIGNED,
        TransitionKind.MATCHED,
        TransitionKind.HANDED_ON,
        TransitionKind.REQUESTED,
        TransitionKind.EDITED,
        TransitionKind.REJUDGED,
        TransitionKind.REMOVED,
    }
)
#: The words of a refusal for the transitions that callers ask for.
_REQUEST_WORDS: Final[Mapping[TransitionKind, str]] = {
    TransitionKind.ASSIGNED: "be assigned",
    TransitionKind.REQUESTED: "be executed",
    TransitionKind.CANCELLED: "be cancelled",
    TransitionKind.EDITED: "be edited",
    TransitionKind.REJUDGED: "be judged again",
    TransitionKind.REMOVED: "be removed",
}

#: Added to lease numbers after a rebuild: the lost database may have granted leases that no fact has, and a number is
#: never granted twice.
LEASES_UNKNOWN: Final = 1_000
#: Judging leases of one result that may end without a sound verdict; after the last one the job fails.
MISJUDGED_MAX: Final = 3
#: Judging leases of one result that may lapse: a result that crashes each validator is paid for each time. Crashes of
#: other causes hit one result far less often.
VALIDATORS_LOST_MAX: Final = 10


class Rule(NamedTuple):
    """The statuses of a job from which a transition may happen, and the function that decides on the transition."""

    sources: frozenset[JobStatus]
    decide: Callable[[Job, Execution | None, Report, Clock], Decision | Refusal]


def decide(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Return the decision on a report, or its refusal, which is a value: no refusal is raised."""
    if is_late_result(execution, report):
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return record(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.live and report.kind in _NEEDS_REST:
        return Refusal(ErrorCode.EXECUTION_LIVE, "an execution of the job is live")
    rule = RULES.get(report.kind)
    if rule is None or job.status not in rule.sources:
        request = _REQUEST_WORDS.get(report.kind, f"take the report `{report.kind}`")
        return Refusal(ErrorCode.ILLEGAL_TRANSITION, f"the job is {job.status} and cannot {request}")
    decision = rule.decide(job, execution, report, clock)
    return decision if isinstance(decision, Refusal) else note_ending(decision, clock)


def _assign(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Assign an agent by hand: submissions count from 1 again, and old feedback is dropped."""
    assigned = replace(job, agent_id=report.agent_id, not_met=0, feedback=None)
    return record(assigned, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)


def _change_agent(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Change the agent by matching or policy: unlike an assignment by hand, this keeps feedback and submissions."""
    assigned = replace(job, agent_id=report.agent_id)
    return record(assigned, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)


def _note(job: Job, _execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Record an edit, or which capabilities no agent has; the status of the job stays."""
    is_edit = report.kind is TransitionKind.EDITED
    log = JobLogStatus(job.status.value) if is_edit else JobLogStatus.MATCHING_FAILED
    return record(job, None, report, log, job.status)


def _request(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution, and make the job ASSIGNED and live (rule `request-assigns`)."""
    if execution is None or execution.state is not ExecutionState.QUEUED or execution.attempt:
        return refuse_fenced()
    due_at = max(clock.now, execution.not_before or clock.now)
    live = replace(
        job,
        progress=None,
        progress_message=None,
        live=True,
        execution_id=execution.execution_id,
        batch_id=execution.batch_id or job.batch_id,
    )
    decision = record(live, queue(execution, due_at), report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)
    if due_at == clock.now:
        return decision
    assert decision.execution is not None
    waited = format_waits([Hold(Cause(WaitCode.NOT_BEFORE), clock.now, due_at)])
    return replace(decision, execution=replace(decision.execution, waited=waited))


def _claim(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Grant a lease for executing: the next attempt begins (rules `claim-begins`, `attempt-at-grant`)."""
    if not is_claimable(execution, ExecutionStage.EXECUTING, clock):
        return refuse_fenced()
    attempt = execution.attempt + 1
    claimed = replace(lease(execution, report.owner, clock), attempt=attempt, fails_at=execution.deadline_at)
    return keep_in_progress(job, claimed, replace(report, message=f"attempt {attempt} was taken by an executor"))


def _claim_judging(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Grant a lease for judging; the log of the job gets no entry."""
    if not is_claimable(execution, ExecutionStage.JUDGING, clock):
        return refuse_fenced()
    return Decision(job, lease(execution, report.owner, clock))


def _note_progress(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Record that a call began, failed and will be tried again, or progressed: once, and only while the lease runs."""
    if not is_current(execution, report, ExecutionStage.EXECUTING) or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    if report.seq <= execution.seq:
        return Refusal(ErrorCode.REPEAT, "recorded already")
    if report.kind is TransitionKind.PROGRESS:
        # A message without a fraction keeps the last fraction; a job with a message always has a fraction.
        fraction = report.progress if report.progress is not None else job.progress or 0.0
        job = replace(job, progress=fraction, progress_message=report.message)
    noted = replace(execution, seq=report.seq, spent=max(execution.spent, report.call))
    decision = keep_in_progress(job, noted, report)
    if report.kind is TransitionKind.CALL_FAILED:
        return _with_next_attempt(decision, clock.after(report.retry_after_s, execution))
    return decision


def _with_next_attempt(decision: Decision, at: datetime | None) -> Decision:
    """Return the decision on a failure with the time of the agent's next call in its entry."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _fail_attempt(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue a failed attempt's execution again, or fail the job if no call is left. The lease counts no more."""
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    # A lapsed lease was counted as spent when it lapsed.
    spent = max(execution.spent + (execution.state is ExecutionState.LEASED), report.call)
    if not execution.may_call_after(spent):
        return fail(job, replace(execution, spent=spent), report)
    queued = queue(execution, clock.after(report.retry_after_s, execution))
    spent_lease = replace(queued, lease=execution.lease + 1, spent=spent)
    return _with_next_attempt(keep_in_progress(job, spent_lease, report), queued.due_at)


def _take_result(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Record a result, and move its execution on to be judged."""
    if execution is not None and execution.result_lease == report.lease and execution.stage is ExecutionStage.JUDGING:
        return Refusal(ErrorCode.REPEAT, "recorded already")
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    is_reused = report.reused is not None  # no worker published it: the dispatcher must offer it to the validators
    awaiting = replace(
        execution,
        stage=ExecutionStage.JUDGING,
        state=ExecutionState.QUEUED if is_reused else ExecutionState.OFFERED,
        owner=None,
        offers=0,
        result_lease=report.lease,
        result_hash=report.result_hash,
        due_at=clock.now if is_reused else clock.after(clock.offer_again_s, execution),
        fails_at=execution.fails_after("judging_timeout_s", clock.now),
    )
    return keep_in_progress(job, awaiting, report)


def _accept(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Complete the job after a verdict that every required criterion is met."""
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _send_back(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Count a not-met verdict: the job is RESUBMISSION_REQUIRED, or REJECTED if no submission is left."""
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    counted = replace(job, not_met=job.not_met + 1, feedback=report.feedback)
    status = JobStatus.RESUBMISSION_REQUIRED if execution.has_submissions_left else JobStatus.REJECTED
    return conclude(counted, execution, report, JobLogStatus(status.value), status)


def _rejudge(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Take back the verdict on a result for another one that the same transaction records: no submission counts."""
    if execution is None or execution.execution_id != job.execution_id or execution.result_version is None:
        return Refusal(ErrorCode.NOTHING_TO_JUDGE, "the last execution of the job has no result")
    unjudged = replace(job, live=True, not_met=execution.submission - 1, feedback=None)
    return keep_in_progress(unjudged, reopen(execution, report.owner, clock), report)


def _count_spending(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Add to the job the cost of a judging that a cancel or a time-out cut short: once, and nothing else changes."""
    if not is_cut_short(execution, job, report.lease):
        return refuse_fenced()
    return record(job, replace(execution, seq=1), report, JobLogStatus(job.status.value), job.status)


def _decline(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Reject the job, since the agent declined to do it."""
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _give_up(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Fail the job after a failure, in either stage, that is not tried again."""
    if execution is None or not is_current(execution, report, execution.stage):
        return refuse_fenced()
    return fail(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _judge_again(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """End a judging lease that brought no sound verdict, and queue the result again; the last time, fail the job."""
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    counted = replace(execution, misjudged=execution.misjudged + 1)
    if counted.misjudged >= MISJUDGED_MAX:
        return fail(job, counted, report)
    return keep_in_progress(job, replace(queue(counted, clock.now), lease=execution.lease + 1), report)


def _stop_over_budget(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Fail the job of an execution that would have been granted, since the job's budget is used up."""
    if execution is None or not is_claimable(execution, execution.stage, clock):
        return refuse_fenced()
    return fail(job, execution, report)


def _give_back(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution whose lease a stopping worker gave back; that lease counts no more.

    A validator also gives back results that wait for their judge, if too many do; they are offered again after a while.
    `report.code` is `begun` if the agent may have been called (rule `no-hand-back-once-begun`).
    """
    if execution is None or execution.lease != report.lease or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    if execution.stage is ExecutionStage.JUDGING:
        due_at = clock.now + timedelta(seconds=report.retry_after_s)
        return Decision(job, replace(queue(execution, due_at), lease=execution.lease + 1))
    has_begun = report.code == ErrorCode.BEGUN
    if has_begun and execution.ends_with_its_worker:
        stopped = replace(
            report, code=ErrorCode.WORKER_STOPPED, message="the worker stopped while the agent was being called"
        )
        return fail(job, replace(execution, spent=execution.spent + 1), stopped)
    queued = replace(queue(execution, clock.now), lease=execution.lease + 1)
    queued = forbid_sending(queued) if has_begun else queued
    handed = replace(report, code=ErrorCode.HANDED_OVER, message="the worker stopped; another one goes on")
    return keep_in_progress(job, queued, handed)


def _lapse(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution whose lease was not renewed in time, unless no further call is allowed: then fail the job."""
    if execution is None or execution.state is not ExecutionState.LEASED or execution.due_at is None:
        return refuse_fenced()
    if execution.due_at > clock.now:
        return Refusal(ErrorCode.LEASE_RUNS, "the lease was renewed")
    queued = queue(execution, clock.now)
    if execution.stage is ExecutionStage.JUDGING:  # judging never counts against max_calls
        return _lose_validator(job, queued, report)
    spent = execution.spent + 1
    if execution.ends_with_its_worker:
        lost = replace(
            report, code=ErrorCode.LEASE_LAPSED, message="the worker was lost, and the agent is called at most once"
        )
        return fail(job, replace(execution, spent=spent), lost)
    if not execution.may_call_after(spent):
        message = f"attempt {execution.attempt} lost its worker, and no call is left"
        exhausted = replace(report, code=ErrorCode.ATTEMPTS_EXHAUSTED, message=message)
        return fail(job, replace(execution, spent=spent), exhausted)
    queued = forbid_sending(replace(queued, spent=spent))
    again = replace(report, code=ErrorCode.LEASE_LAPSED, message=f"attempt {execution.attempt} lost its worker")
    return _with_next_attempt(keep_in_progress(job, queued, again), queued.due_at)


def _lose_validator(job: Job, queued: Execution, report: Report) -> Decision:
    """Queue a result for another validator, or fail the job if too many validators were lost with this result."""
    counted = replace(queued, validators_lost=queued.validators_lost + 1)
    if counted.validators_lost < VALIDATORS_LOST_MAX:
        return Decision(job, counted)
    message = f"{VALIDATORS_LOST_MAX} validators were lost while they judged the result"
    return fail(job, counted, replace(report, code=ErrorCode.JUDGING_LOST, message=message))


def _expire(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Fail the job of an execution that is past its deadline or a timeout of its stage."""
    if execution is None or execution.state is ExecutionState.DONE or execution.fails_at is None:
        return refuse_fenced()
    if execution.fails_at > clock.now:
        return Refusal(ErrorCode.DEADLINE_AHEAD, "there is time left")
    code, message = describe_timeout(execution, clock)
    if code == ErrorCode.QUEUE_TIMEOUT and report.message:
        message = f"{message}: {report.message}"
    return fail(job, execution, replace(report, code=code, message=message))


def _cancel(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """End the live execution, if any. The job goes back to ASSIGNED, or stays PENDING."""
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return record(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is ExecutionState.DONE or execution.execution_id != job.execution_id:
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.CANCELLED, target)


def _remove(job: Job, execution: Execution | None, report: Report, _clock: Clock) -> Decision | Refusal:
    """Remove the job: of it stays this entry alone, which has no content, and names its last execution."""
    outline = Job(job.id, job.status, job.version, execution_id=job.execution_id)
    return record(outline, execution, report, JobLogStatus(job.status.value), job.status)


def _requeue_after_rebuild(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Queue an execution that was live when the database was lost: its agent may have been called since then."""
    if execution is None or execution.state is ExecutionState.DONE or not job.live:
        return refuse_fenced()
    is_executing = execution.stage is ExecutionStage.EXECUTING
    if is_executing and execution.ends_with_its_worker:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return fail(job, execution, replace(report, code=ErrorCode.REBUILT, message=message))
    timeout = "queue_timeout_s" if is_executing else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, clock.now)
    queued = replace(queue(execution, clock.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, forbid_sending(queued) if is_executing else queued)


#: The rule of each transition; CREATED has none, since a new job is no change of one.
RULES: Final[Mapping[TransitionKind, Rule]] = {
    TransitionKind.ASSIGNED: Rule(_ASSIGNABLE, _assign),
    TransitionKind.MATCHED: Rule(frozenset({_S.PENDING}), _change_agent),
    TransitionKind.MATCHING_FAILED: Rule(frozenset({_S.PENDING}), _note),
    TransitionKind.HANDED_ON: Rule(frozenset({_S.RESUBMISSION_REQUIRED}), _change_agent),
    TransitionKind.REQUESTED: Rule(frozenset({_S.ASSIGNED, _S.FAILED, _S.RESUBMISSION_REQUIRED}), _request),
    TransitionKind.CLAIMED: Rule(frozenset({_S.ASSIGNED, _S.IN_PROGRESS}), _claim),
    TransitionKind.CALL_BEGUN: Rule(_UNDER_WAY, _note_progress),
    TransitionKind.PROGRESS: Rule(_UNDER_WAY, _note_progress),
    TransitionKind.CALL_FAILED: Rule(_UNDER_WAY, _note_progress),
    TransitionKind.ATTEMPT_FAILED: Rule(_UNDER_WAY, _fail_attempt),
    TransitionKind.RESULT: Rule(_UNDER_WAY, _take_result),
    TransitionKind.JUDGING_CLAIMED: Rule(_UNDER_WAY, _claim_judging),
    TransitionKind.MET: Rule(_UNDER_WAY, _accept),
    TransitionKind.NOT_MET: Rule(_UNDER_WAY, _send_back),
    TransitionKind.DECLINED: Rule(_UNDER_WAY, _decline),
    TransitionKind.FAILED: Rule(_UNDER_WAY, _give_up),
    TransitionKind.GIVEN_BACK: Rule(_UNDER_WAY, _give_back),
    TransitionKind.LAPSED: Rule(_UNDER_WAY, _lapse),
    TransitionKind.DEADLINE: Rule(frozenset({_S.ASSIGNED, _S.IN_PROGRESS}), _expire),
    TransitionKind.CANCELLED: Rule(frozenset({_S.PENDING, _S.ASSIGNED, _S.IN_PROGRESS}), _cancel),
    TransitionKind.REBUILT: Rule(frozenset({_S.ASSIGNED, _S.IN_PROGRESS}), _requeue_after_rebuild),
    TransitionKind.OVER_BUDGET: Rule(frozenset({_S.ASSIGNED, _S.IN_PROGRESS}), _stop_over_budget),
    TransitionKind.MISJUDGED: Rule(_UNDER_WAY, _judge_again),
    TransitionKind.EDITED: Rule(_ASSIGNABLE, _note),
    TransitionKind.REJUDGED: Rule(RESTING, _rejudge),
    TransitionKind.SPENT: Rule(frozenset(JobStatus), _count_spending),
    TransitionKind.REMOVED: Rule(_REMOVABLE, _remove),
}
