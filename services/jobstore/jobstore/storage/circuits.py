"""The circuits of agents as rows: only agents that fail have one. They are locked after jobs and executions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.domain.circuit_breaker import CLOSED, Breaker
from jobstore.storage import sql
from jobstore.storage.notifications import Wake, notify
from jobstore.storage.tables import circuits

_CIRCUIT: Final = sql.columns(circuits)
_LOCK: Final = text(
    f"SELECT {', '.join(_CIRCUIT)} FROM circuits "  # noqa: S608 - names of our own
    "WHERE agent_id = ANY(CAST(:ids AS text[])) ORDER BY agent_id FOR UPDATE",
)
#: A statement of its own: one that waited for the lock would not see who became the probe meanwhile.
_PROBING: Final = text(
    "SELECT execution_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) "
    "AND stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED')",
)
_WRITE: Final = text(
    f"""
    WITH closed AS (DELETE FROM circuits WHERE agent_id = ANY(CAST(:closed AS text[]))),
    moved AS (
        UPDATE circuits SET {", ".join(f"{name} = m.{name}" for name in _CIRCUIT if name != "agent_id")}
        FROM {sql.unnest("m", _CIRCUIT, "m")} WHERE circuits.agent_id = m.agent_id
    ),
    made AS ({sql.insert("circuits", _CIRCUIT, order="agent_id", prefix="n").text})
    SELECT {notify(Wake.QUEUED)}
    """,  # noqa: S608 - names of our own
)


async def lock(connection: AsyncConnection, agent_ids: Collection[str]) -> dict[str, Breaker]:
    """Lock the circuits of agents, in the order of their ids; one that is closed without a failure has no row."""
    rows = (await connection.execute(_LOCK, {"ids": sorted(agent_ids)})).all()
    probes = [row.probe_id for row in rows if row.probe_id is not None]
    probing = set(await connection.scalars(_PROBING, {"ids": probes})) if probes else set()
    return {
        row.agent_id: Breaker(row.failures, row.opened, row.open_until, row.probe_id, row.probe_id in probing)
        for row in rows
    }


async def write(connection: AsyncConnection, stored: Mapping[str, Breaker], now: Mapping[str, Breaker]) -> None:
    """Write what differs from what is stored; another transaction that stored one meanwhile makes it a race."""
    changed = {agent_id: breaker for agent_id, breaker in now.items() if breaker != stored.get(agent_id, CLOSED)}
    if not changed:
        return
    closed = [agent_id for agent_id, breaker in changed.items() if breaker == CLOSED]
    rows = [{"agent_id": agent_id} | asdict(breaker) for agent_id, breaker in changed.items() if breaker != CLOSED]
    moved, made = [r for r in rows if r["agent_id"] in stored], [r for r in rows if r["agent_id"] not in stored]
    await _write(connection, closed, moved, made)


async def close(connection: AsyncConnection, agent_id: str) -> None:
    """Begin anew with an agent, which is another one now."""
    await _write(connection, [agent_id], [], [])


async def _write(
    connection: AsyncConnection, closed: Sequence[str], moved: Sequence[sql.Row], made: Sequence[sql.Row]
) -> None:
    arrays = sql.arrays(_CIRCUIT, "m", moved) | sql.arrays(_CIRCUIT, "n", made)
    await connection.execute(_WRITE, {"closed": closed, **arrays})
