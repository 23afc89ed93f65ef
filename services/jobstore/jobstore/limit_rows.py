"""Limits as rows. Whoever requests executions holds `shared` to the commit, so that a new limit finds all of them."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Limit, NewLimit
from jobstore.database import AGENTS, CHANNEL, QUEUED
from jobstore.errors import NotFoundError
from jobstore.ledger import Ledger
from jobstore.limits import tenant_limit, wildcard
from jobstore.models import limits

#: Of whoever changes limits, against whoever requests executions; and of whoever offers, one at a time.
CHANGE_LOCK, OFFER_LOCK = 0x51_6E_0F_03, 0x51_6E_0F_04

_SHARED: Final = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_TRY_SHARED: Final = text("SELECT pg_try_advisory_xact_lock_shared(:lock)")
_EXCLUSIVE: Final = text("SELECT pg_advisory_xact_lock(:lock)")
_NAMES: Final = text(
    "SELECT name, paused OR concurrency IS NOT NULL OR rate IS NOT NULL AS holds, queue_max IS NOT NULL AS caps "
    "FROM limits",
)
_CAPS: Final = text(
    "SELECT name, queue_max FROM limits WHERE name = ANY(CAST(:names AS text[])) AND queue_max IS NOT NULL "
    "ORDER BY name FOR UPDATE",
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
    await connection.execute(_SHARED, {"lock": CHANGE_LOCK})


async def try_shared(connection: AsyncConnection) -> bool:
    """The same where something is locked already, without waiting: whoever changes limits may wait for that."""
    return bool(await connection.scalar(_TRY_SHARED, {"lock": CHANGE_LOCK}))


async def load(connection: AsyncConnection, ledger: Ledger, tenants: Collection[str]) -> None:
    """Add the names of limits, and how many executions of these tenants may still wait."""
    rows = (await connection.execute(_NAMES)).all()
    ledger.limits = frozenset(row.name for row in rows if row.holds)
    if tenants and any(row.caps for row in rows):
        own = {tenant: tenant_limit(tenant) for tenant in tenants}
        names = {*own.values(), *map(wildcard, own.values())}
        caps = {row.name: row.queue_max for row in await connection.execute(_CAPS, {"names": sorted(names)})}
        known = {row.name for row in rows}
        capped = {t: cap for t, n in own.items() if (cap := caps.get(n if n in known else wildcard(n))) is not None}
        asked = {"tenants": list(capped), "most": list(capped.values())}
        ledger.may_wait = {row.tenant: row.left for row in await connection.execute(_WAITING, asked)}


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
    await _changing(connection)
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
    await _changing(connection)
    known = await one(connection, name) or NewLimit()
    await put(connection, name, known.model_copy(update={"paused": paused}))


async def remove(connection: AsyncConnection, name: str) -> None:
    """Remove a limit. NotFoundError: there is none."""
    await _changing(connection)
    removed = await connection.execute(limits.delete().where(limits.c.name == name))
    if not removed.rowcount:
        raise NotFoundError(f"there is no limit {name}", code="unknown_limit")
    await _told(connection)


async def _changing(connection: AsyncConnection) -> None:
    for lock in (CHANGE_LOCK, OFFER_LOCK):
        await connection.execute(_EXCLUSIVE, {"lock": lock})


async def _told(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT pg_notify(:channel, :kind)"), {"channel": CHANNEL, "kind": QUEUED + AGENTS})
