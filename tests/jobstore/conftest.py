"""The tables of the jobstore's tests, a job where nothing else is due, and one dispatcher whose offers are kept."""

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.steps import Published, Steps
from support.jobstore.tables import database, database_url, runner, template

from jobstore.access.callers import CALLER, Caller
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.dispatcher import Dispatcher
from jobstore.jobs.model import Actor
from signoff.status import Role

__all__ = ["database", "database_url", "runner", "template"]


@pytest.fixture(autouse=True)
def caller() -> Caller:
    """Who calls the methods of services that a test calls without a server."""
    CALLER.set(bootstrap := Caller("bootstrap", Actor("token:bootstrap"), Role.ADMINISTRATOR))
    return bootstrap


@pytest.fixture
async def steps(database: Database, runner: CommandRunner) -> Steps:
    async with database.transaction() as connection:  # nothing of earlier tests is due
        await connection.execute(text("DELETE FROM executions"))
        await connection.execute(text("DELETE FROM workers"))
    return Steps(database, runner)


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def dispatcher(database: Database, published: Published, runner: CommandRunner) -> Dispatcher:
    return Dispatcher(database, published, runner.terms, SECRETS)  # type: ignore[arg-type]
