"""Build decisions: the job, the execution and the log entry as they will be recorded. Pure.

A job says how its last execution ended, by which lists filter and sort; decisions and rebuilds say it alike.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

from contracts.judging.verdict import Verdict
from jobstore.domain.model import (
    UNPROVEN,
    Clock,
    Decision,
    Execution,
    ExecutionState,
    Job,
    LogEntry,
    Report,
    TransitionKind,
    replace,
)
from signoff.errors import ErrorCode
from signoff.money import SUM_NANOS_MAX
from signoff.status import RESTING, JobLogStatus, JobStatus, Outcome

#: Tokens are counted up to the largest integer that every JSON reader keeps exact; agents may report any number.
TOKENS_MAX: Final = 2**53

#: Columns of a job, as far as an entry of its log changes them.
Ending: TypeAlias = Mapping[str, object]

#: Of a job whose last execution is under way, or that has had none.
NO_ENDING: Final[Ending] = {"cancelled": False, "code": None, "duration_s": None, "not_met_criteria": None}
#: Characters of a code, and of a criterion, that are kept: an entry of an index holds 2,700 bytes.
CODE_MAX_CHARS: Final = 64
CRITERION_MAX_CHARS: Final = 500
#: The code of the entries of a verdict that was taken anew, without any call of the agent.
REJUDGED: Final = ErrorCode.REJUDGED
#: What makes a job begin anew.
BEGINNINGS: Final = frozenset(
    {TransitionKind.ASSIGNED, TransitionKind.MATCHED, TransitionKind.HANDED_ON, TransitionKind.REQUESTED}
)
_VERDICTS: Final = frozenset({TransitionKind.MET, TransitionKind.NOT_MET})
_LATE: Final = frozenset({TransitionKind.RESULT, TransitionKind.SPENT})
#: The statuses of entries that end an execution, unless they come late.
ENDS: Final = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


def record(job: Job, execution: Execution | None, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that moves a job to `status` and adds an entry to its log, as its next version.

    The report's cost is added to the job's, and to the execution's unless that is judged again. The entry of a verdict
    quotes the result that was judged; that of a reused result quotes the entry that holds it. What the execution has
    waited for moves from its row to the entry.
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
    """Return whether an entry holds a verdict, and the result that it judges."""
    return kind in _VERDICTS or (kind == TransitionKind.FAILED and code == UNPROVEN)


def conclude(job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that ends an execution: its answer is the log's status, and nothing is due any more.

    An execution is answered once: one that is judged again keeps its answer.
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
    """Return the decision that ends an execution, and its job as FAILED."""
    return conclude(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def keep_in_progress(job: Job, execution: Execution, report: Report) -> Decision:
    """Return the decision that changes an execution whose job stays, or becomes, IN_PROGRESS."""
    return record(job, execution, report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def note_ending(decision: Decision, clock: Clock) -> Decision:
    """Note on the job how its execution ended, or that another begins."""
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


def is_end(kind: str | None, status: JobLogStatus, execution_id: object) -> bool:
    """Return whether an entry ends an execution; what comes late of one that was cut short ends nothing."""
    return execution_id is not None and kind not in _LATE and status in ENDS


def change_ending(kind: str | None, code: str | None) -> Ending:
    """Return what an entry that ends no execution changes."""
    if kind in BEGINNINGS:
        return NO_ENDING
    return {"code": code} if kind == TransitionKind.MATCHING_FAILED else {}


def make_ending(
    status: JobLogStatus, code: str | None, requested_at: datetime | None, ended_at: datetime, not_met: Sequence[str]
) -> Ending:
    """Return how an execution ended; `requested_at` None: in the transaction that requested it."""
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
    """Return the texts of the required criteria that a verdict did not pass, as they are kept, each once."""
    not_met = (c.text for c in verdict.criteria if c.required and c.outcome is not Outcome.PASS)
    return list(dict.fromkeys(map(cut_criterion, not_met)))


def cut_criterion(text: str) -> str:
    """Return the text of a criterion as it is kept, without U+0000, which PostgreSQL cannot store."""
    return text[:CRITERION_MAX_CHARS].replace("\0", "")
