"""Jobs, executions and entries of logs as rows: their columns, and what stands in them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic_core import from_json

from contracts.jsontext import json_text
from contracts.resources import Agent, Policy
from contracts.status import JobStatus
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Execution, ExecutionStage, ExecutionState, Job, LogEntry
from jobstore.domain.spec import Spec

EXECUTION: Final = {
    "execution_id": "uuid",
    "job_id": "text",
    "stage": "text",
    "state": "text",
    "attempt": "int",
    "lease": "int",
    "seq": "int",
    "owner": "uuid",
    "due_at": "timestamptz",
    "deadline_at": "timestamptz",
    "fails_at": "timestamptz",
    "offers": "int",
    "submission": "int",
    "agent_id": "text",
    "policy": "json",
    "request_version": "bigint",
    "result_version": "bigint",
    "result_lease": "int",
    "answer": "text",
    "priority": "smallint",
    "spent": "int",
    "tenant": "text",
    "flow": "text[]",
    "batch_id": "uuid",
    "not_before": "timestamptz",
    "reuse_key": "bytea",
    "result_hash": "bytea",
}
FROZEN: Final = {
    *("execution_id", "job_id", "submission", "agent_id", "policy", "request_version", "priority"),
    *("tenant", "flow", "batch_id", "not_before", "reuse_key"),
}
#: What a decision changes of an execution after it was inserted.
MOVING: Final = {name: kind for name, kind in EXECUTION.items() if name not in FROZEN}
NEW_JOB: Final = {
    "id": "text",
    "title": "text",
    "description": "text",
    "acceptance_criteria": "text",
    "payload": "json",
    "status": "text",
    "version": "bigint",
    "agent_id": "text",
    "execution_id": "uuid",
    "live": "boolean",
    "batch_id": "uuid",
    "not_met": "int",
    "priority": "smallint",
    "tenant": "text",
    "labels": "jsonb",
    "policy": "jsonb",
    "capabilities": "text[]",
    "not_before": "timestamptz",
    "spec_hash": "bytea",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
JOB: Final = {
    "id": "text",
    "status": "text",
    "version": "bigint",
    "agent_id": "text",
    "execution_id": "uuid",
    "live": "boolean",
    "not_met": "int",
    "feedback": "json",
    "progress": "float8",
    "progress_message": "text",
    "batch_id": "uuid",
    "spent_usd": "float8",
    "spent_tokens": "bigint",
    "payload": "json",
}
LOG: Final = {
    "job_id": "text",
    "version": "bigint",
    "status": "text",
    "job_status": "text",
    "agent_id": "text",
    "request_payload": "json",
    "response_payload": "json",
    "message": "text",
    "code": "text",
    "kind": "text",
    "execution_id": "uuid",
    "attempt": "int",
    "lease": "int",
    "submission": "int",
    "event_id": "uuid",
    "spent": "int",
    "progress": "float8",
    "spent_usd": "float8",
    "spent_tokens": "bigint",
    "result_version": "bigint",
    "result_job_id": "text",
    "next_attempt_at": "timestamptz",
}
#: What an edit may change.
EDITED: Final = {
    "id": "text",
    "title": "text",
    "description": "text",
    "acceptance_criteria": "text",
    "payload": "json",
    "priority": "smallint",
    "labels": "jsonb",
    "policy": "jsonb",
    "capabilities": "text[]",
    "not_before": "timestamptz",
}


def job(row: Any) -> Job:
    """A job, locked."""
    return Job(**{**row._mapping, "status": JobStatus(row.status)})  # noqa: SLF001 - SQLAlchemy's name


def execution(row: Any) -> Execution:
    """An execution, locked, behind the columns that a lock tells besides."""
    fields = dict(zip(EXECUTION, row[4:], strict=True))
    policy = from_json(row.policy) if row.policy else None
    return Execution(
        **{**fields, "stage": ExecutionStage(row.stage), "state": ExecutionState(row.state), "policy": policy}
    )


def spec(row: Any) -> Spec:
    """What a job asks for."""
    return Spec(
        row.title,
        row.description,
        row.acceptance_criteria,
        row.payload,
        row.priority,
        row.tenant,
        from_json(row.labels),
        Policy.model_validate_json(row.policy),
        row.capabilities,
        row.not_before,
        row.spec_hash,
        row.created_at,
        row.updated_at,
    )


def agent(row: Any) -> Agent:
    """An agent from its row, whose policy is JSON text."""
    return Agent.model_validate({**row._mapping, "policy": from_json(row.policy)})  # noqa: SLF001 - SQLAlchemy's name


def new_job_row(uow: UnitOfWork, job_id: str) -> Sequence[Any]:
    """The columns of NEW_JOB."""
    job, spec = uow.jobs[job_id], uow.specs[job_id]
    return (
        job.id,
        spec.title,
        spec.description,
        spec.acceptance_criteria,
        spec.payload,
        job.status.value,
        job.version,
        job.agent_id,
        job.execution_id,
        job.live,
        job.batch_id,
        job.not_met,
        spec.priority,
        spec.tenant,
        json_text(spec.labels),
        spec.policy.model_dump_json(exclude_none=True),
        spec.capabilities,
        spec.not_before,
        spec.spec_hash,
        spec.created_at,
        uow.clock.now,
    )


def job_row(uow: UnitOfWork, job_id: str) -> Sequence[Any]:
    """The columns of JOB."""
    job = uow.jobs[job_id]
    return (
        job.id,
        job.status.value,
        job.version,
        job.agent_id,
        job.execution_id,
        job.live,
        job.not_met,
        job.feedback,
        job.progress,
        job.progress_message,
        job.batch_id,
        job.spent_usd,
        job.spent_tokens,
        uow.payloads.get(job_id),
    )


def execution_row(execution: Execution, columns: Iterable[str]) -> Sequence[Any]:
    """These columns of an execution."""
    return tuple(
        json_text(execution.policy) if name == "policy" and execution.policy is not None else getattr(execution, name)
        for name in columns
    )


def log_row(entry: LogEntry) -> Sequence[Any]:
    """The columns of LOG."""
    job, execution, report = entry.job, entry.execution, entry.report
    return (
        job.id,
        job.version,
        entry.status.value,
        job.status.value,
        job.agent_id,
        report.request,
        report.response,
        report.message,
        report.code,
        report.kind.value,
        execution.execution_id if execution else None,
        execution.attempt if execution and execution.attempt else None,
        report.lease or (execution.lease if execution and execution.lease else None),
        execution.submission if execution else None,
        report.event_id,
        execution.spent if execution else None,
        job.progress,
        job.spent_usd or None,
        job.spent_tokens or None,
        entry.with_result_of,
        entry.result_job_id,
        entry.next_attempt_at,
    )


def edited_row(uow: UnitOfWork, job_id: str) -> Sequence[Any]:
    """The columns of EDITED."""
    spec = uow.specs[job_id]
    return (
        job_id,
        spec.title,
        spec.description,
        spec.acceptance_criteria,
        spec.payload,
        spec.priority,
        json_text(spec.labels),
        spec.policy.model_dump_json(exclude_none=True),
        spec.capabilities,
        spec.not_before,
    )
