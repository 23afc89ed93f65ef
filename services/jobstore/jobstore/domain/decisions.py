"""Build decisions: the job, the execution and the log's entry as they are to be recorded. Pure."""

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

#: Counted no further: strangers say what they consume, and every reader of JSON knows such a number.
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
    """Add an entry to the job's log, as its next version: the job stands at `status`, with these fields changed.

    What the report says was spent is added to the job. A verdict's entry quotes the result that it is about.
    """
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


def conclude(
    job: Job, execution: Execution, report: Report, log: JobLogStatus, status: JobStatus, **job_fields: Any
) -> Decision:
    """End an execution: it is answered by the log's status, and nothing is due any more."""
    done = replace(execution, state=ExecutionState.DONE, answer=str(log).lower(), seq=0, offers=0, **_NOTHING_DUE)
    return record(job, done, report, log, status, live=False, **job_fields)


def fail(job: Job, execution: Execution, report: Report) -> Decision:
    """End an execution and its job as FAILED."""
    return conclude(job, execution, report, JobLogStatus.FAILED, JobStatus.FAILED)


def go_on(job: Job, execution: Execution, report: Report, **changes: Any) -> Decision:
    """Change an execution whose job stays, or becomes, IN_PROGRESS."""
    return record(job, replace(execution, **changes), report, JobLogStatus.IN_PROGRESS, JobStatus.IN_PROGRESS)


def queue(execution: Execution, due_at: datetime) -> Execution:
    """Return an execution that waits to be offered from `due_at` on.

    The time to be taken by an executor starts anew; the time to be judged runs on.
    """
    fails_at = execution.fails_at
    if execution.stage is ExecutionStage.EXECUTING:
        fails_at = execution.fails_after("queue_timeout_s", due_at)
    return replace(execution, state=ExecutionState.QUEUED, owner=None, due_at=due_at, fails_at=fails_at)
