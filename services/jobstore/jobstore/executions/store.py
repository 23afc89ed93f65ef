"""Lock, load and write executions and workers as rows, and delete remembered answers in time."""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar, Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import TextClause, text

from jobstore.agents import store as agents
from jobstore.agents.rules import Agents, AgentsWish, Circuits
from jobstore.engine import sql
from jobstore.engine.database import RaceError, Wake, notify
from jobstore.engine.facts import REFUSALS
from jobstore.engine.parts import UnitOfWork, WishList, optional
from jobstore.engine.runner import Last, Piece, Store, write_together
from jobstore.engine.sql import Connection, Row, Values
from jobstore.executions.leases import OPENINGS, count_offered, is_alive, read_room
from jobstore.executions.rows import REMOVED, Executions, ExecutionsWish, Grant, WorkerRoom, Workers
from jobstore.executions.states import Openings
from jobstore.jobs import store as rows
from jobstore.jobs.model import Clock, Execution, ExecutionStage, ExecutionState, bound_chars
from jobstore.jobs.rows import Jobs, KeysWish, RequestKeys
from jobstore.jobs.store import CHANGING_COLUMNS, EXECUTION_COLUMNS, READ_COLUMNS, WORKER_COLUMNS, to_execution
from jobstore.limits import store as limits
from jobstore.limits.rules import Limits, agent_limit
from jobstore.schema.scopes import TENANT_OF_REMOVED

log = logging.getLogger(__name__)

#: The least number of characters that a live validator takes, and the number of the policy that an execution froze.
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
#: The columns of a grant are looked up by keys: OFFSET 0 keeps the planner from anything else.
_GRANTED: Final = f"""
    LEFT JOIN LATERAL (
        SELECT l.request_payload::text AS request, a.protocol, a.url, a.headers::text AS headers, a.signing,
            a.tenant AS agent_tenant,
            (SELECT body::text FROM agent_settings WHERE hash = e.settings_hash) AS settings, {_FROZEN_MAX}
        FROM job_logs l CROSS JOIN agents a
        WHERE l.job_id = e.job_id AND l.version = e.request_version AND a.id = e.agent_id
            AND e.stage = 'EXECUTING' AND e.state <> 'DONE' AND e.execution_id = ANY(CAST(:granted AS uuid[])) OFFSET 0
    ) AS granted ON true
"""  # noqa: S608 - names of our own


#: Requests under idempotency keys: their ids, and the hashes of their bodies in the same order.
_REQUEST_KEYS: Final = """
    (SELECT array_agg(k.id ORDER BY k.id) FROM request_keys k WHERE k.id = ANY(CAST(:keys AS uuid[]))) AS request_ids,
    (SELECT array_agg(k.body_hash ORDER BY k.id) FROM request_keys k WHERE k.id = ANY(CAST(:keys AS uuid[])))
        AS body_hashes
"""


@cache
def _lock_executions(*, grants: bool, offers: bool, keys: bool) -> TextClause:
    """Return the statement that locks executions; what grants, offers or keys need is read only if that flag is set.

    The last row has what is read once all is locked: the time, whether any circuit is stored, NAMES, which the limits
    lock of the statement before keeps from changing, agents, requests under idempotency keys, and of which executions
    the jobs were removed.
    """
    return text(
        f"""
    SELECT e.*, {"granted.*," if grants else ""} rest.*
    FROM (VALUES (false), (true)) AS part (is_last) LEFT JOIN LATERAL (
        SELECT {", ".join(READ_COLUMNS).replace("policy", "policy::text AS policy")} FROM executions
        WHERE NOT is_last AND execution_id = ANY(CAST(:ids AS uuid[])) ORDER BY execution_id FOR UPDATE
    ) AS e ON true {_GRANTED if grants else ""} LEFT JOIN LATERAL (
        SELECT signoff_now() AS now, EXISTS (SELECT FROM circuits) AS has_circuits, {limits.NAMES},
            (SELECT json_object_agg(execution_id, json_build_array(job_id, {TENANT_OF_REMOVED}))::text FROM job_logs
                WHERE kind = 'removed' AND execution_id = ANY(CAST(:ids AS uuid[]))) AS removed,
            {f"{_REQUEST_KEYS}," if keys else ""}
            {f"{OPENINGS}," if offers else ""} {f"{_JUDGED_MAX}, {count_offered()} AS offered," if grants else ""}
            ARRAY(
                SELECT {agents.json_object("a")}::text FROM agents a WHERE id = ANY(CAST(:agents AS text[]))
            ) AS agents
        {f"FROM {read_room(ExecutionStage.EXECUTING)}" if offers else ""} WHERE is_last
    ) AS rest ON true
    """  # noqa: S608 - names of our own
    )


_ADD_REFUSALS: Final = text(
    f"""
    WITH added AS (
        INSERT INTO facts (seq, topic, key, body)
        SELECT number, '{REFUSALS}', coalesce(nullif(job_id, ''), CAST(execution_id AS text)),
            json_strip_nulls(json_build_object(
                'execution_id', execution_id, 'job_id', nullif(job_id, ''), 'cursor', number,
                'answer', split_part(answer, ':', 1), 'code', nullif(split_part(answer, ':', 2), ''),
                'refused_at', {sql.time_text("created_at")}, 'actor', actor))
        FROM (
            SELECT nextval('job_logs_seq_seq') AS number, *
            FROM executions JOIN unnest(CAST(:ids AS uuid[]), CAST(:actors AS text[])) AS asked (execution_id, actor)
                USING (execution_id)
        ) AS numbered
    )
    SELECT {notify(Wake.RECORDED)}
    """  # noqa: S608 - names of our own
)
#: The answers that are remembered for a time; an index has them.
REMEMBERED: Final = "state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL"
#: Rows deleted by one `forget_remembered`.
FORGET_BATCH: Final = 10_000
_COUNT_REMEMBERED: Final = text(
    f"""
    SELECT count(*) FROM (
        SELECT FROM executions WHERE {REMEMBERED} AND (answer = 'cancelled') = :cancelled LIMIT :limit
    ) AS remembered
    """  # noqa: S608 - words of our own
)
#: SKIP LOCKED: a row whose execution is just asked for is not forgotten.
_FORGET_REMEMBERED: Final = text(
    f"""
    DELETE FROM executions WHERE execution_id = ANY(ARRAY(
        SELECT execution_id FROM executions WHERE {REMEMBERED} AND due_at <= signoff_now()
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """  # noqa: S608 - words of our own
)
_FORGET_ANSWERS: Final = text(
    f"DELETE FROM executions WHERE {REMEMBERED} AND execution_id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608 - words of our own
)


class ExecutionsStore(Store):
    """Lock and write executions. When they are locked, the same statement reads rows of other parts, such as agents."""

    part, wish = Executions, ExecutionsWish
    is_always_locked = True
    pieces: ClassVar[Mapping[str, Piece]] = {
        "new_executions": Piece(
            sql.insert("executions", EXECUTION_COLUMNS, order="execution_id", alias="ne").text,
            EXECUTION_COLUMNS,
            "ne",
            returning="execution_id, created_at",
        ),
        "changed_executions": Piece(
            sql.update("executions", CHANGING_COLUMNS, key="execution_id", alias="e"),
            CHANGING_COLUMNS,
            "e",
            of_batch=" AND executions.execution_id = ANY(CAST(:e_execution_id AS uuid[]))",
        ),
    }

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock executions, those that follow them by policy, and the live ones of locked jobs, in the order of ids.

        RaceError: since jobs were locked, another transaction requested an execution whose job is not locked, or
        created a job under one of the keys.
        """
        wish, jobs, terms = asked[ExecutionsWish], uow[Jobs].jobs.stored, uow.terms
        offers = wish.offers and uow.listeners.on_offered is not None
        followed = {terms.ids.derive_next(execution_id) for execution_id in wish.followed}
        live = {job.execution_id for job in jobs.values() if job.live and job.execution_id}
        called = asked[AgentsWish].read.union(
            *(optional(jobs[job_id].agent_id) for job_id in asked[AgentsWish].called_by & jobs.keys())
        )
        keys = uow[RequestKeys].list_ids(asked[KeysWish].keys) if KeysWish in asked else {}
        parameters = {
            "ids": sorted({*wish.locked, *followed, *live}),
            "granted": list(wish.grants),
            "agents": list(called),
            "keys": list(keys),
            "alive_s": terms.alive_s,
        }
        statement = _lock_executions(grants=bool(wish.grants), offers=offers, keys=KeysWish in asked)
        *found, last = await connection.execute(statement, parameters)
        executions = _make_removed(from_json(last.removed or "{}"))
        executions |= {row.execution_id: to_execution(row) for row in found if row.execution_id is not None}
        if any(e.request_version is not None and e.job_id not in jobs for e in executions.values()):
            raise RaceError("an execution was requested meanwhile, and its job is not locked")
        uow[Executions].executions.stored.update(executions)
        _hand_on(uow, last)
        if KeysWish in asked:
            known = dict(zip(last.request_ids or (), last.body_hashes or (), strict=True))
            uow[RequestKeys].hashes.stored.update(known)
            repeated = {key.job_id for each, key in keys.items() if known.get(each) == key.body_hash}
            if repeated - jobs.keys() - uow[Jobs].removed.keys() - {None}:
                raise RaceError("a job was created meanwhile under the same key, and is not locked")
        if offers:
            held_back = {*uow[Limits].names, *map(agent_limit, last.open_circuits or ())}
            uow[Executions].openings = Openings(last.room, last.capacity, last.is_waiting, held_back)
        if wish.grants:
            _take_grants(uow[Executions], found, last)

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Count for how many more execution ids an early cancel, or the error of a wrong record, may be remembered."""
        wish, executions, limit = asked[ExecutionsWish], uow[Executions], uow.terms.remembered_max
        if wish.early_cancels:
            executions.cancel_room = limit - await count_remembered(connection, limit, cancelled=True)
        if wish.wrong_records:
            executions.wrong_room = limit - await count_remembered(connection, limit, cancelled=False)

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of new and of changed executions, by the names of the pieces."""
        stored, changes = uow[Executions].executions.stored, uow[Executions].executions.changes
        new, make = changes.keys() - stored.keys(), rows.execution_row
        return {
            "new_executions": [make(changes[each], EXECUTION_COLUMNS) for each in new],
            "changed_executions": [make(e, CHANGING_COLUMNS) for each, e in changes.items() if each in stored],
        }

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return which loops have work, since executions wait, go on to a judge, or ended."""
        wake, executions = Wake.NOTHING, uow[Executions].executions.changes.values()
        if any(e.state is ExecutionState.QUEUED for e in executions):
            wake |= Wake.QUEUED
        if any(e.stage is ExecutionStage.JUDGING or e.state is ExecutionState.DONE for e in executions):
            wake |= Wake.FREED
        return wake

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return the function that adds facts of final answers, and deletes forgotten ones; None if there are none."""
        final, forgotten = uow[Executions].final_answers, uow[Executions].forgotten
        if not final and not forgotten:
            return None

        async def answer(connection: Connection) -> None:
            if final:
                await connection.execute(_ADD_REFUSALS, {"ids": list(final), "actors": list(final.values())})
            if forgotten:
                await connection.execute(_FORGET_ANSWERS, {"ids": list(forgotten)})

        return answer

    def settle(self, uow: UnitOfWork) -> None:
        """Tell listeners when the first execution is out of time, and which were offered; log deleted answers."""
        executions, listeners = uow[Executions], uow.listeners
        if listeners.on_timed is not None and (timeout_at := executions.find_next_timeout()):
            listeners.on_timed((timeout_at - uow.clock.now).total_seconds())
        for execution_id, forgotten in executions.forgotten.items():
            about = {"execution_id": execution_id, "answer": forgotten.answer, "actor": forgotten.actor}
            log.warning("a remembered answer was forgotten, so that its record may be processed anew", extra=about)
        if listeners.on_offered is not None and (offered := executions.find_offered()):
            listeners.on_offered(offered)


def _make_removed(removed: Mapping[str, tuple[str, str]]) -> dict[UUID, Execution]:
    """Return the executions that entries of removed jobs name, of which there is no row: their ids stay taken."""
    return {
        (id_ := UUID(each)): Execution(id_, job_id, state=ExecutionState.DONE, answer=REMOVED, tenant=tenant)
        for each, (job_id, tenant) in removed.items()
    }


def _hand_on(uow: UnitOfWork, last: Row) -> None:
    """Give the other parts what the last row of the locking statement holds, which was read once all was locked."""
    uow.clock = Clock(last.now, lease_s=uow.terms.lease_s, offer_again_s=uow.terms.offer_again_s)
    limits_of = uow[Limits]
    limits_of.names = frozenset(last.limits or ())
    limits_of.has_queue_caps, limits_of.has_rates = last.capped, last.rated
    limits_of.daily = frozenset(last.daily or ())
    limits_of.judge_policies = from_json(last.judge_policies or "{}")
    if last.has_circuits:
        uow[Circuits].are_stored = True
    if last.agents:
        stored = uow[Agents].agents.stored
        stored |= agents.parse_all(last.agents)


def _take_grants(executions: Executions, found: Sequence[Row], last: Row) -> None:
    for row in found:
        if row.request is not None:
            chars = bound_chars(row.frozen_max_chars or last.judged_max_chars)
            called = row.protocol, row.url, from_json(row.headers)
            grant = Grant(row.request, *called, chars, row.settings or "", row.signing, row.agent_tenant)
            executions.grants[row.execution_id] = grant
    executions.judged_max_chars = bound_chars(last.judged_max_chars)
    executions.offered = last.offered


async def count_remembered(connection: Connection, limit: int, *, cancelled: bool) -> int:
    """Count the answers that are remembered, up to `limit`: the early cancels if `cancelled`, else all others."""
    return int(await connection.scalar(_COUNT_REMEMBERED, {"limit": limit, "cancelled": cancelled}) or 0)


async def forget_remembered(connection: Connection) -> int:
    """Delete up to FORGET_BATCH remembered answers whose time is over, and return how many."""
    return await connection.change(_FORGET_REMEMBERED, {"limit": FORGET_BATCH})


class WorkersStore(Store):
    """Write that workers are alive, and how many more leases they take."""

    part = Workers
    pieces: ClassVar[Mapping[str, Piece]] = {
        "workers": Piece(
            f"""
            INSERT INTO workers (owner, stage, room, capacity, report, protocols, seen_at)
            SELECT owner, stage, room, capacity,
                {sql.value("w", "report", "jsonb")} || jsonb_build_object('at', signoff_now()),
                {sql.value("w", "protocols", "text[]")}, signoff_now()
            FROM {sql.unnest("w", WORKER_COLUMNS)} ORDER BY owner
            ON CONFLICT (owner) DO UPDATE SET room = excluded.room, seen_at = excluded.seen_at,
                capacity = greatest(workers.capacity, excluded.capacity),
                report = coalesce(excluded.report, workers.report), protocols = excluded.protocols
            """,  # noqa: S608 - names of our own
            WORKER_COLUMNS,
            "w",
        )
    }

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[Values]]:
        """Return the rows of the workers that have claimed in this transaction."""
        return {"workers": _make_worker_rows(uow[Workers].rooms)}

    def find_wake(self, uow: UnitOfWork) -> Wake:
        """Return FREED if a worker takes more leases, else NOTHING."""
        return Wake.FREED if any(each.room > 0 for each in uow[Workers].rooms.values()) else Wake.NOTHING


async def note_worker(connection: Connection, owner: UUID, reported: WorkerRoom) -> None:
    """Record that a worker is alive, how many more leases it takes, and what it reports on itself."""
    wake = Wake.FREED if reported.room > 0 else Wake.NOTHING
    await write_together(connection, WorkersStore.pieces, {"workers": _make_worker_rows({owner: reported})}, wake)


def _make_worker_rows(rooms: Mapping[UUID, WorkerRoom]) -> list[sql.Values]:
    return [{"owner": owner, **each._asdict(), "stage": each.stage.value} for owner, each in rooms.items()]
