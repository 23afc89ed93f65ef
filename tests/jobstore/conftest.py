"""The tables of the jobstore's tests, and one dispatcher whose offers are kept."""

import pytest
from support.jobstore.steps import Published
from support.jobstore.tables import database, database_url, handlers

from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.runner import Handlers
from jobstore.storage.database import Database

__all__ = ["database", "database_url", "handlers"]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def dispatcher(database: Database, published: Published, handlers: Handlers) -> Dispatcher:
    return Dispatcher(database, published, handlers.terms)  # type: ignore[arg-type]
