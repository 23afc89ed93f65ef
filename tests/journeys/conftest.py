"""One running system for all journeys.

The agent and the judge are servers of the tests: what they answer is scripted, and what they were asked is kept.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from support.system import Agent, AsyncAgent, Judge, System, running, served

from contracts.resources import NewAgent
from signoff.status import Protocol

#: The system that all journeys share, once one of them has needed it, and the ids of the agents that it begins with.
SHARED: dict[Path, tuple[System, set[str]]] = {}


@pytest.fixture(scope="session")
async def judge() -> AsyncIterator[Judge]:
    server = Judge()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def agent() -> AsyncIterator[Agent]:
    scripted = Agent()
    async with scripted.serving():
        yield scripted


@pytest.fixture(scope="session")
async def async_agent() -> AsyncIterator[AsyncAgent]:
    scripted = AsyncAgent()
    app = web.Application()
    app.router.add_post("/works", scripted.on_call)
    app.router.add_get("/works/{job_id}", scripted.on_look, allow_head=False)
    app.router.add_delete("/works/{job_id}", scripted.on_stop)
    async with served(app) as url:
        scripted.url = f"{url}/works"
        yield scripted


@pytest.fixture(scope="session")
async def system(
    judge: Judge, agent: Agent, async_agent: AsyncAgent, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with running(tmp_path_factory.mktemp("signoff"), judge) as system:
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        taking = NewAgent(id="async-agent", name="async", url=async_agent.url, protocol=Protocol.HTTP_ASYNC)
        await system.client.create_agent(taking)
        SHARED[system.endpoints_file] = system, {agent.id async for agent in system.client.iter_agents()}
        yield system
        SHARED.clear()


@pytest.fixture(autouse=True, scope="module")
async def agents_end_with_their_tests() -> AsyncIterator[None]:
    """Those whose servers are gone would be wrong to the doctor, rightly."""
    yield
    for system, own in SHARED.values():
        for agent in [agent async for agent in system.client.iter_agents()]:
            if agent.enabled and agent.id not in own:
                await system.client.disable_agent(agent.id)
