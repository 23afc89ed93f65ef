"""Write what a unit of work has changed: one statement for what most have, and one more for each thing that is rare."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, text

from jobstore.commands.rows import Changes, WorkerRoom
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import ExecutionStage, ExecutionState, LogEntry
from jobstore.storage import agents, facts, limits, reusable, sql
from jobstore.storage.notifications import CHANNEL, HANDS_OVER, Wake
from jobstore.storage.sql import Connection
from jobstore.storage.work import administration, circuits, judgings, row_mapping
from jobstore.storage.work.recorded import BODY_MAX, Recorded, list_quoting, make_recorded
from jobstore.storage.work.row_mapping import (
    CHANGING_COLUMNS,
    EDITED_COLUMNS,
    ENTRY_COLUMNS,
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    KEY_COLUMNS,
    LOG_COLUMNS,
    NEW_JOB_COLUMNS,
    WORKER_COLUMNS,
)


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
    "reusable": _Part(reusable.KEEP, reusable.COLUMNS, reusable.ALIAS),
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
        await circuits.write(connection, stored.circuits, changes.circuits)
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
        "reusable": reusable.make_rows(uow),
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
