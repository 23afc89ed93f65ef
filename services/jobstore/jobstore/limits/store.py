"""Limits as rows: list them, say what applies to a name, and read and count what that leaves room for.

A transaction that requests executions shares the LIMITS lock to its commit, so that a new limit, which holds that lock
alone, finds all of them.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text

from jobstore.engine.sql import Connection
from jobstore.executions.leases import ARE_LOST
from jobstore.limits.rules import PERIOD_PARTS, tenant_limit, wildcard
from jobstore.schema.tables import limits
from signoff.types import Limit

#: SQL columns: `limits`, the names of limits that hold executions back; `capped`, whether any limit caps a queue; and
#: `rated`, whether any has a rate. Where limits are lost, all is held back.
NAMES: Final = f"""
    CASE WHEN {ARE_LOST} THEN ARRAY['{wildcard(tenant_limit(""))}'] ELSE
        (SELECT array_agg(name) FROM limits WHERE paused OR concurrency IS NOT NULL OR rate IS NOT NULL)
    END AS limits,
    EXISTS (SELECT FROM limits WHERE queue_max IS NOT NULL) AS capped,
    EXISTS (SELECT FROM limits WHERE rate IS NOT NULL) AS rated
"""  # noqa: S608 - names of our own
#: As domain.limits.wildcard.
WILDCARD: Final = "regexp_replace(names.name, '^(label:[^=]*=|[^:]*:).*', '\\1*')"


def apply(names: str, besides: str = "") -> str:
    """Return the query of the limits that apply to the names that another query returns, of those to which any does.

    Each field is what the name's own limit sets, else what that of its wildcard does. This is the one place that says
    so. `besides`: columns of the limits `own` and `general`.
    """
    return f"""
        SELECT names.name, coalesce(own.paused, general.paused, false) AS paused,
            coalesce(own.concurrency, general.concurrency) AS concurrency, coalesce(own.rate, general.rate) AS rate,
            coalesce(CASE WHEN own.rate IS NULL THEN general.rate_period_s END, own.rate_period_s) AS rate_period_s,
            coalesce(own.queue_max, general.queue_max) AS queue_max, coalesce(own.weight, general.weight) AS weight
            {besides}
        FROM ({names}) AS names (name) LEFT JOIN limits own ON own.name = names.name
            LEFT JOIN limits general ON general.name = {WILDCARD}
        WHERE own.name IS NOT NULL OR general.name IS NOT NULL
    """  # noqa: S608 - words of our own


def is_agent_paused(agent_id: str) -> str:
    """Return the condition that the agent of a column is paused."""
    applied = apply(f"SELECT 'agent:' || {agent_id}")
    return f"EXISTS (SELECT FROM ({applied}) AS applied WHERE paused)"


def count_running(names: str) -> str:
    """Return the query of how many executions run under each of the names that another query returns.

    `offered` are those of them that were offered and have not begun.
    """
    return f"""
        SELECT name, count(*) AS running, count(*) FILTER (WHERE state = 'OFFERED') AS offered
        FROM executions CROSS JOIN LATERAL unnest(array_append(flow, 'tenant:' || tenant)) AS name
        WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED') AND name = ANY(ARRAY({names})) GROUP BY name
    """  # noqa: S608 - words of our own


#: FOR UPDATE: requests of a capped tenant count its queue one after another, else together they exceed the cap.
_LOCK_CAPS: Final = text(
    "SELECT FROM limits WHERE name = ANY(CAST(:names AS text[])) AND queue_max IS NOT NULL ORDER BY name FOR UPDATE",
)
#: LIMIT: nothing is counted beyond the cap, so that a long queue costs no more than a full one.
_QUEUE_ROOM: Final = text(
    f"""
    SELECT t.tenant, applied.queue_max - (SELECT count(*) FROM (
        SELECT FROM executions e WHERE e.tenant = t.tenant AND stage = 'EXECUTING' AND state = 'QUEUED'
        LIMIT applied.queue_max) AS waiting) AS room
    FROM unnest(CAST(:tenants AS text[]), CAST(:names AS text[])) AS t(tenant, name)
    JOIN ({apply("SELECT unnest(CAST(:names AS text[]))")}) AS applied USING (name) WHERE queue_max IS NOT NULL
    """,  # noqa: S608 - words of our own
)
#: Starts are counted under each rate by parts of its period, which all processes count from one time on.
_COUNT_STARTS: Final = text(
    f"""
    INSERT INTO starts (name, began_at, count)
    SELECT name, date_bin(make_interval(secs => greatest(rate_period_s / {PERIOD_PARTS}, 0.000001)),
        CAST(:now AS timestamptz), timestamptz '2000-01-01 00:00:00+00'), begun.count
    FROM unnest(CAST(:names AS text[]), CAST(:counts AS int[])) AS begun(name, count)
    JOIN ({apply("SELECT unnest(CAST(:names AS text[]))")}) AS applied USING (name)
    WHERE rate IS NOT NULL ORDER BY name
    ON CONFLICT (name, began_at) DO UPDATE SET count = starts.count + excluded.count
    """,  # noqa: S608 - words of our own
)


async def load_queue_room(connection: Connection, tenants: Collection[str]) -> dict[str, int]:
    """Return how many more executions of each capped tenant may wait, and lock the caps until the commit."""
    names = {tenant: tenant_limit(tenant) for tenant in tenants}
    own_and_general = {*names.values(), *map(wildcard, names.values())}
    await connection.execute(_LOCK_CAPS, {"names": sorted(own_and_general)})
    rows = await connection.execute(_QUEUE_ROOM, {"tenants": list(names), "names": list(names.values())})
    return {row.tenant: row.room for row in rows}


async def count_starts(connection: Connection, begun: Mapping[str, int], now: datetime) -> None:
    """Count executions that begin now under the rates of their names."""
    await connection.execute(_COUNT_STARTS, {"names": list(begun), "counts": list(begun.values()), "now": now})


async def list_limits(connection: Connection, limit: int, after: str = "") -> Sequence[Limit]:
    """Return limits by name, after one."""
    rows = await connection.execute(limits.select().where(limits.c.name > after).order_by(limits.c.name).limit(limit))
    return [Limit.model_validate(dict(row)) for row in rows]


async def get_limit(connection: Connection, name: str) -> Limit | None:
    """Return the limit of a name; None where there is none."""
    row = (await connection.execute(limits.select().where(limits.c.name == name))).one_or_none()
    return None if row is None else Limit.model_validate(dict(row))
