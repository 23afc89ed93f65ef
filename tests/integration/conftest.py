"""A database of its own for each module, in the one server that the test run starts."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from breakers import FAILURES, Breakers
from steps import Published, seen

from contracts.resources import NewAgent, Policy
from contracts.status import Delivery
from jobstore.domain.circuit_breaker import BreakerTerms
from jobstore.domain.model import Stage
from jobstore.reads import jobs as job_reads
from jobstore.runner import Handlers, Terms
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
        await job_reads.put_agent(connection, "writer", new, create=True)
    yield made
    await made.close()


@pytest.fixture(scope="module")
def handlers(database: Database) -> Handlers:
    return Handlers(database, Terms(POLICY, LEASE_S, offer_again_s=5.0))


@pytest.fixture
async def world(database: Database, database_url: str, handlers: Handlers) -> AsyncIterator[Breakers]:
    terms = Terms(handlers.terms.policy, 10.0, 5.0, BreakerTerms(FAILURES, open_first_s=100.0, open_max_s=300.0))
    other = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    made = Breakers(database, Handlers(database, terms), Handlers(other, terms), Published())
    for table in ("circuits", "executions", "workers"):
        await made.sql(f"DELETE FROM {table}")
    async with database.transaction() as connection:
        new = NewAgent(name="other", url="http://127.0.0.1:2/")
        await job_reads.put_agent(connection, "other", new, create=True)
    await seen(database, Stage.EXECUTING, 10)
    yield made
    await other.close()
