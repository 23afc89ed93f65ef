"""Agents with capabilities, jobs that name only those, and what their logs say."""

from typing import Any

from sqlalchemy import text

from contracts.resources import NewAgent
from jobstore.engine.database import Database
from support.jobstore.administered import put_agent
from support.jobstore.steps import Steps


async def put(database: Database, agent_id: str, *skills: str, create: bool = True, **fields: Any) -> str:
    new = NewAgent(name=agent_id, url="http://127.0.0.1:1/", capabilities=list(skills), **fields)
    async with database.transaction() as connection:
        await put_agent(connection, agent_id, new, create=create)
    return agent_id


async def wanting(steps: Steps, *skills: str) -> list[tuple[str, str | None]]:
    """Create the job; what its log says."""
    await steps.created(agent_id=None, capabilities=list(skills))
    return await said(steps)


async def said(steps: Steps) -> list[tuple[str, str | None]]:
    return [(row.status, row.message) for row in await steps.logs()]


async def circuit_opened(database: Database, agent_id: str) -> None:
    query = "INSERT INTO circuits VALUES (:id, 5, 1, clock_timestamp() + interval '1 hour')"
    async with database.transaction() as connection:
        await connection.execute(text(query), {"id": agent_id})
