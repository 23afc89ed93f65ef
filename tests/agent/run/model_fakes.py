"""What tests say to a model that calls tools, and what its servers got."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from signoff_agent.run.config import AgentConfig
from signoff_agent.run.loop import ModelAgent
from signoff_agent.task import AgentError, Task

WEATHER = {
    "name": "weather",
    "description": "The weather of a city",
    "input": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def calls(name: str, arguments: str, call_id: str = "c1") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": call_id, "type": "function", "function": function}],
    }


@dataclass
class Elsewhere:
    """A server at 127.0.0.2 that answers nothing, and counts who comes."""

    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.2:{self.port}"


@dataclass
class Fakes:
    """What the servers got and answer: the model by `answer`, or each of `answers` in turn, the last one for ever."""

    url: str = ""
    model: str = "gpt-4o-mini"
    mcp_url: str = ""
    answers: list[Any] = field(default_factory=lambda: [calls("weather", '{"city": "Kyiv"}'), says("It is sunny.")])
    answer: Callable[[list[dict[str, Any]]], Awaitable[Any]] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: Any = None
    tool: Callable[[web.Request], web.StreamResponse] | None = None
    tool_waits: asyncio.Event | None = None
    called: list[web.Request] = field(default_factory=list)
    stop_mcp: Callable[[], Awaitable[None]] | None = None
    added: list[tuple[int, int]] = field(default_factory=list)

    def config(self, **changes: Any) -> AgentConfig:
        whole: dict[str, Any] = {
            "networks": ["127.0.0.1/32"],
            "model": {"name": "gpt-4o-mini", "base_url": f"{self.url}/v1"},
            "tools": [{**WEATHER, "url": f"{self.url}/weather/{{city}}"}],
        }
        return AgentConfig.model_validate(whole | changes)

    async def perform(self, config: AgentConfig | None = None, task: Task | None = None) -> Any:
        agent = ModelAgent(config or self.config())
        try:
            return await agent.perform(task or Task("key", {"title": "The weather"}))
        finally:
            await agent.close()

    async def fail(self, config: AgentConfig | None = None, task: Task | None = None) -> AgentError:
        with pytest.raises(AgentError) as error:
            await self.perform(config, task)
        return error.value

    def be_mcp(self, answers: dict[str, Callable[[], Any]]) -> list[str]:
        """Answer as an MCP server: results, errors or responses by methods. Return the methods as they come."""
        server = {"capabilities": {"tools": {}}, "serverInfo": {"name": "fake", "version": "1"}}
        answers = {"initialize": lambda: {"protocolVersion": "2025-06-18", **server}, **answers}
        methods: list[str] = []

        def answer(request: web.Request) -> web.StreamResponse:
            asked = json.loads(request._read_bytes or b"{}")
            methods.append(asked.get("method", ""))
            if methods[-1] not in answers:
                return web.Response(status=202 if request.method == "POST" and "id" not in asked else 405)
            result = answers[methods[-1]]()
            if isinstance(result, web.Response):
                return result
            kind = "error" if "code" in result else "result"
            return web.json_response({"jsonrpc": "2.0", "id": asked["id"], kind: result})

        self.tool = answer
        return methods

    def cut(self) -> web.Response:
        """Close the connection of the last request instead of an answer."""
        transport = self.called[-1].transport
        assert transport is not None
        transport.abort()
        return web.Response()

    @property
    def told(self) -> list[str]:
        """The answers of tools that the model has been told with its last question."""
        return [message["content"] for message in self.asked[-1]["messages"] if message["role"] == "tool"]
