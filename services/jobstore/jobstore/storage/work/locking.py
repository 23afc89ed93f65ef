"""Lock the rows of a unit of work, in the order of docs/protocol.md#locks, and read what belongs to them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from pydantic_core import from_json
from sqlalchemy import TextClause, text

from jobstore.commands.base import Command, LimitsLock, Locks, optional
from jobstore.commands.rows import Grant, Question, Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.decisions import NO_ENDING
from jobstore.domain.execution_states import Openings
from jobstore.domain.judging.task import TASK_MAX_CHARS, Task
from jobstore.domain.judging.versions import bound_chars
from jobstore.domain.limits import agent_limit
from jobstore.domain.model import Clock, ExecutionStage
from jobstore.domain.terms import ExecutionTerms
from jobstore.storage import agents, limits
from jobstore.storage.locks import Lock
from jobstore.storage.outages import RaceError
from jobstore.storage.room import OPENINGS, count_offered, is_alive, read_room
from jobstore.storage.sql import Connection, Row
from jobstore.storage.work import administration
from jobstore.storage.work.row_mapping import READ_COLUMNS, SPEC_COLUMNS, to_execution, to_job, to_spec

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
_REQUESTS: Final = """
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
    SELECT shared.limits_held, j.id, status, version, agent_id, execution_id, live, not_met,
        feedback::text AS feedback, progress, progress_message, batch_id, cost_nanos, tokens, updated_at,
        {", ".join(NO_ENDING)} {f", with_spec, with_question, with_task, {_SPEC}, {_TASK}" if specs else ""}
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
            {f"{_REQUESTS}," if keys else ""}
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
