"""Map jobs, executions and log entries to rows and back."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Final

from pydantic_core import from_json

from contracts.criteria import format_references, read_references
from contracts.resources import Policy
from jobstore.engine import sql
from jobstore.engine.unit_of_work import UnitOfWork
from jobstore.jobs.model import Execution, ExecutionStage, ExecutionState, Job, LogEntry, Spec
from jobstore.jobs.transitions import NO_ENDING
from jobstore.schema.tables import executions, job_logs, jobs, request_keys, workers
from signoff.jsontext import json_text
from signoff.status import JobStatus

#: Columns of an execution that are noted beside its state, and no decision reads or writes.
_NOTED: Final = {"forged_lease", "judge_away_at"}
#: The columns of an execution that decisions write: not when it was requested.
EXECUTION_COLUMNS: Final = sql.columns(executions, without={"created_at", *_NOTED})
#: Those, and when it was requested: what is read.
READ_COLUMNS: Final = (*EXECUTION_COLUMNS, "created_at")
#: Columns that a request freezes: no decision changes them afterwards.
FROZEN_COLUMNS: Final = {
    *("execution_id", "job_id", "submission", "agent_id", "policy", "request_version", "priority"),
    *("tenant", "flow", "batch_id", "not_before", "reuse_key", "task_hash"),
}
#: The id, and the columns of an execution that decisions change after it was inserted.
CHANGING_COLUMNS: Final = {"execution_id": "uuid"} | sql.columns(
    executions, without={*FROZEN_COLUMNS, "created_at", *_NOTED}
)
#: Columns of a job that decisions change.
JOB_COLUMNS: Final = sql.columns(
    jobs,
    only={
        *("id", "status", "version", "agent_id", "execution_id", "live", "not_met", "feedback", "progress"),
        *("progress_message", "batch_id", "cost_nanos", "tokens", *NO_ENDING),
    },
)
#: Columns of a new job; all others have the table's default.
NEW_JOB_COLUMNS: Final = sql.columns(jobs, without={"feedback", "progress", "progress_message", "cost_nanos", "tokens"})
#: Columns that an edit may change, and the id.
EDITED_COLUMNS: Final = sql.columns(
    jobs,
    only={
        *("id", "title", "description", "acceptance_criteria", "payload", "priority", "labels", "policy"),
        *("capabilities", "not_before", "reference_texts"),
    },
)
#: Columns of an entry of a log that are given, `created_at` where it is not the transaction's time; and of the entry,
#: perhaps of another job's log, that it quotes.
LOG_COLUMNS: Final = sql.columns(job_logs, without={"seq", "id"})
ENTRY_COLUMNS: Final = LOG_COLUMNS | {"quoted_job_id": "text", "quoted_version": "bigint"}
KEY_COLUMNS: Final = sql.columns(request_keys, without={"created_at"})
WORKER_COLUMNS: Final = sql.columns(workers, only={"owner", "stage", "room", "capacity", "report"})

#: Of the fields of a spec, those that are read as JSON text, and from where: SQL has a word of its own for references.
_AS_TEXT: Final = {name: f"{name}::text" for name in ("payload", "labels", "policy")}
_AS_TEXT["references"] = "reference_texts::text"
#: What is selected of a job's row for its spec: (name, SQL).
SPEC_COLUMNS: Final = [(f.name, _AS_TEXT.get(f.name, f.name)) for f in fields(Spec)]


def to_job(row: sql.Row) -> Job:
    """Return a job from its locked row, which may have other columns besides."""
    columns = {name: row[name] for name in JOB_COLUMNS}
    return Job(**columns | {"status": JobStatus(row["status"]), "updated_at": row["updated_at"]})


def to_execution(row: sql.Row) -> Execution:
    """Return an execution from its locked row, which may have other columns besides."""
    columns = {name: row[name] for name in READ_COLUMNS}
    words = {"stage": ExecutionStage(row["stage"]), "state": ExecutionState(row["state"])}
    return Execution(**columns | words | {"policy": from_json(row["policy"]) if row["policy"] else None})


def to_spec(row: sql.Row) -> Spec:
    """Return a spec from its job's row, which has SPEC_COLUMNS under names that begin with `spec_`."""
    columns = {name: row[f"spec_{name}"] for name, _ in SPEC_COLUMNS}
    policy, references = Policy.model_validate_json(columns["policy"]), read_references(columns["references"])
    return Spec(**columns | {"labels": from_json(columns["labels"]), "policy": policy, "references": references})


def new_job_row(uow: UnitOfWork, job_id: str) -> sql.Values:
    """Return the row of a new job, with NEW_JOB_COLUMNS and more."""
    spec = uow.specs[job_id]
    times = {"created_at": spec.created_at, "updated_at": uow.clock.now}
    return _spec_row(spec) | job_row(uow.jobs[job_id]) | times


def edited_row(job_id: str, spec: Spec) -> sql.Values:
    """Return the row of a job that asks for something else, with EDITED_COLUMNS and more."""
    return _spec_row(spec) | {"id": job_id}


def job_row(job: Job) -> sql.Values:
    """Return the row of a changed job, with JOB_COLUMNS."""
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
        "cost_nanos": job.cost_nanos,
        "tokens": job.tokens,
        **{name: getattr(job, name) for name in NO_ENDING},
    }


def _spec_row(spec: Spec) -> sql.Values:
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
        "reference_texts": format_references(spec.references),
    }


def execution_row(execution: Execution, columns: Iterable[str]) -> sql.Values:
    """Return the row of an execution, with these columns."""
    row = {name: getattr(execution, name) for name in columns}
    if row.get("policy") is not None:
        row["policy"] = json_text(execution.policy)
    return row


def log_rows(entries: Sequence[LogEntry]) -> list[sql.Values]:
    """Return the rows of log entries, with ENTRY_COLUMNS. A result among them is quoted here, any other by SQL."""
    rows: list[sql.Values] = []
    row_of: dict[tuple[str, int], sql.Values] = {}
    for entry in entries:
        row = _log_row(entry)
        if (quoted := row_of.get((row["quoted_job_id"], row["quoted_version"]))) is not None:
            row |= {name: quoted[name] for name in ("quoted_job_id", "quoted_version")}
            row["response_payload"] = _quote(quoted["response_payload"], row["response_payload"])
        rows.append(row)
        row_of[entry.job.id, entry.job.version] = row
    return rows


def _quote(result: str | None, verdict: str | None) -> str | None:
    """Return a result's response with a verdict appended; where one of them is missing, the other."""
    return f'{result[:-1]},"verdict":{verdict}}}' if result and verdict else result or verdict


def _log_row(entry: LogEntry) -> sql.Values:
    job, execution, report = entry.job, entry.execution, entry.report
    quoted_job_id = None if entry.result_version is None else entry.result_job_id or job.id
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
        "cost_nanos": job.cost_nanos or None,
        "tokens": job.tokens or None,
        "quoted_job_id": quoted_job_id,
        "quoted_version": entry.result_version,
        "next_attempt_at": entry.next_attempt_at,
        "actor": report.actor,
        "duration_s": report.duration_s,
        "waited": entry.waited,
        "created_at": report.at,
    }
