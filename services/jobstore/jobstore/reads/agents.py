"""Agents as people see them, with their circuits."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import case, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Agent
from contracts.status import Circuit
from jobstore.storage.row_mapping import agent
from jobstore.storage.tables import agents
from jobstore.storage.tables import circuits as circuits_table

_STANDS: Final[Sequence[Any]] = (
    case(
        (circuits_table.c.open_until.is_(None), Circuit.CLOSED.value),
        (circuits_table.c.open_until > func.clock_timestamp(), Circuit.OPEN.value),
        else_=Circuit.HALF_OPEN.value,
    ).label("circuit"),
    circuits_table.c.open_until.label("circuit_open_until"),
    text(
        "coalesce((SELECT paused FROM limits WHERE limits.name = 'agent:' || agents.id), "
        "(SELECT paused FROM limits WHERE limits.name = 'agent:*'), false) AS paused",
    ),
)


async def get_agent(connection: AsyncConnection, agent_id: str) -> Agent | None:
    """One agent."""
    found = await list_agents(connection, limit=1, only=agent_id)
    return found[0] if found else None


async def list_agents(
    connection: AsyncConnection,
    *,
    limit: int,
    after: tuple[str, str] | None = None,
    only: str | None = None,
) -> list[Agent]:
    """Agents by (name, id), after one of them."""
    columns = [column for column in agents.c if column.name != "policy"]
    query = select(*columns, *_STANDS, text("policy::text AS policy")).outerjoin_from(agents, circuits_table)
    query = query.order_by(agents.c.name, agents.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(agents.c.name, agents.c.id) > tuple_(*after))
    if only is not None:
        query = query.where(agents.c.id == only)
    return [agent(row) for row in await connection.execute(query)]
