"""Apply facts to the tables as they were recorded, without deciding anything again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

from sqlalchemy import TextClause, text

from contracts.criteria import format_references, read_references
from contracts.events import JobChanged, hash_result, hash_task
from contracts.judging.policy import Verdict
from jobstore.engine import sql
from jobstore.engine.sql import Connection, Row, Values
from jobstore.jobs.model import TERMS, ExecutionStage, ExecutionState, TransitionKind, format_feedback, members
from jobstore.jobs.reads import join_response
from jobstore.jobs.transitions import NO_ENDING, REJUDGED, change_ending, is_end, is_verdict, list_not_met, make_ending
from jobstore.judging.rules import read_task
from jobstore.keeping.cutting import forget_new_jobs
from jobstore.keeping.removal_store import EMPTY, STAYS
from jobstore.limits.rules import name_agent
from jobstore.recovery.fact_parsing import Fact, parse_fact
from jobstore.schema import tables
from jobstore.schema.columns import EDITED, GIVEN, STATE, find_names
from jobstore.schema.tables import LOG_NAMES
from signoff.status import JobLogStatus
from signoff.types import JobLog, Removal
from signoff.values import to_nanos

#: Columns of a job that every fact gives, those that an edit may set to NULL, and those that keep their value unless a
#: fact gives them.
_GIVEN: Final = ["updated_at", *find_names(tables.jobs, STATE | GIVEN)]
_EDITED: Final = find_names(tables.jobs, EDITED)
_EMPTIED: Final = [name for name in _EDITED if tables.jobs.c[name].nullable]
_KEPT: Final = [
    *(name for name in find_names(tables.jobs, STATE, without=[GIVEN]) if name != "feedback"),
    *(name for name in _EDITED if name not in _EMPTIED),
]
#: The columns of what a job, or an execution, has spent.
SPENT: Final = ("cost_nanos", "tokens")
#: Above every number of an entry.
LAST: Final = 2**63 - 1
#: The columns of a log entry by the names that their values have in its fact.
_ENTRY: Final = {name: column for name, column in LOG_NAMES.items() if name in JobLog.model_fields and name != "waited"}
_get_entry: Final = attrgetter(*_ENTRY)
#: The columns of the rows of `make_log`.
LOG_COLUMNS: Final = (*_ENTRY.values(), "cost_nanos", "waited", "request_payload", "response_payload")
#: The columns of a specification that are JSON texts in a fact, with the defaults that a fact leaves out.
_JSON: Final = {"payload": "null", "labels": "{}", "policy": "{}"}
_SPEC: Final = [name for name in find_names(tables.jobs, EDITED) if name not in {*_JSON, "reference_texts"}]


def make_log(fact: Fact) -> tuple[object, ...]:
    """Return the row of the log entry in a fact, as values of LOG_COLUMNS."""
    log = fact.event.log
    cost_nanos = None if log.cost_usd is None else to_nanos(log.cost_usd)
    return (*_get_entry(log), cost_nanos, fact.log.get("waited"), fact.request, join_response(fact.log))


def _get_specification(fact: Fact) -> Values:
    """Return the columns of a job's specification, from the job's first fact or the fact of an edit."""
    return {
        **{name: getattr(fact.event.job, name) for name in _SPEC},
        **{name: fact.job.get(name, default) for name, default in _JSON.items()},
        "reference_texts": format_references(read_references(fact.job.get("references"))),
    }


def make_job(fact: Fact) -> Values:
    """Return the columns of a new job that `make_job_change` does not give."""
    job = fact.event.job
    return {
        **_get_specification(fact),
        **{name: getattr(job, name) for name in ("id", "tenant", "created_at")},
        "cost_nanos": 0,
        "tokens": 0,
        "live": False,
        "not_met": 0,
        **NO_ENDING,
        "spec_hash": bytes.fromhex(fact.event.spec_hash or ""),
    }


def make_job_change(fact: Fact, requested_at: datetime | None) -> Values:
    """Return the columns of a job that a fact changes; `requested_at`: when the execution of the fact was requested."""
    event, log = fact.event, fact.event.log
    change: Values = {name: getattr(event.job, name) for name in _GIVEN}
    not_met: list[str] = []
    if event.log.kind == TransitionKind.ASSIGNED:
        change |= {"not_met": 0, "feedback": None, "payload": fact.log["payload"]}
    if event.log.kind == TransitionKind.EDITED:
        change |= _get_specification(fact)
    if event.log.kind == TransitionKind.REJUDGED:
        change |= {"live": True, "not_met": (log.submission or 1) - 1, "feedback": None}
    if event.log.kind != TransitionKind.MET and is_verdict(event.log.kind, log.code):
        verdict = Verdict.model_validate_json(fact.log["verdict"])
        not_met = list_not_met(verdict)
        if event.log.kind == TransitionKind.NOT_MET:
            change |= {"not_met": log.submission, "feedback": format_feedback(verdict)}
    if log.cost_usd is not None or log.tokens is not None:
        change |= {"cost_nanos": to_nanos(log.cost_usd or 0), "tokens": log.tokens or 0}
    if event.requested is not None:
        change |= {"execution_id": log.execution_id, "live": True}
    if event.requested is not None and event.requested.batch_id is not None:
        change["batch_id"] = event.requested.batch_id
    if is_conclusion(event):
        ending = make_ending(log.status, log.code, requested_at, log.created_at, not_met)
        return {**change, "live": False, **ending, "keeps_duration": "duration_s" not in ending}
    ending = change_ending(event.log.kind, log.code)
    return {**change, **ending, **({"keeps_duration": False} if ending else {})}


def make_execution(fact: Fact) -> Values:
    """Return the columns of a new execution."""
    event, log = fact.event, fact.event.log
    assert event.requested is not None
    return {
        "execution_id": log.execution_id,
        "job_id": event.job_id,
        "stage": ExecutionStage.EXECUTING.value,
        "state": ExecutionState.QUEUED.value,
        **dict.fromkeys(("attempt", "lease", "seq", "offers", "spent", "misjudged", "validators_lost", *SPENT), 0),
        **{name: getattr(event.requested, name) for name in TERMS},
        "submission": log.submission,
        "agent_id": log.agent_id,
        "policy": fact.requested["policy"],
        "request_version": event.version,
        "priority": event.job.priority,
        "created_at": event.requested.created_at,
        "tenant": event.job.tenant,
        "flow": name_agent(log.agent_id or "", event.requested.protocol),
        "reuse_key": bytes.fromhex(event.requested.reuse_key) if event.requested.reuse_key else None,
        "settings_hash": bytes.fromhex(event.requested.settings_hash) if event.requested.settings_hash else None,
        "follows_only": False,
        "task_hash": hash_task(*read_task(members(fact.log["request"]))[:3]),
    }


def make_execution_change(fact: Fact) -> Values:
    """Return the columns of an execution that a fact changes."""
    event, log = fact.event, fact.event.log
    counts = {"attempt": log.attempt, "lease": log.lease, "spent": event.log.spent_calls}
    change: Values = {name: count for name, count in counts.items() if count is not None}
    if event.log.kind == TransitionKind.RESULT:
        change |= {"result_version": event.version, "result_lease": log.lease}
        change["result_hash"] = hash_result(fact.log["result"])
        if log.status is JobLogStatus.IN_PROGRESS:
            change["stage"] = ExecutionStage.JUDGING.value
    if event.log.kind == TransitionKind.SPENT:
        change["seq"] = 1
    if log.handle is not None:
        change["handle"] = log.handle
    if event.log.kind == TransitionKind.REJUDGED:
        change["state"] = ExecutionState.QUEUED.value
    if is_conclusion(event):
        change["state"] = ExecutionState.DONE.value
        if log.code != REJUDGED:  # its first answer stays
            change["answer"] = log.status.lower()
    return change


def is_conclusion(event: JobChanged) -> bool:
    """Return whether a fact records the end of an execution."""
    return is_end(event.log.kind, event.log.status, event.log.execution_id)


#: The most facts, and bytes of them, that are read at once of those set aside.
BATCH, BATCH_BYTES = 500, 16 << 20

_MAKE: Final = text(
    "CREATE TEMPORARY TABLE aside (job_id text, version bigint, body text, PRIMARY KEY (job_id, version)) "
    "ON COMMIT DROP"
)
_PUT: Final = text(
    """
    INSERT INTO aside (job_id, version, body)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]), CAST(:bodies AS text[]))
    ON CONFLICT (job_id, version) DO UPDATE SET body = coalesce(excluded.body, aside.body)
    """
)
_FIND_NEXT: Final = text(
    """
    SELECT version, body FROM (
        SELECT version, body, sum(coalesce(octet_length(body), 0)) OVER (ORDER BY version)
            - coalesce(octet_length(body), 0) AS bytes_before
        FROM aside WHERE job_id = :job_id AND version > :head
    ) AS waiting WHERE bytes_before < :bytes ORDER BY version LIMIT :limit
    """
)
_DROP: Final = text("DELETE FROM aside WHERE job_id = :job_id AND version <= :head")
_IS_LEFT: Final = text("SELECT EXISTS (SELECT FROM aside WHERE job_id = :job_id)")
_LIST: Final = text(
    """
    SELECT a.job_id, coalesce(j.version, 0) + 1 AS version, bool_or(a.version = coalesce(j.version, 0) + 1) AS is_stub
    FROM aside a LEFT JOIN jobs j ON j.id = a.job_id GROUP BY a.job_id, j.version ORDER BY a.job_id LIMIT :limit
    """
)


class SetAside:
    """Keep facts that wait for an earlier version of their job, until the commit. `jobs` has the ids of these jobs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.jobs: set[str] = set()

    async def begin(self) -> None:
        """Make the temporary table of kept facts, which is dropped at the commit."""
        await self._connection.execute(_MAKE)

    async def put(self, facts: Mapping[tuple[str, int], str | None]) -> None:
        """Keep the bodies of facts by job and version; None stands for a fact that cannot be applied (a stub)."""
        if facts:
            ids, versions = zip(*facts, strict=True)
            parameters = {"ids": list(ids), "versions": list(versions), "bodies": list(facts.values())}
            await self._connection.execute(_PUT, parameters)
            self.jobs.update(ids)

    async def find_next(self, job_id: str, head: int) -> list[str]:
        """Return the kept bodies of a job's versions that follow `head` without a gap, up to BATCH and BATCH_BYTES."""
        parameters = {"job_id": job_id, "head": head, "bytes": BATCH_BYTES, "limit": BATCH}
        bodies: list[str] = []
        for row in await self._connection.execute(_FIND_NEXT, parameters):
            if row.version != head + len(bodies) + 1 or row.body is None:
                break
            bodies.append(row.body)
        return bodies

    async def drop(self, job_id: str, head: int) -> None:
        """Delete a job's kept facts up to version `head`, which were applied; forget the job if no fact is left."""
        await self._connection.execute(_DROP, {"job_id": job_id, "head": head})
        if not await self._connection.scalar(_IS_LEFT, {"job_id": job_id}):
            self.jobs.discard(job_id)

    async def describe(self, limit: int) -> list[str]:
        """Return, in words, the version for which each of up to `limit` jobs waits, and whether its fact is a stub."""
        rows: list[Row] = list(await self._connection.execute(_LIST, {"limit": limit}))
        return [f"{row.job_id} version {row.version} ({'a stub' if row.is_stub else 'missing'})" for row in rows]


_JOB: Final = sql.columns(tables.jobs)
#: The columns of a job that only its first fact gives.
_NEVER: Final = ("tenant", "spec_hash", "created_at")
_EXECUTION: Final = sql.columns(tables.executions)

_RESULT: Final = ("result_version", "result_lease", "result_hash")
_CHANGED: Final = ("stage", "state", "attempt", "lease", "seq", "spent", "answer", "handle", *_RESULT)
_EXECUTION_CHANGE: Final = {name: _EXECUTION[name] for name in ("execution_id", *_CHANGED, *SPENT)}


def _set_given(table: str, alias: str, columns: Mapping[str, str], names: Iterable[str]) -> str:
    cast = {name: sql.value(alias, name, columns[name]) for name in names}
    return ", ".join(f"{name} = coalesce({cast[name]}, {table}.{name})" for name in names)


def _set_edited(name: str) -> str:
    return f"{name} = CASE WHEN u.title IS NULL THEN jobs.{name} ELSE {sql.value('u', name, _JOB[name])} END"


_JOB_CHANGE: Final = {name: kind for name, kind in _JOB.items() if name not in _NEVER} | {"keeps_duration": "boolean"}
_CHANGE_JOBS: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = u.{name}" for name in _GIVEN)},
        {_set_given("jobs", "u", _JOB, _KEPT)},
        {", ".join(map(_set_edited, _EMPTIED))},
        feedback = CASE WHEN u.not_met IS NULL THEN jobs.feedback ELSE u.feedback::json END,
        cancelled = coalesce(u.cancelled, jobs.cancelled),
        code = CASE WHEN u.cancelled IS NULL THEN coalesce(u.code, jobs.code) ELSE u.code END,
        duration_s = CASE WHEN u.cancelled IS NULL THEN jobs.duration_s
            WHEN u.keeps_duration THEN coalesce(u.duration_s, jobs.duration_s) ELSE u.duration_s END,
        not_met_criteria = CASE WHEN u.cancelled IS NULL THEN jobs.not_met_criteria
            ELSE u.not_met_criteria::text[] END
    FROM {sql.unnest("u", _JOB_CHANGE)} WHERE jobs.id = u.id
    """  # noqa: S608 - names of our own
)
_CHANGE_EXECUTIONS: Final = text(
    f"""
    UPDATE executions SET {_set_given("executions", "u", _EXECUTION, _CHANGED)},
        {", ".join(f"{name} = executions.{name} + coalesce(u.{name}, 0)" for name in SPENT)}
    FROM {sql.unnest("u", _EXECUTION_CHANGE)} WHERE executions.execution_id = u.execution_id
    """  # noqa: S608 - names of our own
)
_REQUESTED: Final = text(
    "SELECT execution_id, created_at FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[]))"
)
_SPENT: Final = text("SELECT id, cost_nanos, tokens FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
_HEADS: Final = text(
    "SELECT id, version FROM jobs WHERE id = ANY(CAST(:ids AS text[])) "
    "UNION ALL SELECT job_id, version FROM gone WHERE job_id = ANY(CAST(:ids AS text[]))"
)
_MAKE_GONE: Final = text("CREATE TEMPORARY TABLE gone (job_id text NOT NULL, version bigint NOT NULL) ON COMMIT DROP")
#: A snapshot has those of jobs that were removed before it.
_FILL_GONE: Final = text(
    "INSERT INTO gone SELECT job_id, version FROM job_logs WHERE kind = 'removed' AND seq > :cut_seq"
)
_CUT_SEQ: Final = text("SELECT cut_seq FROM keeping")
_KEY_GONE: Final = text("ALTER TABLE gone ADD PRIMARY KEY (job_id)")
_DROP_JOBS: Final = text(
    """
    WITH dropped AS (DELETE FROM jobs WHERE id = ANY(CAST(:ids AS text[])))
    INSERT INTO gone SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]))
    """
)
_OUTLINE: Final = {name: _EXECUTION[name] for name in STAYS}
_OUTLINE_EXECUTIONS: Final = text(
    f"""
    INSERT INTO executions ({", ".join(_EXECUTION)})
    SELECT {", ".join(EMPTY.get(name) or sql.value("u", name, _EXECUTION[name]) for name in _EXECUTION)}
    FROM {sql.unnest("u", _OUTLINE)}
    ON CONFLICT (execution_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _EXECUTION)}
    """  # noqa: S608 - names of our own
)
_DROP_NAMED: Final = text("DELETE FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[]))")
_CUT: Final = text("DELETE FROM job_logs l USING gone g WHERE l.job_id = g.job_id AND l.version < g.version")


class Removed:
    """Keep which jobs are removed, until the commit: facts of theirs that come again change nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def begin(self, *, with_cut: bool = True) -> None:
        """Make the temporary table of removed jobs, which is dropped at the commit.

        Those that a snapshot has without the entries before need not be known where facts of theirs cannot come again:
        there may be millions.
        """
        await self._connection.execute(_MAKE_GONE)
        cut_seq = 0 if with_cut else await self._connection.scalar(_CUT_SEQ)
        await self._connection.execute(_FILL_GONE, {"cut_seq": cut_seq})
        await self._connection.execute(_KEY_GONE)

    async def apply(self, facts: Sequence[Fact]) -> None:
        """Apply the last facts of jobs, of which this entry and the outlines of some executions stay."""
        ids, versions = [fact.event.job_id for fact in facts], [fact.event.version for fact in facts]
        await self._connection.execute(_DROP_JOBS, {"ids": ids, "versions": versions})
        await _copy(self._connection, "job_logs", LOG_COLUMNS, [make_log(fact) for fact in facts])
        outlines = [outline for fact in facts for outline in make_outlines(fact)]
        await self._connection.execute(_DROP_NAMED, {"ids": [f.event.log.execution_id for f in facts]})
        await self._connection.execute(_OUTLINE_EXECUTIONS, sql.arrays(_OUTLINE, "u", outlines))

    async def cut(self) -> None:
        """Delete what stays of removed jobs but their last entries, once indexes are there."""
        await self._connection.execute(_CUT)
        await forget_new_jobs(self._connection, LAST)


def make_outlines(fact: Fact) -> list[Values]:
    """Return what stays of the executions of a job that a fact removes."""
    removed = Removal.model_validate_json(fact.log["removed"])
    return [
        {
            **each.model_dump(include={"submission", "answer", "created_at", "batch_id"}),
            "execution_id": each.id,
            "job_id": fact.event.job_id,
            "stage": ExecutionStage.EXECUTING.value,
            "state": ExecutionState.DONE.value,
            "tenant": removed.tenant,
            "cost_nanos": to_nanos(each.cost_usd or 0),
            "tokens": each.tokens or 0,
        }
        for each in removed.executions
    ]


@dataclass(slots=True)
class Projection:
    """Apply facts of jobs in the order of their versions, each once, since the topic may repeat them.

    Facts of a job whose next version is a stub, or missing, are set aside until the whole fact comes. The fact that
    removes a job needs none before it: these may be gone by then.
    """

    connection: Connection
    aside: SetAside
    removed: Removed

    async def apply(self, facts: Sequence[Fact]) -> None:
        """Apply a batch of facts, and then those facts set aside that follow the batch."""
        ids = sorted({fact.event.job_id for fact in facts})
        heads: dict[str, int] = {row.id: row.version for row in await self.connection.execute(_HEADS, {"ids": ids})}
        batch, waiting = await self._begin_batch(facts), dict[tuple[str, int], str | None]()
        removals = list[Fact]()
        for fact in facts:
            job_id, version = fact.event.job_id, fact.event.version
            head = heads.get(job_id, 0)
            if version > head and fact.is_whole and fact.event.log.kind == TransitionKind.REMOVED:
                heads[job_id] = version
                removals.append(fact)
            elif version == head + 1 and fact.is_whole:
                heads[job_id] = version
                batch.add(fact)
            elif version > head:
                waiting[job_id, version] = fact.body.decode() if fact.is_whole else waiting.get((job_id, version))
        await batch.write(self.connection)
        if removals:
            await self.removed.apply(removals)
        await self.aside.put(waiting)
        for job_id in sorted(self.aside.jobs & heads.keys()):
            await self._go_on(job_id, heads[job_id])

    async def _go_on(self, job_id: str, head: int) -> None:
        """Apply facts of a job that were set aside and follow the version `head`, in batches."""
        while bodies := await self.aside.find_next(job_id, head):
            facts = [parse_fact(body.encode()) for body in bodies]
            batch = await self._begin_batch(facts)
            for fact in facts:
                batch.add(fact)
            await batch.write(self.connection)
            head += len(bodies)
        await self.aside.drop(job_id, head)

    async def _begin_batch(self, facts: Sequence[Fact]) -> "_Batch":
        """Return an empty batch with the spending of jobs, and the request times of executions that the facts end."""
        ids = sorted({fact.event.job_id for fact in facts})
        spent = {row.id: dict(row) for row in await self.connection.execute(_SPENT, {"ids": ids})}
        ended = {fact.event.log.execution_id for fact in facts if is_conclusion(fact.event)}
        rows = await self.connection.execute(_REQUESTED, {"ids": list(ended)}) if ended else []
        return _Batch({row.execution_id: row.created_at for row in rows}, spent)


@dataclass(slots=True)
class _Batch:
    """The new rows of a batch of facts, and its changes of existing rows, each row once."""

    requested_at: dict[UUID, datetime]
    #: The spending of each job before the next fact.
    spent: dict[str, Values]
    made_jobs: dict[str, Values] = field(default_factory=dict)
    changed_jobs: dict[str, Values] = field(default_factory=dict)
    made_executions: dict[UUID, Values] = field(default_factory=dict)
    changed_executions: dict[UUID, Values] = field(default_factory=dict)
    logs: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, fact: Fact) -> None:
        """Add the rows and the changes of a fact."""
        if fact.event.version == 1:
            self.made_jobs[fact.event.job_id] = make_job(fact)
        if fact.event.requested is not None and fact.event.log.execution_id is not None:
            self.made_executions[fact.event.log.execution_id] = make_execution(fact)
            self.requested_at[fact.event.log.execution_id] = fact.event.requested.created_at
        self._change(fact)
        self.logs.append(make_log(fact))

    def _change(self, fact: Fact) -> None:
        job_id, execution_id = fact.event.job_id, fact.event.log.execution_id
        job = self.made_jobs.get(job_id) or self.changed_jobs.setdefault(job_id, {"id": job_id})
        before = self.spent.setdefault(job_id, dict.fromkeys(SPENT, 0))
        job |= make_job_change(fact, self.requested_at.get(execution_id) if execution_id else None)
        after = self.spent[job_id] = {name: job.get(name, before[name]) for name in SPENT}
        if execution_id is None:
            return
        made, changed = self.made_executions.get(execution_id), self.changed_executions
        execution = made or changed.setdefault(execution_id, {"execution_id": execution_id})
        execution |= make_execution_change(fact)
        if fact.event.log.code != REJUDGED:
            for name in SPENT:
                execution[name] = execution.get(name, 0) + after[name] - before[name]

    async def write(self, connection: Connection) -> None:
        """Write all rows and changes."""
        await _copy(connection, "jobs", _JOB, _take(_JOB, self.made_jobs.values()))
        await _copy(connection, "executions", _EXECUTION, _take(_EXECUTION, self.made_executions.values()))
        await _copy(connection, "job_logs", LOG_COLUMNS, self.logs)
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
