"""Apply facts to the tables, as they were recorded: nothing is decided again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from jobstore.domain.decisions import NO_ENDING, REJUDGED
from jobstore.recovery import fact_rows
from jobstore.recovery.fact_parsing import Fact, parse_fact
from jobstore.recovery.set_aside import SetAside
from jobstore.storage import sql, tables
from jobstore.storage.sql import Connection, Values

_JOB: Final = sql.columns(tables.jobs)
_EXECUTION: Final = sql.columns(tables.executions)

#: Columns that every fact gives, and columns that keep their value where a fact does not give them.
_GIVEN: Final = ("status", "version", "agent_id", "progress", "progress_message", "updated_at")
_KEPT: Final = ("execution_id", "batch_id", "live", "not_met", "payload", "cost_nanos", "tokens")
_EDITED: Final = ("title", "description", "acceptance_criteria", "priority", "labels", "policy", "capabilities")
_RESULT: Final = ("result_version", "result_lease", "result_hash")
_CHANGED: Final = ("stage", "state", "attempt", "lease", "seq", "spent", "answer", *_RESULT)
#: These and how it ended come with what they belong to, or stay as they were.
_TOGETHER: Final = ("feedback", "not_before", "reference_texts")
_JOB_CHANGE: Final = {name: _JOB[name] for name in ("id", *_GIVEN, *_KEPT, *_EDITED, *NO_ENDING, *_TOGETHER)} | {
    "keeps_duration": "boolean"
}
_EXECUTION_CHANGE: Final = {name: _EXECUTION[name] for name in ("execution_id", *_CHANGED, *fact_rows.SPENT)}


def _set_given(table: str, alias: str, columns: Mapping[str, str], names: Iterable[str]) -> str:
    cast = {name: sql.value(alias, name, columns[name]) for name in names}
    return ", ".join(f"{name} = coalesce({cast[name]}, {table}.{name})" for name in names)


_CHANGE_JOBS: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = u.{name}" for name in _GIVEN)},
        {_set_given("jobs", "u", _JOB, (*_KEPT, *_EDITED))},
        not_before = CASE WHEN u.title IS NULL THEN jobs.not_before ELSE u.not_before END,
        reference_texts = CASE WHEN u.title IS NULL THEN jobs.reference_texts ELSE u.reference_texts::json END,
        feedback = CASE WHEN u.not_met IS NULL THEN jobs.feedback ELSE u.feedback::json END,
        cancelled = coalesce(u.cancelled, jobs.cancelled),
        code = CASE WHEN u.cancelled IS NULL THEN coalesce(u.code, jobs.code) ELSE u.code END,
        duration_s = CASE WHEN u.cancelled IS NULL THEN jobs.duration_s
            WHEN u.keeps_duration THEN coalesce(u.duration_s, jobs.duration_s) ELSE u.duration_s END,
        not_met_criteria = CASE WHEN u.cancelled IS NULL THEN jobs.not_met_criteria
            ELSE u.not_met_criteria::text[] END
    FROM {sql.unnest("u", _JOB_CHANGE)} WHERE jobs.id = u.id
    """,  # noqa: S608 - names of our own
)
_CHANGE_EXECUTIONS: Final = text(
    f"""
    UPDATE executions SET {_set_given("executions", "u", _EXECUTION, _CHANGED)},
        {", ".join(f"{name} = executions.{name} + coalesce(u.{name}, 0)" for name in fact_rows.SPENT)}
    FROM {sql.unnest("u", _EXECUTION_CHANGE)} WHERE executions.execution_id = u.execution_id
    """,  # noqa: S608 - names of our own
)
_REQUESTED: Final = text(
    "SELECT execution_id, created_at FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[]))"
)
_SPENT: Final = text("SELECT id, cost_nanos, tokens FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
_HEADS: Final = text("SELECT id, version FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")


@dataclass(slots=True)
class Projection:
    """Apply facts of jobs: of each job only the version after its last, whatever else the topic repeats.

    A job whose next version is a stub, or missing, is set aside, and goes on in order once the whole of it comes.
    """

    connection: Connection
    aside: SetAside

    async def apply(self, facts: Sequence[Fact]) -> None:
        """Apply a batch, and then what waited for it."""
        ids = sorted({fact.event.job_id for fact in facts})
        heads: dict[str, int] = {row.id: row.version for row in await self.connection.execute(_HEADS, {"ids": ids})}
        batch, waiting = await self._begin_batch(facts), dict[tuple[str, int], str | None]()
        for fact in facts:
            job_id, version = fact.event.job_id, fact.event.version
            head = heads.get(job_id, 0)
            if version == head + 1 and fact.is_whole:
                heads[job_id] = version
                batch.add(fact)
            elif version > head:
                waiting[job_id, version] = fact.body.decode() if fact.is_whole else waiting.get((job_id, version))
        await batch.write(self.connection)
        await self.aside.put(waiting)
        for job_id in sorted(self.aside.jobs & heads.keys()):
            await self._go_on(job_id, heads[job_id])

    async def _go_on(self, job_id: str, head: int) -> None:
        """Apply what waited for a version that is applied by now, some at a time."""
        while bodies := await self.aside.find_next(job_id, head):
            facts = [parse_fact(body.encode()) for body in bodies]
            batch = await self._begin_batch(facts)
            for fact in facts:
                batch.add(fact)
            await batch.write(self.connection)
            head += len(bodies)
        await self.aside.drop(job_id, head)

    async def _begin_batch(self, facts: Sequence[Fact]) -> "_Batch":
        """Return a batch that knows what jobs had spent, and when the executions were requested that the facts end."""
        ids = sorted({fact.event.job_id for fact in facts})
        spent = {row.id: dict(row) for row in await self.connection.execute(_SPENT, {"ids": ids})}
        ended = {fact.event.log.execution_id for fact in facts if fact_rows.is_conclusion(fact.event)}
        rows = await self.connection.execute(_REQUESTED, {"ids": list(ended)}) if ended else []
        return _Batch({row.execution_id: row.created_at for row in rows}, spent)


@dataclass(slots=True)
class _Batch:
    """The rows that a batch of facts makes, and the changes of rows that are there already: each row once."""

    requested_at: dict[UUID, datetime]
    #: What each job had spent before the fact that comes next.
    spent: dict[str, Values]
    made_jobs: dict[str, Values] = field(default_factory=dict)
    changed_jobs: dict[str, Values] = field(default_factory=dict)
    made_executions: dict[UUID, Values] = field(default_factory=dict)
    changed_executions: dict[UUID, Values] = field(default_factory=dict)
    logs: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, fact: Fact) -> None:
        """Add the rows and the changes of a fact."""
        if fact.event.version == 1:
            self.made_jobs[fact.event.job_id] = fact_rows.make_job(fact)
        if fact.event.requested is not None and fact.event.log.execution_id is not None:
            self.made_executions[fact.event.log.execution_id] = fact_rows.make_execution(fact)
            self.requested_at[fact.event.log.execution_id] = fact.event.requested.created_at
        self._change(fact)
        self.logs.append(fact_rows.make_log(fact))

    def _change(self, fact: Fact) -> None:
        job_id, execution_id = fact.event.job_id, fact.event.log.execution_id
        job = self.made_jobs.get(job_id)
        if job is None:
            job = self.changed_jobs.setdefault(job_id, {"id": job_id})
        before = self.spent.setdefault(job_id, dict.fromkeys(fact_rows.SPENT, 0))
        job |= fact_rows.make_job_change(fact, self.requested_at.get(execution_id) if execution_id else None)
        after = self.spent[job_id] = {name: job.get(name, before[name]) for name in fact_rows.SPENT}
        if execution_id is None:
            return
        execution = self.made_executions.get(execution_id)
        if execution is None:
            execution = self.changed_executions.setdefault(execution_id, {"execution_id": execution_id})
        execution |= fact_rows.make_execution_change(fact)
        if fact.event.log.code != REJUDGED:
            for name in fact_rows.SPENT:
                execution[name] = execution.get(name, 0) + after[name] - before[name]

    async def write(self, connection: Connection) -> None:
        """Write all rows and changes."""
        await _copy(connection, "jobs", _JOB, _take(_JOB, self.made_jobs.values()))
        await _copy(connection, "executions", _EXECUTION, _take(_EXECUTION, self.made_executions.values()))
        await _copy(connection, "job_logs", fact_rows.LOG_COLUMNS, self.logs)
        await _change(connection, _CHANGE_JOBS, _JOB_CHANGE, self.changed_jobs.values())
        await _change(connection, _CHANGE_EXECUTIONS, _EXECUTION_CHANGE, self.changed_executions.values())


def _take(columns: Collection[str], rows: Collection[Values]) -> list[list[object]]:
    return [[row.get(name) for name in columns] for row in rows]


async def _copy(connection: Connection, table: str, columns: Collection[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        await connection.driver.copy_records_to_table(table, records=rows, columns=columns)


async def _change(
    connection: Connection, statement: TextClause, columns: Mapping[str, str], rows: Collection[Values]
) -> None:
    if rows:
        whole = [{name: row.get(name) for name in columns} for row in rows]
        await connection.execute(statement, sql.arrays(columns, "u", whole))
