"""Lock the rows of a unit of work, in the order of docs/protocol.md#locks, and read what belongs to them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from pydantic_core import from_json
from sqlalchemy import TextClause, text

from jobstore.agents import store as agents
from jobstore.engine import administration, facts
from jobstore.engine.commands import NOTHING, Command, LimitsLock, Locks, Reads, optional
from jobstore.engine.database import RaceError
from jobstore.engine.locks import Lock
from jobstore.engine.row_mapping import LOCKED_COLUMNS, READ_COLUMNS, SPEC_COLUMNS, to_execution, to_job, to_spec
from jobstore.engine.rows import Grant, Question, Stored
from jobstore.engine.sql import Connection, Row
from jobstore.engine.unit_of_work import UnitOfWork
from jobstore.executions.leases import OPENINGS, count_offered, is_alive, read_room
from jobstore.executions.states import Openings
from jobstore.jobs.model import Clock, ExecutionStage, ExecutionTerms, Said
from jobstore.json_members import members
from jobstore.judging import store as judgings
from jobstore.judging.rules import TASK_MAX_CHARS, Task, bound_chars, read_task
from jobstore.limits import store as limits
from jobstore.limits.rules import agent_limit

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
#: Where anything is granted: the least that a validator is set to take, and what the policy takes that was frozen.
_JUDGED_MAX: Final = f"""
    (SELECT CAST(min(CAST(CAST(v.body AS json) ->> 'result_max_chars' AS numeric)) AS text)
    FROM workers w JOIN judging_versions v ON v.kind = 'judge' AND v.name = split_part(w.judge, '@', 1)
        AND v.version = CAST(nullif(split_part(w.judge, '@', 2), '') AS int)
    WHERE {is_alive(ExecutionStage.JUDGING)}) AS judged_max_chars
"""  # noqa: S608 - words of our own
_FROZEN_MAX: Final = """
    (SELECT CAST(v.body AS json) ->> 'result_max_chars' FROM judging_versions v
    WHERE v.kind = 'judge' AND v.name = split_part(CAST(e.policy AS json) ->> 'judge', '@', 1)
        AND v.version = CAST(nullif(split_part(CAST(e.policy AS json) ->> 'judge', '@', 2), '') AS int)
    ) AS frozen_max_chars
"""
#: What a grant needs is looked up by its keys: OFFSET 0 keeps the planner from anything else.
_GRANTED: Final = f"""
    LEFT JOIN LATERAL (
        SELECT l.request_payload::text AS request, a.protocol, a.url, a.headers::text AS headers, {_FROZEN_MAX}
        FROM job_logs l CROSS JOIN agents a
        WHERE l.job_id = e.job_id AND l.version = e.request_version AND a.id = e.agent_id
            AND e.stage = 'EXECUTING' AND e.state <> 'DONE' AND e.execution_id = ANY(CAST(:granted AS uuid[])) OFFSET 0
    ) AS granted ON true
"""  # noqa: S608 - names of our own


#: What was asked for under idempotency keys: the ids of the requests, and the hashes in the same order.
_REQUEST_KEYS: Final = """
    (SELECT array_agg(k.id ORDER BY k.id) FROM request_keys k WHERE k.id = ANY(CAST(:keys AS uuid[]))) AS request_ids,
    (SELECT array_agg(k.body_hash ORDER BY k.id) FROM request_keys k WHERE k.id = ANY(CAST(:keys AS uuid[])))
        AS body_hashes
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


@cache
def _lock_executions(*, grants: bool, offers: bool, keys: bool) -> TextClause:
    """Return the statement that locks executions, with what grants, offers and keys need only where there may be any.

    Behind the executions, in a row of its own: the time after all is locked, whether any circuit is stored, NAMES,
    which the limits lock of the statement before keeps from changing, agents and requests under idempotency keys.
    """
    return text(
        f"""
    SELECT e.*, {"granted.*," if grants else ""} rest.*
    FROM (VALUES (false), (true)) AS part (is_last) LEFT JOIN LATERAL (
        SELECT {", ".join(READ_COLUMNS).replace("policy", "policy::text AS policy")} FROM executions
        WHERE NOT is_last AND execution_id = ANY(CAST(:ids AS uuid[])) ORDER BY execution_id FOR UPDATE
    ) AS e ON true {_GRANTED if grants else ""} LEFT JOIN LATERAL (
        SELECT signoff_now() AS now, EXISTS (SELECT FROM circuits) AS has_circuits, {limits.NAMES},
            {f"{_REQUEST_KEYS}," if keys else ""}
            {f"{OPENINGS}," if offers else ""} {f"{_JUDGED_MAX}, {count_offered()} AS offered," if grants else ""}
            ARRAY(
                SELECT {agents.json_object("a")}::text FROM agents a WHERE id = ANY(CAST(:agents AS text[]))
            ) AS agents
        {f"FROM {read_room(ExecutionStage.EXECUTING)}" if offers else ""} WHERE is_last
    ) AS rest ON true
    """  # noqa: S608 - names of our own
    )


async def lock(
    connection: Connection, commands: Sequence[Command[object]], terms: ExecutionTerms, *, offers: bool = False
) -> UnitOfWork:
    """Lock what commands ask for. Where only some need to share the limits lock, and it is not free, it is missed.

    `offers`: whether executions may be offered as they are requested.
    """
    wishes = [command.locks() for command in commands]
    locks = Locks.join(wishes)
    locks = replace(locks, offers=locks.offers and offers)
    wait = locks.limits is LimitsLock.EXCLUSIVE or all(wish.limits for wish in wishes)
    return await lock_rows(connection, locks, terms, wait_for_limits=wait)


async def lock_rows(
    connection: Connection, locks: Locks, terms: ExecutionTerms, *, wait_for_limits: bool = True
) -> UnitOfWork:
    """Lock operations, agents, jobs and then executions, each in the order of their ids.

    RaceError: an execution was requested meanwhile whose job is not locked, or a job was created under a key: what
    another transaction inserted between the two statements is seen only by the second.
    """
    followed = {terms.ids.derive_next(execution_id) for execution_id in locks.followed}
    parameters = {
        "limits": "" if not locks.limits else locks.limits.name if wait_for_limits else "TRY",
        "ids": sorted(locks.jobs),
        "execution_ids": list(locks.executions),
        "specs": list(locks.specs),
        "questions": list(locks.questions),
        "tasks": list(locks.tasks),
    }
    with_specs = bool(locks.specs or locks.questions or locks.tasks)
    first, *others = await connection.execute(_lock_jobs(specs=with_specs), parameters)
    rows = [row for row in (first, *others) if row.id is not None]
    jobs = {row.id: to_job(row) for row in rows}
    live = {job.execution_id for job in jobs.values() if job.live and job.execution_id}
    locked_agents, operations, named_limits = await administration.lock(connection, locks)
    called = locks.read_agents.union(*(optional(jobs[job_id].agent_id) for job_id in locks.agents_of & jobs.keys()))
    ids = sorted({*locks.executions, *followed, *live})
    statement = _lock_executions(grants=bool(locks.grants), offers=locks.offers, keys=bool(locks.keys))
    tenants = {row.id: row.spec_tenant for row in rows if row.with_spec} if locks.keys and with_specs else {}
    keys = [
        (terms.ids.derive_request(key, tenant), key)
        for key in locks.keys
        if (tenant := key.tenant or tenants.get(key.job_id or "")) is not None
    ]
    wished = {
        "granted": list(locks.grants),
        "agents": list(called),
        "keys": [each for each, _ in keys],
        "alive_s": terms.alive_s,
    }
    *found, last = await connection.execute(statement, {"ids": ids, **wished})
    executions = {row.execution_id: to_execution(row) for row in found if row.execution_id is not None}
    if any(e.request_version is not None and e.job_id not in jobs for e in executions.values()):
        raise RaceError("an execution was requested meanwhile, and its job is not locked")
    limit_names = frozenset(last.limits or ())
    stored = Stored(
        clock=Clock(last.now, lease_s=terms.lease_s, offer_again_s=terms.offer_again_s),
        limits_held=first.limits_held,
        limits_missed=bool(locks.limits) and not first.limits_held,
        limit_names=limit_names,
        has_queue_caps=last.capped,
        has_rates=last.rated,
        has_circuits=last.has_circuits,
        openings=_to_openings(last, limit_names) if locks.offers else Openings(),
        jobs=jobs,
        executions=executions,
        agents=locked_agents | agents.parse_all(last.agents),
        operations=operations,
        limits=named_limits,
    )
    if locks.keys:
        known = stored.request_keys = dict(zip(last.request_ids or (), last.body_hashes or (), strict=True))
        repeated = {key.job_id for each, key in keys if known.get(each) == key.body_hash}
        if repeated - jobs.keys() - {None}:
            raise RaceError("a job was created meanwhile under the same key, and is not locked")
    if with_specs:
        stored.specs = {row.id: to_spec(row) for row in rows if row.with_spec}
        stored.questions = {row.id: _to_question(row) for row in rows if row.with_question}
        stored.tasks = {row.id: _to_task(row) for row in rows if row.with_task}
    if locks.grants:
        stored.grants = {row.execution_id: _to_grant(row, last) for row in found if row.request is not None}
        stored.judged_max_chars = bound_chars(last.judged_max_chars)
        stored.offered = last.offered
    return UnitOfWork(terms, stored)


def _to_openings(rest: Row, limit_names: frozenset[str]) -> Openings:
    held_back = limit_names.union(map(agent_limit, rest.open_circuits or ()))
    return Openings(rest.room, rest.capacity, rest.is_waiting, held_back)


def _to_question(row: Row) -> Question:
    return Question(row.spec_acceptance_criteria, row.spec_tenant, row.spec_references)


def _to_task(row: Row) -> Task:
    return Task(row.task_title, row.task_description, row.task_payload)


def _to_grant(row: Row, rest: Row) -> Grant:
    most = bound_chars(row.frozen_max_chars or rest.judged_max_chars)
    return Grant(row.request, row.protocol, row.url, from_json(row.headers), most)


#: Live executions of an agent are counted up to here, which bounds the query; beyond it agents compare as equal.
LOAD_MAX: Final = 1_000

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
_AGENTS: Final = text(
    f"SELECT {agents.COLUMNS} FROM agents WHERE id = ANY(CAST(:ids AS text[]))",  # noqa: S608 - names of our own
)


async def load(connection: Connection, uow: UnitOfWork, commands: Sequence[Command[object]]) -> None:
    """Load what commands ask for, and then what only that could tell."""
    await _load(connection, uow, [command.reads(uow.stored) for command in commands])
    await _load(connection, uow, [command.late_reads(uow.stored) for command in commands])


async def _load(connection: Connection, uow: UnitOfWork, wishes: Collection[Reads]) -> None:
    some = [wish for wish in wishes if wish is not NOTHING]
    reads = Reads.join(some) if some else NOTHING
    await _load_jobs(connection, uow.stored, reads)
    await _load_agents(connection, uow.stored, reads)
    await _load_judging(connection, uow, reads)
    await _load_reusable(connection, uow, reads)
    await _load_bounds(connection, uow, reads)


async def _load_jobs(connection: Connection, stored: Stored, reads: Reads) -> None:
    if reads.specs:
        for row in await connection.execute(_SPECS, {"ids": sorted(reads.specs)}):
            stored.specs[row.id] = to_spec(row)
    if reads.last_entries:
        for row in await connection.execute(_LAST_ENTRIES, {"ids": sorted(reads.last_entries)}):
            stored.last_entries[row.job_id] = Said(row.kind, row.message, row.actor)
    if reads.feedback:
        for row in await connection.execute(_REQUESTS, {"ids": list(reads.feedback)}):
            task = stored.tasks[row.job_id]
            stored.tasks[row.job_id] = task._replace(feedback=read_task(members(row.request)).feedback)
    if reads.unfinished:
        stored.unfinished = await administration.find_unfinished(connection, reads.unfinished)
    if reads.open_items:
        stored.open_items = await administration.find_open_items(connection, reads.open_items)
    if reads.histories:
        stored.histories |= await agents.load_histories(connection, reads.histories)


async def _load_agents(connection: Connection, stored: Stored, reads: Reads) -> None:
    if missing := reads.agents - stored.agents.keys():
        for row in await connection.execute(_AGENTS, {"ids": sorted(missing)}):
            stored.agents[row.id] = agents.to_agent(row)
    if reads.capabilities or reads.match_jobs:
        found = await agents.find_with_any(connection, reads.capabilities, job_ids=reads.match_jobs, load_max=LOAD_MAX)
        for agent, candidate in found:
            stored.agents[agent.id], stored.candidates[agent.id] = agent, candidate


async def _load_judging(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    """Load versions that are named, and names that are to be changed: nothing where no policy names any."""
    stored = uow.stored
    if wanted := (reads.references - stored.versions.keys()) | uow.list_wanted():
        stored.versions |= dict.fromkeys(wanted) | await judgings.load_versions(connection, wanted)
    if reads.names:
        stored.names |= await judgings.load_names(connection, reads.names)


async def _load_reusable(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    terms = uow.terms.reuse
    if reads.verdicts and terms.verdict_age_s:
        uow.stored.verdicts = await judgings.load_verdicts(connection, reads.verdicts, terms.verdict_age_s)
    if reads.results and terms.result_age_s:
        uow.stored.results = await judgings.load_results(connection, reads.results, terms.result_age_s)


async def _load_bounds(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    """Load what bounds requests and claims. The rows of capped queues are locked, and then circuits."""
    stored, most = uow.stored, uow.terms.remembered_max
    if reads.early_cancels:
        stored.cancel_room = most - await facts.count_remembered(connection, most, cancelled=True)
    if reads.wrong_records:
        stored.wrong_room = most - await facts.count_remembered(connection, most, cancelled=False)
    if reads.queues and stored.has_queue_caps and stored.limits_held:
        stored.queue_room = await limits.load_queue_room(connection, reads.queues)
    if reads.judging_groups:
        stored.judging_groups = await judgings.find_groups(connection, reads.judging_groups)
        stored.judging_room = await judgings.count_room(connection)
    if reads.judgings:
        stored.judgings |= await judgings.load(connection, reads.judgings)
    if reads.circuits and stored.has_circuits:
        stored.circuits |= await agents.lock(connection, reads.circuits)
