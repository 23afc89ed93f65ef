"""Others' servers that a judge may stand behind."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest
from aiohttp import ClientSession
from peers_servers import HERE, START_S, Mock, Model, process, until_it_answers
from support.free_ports import free_port
from support.installed import installed


@pytest.fixture(scope="module")
async def llmock() -> AsyncIterator[Mock]:
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port)]
    command = [installed(HERE / "llmock.txt").with_name("llmock"), "serve", *where, "--rpm", "6000"]
    async with process(*command, "--log-level", "error"), ClientSession() as http:
        await until_it_answers(f"http://127.0.0.1:{port}/health")
        yield Mock(f"http://127.0.0.1:{port}", http)


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[Model]:
    """llama.cpp with SmolLM2 on one thread."""
    async with process(installed(HERE / "model.txt"), HERE / "model_server.py") as server:
        assert server.stdout is not None
        async with asyncio.timeout(START_S):
            address = (await server.stdout.readline()).decode().strip()
        yield Model(f"{address}/v1", psutil.Process(server.pid))
