"""Tasks of executors as rows: queue, grant, finish, give up and forget them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from jobstore.engine import sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.locks import Lock, hold
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection, Row
from jobstore.limits.store import spend
from jobstore.schema.tables import agent_tasks
from jobstore.tasks import rules
from signoff.errors import ErrorCode
from signoff.status import Protocol, TaskKind

#: Seconds for which tries are kept, and how many rows one `forget` deletes.
KEPT_S: Final = 86_400.0
FORGET_BATCH: Final = 1_000
#: Seconds after which a card is read again.
CARD_KEPT_S: Final = 3_600.0
#: Cards that are queued at once to be read again.
CARDS_BATCH: Final = 100
#: Rows that one look gives up.
BATCH_MAX: Final = 500
#: Seconds until a failed task is due again: doubling from the first to the last, by its grants.
AGAIN_S, AGAIN_MAX_S = 2.0, 300.0

_NEW: Final = sql.columns(agent_tasks, only={each.name for each in fields(rules.NewTask)})
#: A task that exists already was queued by a repeat, or by another jobstore.
_INSERT: Final = text(
    f"""
    WITH queued AS ({sql.insert("agent_tasks", _NEW).text} ON CONFLICT DO NOTHING)
    SELECT {notify(Wake.TASKS)}
    """
)
#: A card that is being read is read anew: what an executor then says of the agent as it was does not count.
_REPLACE: Final = text("DELETE FROM agent_tasks WHERE kind = 'card' AND agent_id = ANY(CAST(:agents AS text[]))")
_QUEUE_CARDS: Final = text(
    f"""
    WITH old AS (
        SELECT a.id, a.protocol FROM agents a LEFT JOIN agent_cards c ON c.agent_id = a.id
        WHERE a.protocol = '{Protocol.A2A}' AND a.enabled
            AND (c.read_at IS NULL OR c.read_at <= signoff_now() - make_interval(secs => {CARD_KEPT_S}))
            AND NOT EXISTS (SELECT FROM agent_tasks t WHERE t.kind = 'card' AND t.agent_id = a.id)
        LIMIT {CARDS_BATCH}
    ), queued AS (
        INSERT INTO agent_tasks (id, kind, agent_id, protocol, lease_s, due_at, ends_at)
        SELECT gen_random_uuid(), 'card', id, protocol, {rules.LEASE_S}, signoff_now(),
            signoff_now() + make_interval(secs => {rules.TRIED_FOR_S}) FROM old
        ON CONFLICT DO NOTHING RETURNING id
    )
    SELECT count(*) AS number, CASE WHEN count(*) > 0 THEN {notify(Wake.TASKS)} END FROM queued
    """  # noqa: S608 - fragments of our own
)
_TRIES: Final = "kind IN ('try', 'check')"
_KNOWN: Final = text(f"SELECT id FROM agent_tasks WHERE {_TRIES} AND id = ANY(CAST(:ids AS uuid[]))")  # noqa: S608
_COUNT: Final = text(f"SELECT count(*) FROM agent_tasks WHERE {_TRIES} AND state IN ('QUEUED', 'LEASED')")  # noqa: S608
_DUE: Final = "due_at <= signoff_now() AND ends_at > signoff_now()"
#: A try whose lease has ended is not given again: its agent may have been called.
_DUE_TRIES: Final = f"{_TRIES} AND state = 'QUEUED' AND {_DUE}"
_DUE_OTHERS: Final = f"NOT {_TRIES} AND state <> 'DONE' AND {_DUE}"
_CALLED: Final = "protocol = ANY(CAST(:protocols AS text[]))"
#: What is stopped or read has half of the room, so that no agent that is slow to stop keeps tries waiting.
#: The agent is read as it is now; of work that is to be stopped, settings and handle are those of its execution.
_GRANT: Final = text(
    f"""
    WITH held AS (
        SELECT count(*) AS number, count(*) FILTER (WHERE NOT {_TRIES}) AS others FROM agent_tasks
        WHERE state = 'LEASED' AND owner = :owner AND due_at > signoff_now()
    ), tries AS (
        SELECT id FROM agent_tasks WHERE {_DUE_TRIES} AND {_CALLED} LIMIT :room FOR UPDATE SKIP LOCKED
    ), others AS (
        SELECT id FROM agent_tasks WHERE {_DUE_OTHERS} AND {_CALLED} ORDER BY due_at
        LIMIT greatest(0, (:room + 1) / 2 - (SELECT others FROM held)) FOR UPDATE SKIP LOCKED
    ), due AS MATERIALIZED (
        SELECT id FROM tries UNION ALL SELECT id FROM others LIMIT greatest(0, :room - (SELECT number FROM held))
    ), granted AS (
        UPDATE agent_tasks t SET state = 'LEASED', lease = t.lease + 1, owner = :owner,
            due_at = signoff_now() + make_interval(secs => least(t.lease_s, :held_s)),
            ends_at = CASE WHEN {_TRIES} THEN signoff_now() + make_interval(secs => t.lease_s) ELSE t.ends_at END
        FROM due WHERE t.id = due.id
        RETURNING t.id, t.kind, t.lease, t.lease_s, t.agent_id, t.execution_id, t.asked::text AS asked
    )
    SELECT g.*, a.protocol, a.url, a.headers::text AS headers, a.signing, a.tenant AS agent_tenant,
        a.policy::text AS agent_policy,
        a.settings::text AS agent_settings, e.job_id, e.attempt, e.submission, e.spent, e.handle, e.tenant,
        e.policy::text AS policy, (SELECT body::text FROM agent_settings WHERE hash = e.settings_hash) AS settings
    FROM granted g JOIN agents a ON a.id = g.agent_id LEFT JOIN executions e ON e.execution_id = g.execution_id
    """  # noqa: S608 - fragments of our own
)
#: SKIP LOCKED: who finishes a task, or gives it up, has it.
_RENEW: Final = text(
    """
    UPDATE agent_tasks SET due_at = least(signoff_now() + make_interval(secs => :held_s), ends_at)
    WHERE id = ANY(ARRAY(
        SELECT t.id FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS bigint[])) AS u(id, lease)
        JOIN agent_tasks t ON t.id = u.id AND t.lease = u.lease
        WHERE t.state || '' = 'LEASED' FOR UPDATE OF t SKIP LOCKED))
    """
)
_IS_OTHER: Final = "excluded.card::text <> agent_cards.card::text"
#: `|| ''`: only the index of the ids can serve (docs/adr/0024).
_OWN: Final = "id = :id AND lease = :lease AND state || '' = 'LEASED'"
_FIND_KIND: Final = text(f"SELECT kind FROM agent_tasks WHERE {_OWN}")  # noqa: S608 - fragments of our own
#: What the agent claims for a try is spent by the tenant that tries it.
_CLAIMED: Final = """
    (SELECT tenant, CAST(:cost_nanos AS bigint) AS agents_nanos, 0 AS judges_nanos FROM own
    WHERE kind IN ('try', 'check') AND CAST(:cost_nanos AS bigint) > 0) AS claimed
"""
#: What was stopped, or read, is not kept; what failed is due again, the later the more often.
_FINISH: Final = text(
    f"""
    WITH own AS MATERIALIZED (SELECT * FROM agent_tasks WHERE {_OWN} FOR UPDATE),
    tried AS (
        UPDATE agent_tasks t SET state = 'DONE', owner = NULL, asked = NULL, answered_at = signoff_now(),
            answer = CAST(CAST(:answer AS text) AS json), code = :code, message = :message, cost_nanos = :cost_nanos,
            tokens = :tokens, duration_s = :duration_s
        FROM own WHERE t.id = own.id AND own.kind IN ('try', 'check')
    ), spent AS ({spend(_CLAIMED)}
    ), again AS (
        UPDATE agent_tasks t SET state = 'QUEUED', owner = NULL, code = :code, message = :message,
            due_at = signoff_now() + make_interval(secs => least({AGAIN_MAX_S}, {AGAIN_S} * 2 ^ least(t.lease - 1, 20)))
        FROM own WHERE t.id = own.id AND own.kind IN ('cancel', 'card') AND CAST(:code AS text) IS NOT NULL
    ), done AS (
        DELETE FROM agent_tasks t USING own
        WHERE t.id = own.id AND own.kind IN ('cancel', 'card') AND CAST(:code AS text) IS NULL
    ), card AS (
        INSERT INTO agent_cards (agent_id, card, code, message, read_at)
        SELECT agent_id, CAST(CAST(:answer AS text) AS json), :code, :message, signoff_now() FROM own
        WHERE kind = 'card'
        ON CONFLICT (agent_id) DO UPDATE SET card = coalesce(excluded.card, agent_cards.card), code = excluded.code,
            message = excluded.message, read_at = excluded.read_at,
            before = CASE WHEN {_IS_OTHER} THEN agent_cards.card ELSE agent_cards.before END,
            changed_at = CASE WHEN {_IS_OTHER} THEN excluded.read_at ELSE agent_cards.changed_at END
        RETURNING changed_at = read_at AS has_changed
    )
    SELECT agent_id, (SELECT has_changed FROM card) AS has_changed, {notify(Wake.TASKS)} FROM own
    """  # noqa: S608 - fragments of our own
)
#: What nobody does any more: work that could not be stopped for an hour, and tries that nobody took, or whose executor
#: is gone. The time of the next change follows.
_LOOK: Final = text(
    f"""
    WITH late AS (
        SELECT id, kind, state FROM agent_tasks WHERE state <> 'DONE' AND ends_at <= signoff_now()
        LIMIT {BATCH_MAX} FOR UPDATE SKIP LOCKED
    ), lost AS (
        SELECT id, kind, state FROM agent_tasks
        WHERE :may_end AND {_TRIES} AND state = 'LEASED' AND due_at <= signoff_now() AND ends_at > signoff_now()
        FOR UPDATE SKIP LOCKED
    ), over AS MATERIALIZED (SELECT * FROM late UNION ALL SELECT * FROM lost), tried AS (
        UPDATE agent_tasks t SET state = 'DONE', owner = NULL, asked = NULL, answered_at = signoff_now(),
            code = CASE over.state WHEN 'LEASED' THEN '{ErrorCode.TRY_LOST}' ELSE '{ErrorCode.TRY_NOT_TAKEN}' END,
            message = CASE over.state WHEN 'LEASED' THEN 'the executor that called the agent was lost'
                ELSE 'no executor that calls agents by ' || t.protocol || ' took it in time' END
        FROM over WHERE t.id = over.id AND over.kind IN ('try', 'check')
    ), given_up AS (
        DELETE FROM agent_tasks t USING over WHERE t.id = over.id AND over.kind IN ('cancel', 'card')
        RETURNING t.kind, t.agent_id, t.execution_id, t.code, t.message AS reason
    )
    SELECT coalesce((SELECT json_agg(given_up) FROM given_up)::text, '[]') AS given_up,
        coalesce((SELECT min(due_at) FROM agent_tasks WHERE state <> 'DONE') <= signoff_now(), false) AS are_due,
        (SELECT extract(epoch FROM min(due_at) - signoff_now()) FROM agent_tasks
            WHERE state <> 'DONE' AND due_at > signoff_now())::float8 AS next_in_s
    """  # noqa: S608 - fragments of our own
)
_FORGET: Final = text(
    f"""
    DELETE FROM agent_tasks WHERE id = ANY(ARRAY(
        SELECT id FROM agent_tasks WHERE {_TRIES} AND state = 'DONE'
            AND created_at <= signoff_now() - make_interval(secs => {KEPT_S})
        LIMIT {FORGET_BATCH} FOR UPDATE SKIP LOCKED))
    """  # noqa: S608 - fragments of our own
)
_SHOWN: Final = (
    "id, agent_id, kind = 'check' AS \"check\", state, code, message, cost_nanos, tokens, duration_s, created_at, "
    "answered_at, actor"
)
_GET: Final = text(
    f"""
    SELECT {_SHOWN}, answer::text AS answer FROM agent_tasks WHERE {_TRIES} AND agent_id = :agent_id AND id = :id
    """  # noqa: S608 - names of our own
)
_LIST: Final = text(
    f"""
    SELECT {_SHOWN} FROM agent_tasks WHERE {_TRIES} AND agent_id = :agent_id
        AND (CAST(:before AS timestamptz) IS NULL OR (created_at, id) < (CAST(:before AS timestamptz), :id))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """  # noqa: S608 - names of our own
)


class Finished(NamedTuple):
    """What came of a task; `code` and `message` are those of a failure."""

    answer: str | None = None
    code: str | None = None
    message: str | None = None
    cost_nanos: int = 0
    tokens: int = 0
    duration_s: float | None = None


class TasksStore(Store):
    """Look tries up, count them, and write new tasks."""

    part, wish = rules.Tasks, rules.TasksWish

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Read which tries exist and, under a lock that all who ask for tries take, how many more there may be."""
        if ids := asked[rules.TasksWish].tries:
            await hold(connection, Lock.TRIES)
            uow[rules.Tasks].known = set(await connection.scalars(_KNOWN, {"ids": list(ids)}))
            uow[rules.Tasks].room = rules.TRIES_MAX - int(await connection.scalar(_COUNT))

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write new tasks."""
        if rows := [asdict(task) for task in uow[rules.Tasks].new]:
            if cards := [row["agent_id"] for row in rows if row["kind"] is TaskKind.CARD]:
                await connection.execute(_REPLACE, {"agents": cards})
            await connection.execute(_INSERT, sql.arrays(_NEW, "u", rows))


async def grant(
    connection: Connection, owner: UUID, protocols: Collection[str], room: int, held_s: float
) -> Sequence[Row]:
    """Grant an executor due tasks, so many that it has at most `room`, and return these with how agents are called.

    Its leases end after `held_s` unless they are renewed.
    """
    asked = {"owner": owner, "protocols": sorted(protocols), "room": room, "held_s": held_s}
    return await connection.execute(_GRANT, asked)


async def renew(connection: Connection, leases: Collection[tuple[UUID, int]], held_s: float) -> None:
    """Renew leases (id, lease) that still count, for `held_s` from now, but for no longer than their task may take."""
    ids, numbers = zip(*leases, strict=True)
    await connection.execute(_RENEW, {"ids": list(ids), "leases": list(numbers), "held_s": held_s})


async def find_kind(connection: Connection, task_id: UUID, lease: int) -> str | None:
    """Return the kind of a task; None if the lease is not the current one."""
    rows = await connection.execute(_FIND_KIND, {"id": task_id, "lease": lease})
    return rows[0].kind if rows else None


async def finish(connection: Connection, task_id: UUID, lease: int, finished: Finished) -> Row | None:
    """Record what came of a task, and return (agent_id, has_changed): whether another card of the agent was read.

    Return None, and do nothing, if the lease is not the current one.
    """
    rows = await connection.execute(_FINISH, {"id": task_id, "lease": lease, **finished._asdict()})
    return rows[0] if rows else None


async def queue_cards(connection: Connection) -> int:
    """Queue that up to CARDS_BATCH cards are read that never were, or not for CARD_KEPT_S, and return how many."""
    return int(await connection.scalar(_QUEUE_CARDS))


async def look(connection: Connection, *, may_end: bool) -> Row:
    """Give up what is out of time, and, if they `may_end`, tries with lapsed leases.

    Return (given_up, are_due, next_in_s). `given_up`: JSON of stops and cards that failed until now; `next_in_s`: when
    any more is due or over, None: nothing.
    """
    return (await connection.execute(_LOOK, {"may_end": may_end})).one()


async def forget(connection: Connection) -> int:
    """Delete up to FORGET_BATCH tries that are older than KEPT_S, and return how many."""
    return await connection.change(_FORGET)


async def get_try(connection: Connection, agent_id: str, try_id: UUID) -> Row | None:
    """Return a try of an agent with its answer, as JSON text; None: there is none."""
    rows = await connection.execute(_GET, {"agent_id": agent_id, "id": try_id})
    return rows[0] if rows else None


async def list_tries(
    connection: Connection, agent_id: str, limit: int, before: tuple[object, object] | None
) -> Sequence[Row]:
    """Return up to `limit` tries of an agent without their answers, newest first, behind the place `before`."""
    created_at, try_id = before or (None, None)
    asked = {"agent_id": agent_id, "limit": limit, "before": created_at, "id": try_id}
    return await connection.execute(_LIST, asked)
