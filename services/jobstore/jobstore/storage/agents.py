"""Read and write agents. Each change adds a fact; a replaced agent begins with a closed circuit."""

from typing import Any

from pydantic_core import from_json
from sqlalchemy import func, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.jsontext import json_text
from contracts.resources import Agent, NewAgent
from jobstore.storage import circuits, facts
from jobstore.storage.tables import agents


async def put_agent(connection: AsyncConnection, agent_id: str, new: NewAgent, *, create: bool) -> bool:
    """Insert an agent, or replace one and close its circuit.

    Return False if nothing was written: with `create`, the id is taken; else, there is no such agent.
    """
    row = {
        **new.model_dump(include={"name", "url", "capabilities", "enabled", "deterministic", "headers"}),
        "protocol": new.protocol.value,
        "policy": new.policy.model_dump(mode="json", exclude_none=True),
    }
    if create:
        insert = text(
            "INSERT INTO agents (id, name, protocol, url, capabilities, policy, headers, enabled, deterministic) "
            "VALUES (:id, :name, :protocol, :url, :capabilities, CAST(:policy AS jsonb), CAST(:headers AS jsonb), "
            ":enabled, :deterministic) "
            "ON CONFLICT DO NOTHING",
        )
        policy = new.policy.model_dump_json(exclude_none=True)
        as_text = {"policy": policy, "headers": json_text(new.headers)}
        written = await connection.execute(insert, {**row, "id": agent_id, **as_text})
    else:
        update = agents.update().where(agents.c.id == agent_id).values(**row, updated_at=func.clock_timestamp())
        written = await connection.execute(update)
        await circuits.close(connection, agent_id)
    if written.rowcount:
        await facts.add_agent_fact(connection, agent_id)
    return bool(written.rowcount)


async def disable_agent(connection: AsyncConnection, agent_id: str) -> None:
    """Disable an agent: no further execution is requested of it."""
    values = {"enabled": False, "updated_at": func.clock_timestamp()}
    await connection.execute(agents.update().where(agents.c.id == agent_id).values(**values))
    await facts.add_agent_fact(connection, agent_id)


def to_agent(row: Any) -> Agent:
    """Return an agent from its row, which may have its state besides; policy and headers are JSON text."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's name
    return Agent.model_validate({**columns, "policy": from_json(row.policy), "headers": from_json(row.headers)})
