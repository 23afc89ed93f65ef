"""One running system for all journeys, started as its users start it: `signoff up`.

The agent and the judge are servers of the tests: what they answer is scripted, and what they were asked is kept.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from system import Agent, AsyncAgent, Judge, System

from contracts.client import JobStoreClient
from contracts.resources import NewAgent
from contracts.status import Protocol
from contracts.topics import MESSAGE_MAX_BYTES

START_S = 90


@pytest.fixture(scope="session")
async def judge() -> AsyncIterator[Judge]:
    server = Judge()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def agent() -> AsyncIterator[Agent]:
    scripted = Agent()
    app = web.Application(client_max_size=8 << 20)
    app.router.add_post("/agent", scripted.on_call)
    async with served(app) as url:
        scripted.url = f"{url}/agent"
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


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture(scope="session")
async def system(
    judge: Judge, agent: Agent, async_agent: AsyncAgent, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    data = tmp_path_factory.mktemp("signoff")
    endpoints_file = data / "endpoints.json"
    env = {
        **os.environ,
        "OPENAI_API_KEY": "of the tests",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{judge.port}/v1",
        "SIGNOFF_LEASE_S": "3",
        "SIGNOFF_OFFER_AGAIN_S": "3",
        "SIGNOFF_BACKOFF_FIRST_S": "0.2",
        "SIGNOFF_GRACE_S": "4",
    }
    command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data), "--endpoints-file", str(endpoints_file)]
    with (data / "up.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, env=env, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(START_S):
            while not endpoints_file.exists():
                assert process.returncode is None, (data / "up.log").read_text()
                await asyncio.sleep(0.05)
        endpoints = json.loads(endpoints_file.read_text())
        headers = {"Authorization": f"Bearer {endpoints['token']}"}
        async with (
            JobStoreClient(endpoints["grpc"], endpoints["token"]) as client,
            aiohttp.ClientSession(endpoints["http"], headers=headers) as http,
            AIOKafkaProducer(
                bootstrap_servers=endpoints["kafka"], acks="all", max_request_size=MESSAGE_MAX_BYTES
            ) as producer,
        ):
            await client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
            taking = NewAgent(id="async-agent", name="async", url=async_agent.url, protocol=Protocol.HTTP_ASYNC)
            await client.create_agent(taking)
            yield System(endpoints_file, client, http, producer)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
