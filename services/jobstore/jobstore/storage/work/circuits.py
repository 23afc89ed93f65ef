"""The circuits of agents as rows. Only agents that failed have one; a missing row is a closed circuit."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Final

from sqlalchemy import text

from jobstore.domain.circuit_breaker import CLOSED, Breaker
from jobstore.storage import sql
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.sql import Connection
from jobstore.storage.tables import circuits

_CIRCUIT: Final = sql.columns(circuits)
_LOCK: Final = text(
    f"SELECT {', '.join(_CIRCUIT)} FROM circuits "  # noqa: S608 - names of our own
    "WHERE agent_id = ANY(CAST(:ids AS text[])) ORDER BY agent_id FOR UPDATE",
)
#: A statement of its own: the one that waits for the lock has a snapshot from before, without the present probe.
#: `|| ''`: only the index of the ids can serve.
_PROBING: Final = text(
    "SELECT execution_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) "
    "AND stage || '' = 'EXECUTING' AND state || '' IN ('OFFERED', 'LEASED')",
)
_WRITE: Final = text(
    f"""
    WITH closed AS (DELETE FROM circuits WHERE agent_id = ANY(CAST(:closed AS text[]))),
    updated AS (
        UPDATE circuits SET {sql.assignments("m", _CIRCUIT, key="agent_id")}
        FROM {sql.unnest("m", _CIRCUIT)} WHERE circuits.agent_id = m.agent_id
    ),
    inserted AS ({sql.insert("circuits", _CIRCUIT, order="agent_id", alias="n").text})
    SELECT {notify(Wake.QUEUED)}
    """,  # noqa: S608 - names of our own
)


async def lock(connection: Connection, agent_ids: Collection[str]) -> dict[str, Breaker]:
    """Lock the stored circuits of agents, in the order of their ids. Called after jobs and executions are locked."""
    rows = await connection.execute(_LOCK, {"ids": sorted(agent_ids)})
    probes = [row.probe_id for row in rows if row.probe_id is not None]
    probing = set(await connection.scalars(_PROBING, {"ids": probes})) if probes else set()
    return {
        row.agent_id: Breaker(
            failures=row.failures,
            opened=row.opened,
            open_until=row.open_until,
            probe_id=row.probe_id,
            probing=row.probe_id in probing,
        )
        for row in rows
    }


async def write(connection: Connection, stored: Mapping[str, Breaker], changes: Mapping[str, Breaker]) -> None:
    """Write the circuits that differ from the stored ones. RaceError: another transaction has inserted one since."""
    changed = {agent_id: breaker for agent_id, breaker in changes.items() if breaker != stored.get(agent_id, CLOSED)}
    if not changed:
        return
    closed = [agent_id for agent_id, breaker in changed.items() if breaker == CLOSED]
    rows = [{"agent_id": agent_id} | asdict(breaker) for agent_id, breaker in changed.items() if breaker != CLOSED]
    updated = [row for row in rows if row["agent_id"] in stored]
    inserted = [row for row in rows if row["agent_id"] not in stored]
    arrays = sql.arrays(_CIRCUIT, "m", updated) | sql.arrays(_CIRCUIT, "n", inserted)
    await connection.execute(_WRITE, {"closed": closed, **arrays})
