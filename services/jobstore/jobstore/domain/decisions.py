"""Build decisions: the job, the execution and the log entry as they will be recorded. Pure."""

from typing import Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.model import (
    Decision,
    Execution,
    ExecutionState,
    Job,
    LogEntry,
    Report,
    TransitionKind,
    replace,
)

#: Tokens are counted up to the largest integer that every JSON reader keeps exact; agents may report any number.
TOKENS_MAX: Final = 2**53


def record(job: Job, execution: Execution | None, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that moves a job to `status` and adds an entry to its log, as its next version.

    The report's cost is added to the job's. The entry of a verdict quotes the result that was judged; that of a reused
    result quotes the entry that holds it.
    """
    after = replace(
        job,
        status=status,
        version=job.version + 1,
        spent_usd=job.spent_usd + report.cost_usd,
        spent_tokens=min(job.spent_tokens + report.tokens, TOKENS_MAX),
    )
    is_verdict = report.kind in {TransitionKind.MET, TransitionKind.NOT_MET}
    result_version = execution.result_version if execution and is_verdict else None
    entry = LogEntry(after, log, report, execution, result_version=result_version)
    if report.kind is TransitionKind.RESULT and report.reused is not None:
        entry = replace(entry, result_version=report.reused.version, result_job_id=report.reused.job_id)
    if execution is not None and report.kind is TransitionKind.RESULT:
        execution = replace(execution, result_version=after.version)
    if execution is not None and report.kind is TransitionKind.REQUESTED:
        execution = replace(execution, request_version=after.version)
    return Decision(after, execution, entry)


def conclude(job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus) -> Decision:
    """Return the decision that ends an execution: its answer is the log's status, and nothing is due any more."""
    done = replace(
        execution,
        state=ExecutionState.DONE,
        answer=str(log).lower(),
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
