"""Map jobs, executions and log entries to rows and back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from pydantic_core import from_json

from contracts.criteria import format_references, read_references
from contracts.resources import Policy
from jobstore.engine import sql
from jobstore.engine.parts import UnitOfWork
from jobstore.jobs.model import Execution, ExecutionStage, ExecutionState, Job, LogEntry, Spec
from jobstore.jobs.rows import Jobs
from jobstore.schema.columns import EDITED, ENDING, FROZEN, HIDDEN, LATER, SPEC, STATE, TEXT, as_text, find_names
from jobstore.schema.tables import executions, job_logs, jobs, request_keys, workers
from signoff.jsontext import json_text
from signoff.status import JobStatus

#: Columns of an execution that are noted beside its state, and no decision reads or writes.
_NOTED: Final = {"forged_lease", "judge_away_at"}
#: The columns of an execution that decisions write: not when it was requested.
EXECUTION_COLUMNS: Final = sql.columns(executions, without={"created_at", *_NOTED})
#: Those, and when it was requested: what is read.
READ_COLUMNS: Final = (*EXECUTION_COLUMNS, "created_at")
#: The id, and the columns of an execution that decisions change after it was inserted.
CHANGING_COLUMNS: Final = {"execution_id": "uuid"} | sql.columns(
    executions, without={*find_names(executions, FROZEN), *_NOTED}
)
#: Columns of a job that decisions change.
JOB_COLUMNS: Final = sql.columns(jobs, only={"id", *find_names(jobs, STATE, ENDING)})
#: What is selected of a job that is locked, called `j`.
LOCKED_COLUMNS: Final = ", ".join(as_text(jobs.c[name], "j") for name in (*JOB_COLUMNS, "updated_at"))
#: Columns of a new job; all others have the table's default.
NEW_JOB_COLUMNS: Final = sql.columns(jobs, without=find_names(jobs, LATER))
#: Columns that an edit may change, and the id.
EDITED_COLUMNS: Final = sql.columns(jobs, only={"id", *find_names(jobs, EDITED)})
#: Columns of an entry of a log that are given, `created_at` where it is not the transaction's time; and of the entry,
#: perhaps of another job's log, that it quotes.
LOG_COLUMNS: Final = sql.columns(job_logs, without={"seq", "id"})
ENTRY_COLUMNS: Final = LOG_COLUMNS | {"quoted_job_id": "text", "quoted_version": "bigint"}
KEY_COLUMNS: Final = sql.columns(request_keys, without={"created_at"})
WORKER_COLUMNS: Final = sql.columns(workers, only={"owner", "stage", "room", "capacity", "report"})

#: The columns of a job's spec, by its fields: SQL has a word of its own for references. How those are written that are
#: values in a spec and JSON in a row.
_SPEC: Final = {"references" if name == "reference_texts" else name: name for name in find_names(jobs, SPEC)}
_WRITTEN: Final[Mapping[str, Callable[..., str | None]]] = {
    "labels": json_text,
    "policy": lambda policy: policy.model_dump_json(exclude_none=True),
    "reference_texts": format_references,
}
#: What is selected of a job's row for its spec: (field, SQL).
SPEC_COLUMNS: Final = [
    (name, as_text(jobs.c[column])) for name, column in {**_SPEC, "updated_at": "updated_at"}.items()
]
#: Columns that only an edit changes of a job, as facts show them, and their names in the row of an entry; and the texts
#: that a fact has where they are new.
TOLD: Final = find_names(jobs, SPEC, without=[TEXT, HIDDEN])
JOB_PART: Final = [f"job_{name}" for name in TOLD]
JOB_TEXTS: Final = [name for name in find_names(jobs, TEXT) if name != "payload"]


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
    spec = uow[Jobs].specs[job_id]
    return spec_row(spec) | job_row(uow[Jobs].jobs[job_id]) | {"updated_at": uow.clock.now}


def edited_row(job_id: str, spec: Spec) -> sql.Values:
    """Return the row of a job that asks for something else, with EDITED_COLUMNS and more."""
    return spec_row(spec) | {"id": job_id}


def job_row(job: Job) -> sql.Values:
    """Return the row of a changed job, with JOB_COLUMNS."""
    return {name: getattr(job, name) for name in JOB_COLUMNS}


def spec_row(spec: Spec) -> sql.Values:
    """Return the columns of a job that only an edit or an assignment changes."""
    row = {column: getattr(spec, name) for name, column in _SPEC.items()}
    return row | {name: write(row[name]) for name, write in _WRITTEN.items()}


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


#: The columns of an entry, by the part of a LogEntry that has them, each with its attribute there.
_OF: Final = {
    part: [
        (column.name, of.rpartition(".")[2])
        for column in job_logs.c
        if (of := column.info.get("of", "")).rpartition(".")[0] == part and of
    ]
    for part in ("", "job", "execution", "report")
}
#: Counts of which none is a NULL.
_COUNTS: Final = ("attempt", "cost_nanos", "tokens")


def _log_row(entry: LogEntry) -> sql.Values:
    parts = {"": entry, "job": entry.job, "execution": entry.execution, "report": entry.report}
    row = {name: getattr(part, attribute, None) for key, part in parts.items() for name, attribute in _OF[key]}
    lease = entry.report.lease or (entry.execution.lease if entry.execution else 0)
    quoted_job_id = None if entry.result_version is None else entry.result_job_id or entry.job.id
    quoted = {"quoted_job_id": quoted_job_id, "quoted_version": entry.result_version}
    return row | {name: row[name] or None for name in _COUNTS} | {"lease": lease or None} | quoted
