"""Jobs, their logs, and requests under idempotency keys as rows of a transaction: lock, load and write them."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar, Final

from prometheus_client import Counter
from sqlalchemy import TextClause, text

from jobstore.agents import store as agents
from jobstore.engine import row_mapping, sql
from jobstore.engine.locks import Lock
from jobstore.engine.notifications import CHANNEL, HANDS_OVER, Wake
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.row_mapping import (
    EDITED_COLUMNS,
    ENTRY_COLUMNS,
    JOB_COLUMNS,
    KEY_COLUMNS,
    LOCKED_COLUMNS,
    LOG_COLUMNS,
    NEW_JOB_COLUMNS,
    SPEC_COLUMNS,
    to_job,
    to_spec,
)
from jobstore.engine.sql import Connection, Row, Rows, Values
from jobstore.engine.store import Ending, Last, Piece, Store
from jobstore.engine.writing import BODY_MAX, list_quoting, make_recorded
from jobstore.executions.rows import ExecutionsWish
from jobstore.jobs.model import Said
from jobstore.jobs.rows import Jobs, JobsWish, KeysWish, Question, RequestKeys
from jobstore.json_members import members
from jobstore.judging.rules import TASK_MAX_CHARS, Task, read_task
from jobstore.limits.rows import Limits, LimitsLock, LimitsWish
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

DECISIONS = Counter("signoff_decisions", "Decisions on reports and requests", ["kind", "outcome"])

#: What is read of a job's row for its spec, of that what a question needs, and a task as far as judges are shown it.
_SPEC: Final = ", ".join(
    f"CASE WHEN with_spec {'OR with_question' if name in Question._fields else ''} THEN {value} END AS spec_{name}"
    for name, value in SPEC_COLUMNS
)
_TASK: Final = f"""
    CASE WHEN with_task THEN title END AS task_title,
    CASE WHEN with_task THEN left(description, {TASK_MAX_CHARS + 1}) END AS task_description,
    CASE WHEN with_task THEN left(payload::text, {TASK_MAX_CHARS + 1}) END AS task_payload
"""
#: For which jobs it is read.
_WITH_SPEC: Final = """
    id = ANY(CAST(:specs AS text[])) AS with_spec, id = ANY(CAST(:questions AS text[])) AS with_question,
    id = ANY(CAST(:tasks AS text[])) AS with_task
"""


@cache
def _lock_jobs(*, specs: bool) -> TextClause:
    """Return the statement that takes the limits lock first, and then locks jobs, with what is asked for alone.

    A batch that needs the limits lock for some of its commands only does not wait for it. The outer row of the join is
    made first, hence the lock taken before any row is.
    """
    return text(
        f"""
    SELECT shared.limits_held, {LOCKED_COLUMNS}
        {f", with_spec, with_question, with_task, {_SPEC}, {_TASK}" if specs else ""}
    FROM (
        SELECT CASE :limits WHEN 'SHARED' THEN CAST(pg_advisory_xact_lock_shared({Lock.LIMITS:d}) AS text) = ''
            WHEN 'EXCLUSIVE' THEN CAST(pg_advisory_xact_lock({Lock.LIMITS:d}) AS text)
                || CAST(pg_advisory_xact_lock({Lock.OFFERS:d}) AS text) = ''
            WHEN 'TRY' THEN pg_try_advisory_xact_lock_shared({Lock.LIMITS:d}) ELSE false END AS limits_held
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
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[]))",
)
_LAST_ENTRIES: Final = text(
    "SELECT l.job_id, l.kind, l.message, l.actor FROM jobs j JOIN job_logs l ON l.job_id = j.id "
    "AND l.version = j.version WHERE j.id = ANY(CAST(:ids AS text[]))",
)
_REQUESTS: Final = text(
    "SELECT e.job_id, l.request_payload::text AS request FROM executions e "
    "JOIN job_logs l ON l.job_id = e.job_id AND l.version = e.request_version "
    "WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))",
)
_EDIT: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = new.{name}" for name in EDITED_COLUMNS if name != "id")}
    FROM (SELECT {sql.named_values("u", EDITED_COLUMNS)} FROM {sql.unnest("u", EDITED_COLUMNS)}) AS new
    WHERE jobs.id = new.id
    """,  # noqa: S608 - names of our own
)


class JobsStore(Store):
    """Lock jobs, and with the same statement the limits; write new ones, changes and edits."""

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
        """Take the limits lock, and lock jobs in the order of their ids: also the jobs of all executions.

        Where only some commands need to share the limits lock, and it is not free, it is missed.
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
        rows = [row for row in (first, *others) if row.id is not None]
        jobs.jobs.stored.update((row.id, to_job(row)) for row in rows)
        if with_specs:
            jobs.specs.stored.update((row.id, to_spec(row)) for row in rows if row.with_spec)
            jobs.questions = {row.id: _to_question(row) for row in rows if row.with_question}
            jobs.tasks = {row.id: _to_task(row) for row in rows if row.with_task}

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load specs that are not known yet, last entries of logs, and the feedback of tasks."""
        wish, jobs = asked[JobsWish], uow[Jobs]
        if missing := wish.specs - jobs.specs.stored.keys():
            for row in await connection.execute(_SPECS, {"ids": sorted(missing)}):
                jobs.specs.stored[row.id] = to_spec(row)
        if wish.last_entries:
            for row in await connection.execute(_LAST_ENTRIES, {"ids": sorted(wish.last_entries)}):
                jobs.last_entries[row.job_id] = Said(row.kind, row.message, row.actor)
        if wish.feedback:
            for row in await connection.execute(_REQUESTS, {"ids": list(wish.feedback)}):
                task = jobs.tasks[row.job_id]
                jobs.tasks[row.job_id] = task._replace(feedback=read_task(members(row.request)).feedback)

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of new jobs, and of changed ones."""
        stored, changes = uow[Jobs].jobs.stored, uow[Jobs].jobs.changes
        return {
            "new_jobs": [row_mapping.new_job_row(uow, job_id) for job_id in changes.keys() - stored.keys()],
            "changed_jobs": [row_mapping.job_row(job) for job in changes.values() if job.id in stored],
        }

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return how the specs of jobs are written that were edited."""
        jobs = uow[Jobs]
        edited = sorted(jobs.specs.changes.keys() & jobs.jobs.stored.keys())
        if not edited:
            return None

        async def edit(connection: Connection) -> None:
            edits = [row_mapping.edited_row(job_id, jobs.specs[job_id]) for job_id in edited]
            await connection.execute(_EDIT, sql.arrays(EDITED_COLUMNS, "u", edits))

        return edit


def _must_wait(asked: WishList) -> bool:
    """Return whether a batch waits for the limits lock: if all of it needs that, or any command holds it alone."""
    if asked[LimitsWish].lock is LimitsLock.EXCLUSIVE:
        return True
    return all(any(isinstance(wish, LimitsWish) and wish.lock for wish in wishes) for wishes in asked.of_each)


def _to_question(row: Row) -> Question:
    return Question(row.spec_acceptance_criteria, row.spec_tenant, row.spec_references)


def _to_task(row: Row) -> Task:
    return Task(row.task_title, row.task_description, row.task_payload)


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


def _end(pieces: Sequence[str]) -> str:
    """Return the query of the entries that were written, with what the other pieces return."""
    of_jobs, of_executions, joins = "NULL AS labels, NULL AS policy", "NULL AS requested_at", ""
    if "new_jobs" in pieces:
        of_jobs, joins = "j.labels, j.policy", "LEFT JOIN new_jobs j ON j.id = e.job_id"
    if "new_executions" in pieces:
        of_executions = "x.created_at AS requested_at"
        joins += " LEFT JOIN new_executions x ON x.execution_id = e.execution_id"
    return _RECORDED.format(of_jobs=of_jobs, of_executions=of_executions, joins=joins)


class LogStore(Store):
    """Write the entries of logs, and hand them over once they are committed."""

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
        ),
    }

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of entries, ordered by their jobs, of which each keeps its own order."""
        jobs = uow[Jobs]
        jobs.entries.sort(key=lambda entry: entry.job.id)  # two transactions may make the same jobs
        return {"entries": row_mapping.log_rows(jobs.entries)}

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return that the relay has entries to publish, if there are any."""
        return Wake.RECORDED if uow[Jobs].entries else Wake.NOTHING

    def make_ending(self, uow: UnitOfWork, rows: Mapping[str, Sequence[Values]]) -> Ending | None:
        """Return the end that returns what only the database knows of the entries, if somebody is handed them."""
        if uow.listeners.on_recorded is None or not uow[Jobs].entries:
            return None

        def take(returned: Rows) -> None:
            uow[Jobs].recorded = make_recorded(uow, uow[Jobs].entries, rows["entries"], returned)

        return Ending(_end, {"quoting": list_quoting(rows["entries"])}, take)

    def settle(self, uow: UnitOfWork) -> None:
        """Hand over the entries; count decisions, and log what was refused."""
        jobs = uow[Jobs]
        if uow.listeners.on_recorded is not None and jobs.recorded:
            uow.listeners.on_recorded(jobs.recorded)
        for kind, count in jobs.recorded_counts.items():
            DECISIONS.labels(kind.value, "recorded").inc(count)
        for job_id, report, refusal in jobs.refusals:
            DECISIONS.labels(report.kind.value, refusal.code).inc()
            fields = {"job_id": job_id, "kind": report.kind.value, "code": refusal.code, "lease": report.lease}
            # Each result comes twice, from its topic and with the claim of its judging: a repeat is no news.
            level = logging.DEBUG if refusal.code == ErrorCode.REPEAT else logging.INFO
            log.log(level, "refused; nothing is recorded", extra={**fields, "reason": refusal.message})


class KeysStore(Store):
    """Keep what was asked for under idempotency keys, which is read with the executions."""

    part, wish = RequestKeys, KeysWish
    pieces: ClassVar[Mapping[str, Piece]] = {
        "request_keys": Piece(sql.insert("request_keys", KEY_COLUMNS, order="id", alias="k").text, KEY_COLUMNS, "k"),
    }

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of new keys."""
        hashes = uow[RequestKeys].hashes.changes
        return {"request_keys": [{"id": each, "body_hash": body_hash} for each, body_hash in hashes.items()]}
