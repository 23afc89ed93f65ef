"""Others' servers that a judge may stand behind, or that are agents."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from peers_servers import HERE, Mock
from support.free_ports import free_port
from support.installed import installed
from support.programs import START_S, process, until_it_answers


@pytest.fixture(scope="module")
async def llmock() -> AsyncIterator[Mock]:
    port = free_port()
    where = ["--host", "127.0.0.1", "--port", str(port)]
    command = [installed(HERE / "llmock.txt").with_name("llmock"), "serve", *where, "--rpm", "6000"]
    async with process(*command, "--log-level", "error"), ClientSession() as http:
        await until_it_answers(f"http://127.0.0.1:{port}/health")
        yield Mock(f"http://127.0.0.1:{port}", http)


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[str]:
    """llama.cpp with SmolLM2 on one thread, at its base URL."""
    async with process(installed(HERE / "model.txt"), HERE / "model_server.py") as server:
        assert server.stdout is not None
        async with asyncio.timeout(START_S):
            address = (await server.stdout.readline()).decode().strip()
        yield f"{address}/v1"


@pytest.fixture(scope="module")
async def langgraph(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mock]:
    """The server of LangGraph for development, with graphs that need no model."""
    port, folder = free_port(), tmp_path_factory.mktemp("langgraph") / "graphs"
    shutil.copytree(HERE / "graphs", folder)  # it keeps its state there
    program = installed(HERE / "langgraph.txt").with_name("langgraph")
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-browser", "--no-reload"]
    async with process(program, "dev", *options, cwd=folder), ClientSession() as http:
        await until_it_answers(f"http://127.0.0.1:{port}/ok")
        yield Mock(f"http://127.0.0.1:{port}", http)
