"""Fixtures: a database of its own for each module, in the one server that the test run starts."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from contracts.resources import NewAgent, NewTenant
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BOOTSTRAP
from jobstore.subjects import STORES
from jobstore.tenants.commands import CreateTenant
from support.jobstore.administered import carry_out, put_agent
from support.jobstore.registered import TENANTS
from support.jobstore.terms import TERMS


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    """Make one database with all migrations and an agent. Others are copies of it, which is faster."""
    name = f"test_{uuid4().hex}"
    await _execute(postgres, f'CREATE DATABASE "{name}"')
    made = Database(_url(postgres, name).replace("postgresql://", "postgresql+asyncpg://"))
    await made.migrate()
    async with made.transaction() as connection:
        for tenant in TENANTS:
            await carry_out(connection, CreateTenant(NewTenant(name=tenant), actor=BOOTSTRAP))
        await put_agent(connection, "writer", NewAgent(name="writer", url="http://127.0.0.1:1/"), create=True)
    await made.close()
    return name


@pytest.fixture(scope="module")
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid4().hex}"
    await _execute(postgres, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _url(postgres, name)
    await _execute(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


def _url(postgres: str, name: str) -> str:
    return f"{postgres.rpartition('/')[0]}/{name}"


async def _execute(postgres: str, statement: str) -> None:
    server = await asyncpg.connect(postgres)
    await server.execute(statement)
    await server.close()


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def runner(database: Database) -> CommandRunner:
    return CommandRunner(database, STORES, TERMS)
