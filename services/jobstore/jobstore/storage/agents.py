"""Read agents from their rows."""

from collections.abc import Iterable
from typing import Final

from pydantic_core import from_json

from jobstore.storage import sql, tables
from jobstore.storage.sql import Row
from signoff.types import Agent

#: The columns of an agent, policy and headers as JSON text.
COLUMNS: Final = (
    "id, name, protocol, url, capabilities, policy::text AS policy, enabled, deterministic, headers::text AS headers, "
    "created_at, updated_at, version"
)


def json_object(alias: str) -> str:
    """Return the expression of an agent's JSON, as facts have it, from its row."""
    fields = (
        f"'{name}', {sql.time_text(f'{alias}.{name}') if kind == sql.TIME else f'{alias}.{name}'}"
        for name, kind in sql.columns(tables.agents).items()
    )
    return f"json_strip_nulls(json_build_object({', '.join(fields)}))"  # which leaves out spaces, too


def to_agent(row: Row) -> Agent:
    """Return an agent from its row, which may have its state besides; policy and headers are JSON text."""
    return Agent.model_validate({**row, "policy": from_json(row.policy), "headers": from_json(row.headers)})


def parse_all(texts: Iterable[str]) -> dict[str, Agent]:
    """Return agents by their ids, from the JSON of their rows."""
    return {agent.id: agent for agent in map(Agent.model_validate_json, texts)}
