"""Apply facts to the tables, as they were recorded: nothing is decided again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from contracts.events import JobChanged
from contracts.jsontext import members
from contracts.resources import Verdict
from contracts.status import RESTING, JobLogStatus
from jobstore.domain.limits import agent_limit
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.domain.reports import format_feedback
from jobstore.domain.spec import format_assignment, format_edit, hash_text
from jobstore.recovery.set_aside import SetAside
from jobstore.storage import sql, tables
from jobstore.storage.facts import AGENTS, REFUSALS
from jobstore.storage.sql import Connection

_JOB: Final = sql.columns(tables.jobs)
_LOG: Final = sql.columns(tables.job_logs)
_EXECUTION: Final = sql.columns(tables.executions)
_FACT: Final = sql.columns(tables.facts)

#: Columns that every fact gives, and columns that keep their value where a fact does not give them.
_GIVEN: Final = ("status", "version", "agent_id", "progress", "progress_message", "updated_at")
_KEPT: Final = ("execution_id", "batch_id", "live", "not_met", "payload", "spent_usd", "spent_tokens")
_EDITED: Final = ("title", "description", "acceptance_criteria", "priority", "labels", "policy", "capabilities")
_RESULT: Final = ("result_version", "result_lease", "result_hash")
_CHANGED: Final = ("stage", "state", "attempt", "lease", "spent", "answer", *_RESULT)
#: `feedback` and `not_before` come with what they belong to, or stay as they were.
_JOB_CHANGE: Final = {name: _JOB[name] for name in ("id", *_GIVEN, *_KEPT, *_EDITED, "feedback", "not_before")}
_EXECUTION_CHANGE: Final = {name: _EXECUTION[name] for name in ("execution_id", *_CHANGED)}


def _set_given(table: str, alias: str, columns: Mapping[str, str], names: Iterable[str]) -> str:
    cast = {name: sql.value(alias, name, columns[name]) for name in names}
    return ", ".join(f"{name} = coalesce({cast[name]}, {table}.{name})" for name in names)


#: One statement: its updates do not see the rows that it inserts, so `_Batch` changes those before they are inserted.
_APPLY: Final = text(
    f"""
    WITH made_jobs AS ({sql.insert("jobs", _JOB, prefix="nj", order="id").text}),
    changed_jobs AS (
        UPDATE jobs SET {", ".join(f"{name} = j.{name}" for name in _GIVEN)},
            {_set_given("jobs", "j", _JOB, (*_KEPT, *_EDITED))},
            not_before = CASE WHEN j.title IS NULL THEN jobs.not_before ELSE j.not_before END,
            feedback = CASE WHEN j.not_met IS NULL THEN jobs.feedback ELSE j.feedback::json END
        FROM {sql.unnest("j", _JOB_CHANGE, "j")} WHERE jobs.id = j.id
    ),
    made_executions AS ({sql.insert("executions", _EXECUTION, prefix="ne", order="execution_id").text}),
    changed_executions AS (
        UPDATE executions SET {_set_given("executions", "e", _EXECUTION, _CHANGED)}
        FROM {sql.unnest("e", _EXECUTION_CHANGE, "e")} WHERE executions.execution_id = e.execution_id
    )
    {sql.insert("job_logs", _LOG, prefix="l").text}
    """,  # noqa: S608 - names of our own
)
_HEADS: Final = text("SELECT id, version FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
#: The whole takes the place of its stub.
_KEEP_FACTS: Final = text(
    f"{sql.insert('facts', _FACT).text} ON CONFLICT (seq) DO UPDATE SET body = excluded.body "
    "WHERE facts.body -> 'stub' IS NOT NULL"
)
_LIST_STUBS: Final = text("SELECT topic, key FROM facts WHERE body -> 'stub' IS NOT NULL ORDER BY seq LIMIT :limit")
_PROJECT_AGENTS: Final = text(
    f"""
    INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, deterministic, created_at, updated_at,
        headers)
    SELECT a.id, a.name, a.protocol, a.url, coalesce(a.capabilities, '{{}}'), coalesce(a.policy, '{{}}'),
        coalesce(a.enabled, false), coalesce(a.deterministic, false), a.created_at, a.updated_at,
        coalesce(a.headers, '{{}}')
    FROM (SELECT DISTINCT ON (key) body FROM facts WHERE topic = '{AGENTS}' ORDER BY key, seq DESC) AS newest,
        json_populate_record(CAST(NULL AS agents), newest.body -> 'agent') AS a
    """,  # noqa: S608 - names of our own
)
_PROJECT_REFUSALS: Final = text(
    f"""
    INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, answer,
        priority, spent, created_at)
    SELECT CAST(body ->> 'execution_id' AS uuid), coalesce(body ->> 'job_id', ''), 'EXECUTING', 'DONE', 0, 0, 0, 0, 1,
        concat_ws(':', body ->> 'answer', body ->> 'code'), 5, 0, CAST(body ->> 'refused_at' AS timestamptz)
    FROM facts WHERE topic = '{REFUSALS}' ORDER BY seq
    ON CONFLICT DO NOTHING
    """,  # noqa: S608 - names of our own
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A JobChanged; `log`, `job` and `requested` have each member's JSON text, to be stored as it was written."""

    body: str
    event: JobChanged
    log: Mapping[str, str]
    job: Mapping[str, str]
    requested: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether it can be applied: a stub cannot, nor what was told before facts had all that a rebuild needs."""
        return self.event.stub is None and self.event.kind is not None


class StoredFact(NamedTuple):
    """An AgentChanged or ExecutionRefused as it is stored; `seq` is its cursor, `body` its JSON text."""

    seq: int
    key: str
    body: str


def parse_fact(body: bytes) -> Fact:
    """Return the fact in a record. ValueError, KeyError: it holds none."""
    raw = body.decode()
    event = JobChanged.model_validate_json(raw)
    parts = members(raw)
    requested = members(parts["requested"]) if event.requested else {}
    log, job = members(parts["log"]), members(parts["job"])
    if "request_payload" not in log and event.before is not None:
        before = members(parts["before"])
        log["request_payload"] = format_edit(job["payload"], {name: job[name] for name in before}, before)
    elif "request_payload" not in log and event.version == 1:
        log["request_payload"] = format_assignment(job.get("payload", "null"))
    return Fact(raw, event, log, job, requested)


async def keep_facts(connection: Connection, topic: str, facts: Sequence[StoredFact]) -> None:
    """Store facts of a topic; a repeat changes nothing, and a whole one takes the place of its stub."""
    rows = {fact.seq: {"topic": topic, **fact._asdict()} for fact in facts}  # the whole comes last
    await connection.execute(_KEEP_FACTS, sql.arrays(_FACT, "u", list(rows.values())))


async def list_stubs(connection: Connection, limit: int) -> list[str]:
    """Return which stored facts are stubs, as topic and key."""
    return [f"{row.topic} {row.key}" for row in await connection.execute(_LIST_STUBS, {"limit": limit})]


async def project_agents(connection: Connection) -> None:
    """Add the agents, each as its newest fact has it."""
    await connection.execute(_PROJECT_AGENTS)


async def project_refusals(connection: Connection) -> None:
    """Add the executions that were refused: the answers to ids of which nothing was requested."""
    await connection.execute(_PROJECT_REFUSALS)


@dataclass(slots=True)
class Projection:
    """Apply facts of jobs: of each job only the version after its last, whatever else the topic repeats.

    A job whose next version is a stub, or missing, is set aside, and goes on in order once the whole of it comes.
    """

    connection: Connection
    aside: SetAside
    applied: int = 0

    async def apply(self, facts: Sequence[Fact]) -> None:
        """Apply a batch with one statement, and then what waited for it."""
        ids = sorted({fact.event.job_id for fact in facts})
        heads: dict[str, int] = {row.id: row.version for row in await self.connection.execute(_HEADS, {"ids": ids})}
        batch, waiting = _Batch(), dict[tuple[str, int], str | None]()
        for fact in facts:
            job_id, version = fact.event.job_id, fact.event.version
            head = heads.get(job_id, 0)
            if version == head + 1 and fact.is_whole:
                heads[job_id] = version
                batch.add(fact)
            elif version > head:
                waiting[job_id, version] = fact.body if fact.is_whole else waiting.get((job_id, version))
        await self._execute(batch)
        await self.aside.put(waiting)
        for job_id in sorted(self.aside.jobs & heads.keys()):
            await self._go_on(job_id, heads[job_id])

    async def _execute(self, batch: "_Batch") -> None:
        if batch.logs:
            await self.connection.execute(_APPLY, batch.get_parameters())
            self.applied += len(batch.logs)

    async def _go_on(self, job_id: str, head: int) -> None:
        """Apply what waited for a version that is applied by now, some at a time."""
        while bodies := await self.aside.find_next(job_id, head):
            batch = _Batch()
            for body in bodies:
                batch.add(parse_fact(body.encode()))
            await self._execute(batch)
            head += len(bodies)
        await self.aside.drop(job_id, head)


_Row = dict[str, Any]


@dataclass(slots=True)
class _Batch:
    """The rows that a batch of facts makes, and the changes of rows that are there already."""

    made_jobs: dict[str, _Row] = field(default_factory=dict)
    changed_jobs: dict[str, _Row] = field(default_factory=dict)
    made_executions: dict[UUID, _Row] = field(default_factory=dict)
    changed_executions: dict[UUID, _Row] = field(default_factory=dict)
    logs: list[_Row] = field(default_factory=list)

    def add(self, fact: Fact) -> None:
        """Add the rows and the changes of a fact."""
        if fact.event.version == 1:
            self.made_jobs[fact.event.job_id] = _make_job(fact)
        if fact.event.requested is not None and fact.event.log.execution_id is not None:
            self.made_executions[fact.event.log.execution_id] = _make_execution(fact)
        self._change(fact)
        self.logs.append(_make_log(fact))

    def _change(self, fact: Fact) -> None:
        job_id, execution_id = fact.event.job_id, fact.event.log.execution_id
        job = self.made_jobs.get(job_id)
        if job is None:
            job = self.changed_jobs.setdefault(job_id, {"id": job_id})
        job.update(_make_job_change(fact))
        if execution_id is None:
            return
        execution = self.made_executions.get(execution_id)
        if execution is None:
            execution = self.changed_executions.setdefault(execution_id, {"execution_id": execution_id})
        execution.update({name: value for name, value in _make_execution_change(fact).items() if value is not None})

    def get_parameters(self) -> dict[str, Any]:
        """Return the parameters of `_APPLY`."""
        return {
            **_make_arrays(_JOB, "nj", self.made_jobs.values()),
            **_make_arrays(_JOB_CHANGE, "j", self.changed_jobs.values()),
            **_make_arrays(_EXECUTION, "ne", self.made_executions.values()),
            **_make_arrays(_EXECUTION_CHANGE, "e", self.changed_executions.values()),
            **_make_arrays(_LOG, "l", self.logs),
        }


def _make_arrays(columns: Mapping[str, str], prefix: str, rows: Iterable[_Row]) -> dict[str, list[Any]]:
    return sql.arrays(columns, prefix, [{name: row.get(name) for name in columns} for row in rows])


def _get_specification(fact: Fact) -> _Row:
    """Return what a job asks for, from a fact that has the whole of it: its first, or an edit."""
    names = ("title", "description", "acceptance_criteria", "priority", "capabilities", "not_before")
    defaults = {"payload": "null", "labels": "{}", "policy": "{}"}
    return {
        **{name: getattr(fact.event.job, name) for name in names},
        **{name: fact.job.get(name, default) for name, default in defaults.items()},
    }


def _make_job(fact: Fact) -> _Row:
    job = fact.event.job
    return {
        **_get_specification(fact),
        **{name: getattr(job, name) for name in ("id", "tenant", "created_at")},
        "spent_usd": 0.0,
        "spent_tokens": 0,
        "live": False,
        "not_met": 0,
        "spec_hash": bytes.fromhex(fact.event.spec_hash or ""),
    }


def _make_job_change(fact: Fact) -> _Row:
    event, log = fact.event, fact.event.log
    change: _Row = {
        "status": event.job.status.value,
        "version": event.version,
        "agent_id": log.agent_id,
        "progress": event.job.progress,
        "progress_message": event.job.progress_message,
        "updated_at": log.created_at,
    }
    if event.kind == TransitionKind.ASSIGNED:
        change |= {"not_met": 0, "feedback": None, "payload": members(fact.log["request_payload"])["payload"]}
    if event.kind == TransitionKind.EDITED:
        change |= _get_specification(fact)
    if event.kind == TransitionKind.NOT_MET:
        verdict = Verdict.model_validate(log.response_payload["verdict"])
        change |= {"not_met": log.submission, "feedback": format_feedback(verdict)}
    if log.spent_usd is not None or log.spent_tokens is not None:
        change |= {"spent_usd": log.spent_usd or 0.0, "spent_tokens": log.spent_tokens or 0}
    if event.requested is not None:
        change |= {"execution_id": log.execution_id, "live": True}
    if event.requested is not None and event.requested.batch_id is not None:
        change["batch_id"] = event.requested.batch_id
    if _is_conclusion(event):
        change["live"] = False
    return change


def _make_execution(fact: Fact) -> _Row:
    event, log = fact.event, fact.event.log
    assert event.requested is not None
    return {
        "execution_id": log.execution_id,
        "job_id": event.job_id,
        "stage": ExecutionStage.EXECUTING.value,
        "state": ExecutionState.QUEUED.value,
        **dict.fromkeys(("attempt", "lease", "seq", "offers", "spent", "misjudged"), 0),
        "deadline_at": event.requested.deadline_at,
        "submission": log.submission,
        "agent_id": log.agent_id,
        "policy": fact.requested["policy"],
        "request_version": event.version,
        "priority": event.job.priority,
        "created_at": event.requested.created_at,
        "tenant": event.job.tenant,
        "flow": [agent_limit(log.agent_id or "")],
        "batch_id": event.requested.batch_id,
        "not_before": event.requested.not_before,
        "reuse_key": bytes.fromhex(event.requested.reuse_key) if event.requested.reuse_key else None,
    }


def _make_execution_change(fact: Fact) -> _Row:
    """Return an execution's columns after a fact; None where the fact does not give the column."""
    event, log = fact.event, fact.event.log
    change: _Row = {"attempt": log.attempt, "lease": log.lease, "spent": event.spent}
    if event.kind == TransitionKind.RESULT:
        change |= {"result_version": event.version, "result_lease": log.lease}
        change["result_hash"] = hash_text(members(fact.log["response_payload"])["result"])
        change["stage"] = ExecutionStage.JUDGING.value if log.status is JobLogStatus.IN_PROGRESS else None
    if _is_conclusion(event):
        change |= {"state": ExecutionState.DONE.value, "answer": log.status.lower()}
    return change


_ENDS: Final = {JobLogStatus(status.value) for status in RESTING} | {JobLogStatus.CANCELLED}


def _is_conclusion(event: JobChanged) -> bool:
    """Return whether an execution ended; the late result of a cancelled one ends nothing."""
    return event.log.execution_id is not None and event.kind != TransitionKind.RESULT and event.log.status in _ENDS


def _make_log(fact: Fact) -> _Row:
    event, log = fact.event, fact.event.log
    names = ("id", "job_id", "version", "agent_id", "message", "code", "execution_id", "attempt", "lease")
    more = ("submission", "event_id", "progress", "next_attempt_at", "created_at")
    return {
        **{name: getattr(log, name) for name in (*names, *more)},
        "spent_usd": log.spent_usd,
        "spent_tokens": log.spent_tokens,
        "seq": log.cursor,
        "status": log.status.value,
        "job_status": log.job_status.value,
        "request_payload": fact.log.get("request_payload"),
        "response_payload": fact.log.get("response_payload"),
        "kind": event.kind,
        "spent": event.spent,
    }
