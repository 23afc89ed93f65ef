"""The executor's handlers between fakes, and the agents that it calls."""

import pytest
from fault_agent import fault_agent
from support.factories import execute_requested, grant, incoming_request, lease
from support.fakes import FakeExecutions, FakeLeases, FakePublisher, until, working

from executor.a2a_agents import A2AAgent
from executor.handlers import Handlers
from executor.http_agents import HeaderValues, HttpAgent, HttpAsyncAgent, HttpClient
from executor.langgraph_agents import LangGraphAgent
from executor.openai_agents import OpenAIAgent
from servicekit.addresses import parse_allowed
from servicekit.leasing.worker import Worker
from signoff.status import Protocol as AgentProtocol

RESULT_MAX_BYTES = 100_000


@pytest.fixture
async def agent():
    async with fault_agent() as agent:
        yield agent


@pytest.fixture
def environ() -> dict[str, str]:
    """The variables that headers may refer to."""
    return {}


@pytest.fixture
def header_dir(tmp_path):
    """The folder of the files that headers may refer to."""
    folder = tmp_path / "headers"
    folder.mkdir()
    return folder


@pytest.fixture
async def client(environ, header_dir):
    values, allowed = HeaderValues(environ, header_dir), parse_allowed("127.0.0.0/8")
    async with HttpClient(allowed=allowed, header_values=values, result_max_bytes=RESULT_MAX_BYTES) as client:
        yield client


@pytest.fixture
def http_agent(client) -> HttpAgent:
    return HttpAgent(client)


@pytest.fixture
def leases() -> FakeLeases:
    """Leases that lapse on no busy machine, since work under one that has is not ended."""
    return FakeLeases(lease_s=2.0)


@pytest.fixture
def executions() -> FakeExecutions:
    return FakeExecutions()


@pytest.fixture
async def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
async def worker(leases):
    worker = Worker("test", leases, capacity=10, outcomes_max=100)
    async with working(worker):
        yield worker


@pytest.fixture
def agents(client, http_agent):
    """The adapters, which poll often."""
    return {
        AgentProtocol.HTTP: http_agent,
        AgentProtocol.HTTP_ASYNC: HttpAsyncAgent(client, poll_max_s=0.03),
        AgentProtocol.OPENAI: OpenAIAgent(client, poll_max_s=0.03),
        AgentProtocol.LANGGRAPH: LangGraphAgent(client, poll_max_s=0.03),
        AgentProtocol.A2A: A2AAgent(client, poll_max_s=0.03),
    }


@pytest.fixture
def handlers(worker, executions, agents, publisher) -> Handlers:
    return Handlers(worker, executions, agents, publisher, progress_interval_s=0.0)


@pytest.fixture
def outcome(handlers, executions, publisher):
    """What is reported of one call, which is the only one."""

    async def run(url: str, **fields):
        a_lease = fields.pop("lease", None) or lease()
        policy = {"max_calls": 1, **fields.pop("policy", {})}
        executions.answers[a_lease.execution_id] = grant(lease=a_lease, url=url, policy=policy, **fields)
        request = execute_requested(execution_id=a_lease.execution_id)
        count = len(publisher.events)
        assert await handlers.on_execute_requested([incoming_request(request)]) == [None]
        await until(lambda: len(publisher.events) > count)
        return publisher.events[count]

    return run
