"""Limits as rows: set, pause and remove them, and read what they leave room for.

A transaction that requests executions shares the LIMITS lock to its commit, so that a new limit, which holds that lock
alone, finds all of them.
"""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import text

from contracts.resources import Limit, NewLimit
from jobstore.domain.limits import tenant_limit, wildcard
from jobstore.errors import NotFoundError
from jobstore.storage import locks
from jobstore.storage.locks import Lock
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection
from jobstore.storage.tables import limits

_NOTIFY: Final = text(f"SELECT {notify(Wake.QUEUED | Wake.AGENTS)}")
#: SQL columns: `limits`, the names of limits that hold executions back, and `capped`, whether any limit caps a queue.
NAMES: Final = """
    (SELECT array_agg(name) FROM limits WHERE paused OR concurrency IS NOT NULL OR rate IS NOT NULL) AS limits,
    EXISTS (SELECT FROM limits WHERE queue_max IS NOT NULL) AS capped
"""
#: FOR UPDATE: requests of a capped tenant count its queue one after another, else together they exceed the cap.
_CAPS: Final = text(
    "SELECT name, queue_max FROM limits WHERE name = ANY(CAST(:names AS text[])) ORDER BY name FOR UPDATE",
)
#: LIMIT: nothing is counted beyond the cap, so that a long queue costs no more than a full one.
_QUEUE_ROOM: Final = text(
    """
    SELECT t.tenant, t.cap - (SELECT count(*) FROM (
        SELECT FROM executions e WHERE e.tenant = t.tenant AND stage = 'EXECUTING' AND state = 'QUEUED'
        LIMIT t.cap) AS waiting) AS room
    FROM unnest(CAST(:tenants AS text[]), CAST(:caps AS int[])) AS t(tenant, cap)
    """,
)
_PUT: Final = text(
    """
    INSERT INTO limits (name, concurrency, rate, rate_period_s, queue_max, weight, paused)
    VALUES (:name, :concurrency, :rate, :rate_period_s, :queue_max, :weight, :paused)
    ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency, rate = excluded.rate,
        rate_period_s = excluded.rate_period_s, queue_max = excluded.queue_max, weight = excluded.weight,
        paused = excluded.paused, updated_at = clock_timestamp()
    """,
)
#: Add a newly limited label or batch to the flows of live executions: those that it limits queue apart from now on.
#: A limit of `label:key=*` adds to each the value that its job has.
_ADD_TO_FLOWS: Final = text(
    """
    UPDATE executions e SET flow = array_sort(array_append(e.flow, named.name))
    FROM (
        SELECT live.execution_id, CASE WHEN :batch THEN :name ELSE 'label:' || :key || '=' || (j.labels ->> :key) END
            AS name
        FROM executions live JOIN jobs j ON j.id = live.job_id
        WHERE live.state <> 'DONE' AND CASE WHEN :batch THEN 'batch:' || live.batch_id = :name
            ELSE jsonb_exists(j.labels, :key) AND (:value = '*' OR j.labels ->> :key = :value) END
    ) AS named
    WHERE e.execution_id = named.execution_id AND NOT e.flow @> ARRAY[named.name]
    """,
)
#: Take back offers that a paused limit applies to. Under a name with `*` all offers are taken back, since what has a
#: limit of its own cannot be told apart here; the dispatcher offers that again.
_TAKE_BACK: Final = text(
    """
    UPDATE executions SET state = 'QUEUED', offers = 0, due_at = clock_timestamp()
    WHERE stage = 'EXECUTING' AND state = 'OFFERED'
        AND (:all OR 'tenant:' || tenant = :name OR flow @> ARRAY[CAST(:name AS text)])
    """,
)


async def load_queue_room(connection: Connection, tenants: Collection[str]) -> dict[str, int]:
    """Return how many more executions of each capped tenant may wait, and lock the caps until the commit."""
    names = {tenant: tenant_limit(tenant) for tenant in tenants}
    own_and_general = {*names.values(), *map(wildcard, names.values())}
    cap_of = {row.name: row.queue_max for row in await connection.execute(_CAPS, {"names": sorted(own_and_general)})}
    # A tenant's own limit replaces that of all tenants, even where it sets no cap.
    caps = {t: cap for t, n in names.items() if (cap := cap_of.get(n if n in cap_of else wildcard(n))) is not None}
    rows = await connection.execute(_QUEUE_ROOM, {"tenants": list(caps), "caps": list(caps.values())})
    return {row.tenant: row.room for row in rows}


async def list_all(connection: Connection) -> Sequence[Limit]:
    """Return all limits, by name."""
    rows = await connection.execute(limits.select().order_by(limits.c.name))
    return [Limit.model_validate(dict(row)) for row in rows]


async def find(connection: Connection, name: str) -> Limit | None:
    """Return the limit of a name."""
    row = (await connection.execute(limits.select().where(limits.c.name == name))).one_or_none()
    return None if row is None else Limit.model_validate(dict(row))


async def put(connection: Connection, name: str, limit: NewLimit) -> None:
    """Set a limit, also for executions that wait already. After the commit nothing is offered under the old one."""
    await hold_locks(connection)
    await connection.execute(_PUT, {**limit.model_dump(include=set(NewLimit.model_fields)), "name": name})
    kind, _, rest = name.partition(":")
    if kind in {"label", "batch"}:
        key, _, value = rest.partition("=")
        await connection.execute(_ADD_TO_FLOWS, {"batch": kind == "batch", "name": name, "key": key, "value": value})
    if limit.paused:
        await connection.execute(_TAKE_BACK, {"name": name, "all": name == wildcard(name)})
    await _notify(connection)


async def pause(connection: Connection, name: str, *, paused: bool) -> None:
    """Pause or resume what a name applies to. The rest of its limit stays; without one, a limit is added."""
    await hold_locks(connection)
    limit = await find(connection, name) or NewLimit()
    await put(connection, name, limit.model_copy(update={"paused": paused}))


async def remove(connection: Connection, name: str) -> None:
    """Remove a limit. Raise NotFoundError (`unknown_limit`) if there is none."""
    if not await discard(connection, name):
        raise NotFoundError(f"there is no limit {name}", code="unknown_limit")


async def discard(connection: Connection, name: str) -> bool:
    """Remove a limit. Return False if there is none."""
    await hold_locks(connection)
    removed = await connection.change(limits.delete().where(limits.c.name == name))
    await _notify(connection)
    return bool(removed)


async def hold_locks(connection: Connection) -> None:
    """Let no transaction request or offer an execution until the commit. Call before anything else is locked."""
    await locks.hold(connection, Lock.LIMITS)
    await locks.hold(connection, Lock.OFFERS)


async def _notify(connection: Connection) -> None:
    await connection.execute(_NOTIFY)
