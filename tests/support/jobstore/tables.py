"""Fixtures: a database of its own for each module, in the one server that the test run starts."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from contracts.resources import NewAgent, Policy
from contracts.status import Delivery
from jobstore.domain.terms import Terms
from jobstore.runner import CommandRunner
from jobstore.storage.agents import put_agent
from jobstore.storage.database import Database

POLICY = Policy(
    max_submissions=3,
    max_attempts=3,
    attempt_timeout_s=60.0,
    delivery=Delivery.AT_LEAST_ONCE,
)
LEASE_S = 10.0


@pytest.fixture(scope="module")
async def database_url(postgres: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    yield postgres.rsplit("/", 1)[0] + f"/{name}"
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    await made.migrate()
    async with made.transaction() as connection:
        new = NewAgent(name="writer", url="http://127.0.0.1:1/")
        await put_agent(connection, "writer", new, create=True)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def runner(database: Database) -> CommandRunner:
    return CommandRunner(database, Terms(POLICY, LEASE_S, offer_again_s=5.0))
