"""The job state machine: which report moves a job from which status to which (docs/protocol.md#states-of-a-job). Pure.

`decide` returns what to record, or a refusal: why nothing is. A new job gets its first status in `commands.assigning`;
no status changes anywhere else.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from jobstore.domain.decisions import conclude, fail, keep_in_progress, note_ending, record
from jobstore.domain.execution_states import lease, queue, reopen
from jobstore.domain.fences import (
    describe_timeout,
    is_claimable,
    is_current,
    is_cut_short,
    is_late_result,
    refuse_fenced,
)
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
    replace,
)
from jobstore.domain.waiting.holds import wait_for_time
from signoff.errors import ErrorCode
from signoff.status import RESTING, JobLogStatus, JobStatus

_S = JobStatus
_ASSIGNABLE: Final = frozenset({_S.PENDING, _S.ASSIGNED, _S.FAILED, _S.REJECTED, _S.RESUBMISSION_REQUIRED})
_UNDER_WAY: Final = frozenset({_S.IN_PROGRESS})

#: What is refused while an execution of the job is live, wherever the job stands.
_NEEDS_REST: Final = frozenset(
    {
        TransitionKind.ASSIGNED,
        TransitionKind.MATCHED,
        TransitionKind.HANDED_ON,
        TransitionKind.REQUESTED,
        TransitionKind.EDITED,
        TransitionKind.REJUDGED,
    }
)
#: How a refusal names what was asked for.
_REQUEST_WORDS: Final[Mapping[TransitionKind, str]] = {
    TransitionKind.ASSIGNED: "be assigned",
    TransitionKind.REQUESTED: "be executed",
    TransitionKind.CANCELLED: "be cancelled",
    TransitionKind.EDITED: "be edited",
    TransitionKind.REJUDGED: "be judged again",
}

#: Added to lease numbers after a rebuild: the lost database may have granted leases that no fact tells of, and a
#: number is never granted twice.
LEASES_UNKNOWN: Final = 1_000
#: Judging leases of one result that may end in no sound verdict; after the last the job fails.
MISJUDGED_MAX: Final = 3
#: Judging leases of one result that may lapse: a result that ends every process that judges it is paid for each time.
#: Far more than crashes of other causes meet one result with.
VALIDATORS_LOST_MAX: Final = 10


class Case(NamedTuple):
    """A report on a job, and on one of its executions if it is about one, at a time."""

    job: Job
    execution: Execution | None
    report: Report
    clock: Clock


class Rule(NamedTuple):
    """From which statuses a transition may happen, and what it does then, as far as the execution allows it."""

    sources: frozenset[JobStatus]
    decide: Callable[[Case], Decision | Refusal]


def decide(job: Job, execution: Execution | None, report: Report, clock: Clock) -> Decision | Refusal:
    """Return what to record of a report, or why nothing is. A refusal is a value, never an exception."""
    if is_late_result(execution, report):
        kept = replace(execution, result_lease=report.lease, result_hash=report.result_hash)
        return record(job, kept, report, JobLogStatus.CANCELLED, job.status)
    if job.live and report.kind in _NEEDS_REST:
        return Refusal(ErrorCode.EXECUTION_LIVE, "an execution of the job is live")
    rule = RULES.get(report.kind)
    if rule is None or job.status not in rule.sources:
        request = _REQUEST_WORDS.get(report.kind, f"take the report `{report.kind}`")
        return Refusal(ErrorCode.ILLEGAL_TRANSITION, f"the job is {job.status} and cannot {request}")
    decision = rule.decide(Case(job, execution, report, clock))
    return decision if isinstance(decision, Refusal) else note_ending(decision, clock)


def _assign(case: Case) -> Decision | Refusal:
    """Assign an agent by hand: submissions count from 1 again, and old feedback is dropped."""
    job, execution, report, _ = case
    assigned = replace(job, agent_id=report.agent_id, not_met=0, feedback=None)
    return record(assigned, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)


def _change_agent(case: Case) -> Decision | Refusal:
    """Change the agent by matching or policy: unlike an assignment by hand, this keeps feedback and count."""
    job, execution, report, _ = case
    assigned = replace(job, agent_id=report.agent_id)
    return record(assigned, execution, report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)


def _note_no_match(case: Case) -> Decision | Refusal:
    """Record which capabilities no agent has; the job stays PENDING."""
    job, _, report, _ = case
    return record(job, None, report, JobLogStatus.MATCHING_FAILED, job.status)


def _edit(case: Case) -> Decision | Refusal:
    """Record an edit; the status stays."""
    job, _, report, _ = case
    return record(job, None, report, JobLogStatus(job.status.value), job.status)


def _request(case: Case) -> Decision | Refusal:
    """Queue an execution, and make the job ASSIGNED and live (rule `request-assigns`)."""
    job, execution, report, clock = case
    if execution is None or execution.state is not ExecutionState.QUEUED or execution.attempt:
        return refuse_fenced()
    due_at = max(clock.now, execution.not_before or clock.now)
    live = replace(
        job,
        live=True,
        execution_id=execution.execution_id,
        batch_id=execution.batch_id or job.batch_id,
        progress=None,
        progress_message=None,
    )
    decision = record(live, queue(execution, due_at), report, JobLogStatus.ASSIGNED, JobStatus.ASSIGNED)
    assert decision.execution is not None
    return replace(decision, execution=wait_for_time(decision.execution, clock.now, due_at))


def _claim(case: Case) -> Decision | Refusal:
    """Grant a lease for executing: the next attempt begins (rules `claim-begins`, `attempt-at-grant`)."""
    job, execution, report, clock = case
    if not is_claimable(execution, ExecutionStage.EXECUTING, clock):
        return refuse_fenced()
    attempt = execution.attempt + 1
    claimed = replace(lease(execution, report.owner, clock), attempt=attempt, fails_at=execution.deadline_at)
    return keep_in_progress(job, claimed, replace(report, message=f"attempt {attempt} was taken by an executor"))


def _claim_judging(case: Case) -> Decision | Refusal:
    """Grant a lease for judging; the job's log gets no entry."""
    job, execution, report, clock = case
    if not is_claimable(execution, ExecutionStage.JUDGING, clock):
        return refuse_fenced()
    return Decision(job, lease(execution, report.owner, clock))


def _note_progress(case: Case) -> Decision | Refusal:
    """Record that a call began, failed and will be tried again, or progressed: once, and only while the lease runs."""
    job, execution, report, clock = case
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
    """Add to the entry of a failure when the agent is called again."""
    assert decision.entry is not None
    return replace(decision, entry=replace(decision.entry, next_attempt_at=at))


def _fail_attempt(case: Case) -> Decision | Refusal:
    """Queue a failed attempt again, or fail the job if no call is left. The lease's number is spent."""
    job, execution, report, clock = case
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    # A lapsed lease was counted as spent when it lapsed.
    spent = max(execution.spent + (execution.state is ExecutionState.LEASED), report.call)
    if not execution.may_call_after(spent):
        return fail(job, replace(execution, spent=spent), report)
    queued = queue(execution, clock.after(report.retry_after_s, execution))
    spent_lease = replace(queued, lease=execution.lease + 1, spent=spent)
    return _with_next_attempt(keep_in_progress(job, spent_lease, report), queued.due_at)


def _take_result(case: Case) -> Decision | Refusal:
    """Move an execution on to be judged."""
    job, execution, report, clock = case
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


def _accept(case: Case) -> Decision | Refusal:
    """Complete the job after a verdict that every required criterion is met."""
    job, execution, report, _ = case
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.COMPLETED, JobStatus.COMPLETED)


def _send_back(case: Case) -> Decision | Refusal:
    """Count a not-met verdict: RESUBMISSION_REQUIRED, or REJECTED if no submission is left."""
    job, execution, report, _ = case
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    counted = replace(job, not_met=job.not_met + 1, feedback=report.feedback)
    status = JobStatus.RESUBMISSION_REQUIRED if execution.has_submissions_left else JobStatus.REJECTED
    return conclude(counted, execution, report, JobLogStatus(status.value), status)


def _rejudge(case: Case) -> Decision | Refusal:
    """Take the verdict on a result back, for another one that the same transaction records: no submission counts."""
    job, execution, report, clock = case
    if execution is None or execution.execution_id != job.execution_id or execution.result_version is None:
        return Refusal(ErrorCode.NOTHING_TO_JUDGE, "the last execution of the job has no result")
    unjudged = replace(job, live=True, not_met=execution.submission - 1, feedback=None)
    return keep_in_progress(unjudged, reopen(execution, report.owner, clock), report)


def _count_spending(case: Case) -> Decision | Refusal:
    """Add to the job what judging had cost that a cancel or a time-out cut short: once, and nothing else changes."""
    job, execution, report, _ = case
    if not is_cut_short(execution, job, report.lease):
        return refuse_fenced()
    return record(job, replace(execution, seq=1), report, JobLogStatus(job.status.value), job.status)


def _decline(case: Case) -> Decision | Refusal:
    """Reject the job, since the agent will not do it."""
    job, execution, report, _ = case
    if not is_current(execution, report, ExecutionStage.EXECUTING):
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.REJECTED, JobStatus.REJECTED)


def _give_up(case: Case) -> Decision | Refusal:
    """Fail the job after a failure that is not tried again, in either stage."""
    job, execution, report, _ = case
    if execution is None or not is_current(execution, report, execution.stage):
        return refuse_fenced()
    return fail(job, replace(execution, spent=max(execution.spent, report.call)), report)


def _judge_again(case: Case) -> Decision | Refusal:
    """Spend a judging lease that ended in no sound verdict, and queue the result again; at last fail the job."""
    job, execution, report, clock = case
    if not is_current(execution, report, ExecutionStage.JUDGING):
        return refuse_fenced()
    counted = replace(execution, misjudged=execution.misjudged + 1)
    if counted.misjudged >= MISJUDGED_MAX:
        return fail(job, counted, report)
    return keep_in_progress(job, replace(queue(counted, clock.now), lease=execution.lease + 1), report)


def _stop_over_budget(case: Case) -> Decision | Refusal:
    """End an execution that would have been granted, since its job's budget is used up."""
    job, execution, report, clock = case
    if execution is None or not is_claimable(execution, execution.stage, clock):
        return refuse_fenced()
    return fail(job, execution, report)


def _give_back(case: Case) -> Decision | Refusal:
    """Queue an execution whose lease a stopping worker gave back; the lease's number is spent.

    A validator gives results back, too, that wait for their judge, if too many do: to be offered after a while.
    `report.code` is `begun` if the agent may have been called (rule `no-hand-back-once-begun`).
    """
    job, execution, report, clock = case
    if execution is None or execution.lease != report.lease or execution.state is not ExecutionState.LEASED:
        return refuse_fenced()
    if execution.stage is ExecutionStage.JUDGING:
        due_at = clock.now + timedelta(seconds=report.retry_after_s)
        return Decision(job, replace(queue(execution, due_at), lease=execution.lease + 1))
    queued = replace(queue(execution, clock.now), lease=execution.lease + 1)
    if report.code == ErrorCode.BEGUN and execution.is_at_most_once:
        stopped = replace(
            report, code=ErrorCode.WORKER_STOPPED, message="the worker stopped while the agent was being called"
        )
        return fail(job, replace(execution, spent=execution.spent + 1), stopped)
    handed = replace(report, code=ErrorCode.HANDED_OVER, message="the worker stopped; another one goes on")
    return keep_in_progress(job, queued, handed)


def _lapse(case: Case) -> Decision | Refusal:
    """Queue an execution whose lease was not renewed in time, unless the call it may have made must be the last."""
    job, execution, report, clock = case
    if execution is None or execution.state is not ExecutionState.LEASED or execution.due_at is None:
        return refuse_fenced()
    if execution.due_at > clock.now:
        return Refusal(ErrorCode.LEASE_RUNS, "the lease was renewed")
    queued = queue(execution, clock.now)
    if execution.stage is ExecutionStage.JUDGING:  # judging never counts against max_calls
        return _lose_validator(case, queued)
    spent = execution.spent + 1
    if execution.is_at_most_once:
        lost = replace(
            report, code=ErrorCode.LEASE_LAPSED, message="the worker was lost, and the agent is called at most once"
        )
        return fail(job, replace(execution, spent=spent), lost)
    if not execution.may_call_after(spent):
        message = f"attempt {execution.attempt} lost its worker, and no call is left"
        exhausted = replace(report, code=ErrorCode.ATTEMPTS_EXHAUSTED, message=message)
        return fail(job, replace(execution, spent=spent), exhausted)
    again = replace(report, code=ErrorCode.LEASE_LAPSED, message=f"attempt {execution.attempt} lost its worker")
    return _with_next_attempt(keep_in_progress(job, replace(queued, spent=spent), again), queued.due_at)


def _lose_validator(case: Case, queued: Execution) -> Decision:
    """Have another validator judge, unless too many were lost with this result."""
    job, _, report, _ = case
    counted = replace(queued, validators_lost=queued.validators_lost + 1)
    if counted.validators_lost < VALIDATORS_LOST_MAX:
        return Decision(job, counted)
    message = f"{VALIDATORS_LOST_MAX} validators were lost while they judged the result"
    return fail(job, counted, replace(report, code=ErrorCode.JUDGING_LOST, message=message))


def _expire(case: Case) -> Decision | Refusal:
    """Fail the job after its deadline or a timeout of the stage."""
    job, execution, report, clock = case
    if execution is None or execution.state is ExecutionState.DONE or execution.fails_at is None:
        return refuse_fenced()
    if execution.fails_at > clock.now:
        return Refusal(ErrorCode.DEADLINE_AHEAD, "there is time left")
    code, message = describe_timeout(execution, clock)
    if code == ErrorCode.QUEUE_TIMEOUT and report.message:
        message = f"{message}: {report.message}"
    return fail(job, execution, replace(report, code=code, message=message))


def _cancel(case: Case) -> Decision | Refusal:
    """End the live execution, if any. The job goes back to ASSIGNED, or stays PENDING."""
    job, execution, report, _ = case
    target = JobStatus.PENDING if job.status is JobStatus.PENDING else JobStatus.ASSIGNED
    if execution is None or not job.live:
        return record(job, None, report, JobLogStatus.CANCELLED, target)
    if execution.state is ExecutionState.DONE or execution.execution_id != job.execution_id:
        return refuse_fenced()
    return conclude(job, execution, report, JobLogStatus.CANCELLED, target)


def _requeue_after_rebuild(case: Case) -> Decision | Refusal:
    """Queue what was live when the database was lost: the agent may have been called since the last fact."""
    job, execution, report, clock = case
    if execution is None or execution.state is ExecutionState.DONE or not job.live:
        return refuse_fenced()
    if execution.is_at_most_once and execution.stage is ExecutionStage.EXECUTING:
        message = "the agent may have been called before the database was lost, and is called at most once"
        return fail(job, execution, replace(report, code=ErrorCode.REBUILT, message=message))
    timeout = "queue_timeout_s" if execution.stage is ExecutionStage.EXECUTING else "judging_timeout_s"
    fails_at = execution.fails_after(timeout, clock.now)
    queued = replace(queue(execution, clock.now), fails_at=fails_at, lease=execution.lease + LEASES_UNKNOWN)
    return Decision(job, queued)


#: The rule of each transition; CREATED has none, since a new job is no change of one.
RULES: Final[Mapping[TransitionKind, Rule]] = {
    TransitionKind.ASSIGNED: Rule(_ASSIGNABLE, _assign),
    TransitionKind.MATCHED: Rule(frozenset({_S.PENDING}), _change_agent),
    TransitionKind.MATCHING_FAILED: Rule(frozenset({_S.PENDING}), _note_no_match),
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
    TransitionKind.EDITED: Rule(_ASSIGNABLE, _edit),
    TransitionKind.REJUDGED: Rule(RESTING, _rejudge),
    TransitionKind.SPENT: Rule(frozenset(JobStatus), _count_spending),
}
