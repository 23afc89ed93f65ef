"""Map jobs, executions and log entries to rows and back."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic_core import from_json

from contracts.jsontext import json_text
from contracts.resources import Agent, Policy
from contracts.status import JobStatus
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Execution, ExecutionStage, ExecutionState, Job, LogEntry
from jobstore.domain.spec import Spec
from jobstore.storage import sql
from jobstore.storage.tables import executions, job_logs, jobs

#: The columns of an execution that decisions read or write: not when it was made, nor what was forged.
EXECUTION_COLUMNS: Final = sql.columns(executions, without={"created_at", "forged_lease"})
#: Columns that a request freezes: no decision changes them afterwards.
FROZEN_COLUMNS: Final = {
    *("execution_id", "job_id", "submission", "agent_id", "policy", "request_version", "priority"),
    *("tenant", "flow", "batch_id", "not_before", "reuse_key"),
}
#: Columns of an execution that decisions change after it was inserted.
CHANGING_COLUMNS: Final = sql.columns(executions, without={*FROZEN_COLUMNS, "created_at", "forged_lease"})
#: Columns of a job that decisions change; the payload, which an assignment may replace, is one.
JOB_COLUMNS: Final = sql.columns(
    jobs,
    only={
        *("id", "status", "version", "agent_id", "execution_id", "live", "not_met", "feedback", "progress"),
        *("progress_message", "batch_id", "spent_usd", "spent_tokens", "payload"),
    },
)
#: Columns of a new job; all others have the table's default.
NEW_JOB_COLUMNS: Final = sql.columns(
    jobs, without={"feedback", "progress", "progress_message", "spent_usd", "spent_tokens"}
)
#: Columns that an edit may change, and the id.
EDITED_COLUMNS: Final = sql.columns(
    jobs,
    only={
        *("id", "title", "description", "acceptance_criteria", "payload", "priority", "labels", "policy"),
        *("capabilities", "not_before"),
    },
)
#: Columns of a log entry, and where the result is recorded that it quotes.
LOG_COLUMNS: Final = sql.columns(job_logs, without={"seq", "id", "created_at"}) | {
    "result_version": "bigint",
    "result_job_id": "text",
}


def to_job(row: Any) -> Job:
    """Return a job from its locked row."""
    return Job(**{**row._mapping, "status": JobStatus(row.status)})  # noqa: SLF001 - SQLAlchemy's name


def to_execution(row: Any) -> Execution:
    """Return an execution from its locked row, which may have other columns besides."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's name
    fields = {name: columns[name] for name in EXECUTION_COLUMNS}
    policy = from_json(row.policy) if row.policy else None
    return Execution(
        **{**fields, "stage": ExecutionStage(row.stage), "state": ExecutionState(row.state), "policy": policy}
    )


def to_spec(row: Any) -> Spec:
    """Return a spec from its job's row, in which payload, labels and policy are JSON text."""
    return Spec(
        title=row.title,
        description=row.description,
        acceptance_criteria=row.acceptance_criteria,
        payload=row.payload,
        priority=row.priority,
        tenant=row.tenant,
        labels=from_json(row.labels),
        policy=Policy.model_validate_json(row.policy),
        capabilities=row.capabilities,
        not_before=row.not_before,
        spec_hash=row.spec_hash,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_agent(row: Any) -> Agent:
    """Return an agent from its row, in which policy and headers are JSON text."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's name
    return Agent.model_validate({**columns, "policy": from_json(row.policy), "headers": from_json(row.headers)})


def new_job_row(uow: UnitOfWork, job_id: str) -> sql.Row:
    """Return the row of a new job, with NEW_JOB_COLUMNS and more."""
    spec = uow.specs[job_id]
    times = {"created_at": spec.created_at, "updated_at": uow.clock.now}
    return _spec_columns(spec) | _job_columns(uow.jobs[job_id]) | times


def job_row(uow: UnitOfWork, job_id: str) -> sql.Row:
    """Return the row of a changed job, with JOB_COLUMNS; a payload of None keeps the stored one."""
    return _job_columns(uow.jobs[job_id]) | {"payload": uow.new_payloads.get(job_id)}


def edited_row(uow: UnitOfWork, job_id: str) -> sql.Row:
    """Return the row of an edited job, with EDITED_COLUMNS and more."""
    return _spec_columns(uow.specs[job_id]) | {"id": job_id}


def _job_columns(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "status": job.status.value,
        "version": job.version,
        "agent_id": job.agent_id,
        "execution_id": job.execution_id,
        "live": job.live,
        "not_met": job.not_met,
        "feedback": job.feedback,
        "progress": job.progress,
        "progress_message": job.progress_message,
        "batch_id": job.batch_id,
        "spent_usd": job.spent_usd,
        "spent_tokens": job.spent_tokens,
    }


def _spec_columns(spec: Spec) -> dict[str, Any]:
    return {
        "title": spec.title,
        "description": spec.description,
        "acceptance_criteria": spec.acceptance_criteria,
        "payload": spec.payload,
        "priority": spec.priority,
        "tenant": spec.tenant,
        "labels": json_text(spec.labels),
        "policy": spec.policy.model_dump_json(exclude_none=True),
        "capabilities": spec.capabilities,
        "not_before": spec.not_before,
        "spec_hash": spec.spec_hash,
    }


def execution_row(execution: Execution, columns: Iterable[str]) -> sql.Row:
    """Return the row of an execution, with these columns."""
    row = {name: getattr(execution, name) for name in columns}
    if row.get("policy") is not None:
        row["policy"] = json_text(execution.policy)
    return row


def log_row(entry: LogEntry) -> sql.Row:
    """Return the row of a log entry, with LOG_COLUMNS."""
    job, execution, report = entry.job, entry.execution, entry.report
    return {
        "job_id": job.id,
        "version": job.version,
        "status": entry.status.value,
        "job_status": job.status.value,
        "agent_id": job.agent_id,
        "request_payload": report.request,
        "response_payload": report.response,
        "message": report.message,
        "code": report.code,
        "kind": report.kind.value,
        "execution_id": execution.execution_id if execution else None,
        "attempt": execution.attempt if execution and execution.attempt else None,
        "lease": report.lease or (execution.lease if execution and execution.lease else None),
        "submission": execution.submission if execution else None,
        "event_id": report.event_id,
        "spent": execution.spent if execution else None,
        "progress": job.progress,
        "spent_usd": job.spent_usd or None,
        "spent_tokens": job.spent_tokens or None,
        "result_version": entry.result_version,
        "result_job_id": entry.result_job_id,
        "next_attempt_at": entry.next_attempt_at,
        "actor": report.actor,
    }
