"""Read agents from their rows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from pydantic_core import from_json

from contracts.resources import Agent
from jobstore.storage.sql import Row

#: The columns of an agent, policy and headers as JSON text.
COLUMNS: Final = (
    "id, name, protocol, url, capabilities, policy::text AS policy, enabled, deterministic, headers::text AS headers, "
    "created_at, updated_at"
)


def to_agent(row: Row) -> Agent:
    """Return an agent from its row, which may have its state besides; policy and headers are JSON text."""
    return Agent.model_validate({**row, "policy": from_json(row.policy), "headers": from_json(row.headers)})


def parse_all(texts: Iterable[str]) -> dict[str, Agent]:
    """Return agents by their ids, from their rows as JSON, whose times are as the server's clock shows them."""
    rows = map(from_json, texts)
    times = ("created_at", "updated_at")
    utc = ({**row, **{name: datetime.fromisoformat(row[name]).astimezone(UTC) for name in times}} for row in rows)
    return {row["id"]: Agent.model_validate(row) for row in utc}
