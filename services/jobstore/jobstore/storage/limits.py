"""Limits as rows: list them, and read what they leave room for.

A transaction that requests executions shares the LIMITS lock to its commit, so that a new limit, which holds that lock
alone, finds all of them.
"""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import text

from contracts.resources import Limit
from jobstore.domain.limits import tenant_limit, wildcard
from jobstore.storage.sql import Connection
from jobstore.storage.tables import limits

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


def count_running(names: str) -> str:
    """Return the query of how many executions run under each of the names that another query returns."""
    return f"""
        SELECT name, count(*) AS running
        FROM executions CROSS JOIN LATERAL unnest(array_append(flow, 'tenant:' || tenant)) AS name
        WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED') AND name = ANY(ARRAY({names})) GROUP BY name
    """  # noqa: S608 - words of our own


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
