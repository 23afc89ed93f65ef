"""The tables of the tests of this folder, and who calls the services that a test calls without a server."""

import pytest
from support.jobstore.tables import database, database_url, runner, template

from jobstore.access.callers import CALLER, Caller
from jobstore.jobs.model import BOOTSTRAP
from signoff.status import Role

__all__ = ["database", "database_url", "runner", "template"]


@pytest.fixture(autouse=True)
def caller() -> None:
    """Who calls is of all tenants."""
    CALLER.set(Caller("bootstrap", BOOTSTRAP, Role.ADMINISTRATOR))
