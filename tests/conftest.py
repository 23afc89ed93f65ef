"""The fixtures that all tests share; helpers are in support/."""

import signal
from collections.abc import Iterator

import pytest

from localstack.backing import Infrastructure, infrastructure

#: A shell starts what runs in the background with SIGINT ignored, and the processes of the tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers() -> Iterator[Infrastructure]:
    """A real Kafka and a real PostgreSQL, started once a run by whichever test needs them first."""
    with infrastructure() as running:
        yield running


@pytest.fixture(scope="session")
def kafka(servers: Infrastructure) -> str:
    """The broker, host:port."""
    return servers.kafka


@pytest.fixture(scope="session")
def postgres(servers: Infrastructure) -> str:
    """The database server, a URL."""
    return servers.postgres
