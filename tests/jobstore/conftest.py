"""The tables of the jobstore's tests, and one dispatcher whose offers are kept."""

import pytest
from support.factories import SECRETS
from support.jobstore.steps import Published
from support.jobstore.tables import database, database_url, runner, template

from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database

__all__ = ["database", "database_url", "runner", "template"]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def dispatcher(database: Database, published: Published, runner: CommandRunner) -> Dispatcher:
    return Dispatcher(database, published, runner.terms, SECRETS)  # type: ignore[arg-type]
