"""Read agents with the state of their circuits, and whether they are paused."""

from typing import Final

from sqlalchemy import case, func, select, text, tuple_

from jobstore.storage.agents import to_agent
from jobstore.storage.limits import is_agent_paused
from jobstore.storage.sql import Connection
from jobstore.storage.tables import agents
from jobstore.storage.tables import circuits as circuits_table
from signoff.status import Circuit
from signoff.types import Agent

_STATE_COLUMNS: Final = (
    case(
        (circuits_table.c.open_until.is_(None), Circuit.CLOSED.value),
        (circuits_table.c.open_until > func.signoff_now(), Circuit.OPEN.value),
        else_=Circuit.HALF_OPEN.value,
    ).label("circuit"),
    circuits_table.c.open_until.label("circuit_open_until"),
    text(f"{is_agent_paused('agents.id')} AS paused"),
)


async def get_agent(connection: Connection, agent_id: str) -> Agent | None:
    """Return an agent, or None where there is none of that id."""
    rows = await list_agents(connection, limit=1, agent_id=agent_id)
    return rows[0] if rows else None


async def list_agents(
    connection: Connection,
    *,
    limit: int,
    after: tuple[str, str] | None = None,
    agent_id: str | None = None,
) -> list[Agent]:
    """Return agents in the order of (name, id), after the one named by `after`; only one where an id is given."""
    columns = [column for column in agents.c if column.name not in {"policy", "headers"}]
    as_text = text("policy::text AS policy, headers::text AS headers")
    query = select(*columns, *_STATE_COLUMNS, as_text).outerjoin_from(agents, circuits_table)
    query = query.order_by(agents.c.name, agents.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(agents.c.name, agents.c.id) > tuple_(*after))
    if agent_id is not None:
        query = query.where(agents.c.id == agent_id)
    return [to_agent(row) for row in await connection.execute(query)]
