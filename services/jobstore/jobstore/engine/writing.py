"""Recorded: an entry of a log as the relay is handed it, made of what was written and what only the database knows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Final, TypeAlias, TypeVar

from jobstore.engine import row_mapping
from jobstore.engine.parts import UnitOfWork
from jobstore.engine.row_mapping import JOB_PART, JOB_TEXTS, TOLD
from jobstore.engine.sql import Row, Values
from jobstore.jobs.model import TERMS, Execution, LogEntry, TransitionKind
from jobstore.jobs.rows import Jobs
from jobstore.jobs.transitions import NO_ENDING
from jobstore.schema.columns import GIVEN, STATE, find_names
from jobstore.schema.tables import jobs
from signoff.jsontext import json_text
from signoff.status import JobLogStatus

V = TypeVar("V")

#: Bytes of a body that is handed on; a larger one is left to be read.
BODY_MAX: Final = 256 << 10
#: The texts of an entry of which the relay is given no more than BODY_MAX.
_TEXTS: Final = ("request", "response", *JOB_TEXTS)
_GIVEN: Final = find_names(jobs, STATE | GIVEN)


class Recorded(SimpleNamespace):
    """An entry of a log, with the columns that the relay would read of it, but for those of JOB_PART.

    `job_part` has those of a new job. `is_whole`: whether all else is here. `bytes` are of its texts.
    """


#: An entry of a log with all that its fact says: as it was read, or recorded.
EntryRow: TypeAlias = Row | Recorded


def list_quoting(rows: Sequence[Values]) -> list[str]:
    """Return the jobs of rows of entries that quote a result in the table, so that their responses must be returned."""
    return [row["job_id"] for row in rows if row["quoted_version"] is not None]


def make_recorded(
    uow: UnitOfWork, entries: Sequence[LogEntry], rows: Sequence[Values], stored: Sequence[Row]
) -> list[Recorded]:
    """Make the rows of entries, from what was written and what only the database knows of each."""
    returned = {(row.job_id, row.version): row for row in stored}
    edited = {entry.job.id for entry in entries if entry.report.kind is TransitionKind.EDITED}
    return [
        _make_row(uow, entry, row, returned[entry.job.id, entry.job.version], is_edited=entry.job.id in edited)
        for entry, row in zip(entries, rows, strict=True)
    ]


def _make_row(uow: UnitOfWork, entry: LogEntry, row: Values, stored: Row, *, is_edited: bool) -> Recorded:
    execution, is_first = entry.execution, entry.job.version == 1
    request, response = row["request_payload"], row["response_payload"]
    kind = entry.report.kind
    is_late = kind is TransitionKind.SPENT or (kind is TransitionKind.RESULT and entry.status is JobLogStatus.CANCELLED)
    is_whole = entry.report.kind is not TransitionKind.EDITED and not is_late
    if row["quoted_version"] is not None:
        response = stored.response
        is_whole = response is not None
    fields: Values = row | {
        **{name: getattr(entry.job, name) for name in _GIVEN if name not in row},
        "seq": stored.seq,
        "id": stored.id,
        "created_at": _to_utc(row["created_at"] or uow.clock.now),
        "next_attempt_at": _to_utc(row["next_attempt_at"]),
        "request": request,
        "response": response,
        **dict.fromkeys(JOB_TEXTS),
        "spec_hash": None,
        "agent": stored.agent,
        "standing": {"live": entry.job.live} | {name: getattr(entry.job, name) for name in NO_ENDING},
        "job_execution_id": row["execution_id"],
        "job_submission": row["submission"],
        "max_calls": None,
        "batch_id": None,
        "is_edited_later": False,
        "job_part": None,
    }
    if execution is not None:
        fields |= {"max_calls": (execution.policy or {}).get("max_calls"), "batch_id": execution.batch_id}
    if execution is not None and entry.report.kind is TransitionKind.REQUESTED:
        fields |= _describe_request(execution) | {"requested_at": stored.requested_at}
        is_whole = stored.requested_at is not None
    if is_first:
        fields |= _describe_job(uow, entry.job.id, stored, is_edited=is_edited)
    size = sum(len(fields[name] or "") for name in _TEXTS)
    return Recorded(**fields, bytes=size, is_whole=is_whole and size <= BODY_MAX)


def _describe_request(execution: Execution) -> Values:
    reuse_key = None if execution.reuse_key is None else execution.reuse_key.hex()
    terms = {name: _to_utc(getattr(execution, name)) for name in TERMS}
    return terms | {"frozen_policy": json_text(execution.policy), "reuse_key": reuse_key}


def _describe_job(uow: UnitOfWork, job_id: str, stored: Row, *, is_edited: bool) -> Values:
    """Return what a new job asks for, unless it was edited since: by now the unit of work has the edited one."""
    spec = uow[Jobs].specs[job_id]
    if is_edited:
        return {"job_tenant": spec.tenant}
    row = row_mapping.spec_row(spec) | {"labels": stored.labels, "policy": stored.policy}
    part = {name: _to_utc(row[column]) for name, column in zip(JOB_PART, TOLD, strict=True)}
    texts = {name: row[name] for name in JOB_TEXTS}
    return {"job_tenant": spec.tenant, "job_part": part, "spec_hash": spec.spec_hash.hex(), **texts}


def _to_utc(value: V) -> V:
    """Return a time as the database does, and anything else as it is."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value
