"""Write what a unit of work has changed: one statement for what most have, and one more for each thing that is rare."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from sqlalchemy import TextClause, text

from jobstore.agents import store as agents
from jobstore.engine import administration, facts, row_mapping, sql
from jobstore.engine.notifications import CHANNEL, HANDS_OVER, Wake
from jobstore.engine.row_mapping import (
    CHANGING_COLUMNS,
    EDITED_COLUMNS,
    ENTRY_COLUMNS,
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    JOB_PART,
    JOB_TEXTS,
    KEY_COLUMNS,
    LOG_COLUMNS,
    NEW_JOB_COLUMNS,
    TOLD,
    WORKER_COLUMNS,
)
from jobstore.engine.rows import Changes, WorkerRoom
from jobstore.engine.sql import Connection, Row, Values
from jobstore.engine.unit_of_work import UnitOfWork
from jobstore.jobs.model import TERMS, Execution, ExecutionStage, ExecutionState, LogEntry, TransitionKind
from jobstore.jobs.transitions import NO_ENDING
from jobstore.judging import store as judgings
from jobstore.limits import store as limits
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
    spec = uow.specs[job_id]
    if is_edited:
        return {"job_tenant": spec.tenant}
    row = row_mapping.spec_row(spec) | {"labels": stored.labels, "policy": stored.policy}
    part = {name: _to_utc(row[column]) for name, column in zip(JOB_PART, TOLD, strict=True)}
    texts = {name: row[name] for name in JOB_TEXTS}
    return {"job_tenant": spec.tenant, "job_part": part, "spec_hash": spec.spec_hash.hex(), **texts}


def _to_utc(value: V) -> V:
    """Return a time as the database does, and anything else as it is."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


class _Part(NamedTuple):
    """A part of the statement that writes: SQL over an `unnest` of rows with an alias."""

    sql: str
    columns: Mapping[str, str]
    alias: str
    #: What may be asked of the written rows, under the part's name.
    returning: str = "1"
    #: The condition that finds the rows of a whole batch by their keys.
    of_batch: str = ""
    #: How many rows are written by VALUES: each number is a statement of its own.
    few_max: int = 1

    def compose(self, count: int) -> str:
        """Return the SQL for so many rows, or for any number where that is 0."""
        if not count:
            return self.sql + self.of_batch
        rows = sql.unnest(self.alias, self.columns)
        return self.sql.replace(rows, sql.few(self.alias, self.columns, count))


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
#: All see the tables as they were before the statement. ORDER BY l.n: a job's versions are numbered in order.
#: The arrays of keys beside the joins (`of_batch`) keep PostgreSQL from reading a whole table for a batch of hundreds.
_PARTS: Final[Mapping[str, _Part]] = {
    "new_jobs": _Part(
        sql.insert("jobs", NEW_JOB_COLUMNS, order="id", alias="nj").text,
        NEW_JOB_COLUMNS,
        "nj",
        returning="id, labels::text AS labels, policy::text AS policy",
    ),
    "changed_jobs": _Part(
        f"""
        UPDATE jobs SET {sql.assignments("j", JOB_COLUMNS, key="id")}, updated_at = CAST(:now AS timestamptz)
        FROM {sql.unnest("j", JOB_COLUMNS)} WHERE jobs.id = j.id
        """,  # noqa: S608 - names of our own
        JOB_COLUMNS,
        "j",
        of_batch="AND jobs.id = ANY(CAST(:j_id AS text[]))",
    ),
    "new_executions": _Part(
        sql.insert("executions", EXECUTION_COLUMNS, order="execution_id", alias="ne").text,
        EXECUTION_COLUMNS,
        "ne",
        returning="execution_id, created_at",
    ),
    "changed_executions": _Part(
        f"""
        UPDATE executions SET {sql.assignments("e", CHANGING_COLUMNS, key="execution_id")}
        FROM {sql.unnest("e", CHANGING_COLUMNS)} WHERE executions.execution_id = e.execution_id
        """,  # noqa: S608 - names of our own
        CHANGING_COLUMNS,
        "e",
        of_batch="AND executions.execution_id = ANY(CAST(:e_execution_id AS uuid[]))",
    ),
    "entries": _Part(
        f"""
        INSERT INTO job_logs ({", ".join(_ENTRY)}) SELECT {", ".join(_ENTRY.values())}
        FROM {sql.unnest("l", ENTRY_COLUMNS)} ORDER BY l.n
        """,  # noqa: S608 - names of our own
        ENTRY_COLUMNS,
        "l",
        returning="job_id, version, seq, id, status, agent_id, execution_id, response_payload",
        few_max=2,  # a result's, and that its judging began
    ),
    "request_keys": _Part(sql.insert("request_keys", KEY_COLUMNS, order="id", alias="k").text, KEY_COLUMNS, "k"),
    "reusable": _Part(judgings.KEEP, judgings.COLUMNS, judgings.ALIAS),
    "workers": _Part(
        f"""
        INSERT INTO workers (owner, stage, room, capacity, report, seen_at) SELECT owner, stage, room, capacity,
            {sql.value("w", "report", "jsonb")} || jsonb_build_object('at', signoff_now()), signoff_now()
        FROM {sql.unnest("w", WORKER_COLUMNS)} ORDER BY owner
        ON CONFLICT (owner) DO UPDATE SET room = excluded.room, seen_at = excluded.seen_at,
            capacity = greatest(workers.capacity, excluded.capacity),
            report = coalesce(excluded.report, workers.report)
        """,  # noqa: S608 - names of our own
        WORKER_COLUMNS,
        "w",
    ),
}
#: What only the database knows of the entries: their numbers and ids, a response that SQL has quoted, the agent of an
#: assignment, the request's time, and how the new jobs' JSON reads.
_RECORDED: Final = f"""
    SELECT told, e.job_id, e.version, e.seq, e.id, {{of_jobs}}, {{of_executions}},
        CASE WHEN e.job_id = ANY(CAST(:quoting AS text[])) AND pg_column_size(e.response_payload) <= {BODY_MAX}
            THEN e.response_payload::text END AS response,
        CASE WHEN e.status = 'ASSIGNED' AND e.execution_id IS NULL
            THEN (SELECT {agents.json_object("a")}::text FROM agents a WHERE a.id = e.agent_id) END AS agent
    FROM (SELECT pg_notify('{CHANNEL}', :wake || (SELECT max(seq) FROM entries) || '{HANDS_OVER}') AS told) AS told
        CROSS JOIN entries e {{joins}}
"""  # noqa: S608 - names of our own
_EDIT: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = new.{name}" for name in EDITED_COLUMNS if name != "id")}
    FROM (SELECT {sql.named_values("u", EDITED_COLUMNS)} FROM {sql.unnest("u", EDITED_COLUMNS)}) AS new
    WHERE jobs.id = new.id
    """,  # noqa: S608 - names of our own
)


async def write(
    connection: Connection, uow: UnitOfWork, *, hands_over: bool = False, commits: bool = False
) -> list[Recorded]:
    """Write all changes. RaceError: another transaction has inserted one of the new rows since.

    `hands_over`: the caller will hand the entries over, which are returned; otherwise none are. `commits`: the last
    statement may commit the pipelined transaction, so that an error of what follows it undoes nothing.
    """
    stored, changes = uow.stored, uow.changes
    await administration.write(connection, changes)
    await judgings.write(connection, changes)
    if changes.circuits:
        await agents.write(connection, stored.circuits, changes.circuits)
    if changes.begun:
        await limits.count_starts(connection, changes.begun, uow.clock.now)
    new_jobs, new_executions = (
        changes.jobs.keys() - stored.jobs.keys(),
        changes.executions.keys() - stored.executions.keys(),
    )
    changed = [e for e in changes.executions.values() if e.execution_id not in new_executions]
    entries = _order(changes.entries)
    rows = {
        "new_jobs": [row_mapping.new_job_row(uow, job_id) for job_id in new_jobs],
        "changed_jobs": [row_mapping.job_row(job) for job in changes.jobs.values() if job.id not in new_jobs],
        "new_executions": [row_mapping.execution_row(changes.executions[i], EXECUTION_COLUMNS) for i in new_executions],
        "changed_executions": [row_mapping.execution_row(execution, CHANGING_COLUMNS) for execution in changed],
        "entries": row_mapping.log_rows(entries),
        "request_keys": [{"id": each, "body_hash": body_hash} for each, body_hash in changes.request_keys.items()],
        "reusable": judgings.make_rows(uow),
        "workers": _make_worker_rows(changes.rooms),
    }
    hands_over = hands_over and bool(entries)
    edited = sorted(changes.specs.keys() - new_jobs)
    commits = commits and not (changes.final_answers or changes.forgotten or edited or changes.judged)
    returned = await _write_parts(
        connection, rows, _work_left_by(changes), uow.clock.now, hands_over=hands_over, commits=commits
    )
    if changes.final_answers:
        await facts.add_refusal_facts(connection, changes.final_answers)
    if changes.forgotten:
        await facts.forget_answers(connection, changes.forgotten)
    if edited:
        edits = [row_mapping.edited_row(job_id, changes.specs[job_id]) for job_id in edited]
        await connection.execute(_EDIT, sql.arrays(EDITED_COLUMNS, "u", edits))
    if changes.judged:
        await administration.count_judged(connection, changes.judged)
    return make_recorded(uow, entries, rows["entries"], returned) if hands_over else []


async def note_worker(connection: Connection, owner: UUID, said: WorkerRoom) -> None:
    """Record that a worker is alive, for how many more leases it has room, and what it says of itself."""
    rows = _make_worker_rows({owner: said})
    await _write_parts(connection, {"workers": rows}, Wake.FREED if said.room > 0 else Wake.NOTHING)


async def _write_parts(
    connection: Connection,
    rows: Mapping[str, Sequence[sql.Values]],
    wake: Wake,
    now: datetime | None = None,
    *,
    hands_over: bool = False,
    commits: bool = False,
) -> sql.Rows:
    parts = tuple(name for name in _PARTS if rows.get(name))
    if not parts:
        return sql.Rows()
    is_batch = any(len(rows[name]) > _PARTS[name].few_max for name in parts)
    counts = tuple(0 if is_batch else len(rows[name]) for name in parts)
    parameters: dict[str, object] = {"wake": wake.payload, "now": now}
    for name in parts:
        part = _PARTS[name]
        parameters |= (sql.arrays if is_batch else sql.cells)(part.columns, part.alias, rows[name])
    if hands_over:
        parameters["quoting"] = list_quoting(rows["entries"])
    return await connection.execute(_compose(parts, counts, hands_over=hands_over), parameters, commits=commits)


@cache
def _compose(parts: Sequence[str], counts: Sequence[int], *, hands_over: bool) -> TextClause:
    """Return the statement that writes these parts, and notifies of what is left to do; `counts` of rows, or 0: any."""
    composed = [(name, _PARTS[name].compose(count)) for name, count in zip(parts, counts, strict=True)]
    if not hands_over:
        written = ", ".join(f"{name} AS ({part})" for name, part in composed)
        return text(f"WITH {written} SELECT pg_notify('{CHANNEL}', :wake) WHERE :wake <> ''")
    written = ", ".join(f"{name} AS ({part} RETURNING {_PARTS[name].returning})" for name, part in composed)
    of_jobs, of_executions, joins = "NULL AS labels, NULL AS policy", "NULL AS requested_at", ""
    if "new_jobs" in parts:
        of_jobs, joins = "j.labels, j.policy", "LEFT JOIN new_jobs j ON j.id = e.job_id"
    if "new_executions" in parts:
        of_executions = "x.created_at AS requested_at"
        joins += " LEFT JOIN new_executions x ON x.execution_id = e.execution_id"
    return text(f"WITH {written} {_RECORDED.format(of_jobs=of_jobs, of_executions=of_executions, joins=joins)}")


def _make_worker_rows(rooms: Mapping[UUID, WorkerRoom]) -> list[sql.Values]:
    return [{"owner": owner, **said._asdict(), "stage": said.stage.value} for owner, said in rooms.items()]


def _order(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """Order entries by their jobs, of which each keeps its own order: two transactions may make the same jobs."""
    return sorted(entries, key=lambda entry: entry.job.id)


def _work_left_by(changes: Changes) -> Wake:
    """Return what the changes leave for the loops to do."""
    executions = changes.executions.values()
    wake = Wake.RECORDED if changes.entries else Wake.NOTHING
    if any(e.state is ExecutionState.QUEUED for e in executions):
        wake |= Wake.QUEUED
    is_freed = any(e.stage is ExecutionStage.JUDGING or e.state is ExecutionState.DONE for e in executions)
    if is_freed or any(said.room > 0 for said in changes.rooms.values()):
        wake |= Wake.FREED
    return wake
