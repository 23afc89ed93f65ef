"""Make of an entry that was just written the row that its log has, for whoever would else read that back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Final, TypeAlias

from contracts.criteria import format_references
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.decisions import NO_ENDING
from jobstore.domain.model import Execution, LogEntry, TransitionKind
from jobstore.storage.sql import Row, Values
from signoff.jsontext import json_text
from signoff.status import JobLogStatus

#: Bytes of a body that is handed on; a larger one is left to be read.
BODY_MAX: Final = 256 << 10
#: What only an edit changes of a job, as facts show it.
JOB_PART: Final = (
    "title",
    "priority",
    "tenant",
    "labels",
    "policy",
    "capabilities",
    "job_not_before",
    "job_created_at",
)


#: The texts of an entry of which the relay is given no more than BODY_MAX.
_TEXTS: Final = ("request", "response", "description", "acceptance_criteria", "reference_texts")


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
        "seq": stored.seq,
        "id": stored.id,
        "created_at": _to_utc(row["created_at"] or uow.clock.now),
        "next_attempt_at": _to_utc(row["next_attempt_at"]),
        "request": request,
        "response": response,
        "progress_message": None if entry.job.progress is None else entry.job.progress_message,
        "description": None,
        "acceptance_criteria": None,
        "reference_texts": None,
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
    return {
        "frozen_policy": json_text(execution.policy),
        "deadline_at": _to_utc(execution.deadline_at),
        "not_before": _to_utc(execution.not_before),
        "reuse_key": None if execution.reuse_key is None else execution.reuse_key.hex(),
    }


def _describe_job(uow: UnitOfWork, job_id: str, stored: Row, *, is_edited: bool) -> Values:
    """Return what a new job asks for, unless it was edited since: by now the unit of work has the edited one."""
    spec = uow.specs[job_id]
    if is_edited:
        return {"tenant": spec.tenant}
    part = {
        "title": spec.title,
        "priority": spec.priority,
        "tenant": spec.tenant,
        "labels": stored.labels,
        "policy": stored.policy,
        "capabilities": spec.capabilities,
        "job_not_before": _to_utc(spec.not_before),
        "job_created_at": _to_utc(spec.created_at),
    }
    texts = {
        "description": spec.description,
        "acceptance_criteria": spec.acceptance_criteria,
        "reference_texts": format_references(spec.references),
    }
    return {"tenant": spec.tenant, "job_part": part, "spec_hash": spec.spec_hash.hex(), **texts}


def _to_utc(at: datetime | None) -> datetime | None:
    """Return a time as the database does."""
    return None if at is None else at.astimezone(UTC)
