"""Build decisions: the job, the execution and the log entry as they will be recorded. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.status import JobLogStatus, JobStatus
from jobstore.domain.model import (
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    LogEntry,
    Report,
    TransitionKind,
)

#: Tokens are counted up to the largest integer that every JSON reader keeps exact; agents may report any number.
TOKENS_MAX: Final = 2**53
_NOTHING_DUE: Final[Mapping[str, Any]] = {"owner": None, "due_at": None, "fails_at": None}


def record(
    job: Job,
    execution: Execution | None,
    report: Report,
    log: JobLogStatus,
    status: JobStatus,
    **job_fields: Any,
) -> Decision:
    """Return the decision that moves a job to `status` and adds an entry to its log, as its next version.

    `job_fields` are changed besides. The report's cost is added to the job's. The entry of a verdict quotes the result
    that was judged; that of a reused result quotes the entry that holds it.
    """
    spent_usd, spent_tokens = job.spent_usd + report.cost_usd, min(job.spent_tokens + report.tokens, TOKENS_MAX)
    changes = {"status": status, "version": job.version + 1, "spent_usd": spent_usd, "spent_tokens": spent_tokens}
    after = replace(job, **{**changes, **job_fields})
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


def conclude(
    job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus, **job_fields: Any
) -> Decision:
    """Return the decision that ends an execution: its answer is the log's status, and nothing is due any more."""
    done = replace(execution, state=ExecutionState.DONE, answer=str(log).lower(), seq=0, offers=0, **_NOTHING_DUE)
    return record(job, done, report, log, status, live=False, **job_fields)


def fail(job: Job, execution: Execution, report: Report) -> Decision:
    """Return the decision that ends an execution, and its job as FAILED."""
    return conclude(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def keep_in_progress(job: Job, execution: Execution, report: Report, **changes: Any) -> Decision:
    """Return the decision that changes an execution whose job stays, or becomes, IN_PROGRESS."""
    return record(job, replace(execution, **changes), report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def queue(execution: Execution, due_at: datetime) -> Execution:
    """Return the execution as QUEUED, to be offered from `due_at` on.

    While EXECUTING, `queue_timeout_s` starts anew; while JUDGING, `judging_timeout_s` runs on.
    """
    fails_at = execution.fails_at
    if execution.stage is ExecutionStage.EXECUTING:
        fails_at = execution.fails_after("queue_timeout_s", due_at)
    return replace(execution, state=ExecutionState.QUEUED, owner=None, due_at=due_at, fails_at=fails_at)
