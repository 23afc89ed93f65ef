import asyncio
import contextlib

import pytest
from fakes import FakeExecutions, FakeLeases, FakePublisher
from fault_agent import fault_agent

from contracts.status import Protocol as AgentProtocol
from executor.agents.client import HttpClient
from executor.agents.guard import networks
from executor.agents.http import HttpAgent
from executor.handlers import Handlers
from servicekit.worker import Worker

RESULT_MAX_BYTES = 100_000


@pytest.fixture
async def agent():
    async with fault_agent() as agent:
        yield agent


@pytest.fixture
async def client():
    async with HttpClient(allowed=networks("127.0.0.0/8"), result_max_bytes=RESULT_MAX_BYTES) as client:
        yield client


@pytest.fixture
def http_agent(client) -> HttpAgent:
    return HttpAgent(client)


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions()


@pytest.fixture
async def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
async def worker(leases):
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    running = asyncio.create_task(worker.run())
    yield worker
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await worker.stop(0.0)


@pytest.fixture
def handlers(worker, executions, http_agent, publisher) -> Handlers:
    return Handlers(worker, executions, {AgentProtocol.HTTP: http_agent}, publisher)
