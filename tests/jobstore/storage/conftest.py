"""Two jobstores on one database whose agents have failed or may fail."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from breakers import FAILURES, Breakers
from support.jobstore.administered import put_agent
from support.jobstore.steps import Published, seen

from contracts.resources import NewAgent
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BreakerTerms, ExecutionStage
from jobstore.subjects import STORES


@pytest.fixture
async def world(database: Database, database_url: str, runner: CommandRunner) -> AsyncIterator[Breakers]:
    breaker = BreakerTerms(FAILURES, open_first_s=100.0, open_max_s=300.0)
    terms = replace(runner.terms, breaker=breaker)
    other = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    made = Breakers(database, CommandRunner(database, STORES, terms), CommandRunner(other, STORES, terms), Published())
    for table in ("circuits", "executions", "workers"):
        await made.sql(f"DELETE FROM {table}")
    async with database.transaction() as connection:
        new = NewAgent(name="other", url="http://127.0.0.1:2/")
        await put_agent(connection, "other", new, create=True)
    await seen(database, ExecutionStage.EXECUTING, 10)
    yield made
    await other.close()
