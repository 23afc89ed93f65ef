"""Jobs whose verdicts and results may be reused; nothing is known of earlier tests."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_agent
from support.jobstore.reused import SURE, Life

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner


@pytest.fixture
async def empty(database: Database) -> None:
    async with database.transaction() as connection:
        for table in ("reusable", "circuits", "executions", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))


@pytest.fixture
def life(database: Database, runner: CommandRunner, empty: None) -> Any:
    del empty
    return lambda: Life(database, runner)


@pytest.fixture
async def sure(database: Database) -> str:
    """A deterministic agent of its own for each test."""
    agent_id = f"sure-{uuid4().hex[:8]}"
    async with database.transaction() as connection:
        await put_agent(connection, agent_id, SURE.model_copy(update={"id": agent_id}), create=True)
    return agent_id
