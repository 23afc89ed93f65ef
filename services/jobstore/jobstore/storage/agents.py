"""Read and write agents. Each change adds a fact; a replaced agent begins with a closed circuit."""

from typing import Final

from pydantic_core import from_json
from sqlalchemy import text

from contracts.jsontext import json_text
from contracts.resources import Agent, NewAgent
from jobstore.storage import circuits, facts
from jobstore.storage.sql import Connection, Row

_VALUES: Final = (
    ":name, :protocol, :url, :capabilities, CAST(:policy AS jsonb), CAST(:headers AS jsonb), :enabled, :deterministic"
)
_COLUMNS: Final = "name, protocol, url, capabilities, policy, headers, enabled, deterministic"
_INSERT: Final = text(f"INSERT INTO agents (id, {_COLUMNS}) VALUES (:id, {_VALUES}) ON CONFLICT DO NOTHING")  # noqa: S608 - words of our own
_REPLACE: Final = text(
    f"UPDATE agents SET ({_COLUMNS}, updated_at) = ({_VALUES}, clock_timestamp()) WHERE id = :id",  # noqa: S608 - words of our own
)
_DISABLE: Final = text("UPDATE agents SET enabled = false, updated_at = clock_timestamp() WHERE id = :id")


async def put_agent(connection: Connection, agent_id: str, new: NewAgent, *, create: bool) -> bool:
    """Insert an agent, or replace one and close its circuit.

    Return False if nothing was written: with `create`, the id is taken; else, there is no such agent.
    """
    row = {
        **new.model_dump(include={"name", "url", "capabilities", "enabled", "deterministic"}),
        "id": agent_id,
        "protocol": new.protocol.value,
        "policy": new.policy.model_dump_json(exclude_none=True),
        "headers": json_text(new.headers),
    }
    written = await connection.change(_INSERT if create else _REPLACE, row)
    if not create:
        await circuits.close(connection, agent_id)
    if written:
        await facts.add_agent_fact(connection, agent_id)
    return bool(written)


async def disable_agent(connection: Connection, agent_id: str) -> None:
    """Disable an agent: no further execution is requested of it."""
    await connection.execute(_DISABLE, {"id": agent_id})
    await facts.add_agent_fact(connection, agent_id)


def to_agent(row: Row) -> Agent:
    """Return an agent from its row, which may have its state besides; policy and headers are JSON text."""
    return Agent.model_validate({**row, "policy": from_json(row.policy), "headers": from_json(row.headers)})
