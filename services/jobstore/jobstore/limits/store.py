"""Limits as rows: read and write them, find those that apply to a name, and count queues and starts under them.

A transaction that requests executions shares the LIMITS lock until its commit. A new limit, whose transaction holds
that lock exclusively, is therefore applied to all these executions.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from jobstore.engine import facts, sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.facts import tell
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Piece, Store
from jobstore.engine.sql import Connection, Row
from jobstore.executions.leases import ARE_LOST
from jobstore.limits import rules
from jobstore.schema.tables import limits, spending
from signoff.jsontext import json_text
from signoff.types import Limit
from signoff.values import SUM_NANOS_MAX, to_nanos, to_usd

log = logging.getLogger(__name__)

#: The SQL condition that a limit may hold executions back.
HOLDS_BACK: Final = "(paused OR concurrency IS NOT NULL OR rate IS NOT NULL OR nanos_per_day IS NOT NULL)"
#: SQL columns: `limits`, the names of limits that hold executions back; `daily`, of those on what is spent in a day;
#: `judge_policies`, those that tenants may name, by the names of limits; `capped`, whether any limit caps a queue; and
#: `rated`, whether any has a rate. Where limits are lost, all is held back.
NAMES: Final = f"""
    CASE WHEN {ARE_LOST} THEN ARRAY['{rules.wildcard(rules.tenant_limit(""))}'] ELSE
        (SELECT array_agg(name) FROM limits WHERE {HOLDS_BACK})
    END AS limits,
    (SELECT array_agg(name) FROM limits WHERE nanos_per_day IS NOT NULL) AS daily,
    (SELECT json_object_agg(name, judge_policies) FROM limits WHERE judge_policies IS NOT NULL)::text AS judge_policies,
    EXISTS (SELECT FROM limits WHERE queue_max IS NOT NULL) AS capped,
    EXISTS (SELECT FROM limits WHERE rate IS NOT NULL) AS rated
"""  # noqa: S608 - names of our own
#: The SQL of limits.rules.wildcard.
WILDCARD: Final = "regexp_replace(names.name, '^(label:[^=]*=|[^:]*:).*', '\\1*')"


def apply(names: str, besides: str = "") -> str:
    """Return the SQL query of the limits of all limited names among those which the query `names` returns.

    Each field is that of the name's own limit, or else of its wildcard's; no other code combines the two. `besides`:
    further columns, in SQL, of the rows `own` and `general`.
    """
    return f"""
        SELECT names.name, coalesce(own.paused, general.paused, false) AS paused,
            coalesce(own.concurrency, general.concurrency) AS concurrency, coalesce(own.rate, general.rate) AS rate,
            coalesce(CASE WHEN own.rate IS NULL THEN general.rate_period_s END, own.rate_period_s) AS rate_period_s,
            coalesce(own.queue_max, general.queue_max) AS queue_max, coalesce(own.weight, general.weight) AS weight,
            coalesce(own.nanos_per_day, general.nanos_per_day) AS nanos_per_day
            {besides}
        FROM ({names}) AS names (name) LEFT JOIN limits own ON own.name = names.name
            LEFT JOIN limits general ON general.name = {WILDCARD}
        WHERE own.name IS NOT NULL OR general.name IS NOT NULL
    """  # noqa: S608 - words of our own


def is_agent_paused(agent_id: str) -> str:
    """Return the SQL condition which says that the agent with the id in the column `agent_id` is paused."""
    applied = apply(f"SELECT 'agent:' || {agent_id}")
    return f"EXISTS (SELECT FROM ({applied}) AS applied WHERE paused)"


def count_running(names: str) -> str:
    """Return the SQL query that counts the running executions under each name that the query `names` returns.

    The column `offered` counts those running executions that were offered and have not begun.
    """
    return f"""
        SELECT name, count(*) AS running, count(*) FILTER (WHERE state = 'OFFERED') AS offered
        FROM executions CROSS JOIN LATERAL unnest(array_append(flow, 'tenant:' || tenant)) AS name
        WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED') AND name = ANY(ARRAY({names})) GROUP BY name
    """  # noqa: S608 - words of our own


#: The SQL of the day of UTC, in which limits count what is spent.
TODAY: Final = "CAST(signoff_now() AT TIME ZONE 'UTC' AS date)"


def sum_spent(tenants: str) -> str:
    """Return the SQL query of what each tenant has spent this day, of those in the array that the SQL `tenants` makes.

    A sum ends at the maximum of a BIGINT, so that no claim of an agent makes statements fail.
    """
    agents, judges = (
        f"CAST(least(sum({name}), {SUM_NANOS_MAX}) AS bigint) AS {name}" for name in ("agents_nanos", "judges_nanos")
    )
    return f"""
        SELECT tenant, {agents}, {judges} FROM spending WHERE day = {TODAY} AND tenant = ANY({tenants}) GROUP BY tenant
    """  # noqa: S608 - words of our own


def list_used_up() -> str:
    """Return the SQL query of the tenants that may spend no more this day."""
    return f"""
        SELECT spent.tenant FROM (
            SELECT tenant, sum(agents_nanos) + sum(judges_nanos) AS nanos FROM spending WHERE day = {TODAY}
            AND EXISTS (SELECT FROM limits WHERE nanos_per_day IS NOT NULL) GROUP BY tenant
        ) AS spent LEFT JOIN limits own ON own.name = 'tenant:' || spent.tenant
            LEFT JOIN limits general ON general.name = 'tenant:*'
        WHERE spent.nanos >= coalesce(own.nanos_per_day, general.nanos_per_day)
    """  # noqa: S608 - words of our own


#: FOR UPDATE: requests of a capped tenant count its queue one after another; else together they would exceed the cap.
_LOCK_CAPS: Final = text(
    "SELECT FROM limits WHERE name = ANY(CAST(:names AS text[])) AND queue_max IS NOT NULL ORDER BY name FOR UPDATE"
)
#: LIMIT: a queue is counted up to its cap, so that a long one costs no more than a full one.
_QUEUE_ROOM: Final = text(
    f"""
    SELECT t.tenant, applied.queue_max - (SELECT count(*) FROM (
        SELECT FROM executions e WHERE e.tenant = t.tenant AND stage = 'EXECUTING' AND state = 'QUEUED'
        LIMIT applied.queue_max) AS waiting) AS room
    FROM unnest(CAST(:tenants AS text[]), CAST(:names AS text[])) AS t(tenant, name)
    JOIN ({apply("SELECT unnest(CAST(:names AS text[]))")}) AS applied USING (name) WHERE queue_max IS NOT NULL
    """  # noqa: S608 - words of our own
)
#: Starts are counted by parts of the period of each rate, which begin at the same times in all processes.
_COUNT_STARTS: Final = text(
    f"""
    INSERT INTO starts (name, began_at, count)
    SELECT name, date_bin(make_interval(secs => greatest(rate_period_s / {rules.PERIOD_PARTS}, 0.000001)),
        CAST(:now AS timestamptz), timestamptz '2000-01-01 00:00:00+00'), begun.count
    FROM unnest(CAST(:names AS text[]), CAST(:counts AS int[])) AS begun(name, count)
    JOIN ({apply("SELECT unnest(CAST(:names AS text[]))")}) AS applied USING (name)
    WHERE rate IS NOT NULL ORDER BY name
    ON CONFLICT (name, began_at) DO UPDATE SET count = starts.count + excluded.count
    """  # noqa: S608 - words of our own
)


_LIMIT: Final = sql.columns(limits)
#: What a limit is read with: what its tenant has spent this day, if it is a tenant's.
_READ: Final = f"""
    SELECT limits.*, spent.agents_nanos, spent.judges_nanos
    FROM limits LEFT JOIN LATERAL ({sum_spent("ARRAY[substr(limits.name, 8)]")}) AS spent
        ON limits.name LIKE 'tenant:%' AND limits.name <> 'tenant:*'
"""  # noqa: S608 - words of our own
_LIMITS: Final = text(f"{_READ} WHERE name = ANY(CAST(:names AS text[]))")
_LIST_LIMITS: Final = text(f"{_READ} WHERE name > :after ORDER BY name LIMIT :limit")
_PUT_LIMIT: Final = tell(
    limits,
    f"""
    INSERT INTO limits ({", ".join(_LIMIT)})
    VALUES ({", ".join(f"CAST(:{name} AS {sql.CAST.get(kind, kind)})::{kind}" for name, kind in _LIMIT.items())})
    ON CONFLICT (name) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _LIMIT)} RETURNING *
    """,  # noqa: S608 - names of our own
)
_REMOVE_LIMIT: Final = tell(limits, "DELETE FROM limits WHERE name = :name RETURNING *", removed=True)
#: Add a newly limited label or batch to the flows of its live executions, which then queue apart. Names are sorted as
#: limits.rules.flow_of sorts them, and not by the database's collation: two orders of the same names are two flows.
#: The executions of a batch are found by its index.
_ADD_BATCH_TO_FLOWS: Final = text(
    """
    UPDATE executions
    SET flow = ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(flow || CAST(:name AS text)) AS name ORDER BY 1)
    WHERE batch_id = :batch_id AND state <> 'DONE' AND NOT flow @> ARRAY[CAST(:name AS text)]
    """
)
_ADD_LABEL_TO_FLOWS: Final = text(
    """
    UPDATE executions e
    SET flow = ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(e.flow || limited.names) AS name ORDER BY 1)
    FROM (
        SELECT live.execution_id, array_agg(named.name) AS names
        FROM executions live JOIN jobs j ON j.id = live.job_id CROSS JOIN LATERAL (
            SELECT 'label:' || key || '=' || value AS name, 'label:' || key || '=*' AS general
            FROM jsonb_each_text(j.labels) WHERE strpos(key, '=') = 0
        ) AS named
        WHERE live.state <> 'DONE' AND :name IN (named.name, named.general) GROUP BY live.execution_id
    ) AS limited
    WHERE e.execution_id = limited.execution_id AND NOT e.flow @> limited.names
    """
)
#: Take back the offers to which a changed limit applies, if that, or its wildcard's, holds executions back. The
#: dispatcher offers again those that are allowed, so that none begins under the old limit. For a wildcard all offers
#: are taken back, since this statement cannot find those of its kind.
_TAKE_BACK: Final = text(
    f"""
    UPDATE executions SET state = 'QUEUED', offers = 0, due_at = signoff_now()
    WHERE stage = 'EXECUTING' AND state = 'OFFERED'
        AND (:name = :general OR 'tenant:' || tenant = :name OR flow @> ARRAY[CAST(:name AS text)])
        AND EXISTS (SELECT FROM limits WHERE name IN (:name, :general) AND {HOLDS_BACK})
    """  # noqa: S608 - words of our own
)
_NOTIFY_LIMITS: Final = text(f"SELECT {notify(Wake.QUEUED | Wake.AGENTS | Wake.JUDGINGS)}")


class LimitsStore(Store):
    """Read limits that commands change, and write them; the lock of limits is taken together with the jobs' locks."""

    part, wish = rules.Limits, rules.LimitsWish

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Read the limits whose names the wish has."""
        if named := asked[rules.LimitsWish].named:
            for row in await connection.execute(_LIMITS, {"names": list(named)}):
                uow[rules.Limits].limits.stored[row.name] = _to_limit(row)

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write changed limits, and the fact that the settings are complete if an administrator confirmed that."""
        for name, change in sorted(uow[rules.Limits].changes.items()):
            await _write_limit(connection, name, change)
        if (actor := uow[rules.Limits].confirmed_by) is not None:
            await facts.complete_administration(connection, actor)
            await connection.execute(_NOTIFY_LIMITS)

    def settle(self, uow: UnitOfWork) -> None:
        """Log the actor of each change of a limit, since limits have no log of their own."""
        for name, change in uow[rules.Limits].changes.items():
            removed = change.limit is None
            log.info("a limit was changed", extra={"limit": name, "actor": change.actor, "removed": removed})


async def _write_limit(connection: Connection, name: str, change: rules.LimitChange) -> None:
    """Set or remove a limit, and apply the change to executions that wait or were offered before."""
    limit = change.limit
    if limit is None:
        await connection.execute(_REMOVE_LIMIT, {"name": name, "actor": change.actor})
    else:
        await connection.execute(_PUT_LIMIT, {**_to_row(limit), "actor": change.actor})
        await add_to_flows(connection, name)
    await connection.execute(_TAKE_BACK, {"name": name, "general": rules.wildcard(name)})
    await connection.execute(_NOTIFY_LIMITS)


async def add_to_flows(connection: Connection, name: str) -> None:
    """Add the name of a limit of a label or batch to the flows of the live executions to which the limit applies."""
    kind, _, rest = name.partition(":")
    if kind == "batch":
        await connection.execute(_ADD_BATCH_TO_FLOWS, {"name": name, "batch_id": UUID(rest)})
    elif kind == "label":
        await connection.execute(_ADD_LABEL_TO_FLOWS, {"name": name})


class QueuesStore(Store):
    """Lock the limits that cap queues, after all other rows, and count the room in these queues."""

    part, wish, is_last = rules.Queues, rules.QueuesWish, True

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load the room in tenants' capped queues, if the limits lock is held and any queue is capped."""
        if uow[rules.Limits].has_queue_caps and uow[rules.Limits].is_held:
            names = {tenant: rules.tenant_limit(tenant) for tenant in asked[rules.QueuesWish].tenants}
            own_and_general = {*names.values(), *map(rules.wildcard, names.values())}
            await connection.execute(_LOCK_CAPS, {"names": sorted(own_and_general)})
            rows = await connection.execute(_QUEUE_ROOM, {"tenants": list(names), "names": list(names.values())})
            uow[rules.Queues].room = {row.tenant: row.room for row in rows}


class StartsStore(Store):
    """Count the executions that begin, for the rates of their names."""

    part = rules.Starts

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Add the starts of this transaction to the counts of all names that have a rate."""
        if begun := uow[rules.Starts].begun:
            counted = {"names": list(begun), "counts": list(begun.values()), "now": uow.clock.now}
            await connection.execute(_COUNT_STARTS, counted)


#: How many rows of `spending` a day of a tenant has: transactions beside each other do not wait for the same row.
_PARTS: Final = 8
_SPENT: Final = {"tenant": "text"} | sql.columns(spending, only=set(rules.Spent._fields))


def spend(rows: str) -> str:
    """Return the SQL that adds rows (tenant, agents_nanos, judges_nanos), which the SQL `rows` names, to their day."""
    return f"""
        INSERT INTO spending (day, tenant, part, agents_nanos, judges_nanos)
        SELECT {TODAY}, tenant, pg_backend_pid() % {_PARTS}, agents_nanos, judges_nanos FROM {rows} ORDER BY tenant
        ON CONFLICT (day, tenant, part) DO UPDATE
            SET {", ".join(sql.add_up("spending", name) for name in rules.Spent._fields)}
    """  # noqa: S608 - names of our own


_LEFT: Final = text(
    f"""
    SELECT substr(applied.name, 8) AS tenant, CAST(greatest(0, CAST(nanos_per_day AS numeric)
        - coalesce(spent.agents_nanos, 0) - coalesce(spent.judges_nanos, 0)) AS bigint) AS nanos
    FROM ({apply("SELECT 'tenant:' || unnest(CAST(:tenants AS text[]))")}) AS applied
        LEFT JOIN ({sum_spent("CAST(:tenants AS text[])")}) AS spent ON applied.name = 'tenant:' || spent.tenant
    WHERE nanos_per_day IS NOT NULL
    """  # noqa: S608 - words of our own
)


class SpendingStore(Store):
    """Add what tenants spend to the sums of the day, and read what they have left of it."""

    part, wish = rules.Spending, rules.SpendingWish
    pieces: ClassVar[Mapping[str, Piece]] = {"spending": Piece(spend(sql.unnest("sp", _SPENT)), _SPENT, "sp")}

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load what tenants have left of their day."""
        tenants = sorted(asked[rules.SpendingWish].tenants)
        rows = await connection.execute(_LEFT, {"tenants": tenants})
        uow[rules.Spending].left |= {row.tenant: row.nanos for row in rows}

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[sql.Values]]:
        """Return what each tenant spends in this transaction."""
        spent = uow[rules.Spending].spent
        return {"spending": [{"tenant": tenant, **each._asdict()} for tenant, each in spent.items()]}


async def list_limits(connection: Connection, limit: int, after: str = "") -> Sequence[Limit]:
    """Return up to `limit` limits in the order of their names, after the name `after`."""
    return [_to_limit(row) for row in await connection.execute(_LIST_LIMITS, {"after": after, "limit": limit})]


async def get_limit(connection: Connection, name: str) -> Limit | None:
    """Return the limit of a name, or None if the name has none."""
    row = (await connection.execute(_LIMITS, {"names": [name]})).one_or_none()
    return None if row is None else _to_limit(row)


def _to_limit(row: Row) -> Limit:
    fields = dict(row)
    nanos = {"usd_per_day": fields.pop("nanos_per_day")}
    if row.name.startswith("tenant:") and row.name != rules.wildcard(row.name):
        nanos |= {"agents_usd": row.agents_nanos or 0, "judges_usd": row.judges_nanos or 0}
    usd = {name: None if each is None else to_usd(each) for name, each in nanos.items()}
    return Limit.model_validate({**fields, **usd, "judge_policies": from_json(row.judge_policies or "null")})


def _to_row(limit: Limit) -> dict[str, object]:
    nanos = None if limit.usd_per_day is None else to_nanos(limit.usd_per_day)
    policies = None if limit.judge_policies is None else json_text(limit.judge_policies)
    return limit.model_dump(include=set(_LIMIT)) | {"nanos_per_day": nanos, "judge_policies": policies}
