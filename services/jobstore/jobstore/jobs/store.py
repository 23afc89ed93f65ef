"""Lock and write jobs and their logs as rows, and hand the entries that were written to the relay."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import ClassVar, Final, TypeAlias, TypeVar
from uuid import UUID

from prometheus_client import Counter
from pydantic_core import from_json
from sqlalchemy import TextClause, text

from contracts.criteria import format_references, read_references
from contracts.resources import Policy
from jobstore.agents import store as agents
from jobstore.engine import sql
from jobstore.engine.database import CHANNEL, HANDS_OVER, Wake
from jobstore.engine.locks import Lock
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Ending, Last, Piece, Store
from jobstore.engine.sql import Connection, Row, Rows, Values
from jobstore.executions.rows import Executions, ExecutionsWish
from jobstore.executions.states import find_trace_id
from jobstore.jobs.model import (
    TERMS,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    LastEntry,
    LogEntry,
    Spec,
    TransitionKind,
    members,
)
from jobstore.jobs.rows import Jobs, JobsWish, KeysWish, Question, RequestKeys
from jobstore.jobs.transitions import NO_ENDING
from jobstore.judging.rules import TASK_MAX_CHARS, Task, read_task
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish
from jobstore.schema.columns import EDITED, ENDING, FROZEN, GIVEN, HIDDEN, LATER, SPEC, STATE, TEXT, as_text, find_names
from jobstore.schema.scopes import TENANT_OF_REMOVED
from jobstore.schema.tables import executions, job_logs, jobs, request_keys, workers
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobLogStatus, JobStatus

log = logging.getLogger(__name__)

V = TypeVar("V")

#: Columns of an execution that no decision reads or writes.
_NOTED: Final = {"forged_lease", "judge_away_at"}
#: The columns of an execution that decisions write.
EXECUTION_COLUMNS: Final = sql.columns(executions, without={"created_at", *_NOTED})
#: The columns of an execution that are read: those, and the time of its request.
READ_COLUMNS: Final = (*EXECUTION_COLUMNS, "created_at")
#: The id, and the columns of an execution that decisions change after it was inserted.
CHANGING_COLUMNS: Final = {"execution_id": "uuid"} | sql.columns(
    executions, without={*find_names(executions, FROZEN), *_NOTED}
)
#: Columns of a job that decisions change.
JOB_COLUMNS: Final = sql.columns(jobs, only={"id", *find_names(jobs, STATE, ENDING)})
#: The columns that are selected of a locked job `j`.
LOCKED_COLUMNS: Final = ", ".join(as_text(jobs.c[name], "j") for name in (*JOB_COLUMNS, "updated_at"))
#: Columns of a new job; all others have the table's default.
NEW_JOB_COLUMNS: Final = sql.columns(jobs, without=find_names(jobs, LATER))
#: Columns that an edit may change, and the id.
EDITED_COLUMNS: Final = sql.columns(jobs, only={"id", *find_names(jobs, EDITED)})
#: Columns of an entry of a log that are given (`created_at` only if it is not the transaction's time); and with those
#: of the entry, perhaps in another job's log, that it quotes.
LOG_COLUMNS: Final = sql.columns(job_logs, without={"seq", "id"})
ENTRY_COLUMNS: Final = LOG_COLUMNS | {"quoted_job_id": "text", "quoted_version": "bigint"}
KEY_COLUMNS: Final = sql.columns(request_keys, without={"created_at"})
WORKER_COLUMNS: Final = sql.columns(workers, only={"owner", "stage", "room", "capacity", "report", "protocols"})

#: The columns of a job's spec, by its fields: `references` is a keyword of SQL. And the functions that write those
#: fields that are JSON in a row.
_SPEC: Final = {"references" if name == "reference_texts" else name: name for name in find_names(jobs, SPEC)}
_WRITTEN: Final[Mapping[str, Callable[..., str | None]]] = {
    "labels": json_text,
    "policy": lambda policy: policy.model_dump_json(exclude_none=True),
    "reference_texts": format_references,
}
#: The columns that are selected of a job for its spec: (field, SQL).
SPEC_COLUMNS: Final = [
    (name, as_text(jobs.c[column])) for name, column in {**_SPEC, "updated_at": "updated_at"}.items()
]
#: The columns of a job's spec that every fact has, and their names in the row of an entry; and the texts that only the
#: facts of a new job and of an edit have.
FACT_COLUMNS: Final = find_names(jobs, SPEC, without=[TEXT, HIDDEN])
JOB_PART: Final = [f"job_{name}" for name in FACT_COLUMNS]
JOB_TEXTS: Final = [name for name in find_names(jobs, TEXT) if name != "payload"]


_read_job: Final = sql.attributes([*JOB_COLUMNS])
_read_spec: Final = sql.attributes({column: name for name, column in _SPEC.items()})


def to_job(row: sql.Row) -> Job:
    """Return a job from its locked row, which may have further columns."""
    columns = {name: row[name] for name in JOB_COLUMNS}
    return Job(**columns | {"status": JobStatus(row["status"]), "updated_at": row["updated_at"]})


def to_execution(row: sql.Row) -> Execution:
    """Return an execution from its locked row, which may have further columns."""
    columns = {name: row[name] for name in READ_COLUMNS}
    words = {"stage": ExecutionStage(row["stage"]), "state": ExecutionState(row["state"])}
    return Execution(**columns | words | {"policy": from_json(row["policy"]) if row["policy"] else None})


def to_spec(row: sql.Row) -> Spec:
    """Return a spec from its job's row, which has the columns of SPEC_COLUMNS with the prefix `spec_`."""
    columns = {name: row[f"spec_{name}"] for name, _ in SPEC_COLUMNS}
    policy, references = Policy.model_validate_json(columns["policy"]), read_references(columns["references"])
    return Spec(**columns | {"labels": from_json(columns["labels"]), "policy": policy, "references": references})


def job_row(job: Job) -> sql.Values:
    """Return the row of a changed job, with the columns of JOB_COLUMNS."""
    return _read_job(job)


def spec_row(spec: Spec) -> sql.Values:
    """Return the columns of a job's row that only an edit or an assignment changes, from the job's spec."""
    row = _read_spec(spec)
    return row | {name: write(row[name]) for name, write in _WRITTEN.items()}


def execution_row(execution: Execution, columns: Iterable[str]) -> sql.Values:
    """Return the row of an execution, with the columns that `columns` names."""
    row = {name: getattr(execution, name) for name in columns}
    if row.get("policy") is not None:
        row["policy"] = json_text(execution.policy)
    return row


def log_rows(entries: Sequence[LogEntry]) -> list[sql.Values]:
    """Return the rows of log entries, with ENTRY_COLUMNS. Results among these are quoted here, others by SQL."""
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
    """Return a result's response with a verdict appended; if one of the two is missing, the other one."""
    return f'{result[:-1]},"verdict":{verdict}}}' if result and verdict else result or verdict


def _list_attributes(part: str) -> dict[str, str]:
    """Return the columns of an entry that a part of a LogEntry has, each with the name of the part's attribute."""
    of = {column.name: column.info.get("of", "").rpartition(".") for column in job_logs.c}
    return {name: attribute for name, (of_part, _, attribute) in of.items() if of_part == part and attribute}


_OF: Final = {part: _list_attributes(part) for part in ("", "job", "execution", "report")}
_READ: Final = {part: sql.attributes(columns) for part, columns in _OF.items()}
#: Counts of which none is a NULL.
_COUNTS: Final = ("attempt", "cost_nanos", "tokens")


def _log_row(entry: LogEntry) -> sql.Values:
    parts = {"": entry, "job": entry.job, "execution": entry.execution, "report": entry.report}
    row: sql.Values = {}
    for key, part in parts.items():
        row |= dict.fromkeys(_OF[key]) if part is None else _READ[key](part)
    lease = entry.report.lease or (entry.execution.lease if entry.execution else 0)
    quoted_job_id = None if entry.result_version is None else entry.result_job_id or entry.job.id
    quoted = {"quoted_job_id": quoted_job_id, "quoted_version": entry.result_version}
    return row | {name: row[name] or None for name in _COUNTS} | {"lease": lease or None} | quoted


#: Bytes of a body that is handed to the relay; the relay reads a larger one itself.
BODY_MAX: Final = 256 << 10
#: The texts of an entry, of which the relay is handed no more than BODY_MAX together.
_TEXTS: Final = ("request", "response", *JOB_TEXTS)
_GIVEN: Final = find_names(jobs, STATE | GIVEN)


class Recorded(SimpleNamespace):
    """An entry of a log with the columns that the relay would otherwise read, but without those of JOB_PART.

    `job_part` has those columns of a new job. `is_whole`: no other column is missing. `bytes`: the size of the texts.
    """


#: An entry of a log with all that its fact has: as it was read, or as it was recorded.
EntryRow: TypeAlias = Row | Recorded


def make_recorded(
    uow: UnitOfWork, entries: Sequence[LogEntry], rows: Sequence[Values], stored: Sequence[Row]
) -> list[Recorded]:
    """Return entries as the relay reads them, made of the rows as written and the rows as returned (`stored`)."""
    returned = {(row.job_id, row.version): row for row in stored}
    edited = {entry.job.id for entry in entries if entry.report.kind is TransitionKind.EDITED}
    return [
        _make_row(uow, entry, row, returned[entry.job.id, entry.job.version], is_edited=entry.job.id in edited)
        for entry, row in zip(entries, rows, strict=True)
    ]


def _make_row(uow: UnitOfWork, entry: LogEntry, row: Values, stored: Row, *, is_edited: bool) -> Recorded:
    execution, kind, response = entry.execution, entry.report.kind, row["response_payload"]
    is_late = kind is TransitionKind.SPENT or (kind is TransitionKind.RESULT and entry.status is JobLogStatus.CANCELLED)
    is_whole = kind not in {TransitionKind.EDITED, TransitionKind.REMOVED} and not is_late
    if row["quoted_version"] is not None:
        response = stored.response
        is_whole = response is not None
    fields: Values = row | {
        **{name: getattr(entry.job, name) for name in _GIVEN if name not in row},
        "seq": stored.seq,
        "id": stored.id,
        "created_at": _to_utc(row["created_at"] or uow.clock.now),
        "next_attempt_at": _to_utc(row["next_attempt_at"]),
        "request": row["request_payload"],
        "response": response,
        **dict.fromkeys((*JOB_TEXTS, "spec_hash", "max_calls", "batch_id", "job_part")),
        "agent": stored.agent,
        "standing": {"live": entry.job.live} | {name: getattr(entry.job, name) for name in NO_ENDING},
        "job_execution_id": row["execution_id"],
        "job_submission": row["submission"],
        "is_edited_later": False,
    }
    if execution is not None:
        fields |= {"max_calls": (execution.policy or {}).get("max_calls"), "batch_id": execution.batch_id}
        if kind is TransitionKind.REQUESTED:
            hashes = {"reuse_key": execution.reuse_key, "settings_hash": execution.settings_hash}
            fields |= {name: each and each.hex() for name, each in hashes.items()}
            fields |= {name: _to_utc(getattr(execution, name)) for name in TERMS}
            fields |= {"frozen_policy": json_text(execution.policy), "requested_at": stored.requested_at}
            is_whole = stored.requested_at is not None
    if entry.job.version == 1:
        fields |= _describe_job(uow, entry.job.id, stored, is_edited=is_edited)
    size = sum(len(fields[name] or "") for name in _TEXTS)
    return Recorded(**fields, bytes=size, is_whole=is_whole and size <= BODY_MAX)


def _describe_job(uow: UnitOfWork, job_id: str, stored: Row, *, is_edited: bool) -> Values:
    """Return the columns of a new job's spec; if the same transaction edited the job, only its tenant."""
    spec = uow[Jobs].specs[job_id]
    if is_edited:
        return {"job_tenant": spec.tenant}
    row = spec_row(spec) | {"labels": stored.labels, "policy": stored.policy}
    part = {name: _to_utc(row[column]) for name, column in zip(JOB_PART, FACT_COLUMNS, strict=True)}
    texts = {name: row[name] for name in JOB_TEXTS}
    return {"job_tenant": spec.tenant, "job_part": part, "spec_hash": spec.spec_hash.hex(), **texts}


def _to_utc(value: V) -> V:
    """Return a time in UTC, as the database does, and any other value unchanged."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


DECISIONS = Counter("signoff_decisions", "Decisions on reports and requests", ["kind", "outcome"])

#: The columns that are read of a job for its spec, of which a question has some, and for its task, cut to what judges
#: are shown.
_SPEC_READ: Final = ", ".join(
    f"CASE WHEN with_spec {'OR with_question' if name in Question._fields else ''} THEN {value} END AS spec_{name}"
    for name, value in SPEC_COLUMNS
)
_TASK: Final = f"""
    CASE WHEN with_task THEN title END AS task_title,
    CASE WHEN with_task THEN left(description, {TASK_MAX_CHARS + 1}) END AS task_description,
    CASE WHEN with_task THEN left(payload::text, {TASK_MAX_CHARS + 1}) END AS task_payload
"""
#: The conditions that tell for which jobs those are read.
_WITH_SPEC: Final = """
    id = ANY(CAST(:specs AS text[])) AS with_spec, id = ANY(CAST(:questions AS text[])) AS with_question,
    id = ANY(CAST(:tasks AS text[])) AS with_task
"""


@cache
def _lock_jobs(*, specs: bool) -> TextClause:
    """Return the statement that takes the limits lock, and then locks jobs; with `specs` it reads specs and tasks, too.

    If its parameter `limits` is TRY, it does not wait for the limits lock. PostgreSQL makes the outer row of the join
    first, so that it takes that lock before it locks any row. `removed` are those that have no row any more: where no
    job is, the last entry of its log says so. No table is read whole for that, also where it was empty once.
    """
    return text(
        f"""
    SELECT shared.limits_held, shared.removed, {LOCKED_COLUMNS}
        {f", with_spec, with_question, with_task, {_SPEC_READ}, {_TASK}" if specs else ""}
    FROM (
        SELECT CASE :limits WHEN 'SHARED' THEN CAST(pg_advisory_xact_lock_shared({Lock.LIMITS:d}) AS text) = ''
            WHEN 'EXCLUSIVE' THEN CAST(pg_advisory_xact_lock({Lock.LIMITS:d}) AS text)
                || CAST(pg_advisory_xact_lock({Lock.OFFERS:d}) AS text) = ''
            WHEN 'TRY' THEN pg_try_advisory_xact_lock_shared({Lock.LIMITS:d}) ELSE false END AS limits_held,
            (SELECT json_object_agg(asked.id, last.tenant)::text
                FROM (SELECT id FROM unnest(CAST(:ids AS text[])) AS of (id)
                    WHERE (SELECT true FROM jobs WHERE jobs.id = of.id) IS NULL OFFSET 0) AS asked
                CROSS JOIN LATERAL (SELECT kind, CASE WHEN kind = 'removed' THEN {TENANT_OF_REMOVED} END AS tenant
                    FROM job_logs WHERE job_id = asked.id ORDER BY version DESC LIMIT 1) AS last
                WHERE last.kind = 'removed') AS removed
    ) AS shared LEFT JOIN LATERAL (
        SELECT * {f", {_WITH_SPEC}" if specs else ""}
        FROM jobs WHERE id = ANY(CAST(:ids AS text[]) || ARRAY(
            SELECT job_id FROM executions WHERE execution_id = ANY(CAST(:execution_ids AS uuid[]))))
        ORDER BY id FOR NO KEY UPDATE
    ) AS j ON true
    """  # noqa: S608 - names of our own
    )


_SPECS: Final = text(
    f"SELECT id, {', '.join(f'{value} AS spec_{name}' for name, value in SPEC_COLUMNS)} "  # noqa: S608 - names of our own
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[]))"
)
_LAST_ENTRIES: Final = text(
    "SELECT l.job_id, l.kind, l.message, l.actor FROM jobs j JOIN job_logs l ON l.job_id = j.id "
    "AND l.version = j.version WHERE j.id = ANY(CAST(:ids AS text[]))"
)
_REQUESTS: Final = text(
    "SELECT e.job_id, l.request_payload::text AS request FROM executions e "
    "JOIN job_logs l ON l.job_id = e.job_id AND l.version = e.request_version "
    "WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))"
)
_EDIT: Final = text(sql.update("jobs", EDITED_COLUMNS, key="id"))


class JobsStore(Store):
    """Lock jobs, and take the limits lock in the same statement; write new, changed and edited jobs."""

    part, wish = Jobs, JobsWish
    is_always_locked = True
    #: The arrays of keys beside the joins (`of_batch`) keep PostgreSQL from reading a whole table for a batch.
    pieces: ClassVar[Mapping[str, Piece]] = {
        "new_jobs": Piece(
            sql.insert("jobs", NEW_JOB_COLUMNS, order="id", alias="nj").text,
            NEW_JOB_COLUMNS,
            "nj",
            returning="id, labels::text AS labels, policy::text AS policy",
        ),
        "changed_jobs": Piece(
            sql.update("jobs", JOB_COLUMNS, key="id", alias="j", also=", updated_at = CAST(:now AS timestamptz)"),
            JOB_COLUMNS,
            "j",
            of_batch=" AND jobs.id = ANY(CAST(:j_id AS text[]))",
        ),
    }

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Take the limits lock if it is wished, and lock jobs in the order of ids, also those of executions to lock.

        If only some of the commands need the limits lock, and it is not free, the transaction goes on without it.
        """
        wish, limits, jobs = asked[JobsWish], asked[LimitsWish].lock, uow[Jobs]
        parameters = {
            "limits": "" if not limits else limits.name if _must_wait(asked) else "TRY",
            "ids": sorted(wish.locked),
            "execution_ids": list(asked[ExecutionsWish].locked),
            "specs": list(wish.specs),
            "questions": list(wish.questions),
            "tasks": list(wish.tasks),
        }
        with_specs = bool(wish.specs or wish.questions or wish.tasks)
        first, *others = await connection.execute(_lock_jobs(specs=with_specs), parameters)
        if limits:
            uow[Limits].is_held, uow[Limits].is_missed = first.limits_held, not first.limits_held
        if first.removed is not None:
            jobs.removed = from_json(first.removed)
        rows = [row for row in (first, *others) if row.id is not None]
        jobs.jobs.stored.update((row.id, to_job(row)) for row in rows)
        if with_specs:
            jobs.specs.stored.update((row.id, to_spec(row)) for row in rows if row.with_spec)
            jobs.questions = {
                row.id: Question(row.spec_acceptance_criteria, row.spec_tenant, row.spec_references)
                for row in rows
                if row.with_question
            }
            jobs.tasks = {
                row.id: Task(row.task_title, row.task_description, row.task_payload) for row in rows if row.with_task
            }

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load specs that are not loaded yet, the last entries of logs, and the feedback in tasks."""
        wish, jobs = asked[JobsWish], uow[Jobs]
        if missing := wish.specs - jobs.specs.stored.keys():
            for row in await connection.execute(_SPECS, {"ids": sorted(missing)}):
                jobs.specs.stored[row.id] = to_spec(row)
        if wish.last_entries:
            for row in await connection.execute(_LAST_ENTRIES, {"ids": sorted(wish.last_entries)}):
                jobs.last_entries[row.job_id] = LastEntry(row.kind, row.message, row.actor)
        if wish.feedback:
            for row in await connection.execute(_REQUESTS, {"ids": list(wish.feedback)}):
                task = jobs.tasks[row.job_id]
                jobs.tasks[row.job_id] = task._replace(feedback=read_task(members(row.request)).feedback)

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of new jobs, and of changed ones."""
        stored, changes = uow[Jobs].jobs.stored, uow[Jobs].jobs.changes
        return {
            "new_jobs": [
                spec_row(uow[Jobs].specs[job_id]) | job_row(changes[job_id]) | {"updated_at": uow.clock.now}
                for job_id in changes.keys() - stored.keys()
            ],
            "changed_jobs": [job_row(job) for job in changes.values() if job.id in stored],
        }

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return the function that writes the specs of edited jobs; None if no job was edited."""
        jobs = uow[Jobs]
        edited = sorted(jobs.specs.changes.keys() & jobs.jobs.stored.keys())
        if not edited:
            return None

        async def edit(connection: Connection) -> None:
            edits = [spec_row(jobs.specs[job_id]) | {"id": job_id} for job_id in edited]
            await connection.execute(_EDIT, sql.arrays(EDITED_COLUMNS, "u", edits))

        return edit


def _must_wait(asked: WishList) -> bool:
    """Return whether a batch waits for the limits lock: all its commands need it, or one takes it exclusively."""
    if asked[LimitsWish].lock is LimitsLock.EXCLUSIVE:
        return True
    return all(any(isinstance(wish, LimitsWish) and wish.lock for wish in wishes) for wishes in asked.of_each)


#: The response of an entry: its own; the result of another one that is quoted; or that with the verdict appended, as
#: text, since operators of json fail on U+0000, which JSON text may hold.
_RESPONSE: Final = """
    CASE WHEN l.quoted_version IS NULL THEN l.response_payload::json ELSE (
        SELECT CASE WHEN l.response_payload IS NULL THEN r.response_payload
            ELSE (left(r.response_payload::text, -1) || ',"verdict":' || l.response_payload || '}')::json END
        FROM job_logs r WHERE r.job_id = l.quoted_job_id AND r.version = l.quoted_version) END
"""
_ENTRY: Final = {name: sql.value("l", name, kind) for name, kind in LOG_COLUMNS.items()} | {
    "response_payload": _RESPONSE,
    "created_at": "coalesce(l.created_at, CAST(:now AS timestamptz))",
}
#: The columns of the entries that only the database knows: numbers and ids, the responses that SQL has quoted, the
#: agent of an assignment, the time of the request, and the JSON of new jobs as PostgreSQL writes it.
_RECORDED: Final = f"""
    SELECT notified, e.job_id, e.version, e.seq, e.id, {{of_jobs}}, {{of_executions}},
        CASE WHEN e.job_id = ANY(CAST(:quoting AS text[])) AND pg_column_size(e.response_payload) <= {BODY_MAX}
            THEN e.response_payload::text END AS response,
        CASE WHEN e.status = 'ASSIGNED' AND e.execution_id IS NULL
            THEN (SELECT {agents.json_object("a", with_settings=False)}::text FROM agents a WHERE a.id = e.agent_id)
        END AS agent
    FROM (SELECT pg_notify('{CHANNEL}', :wake || (SELECT max(seq) FROM entries) || '{HANDS_OVER}') AS notified) AS one
        CROSS JOIN entries e {{joins}}
"""  # noqa: S608 - names of our own


def _end(pieces: Sequence[str]) -> str:
    """Return the query of the written entries, with the columns that the other pieces in `pieces` return."""
    of_jobs, of_executions, joins = "NULL AS labels, NULL AS policy", "NULL AS requested_at", ""
    if "new_jobs" in pieces:
        of_jobs, joins = "j.labels, j.policy", "LEFT JOIN new_jobs j ON j.id = e.job_id"
    if "new_executions" in pieces:
        of_executions = "x.created_at AS requested_at"
        joins += " LEFT JOIN new_executions x ON x.execution_id = e.execution_id"
    return _RECORDED.format(of_jobs=of_jobs, of_executions=of_executions, joins=joins)


class LogStore(Store):
    """Write the entries of logs, and hand them over to a listener once they are committed."""

    part = Jobs
    #: ORDER BY l.n: a job's versions are numbered in order.
    pieces: ClassVar[Mapping[str, Piece]] = {
        "entries": Piece(
            f"""
            INSERT INTO job_logs ({", ".join(_ENTRY)}) SELECT {", ".join(_ENTRY.values())}
            FROM {sql.unnest("l", ENTRY_COLUMNS)} ORDER BY l.n
            """,  # noqa: S608 - names of our own
            ENTRY_COLUMNS,
            "l",
            returning="job_id, version, seq, id, status, agent_id, execution_id, response_payload",
            few_max=2,  # a result's, and that its judging began
        )
    }

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of entries, sorted by job; the entries of one job keep their order."""
        jobs = uow[Jobs]
        jobs.entries.sort(key=lambda entry: entry.job.id)  # two transactions may make the same jobs
        return {"entries": log_rows(jobs.entries)}

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return RECORDED if there are entries, since the relay has to publish these."""
        return Wake.RECORDED if uow[Jobs].entries else Wake.NOTHING

    def make_ending(self, uow: UnitOfWork, rows: Mapping[str, Sequence[Values]]) -> Ending | None:
        """Return the ending that returns the entries as they are stored; None if no listener takes them."""
        if uow.listeners.on_recorded is None or not uow[Jobs].entries:
            return None

        # Of these the table has the result, so that SQL returns their responses.
        quoting = [row["job_id"] for row in rows["entries"] if row["quoted_version"] is not None]

        def take(returned: Rows) -> None:
            uow[Jobs].recorded = make_recorded(uow, uow[Jobs].entries, rows["entries"], returned)

        return Ending(_end, {"quoting": quoting}, take)

    def settle(self, uow: UnitOfWork) -> None:
        """Hand the entries over to the listener; count decisions, and log refusals."""
        jobs = uow[Jobs]
        if uow.listeners.on_recorded is not None and jobs.recorded:
            uow.listeners.on_recorded(jobs.recorded)
        for kind, count in jobs.recorded_counts.items():
            DECISIONS.labels(kind.value, "recorded").inc(count)
        for job_id, execution_id, report, refusal in jobs.refusals:
            DECISIONS.labels(report.kind.value, refusal.code).inc()
            fields: dict[str, object] = {
                "job_id": job_id,
                "execution_id": execution_id,
                "kind": report.kind.value,
                "code": refusal.code,
            }
            # Each result comes twice, from its topic and with the claim of its judging: a repeat is no news.
            level = logging.DEBUG if refusal.code == ErrorCode.REPEAT else logging.INFO
            if log.isEnabledFor(level):
                fields |= _name_trace(uow, execution_id) | {"lease": report.lease, "reason": refusal.message}
                log.log(level, "refused; nothing is recorded", extra=fields)


def _name_trace(uow: UnitOfWork, execution_id: UUID | None) -> dict[str, str]:
    """Return the trace's id of an execution whose row the transaction has, as a field of a log line."""
    execution = uow[Executions].executions.get(execution_id) if execution_id else None
    if execution is None or execution.request_version is None:
        return {}
    return {"trace_id": find_trace_id(execution)}


class KeysStore(Store):
    """Write the body hashes of requests under idempotency keys; ExecutionsStore reads them."""

    part, wish = RequestKeys, KeysWish
    pieces: ClassVar[Mapping[str, Piece]] = {
        "request_keys": Piece(sql.insert("request_keys", KEY_COLUMNS, order="id", alias="k").text, KEY_COLUMNS, "k")
    }

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of new idempotency keys."""
        hashes = uow[RequestKeys].hashes.changes
        return {"request_keys": [{"id": each, "body_hash": body_hash} for each, body_hash in hashes.items()]}
