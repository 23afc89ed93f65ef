"""Limits as rows. Whoever requests executions holds `shared` to the commit, so that a new limit finds all of them."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Limit, NewLimit
from jobstore.domain.limits import tenant_limit, wildcard
from jobstore.errors import NotFoundError
from jobstore.storage import locks
from jobstore.storage.locks import Lock
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.tables import limits

_NOTIFY: Final = text(f"SELECT {notify(Wake.QUEUED | Wake.AGENTS)}")
#: The names of limits that hold executions back, and whether any caps a queue.
NAMES: Final = """
    (SELECT array_agg(name) FROM limits WHERE paused OR concurrency IS NOT NULL OR rate IS NOT NULL) AS limits,
    EXISTS (SELECT FROM limits WHERE queue_max IS NOT NULL) AS capped
"""
_NAMES: Final = text(f"SELECT {NAMES}")
_CAPS: Final = text(
    "SELECT name, queue_max FROM limits WHERE name = ANY(CAST(:names AS text[])) ORDER BY name FOR UPDATE",
)
_WAITING: Final = text(
    """
    SELECT asked.tenant, asked.most - (SELECT count(*) FROM (
        SELECT FROM executions e WHERE e.tenant = asked.tenant AND stage = 'EXECUTING' AND state = 'QUEUED'
        LIMIT asked.most) AS waiting) AS left
    FROM unnest(CAST(:tenants AS text[]), CAST(:most AS int[])) AS asked(tenant, most)
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
#: What waits under a name that was no limit before gets a queue of its own; `*` is each value that its jobs have.
_SPLIT: Final = text(
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
#: What was offered and not taken waits again; under `*`, whatever it is: it is offered anew where nothing holds it.
_TAKE_BACK: Final = text(
    """
    UPDATE executions SET state = 'QUEUED', offers = 0, due_at = clock_timestamp()
    WHERE stage = 'EXECUTING' AND state = 'OFFERED'
        AND (:all OR 'tenant:' || tenant = :name OR flow @> ARRAY[CAST(:name AS text)])
    """,
)


async def shared(connection: AsyncConnection) -> None:
    """Before anything else is locked: until the commit no limit changes."""
    await locks.share(connection, Lock.LIMITS)


async def shared_late(connection: AsyncConnection) -> Row[Any] | None:
    """The same where rows are locked already: None where limits are being changed, since who does may wait for those.

    Else what they say now (NAMES).
    """
    if not await locks.try_share(connection, Lock.LIMITS):
        return None
    return (await connection.execute(_NAMES)).one()


async def may_wait(connection: AsyncConnection, tenants: Collection[str]) -> dict[str, int]:
    """How many more executions of these tenants may wait, of those whose queue is capped; held to the commit."""
    own = {tenant: tenant_limit(tenant) for tenant in tenants}
    names = {*own.values(), *map(wildcard, own.values())}
    caps = {row.name: row.queue_max for row in await connection.execute(_CAPS, {"names": sorted(names)})}
    capped = {t: cap for t, n in own.items() if (cap := caps.get(n if n in caps else wildcard(n))) is not None}
    asked = {"tenants": list(capped), "most": list(capped.values())}
    return {row.tenant: row.left for row in await connection.execute(_WAITING, asked)}


async def list_(connection: AsyncConnection) -> Sequence[Limit]:
    """All limits, by name."""
    rows = await connection.execute(limits.select().order_by(limits.c.name))
    return [Limit.model_validate(dict(row)) for row in rows.mappings()]


async def one(connection: AsyncConnection, name: str) -> Limit | None:
    """The limit of a name."""
    row = (await connection.execute(limits.select().where(limits.c.name == name))).mappings().one_or_none()
    return None if row is None else Limit.model_validate(dict(row))


async def put(connection: AsyncConnection, name: str, limit: NewLimit) -> None:
    """Set a limit, also for what waits already. Once this has committed, nothing is offered under the one before."""
    await hold(connection)
    await connection.execute(_PUT, {**limit.model_dump(include=set(NewLimit.model_fields)), "name": name})
    kind, _, rest = name.partition(":")
    if kind in {"label", "batch"}:
        key, _, value = rest.partition("=")
        await connection.execute(_SPLIT, {"batch": kind == "batch", "name": name, "key": key, "value": value})
    if limit.paused:
        await connection.execute(_TAKE_BACK, {"name": name, "all": name == wildcard(name)})
    await _told(connection)


async def pause(connection: AsyncConnection, name: str, *, paused: bool) -> None:
    """Pause or resume what a name applies to, and leave the rest of its limit as it is; without a limit it has none."""
    await hold(connection)
    known = await one(connection, name) or NewLimit()
    await put(connection, name, known.model_copy(update={"paused": paused}))


async def remove(connection: AsyncConnection, name: str) -> None:
    """Remove a limit. NotFoundError: there is none."""
    if not await drop(connection, name):
        raise NotFoundError(f"there is no limit {name}", code="unknown_limit")


async def drop(connection: AsyncConnection, name: str) -> bool:
    """Remove a limit; False where there is none."""
    await hold(connection)
    removed = await connection.execute(limits.delete().where(limits.c.name == name))
    await _told(connection)
    return bool(removed.rowcount)


async def hold(connection: AsyncConnection) -> None:
    """Let nobody request or offer an execution until the commit; before anything else is locked."""
    await locks.hold(connection, Lock.LIMITS)
    await locks.hold(connection, Lock.OFFERS)


async def _told(connection: AsyncConnection) -> None:
    await connection.execute(_NOTIFY)
