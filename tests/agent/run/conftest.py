"""A model behind OpenAI's API that says what a test tells it, a tool over HTTP, and an MCP server of its SDK."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer
from mcp.server.mcpserver import MCPServer
from model_fakes import Elsewhere, Fakes


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    fakes = Fakes()

    async def complete(request: web.Request) -> web.StreamResponse:
        fakes.asked.append(await request.json())
        fakes.headers = request.headers
        if fakes.answer is not None:
            answer = await fakes.answer(fakes.asked[-1]["messages"])
        else:
            answer = fakes.answers[min(len(fakes.asked), len(fakes.answers)) - 1]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        choice = {"index": 0, "message": answer, "finish_reason": "tool_calls" if "tool_calls" in answer else "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": fakes.model, "choices": [choice]}
        return web.json_response({**body, "usage": usage})

    async def tool(request: web.Request) -> web.StreamResponse:
        await request.read()
        fakes.called.append(request)
        if fakes.tool_waits is not None:
            await fakes.tool_waits.wait()
        return fakes.tool(request) if fakes.tool else web.json_response({"sky": "sunny"})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    app.router.add_route("*", "/{rest:.*}", tool)
    async with TestServer(app, host="127.0.0.1") as server:
        fakes.url = str(server.make_url("")).rstrip("/")
        yield fakes
        if fakes.tool_waits is not None:
            fakes.tool_waits.set()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    elsewhere = Elsewhere()

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.connections += 1
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.2", 0) as server:
        elsewhere.port = server.sockets[0].getsockname()[1]
        yield elsewhere


@pytest.fixture
async def mcp(fakes: Fakes) -> AsyncIterator[Fakes]:
    """A server of the MCP SDK, with a tool that adds and one that fails."""
    server = MCPServer("numbers", log_level="ERROR")

    @server.tool()
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        fakes.added.append((a, b))
        if fakes.tool_waits is not None:
            await fakes.tool_waits.wait()
        return a + b

    @server.tool()
    def divide(a: int, b: int) -> float:
        """Divide two numbers."""
        return a / b

    @server.tool()
    def forbidden() -> str:
        """Do what nobody allowed."""
        raise AssertionError

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        app = server.streamable_http_app()
        serving = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1))
        task = asyncio.create_task(serving._serve([listening]))
        fakes.mcp_url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"

        async def stop() -> None:
            serving.should_exit = True
            await task

        fakes.stop_mcp = stop
        yield fakes
        await stop()
