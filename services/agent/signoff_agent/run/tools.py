"""Call the tools of an agent, over HTTP and MCP, and keep each call before it is made and after it is answered."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2
from fastmcp.exceptions import ToolError
from jsonschema import Draft202012Validator
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS  # its other codes stand for answers that did not come, too
from pydantic_ai import RunContext
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.tools import Tool
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, ToolsetTool, WrapperToolset
from pydantic_core import to_json
from referencing import Registry

from signoff_agent.run.config import HttpTool, McpServer, read_headers
from signoff_agent.run.guard import SESSION_MAX_BYTES, GuardedTransport
from signoff_agent.task import AgentError, Task

#: Names of the calls of a run, which tools get as their idempotency keys.
_CALLS: Final = uuid.UUID("9a1e3f52-6f0a-4d5c-8a2e-0c5d1b7e4f60")
#: Seconds for a session of an MCP server to end.
CLOSE_S: Final = 5.0
#: Where the calls stand among the checkpoints of a task.
CALL: Final = "call/"
#: HTTP statuses of a gateway that got no answer from the tool.
_GATEWAY: Final = (502, 504)
#: Characters of the ids that servers of models give to calls.
_ID_MAX: Final = 200


class ToolRefusalError(Exception):
    """A tool was not called; the message is for the model."""


@dataclass
class ToolCalls:
    """The calls of tools of one task: `step` counts its model's answers, `begin` refuses a call over the bounds."""

    task: Task
    repeatable: frozenset[str]
    answer_bytes: int
    begin: Callable[[str], None]
    hide: Callable[[str], str]
    step: int = 0

    def check_answered(self) -> None:
        """Raise AgentError if a tool that may not be called again was called, and its answer was lost."""
        for name, call in self.task.checkpoints.items():
            if name.startswith(CALL) and "answer" not in call and call["tool"] not in self.repeatable:
                raise _make_unanswered(call["tool"])


@dataclass
class KeptToolset(WrapperToolset[ToolCalls]):
    """Tools of which each call is kept before and after, and none is made twice unless it may be repeated."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[ToolCalls], tool: ToolsetTool[ToolCalls]
    ) -> str:
        """Return the answer of a tool, or the error that it told. Raise AgentError if it may have acted unseen."""
        calls = ctx.deps
        place = f"{CALL}{calls.step}/{(ctx.tool_call_id or '')[:_ID_MAX]}"
        kept = calls.task.checkpoints.get(place, {})
        if "answer" in kept:
            return str(kept["answer"])
        calls.begin(name)
        await calls.task.checkpoint(place, {"tool": name})
        try:
            answer = await super().call_tool(name, tool_args, ctx, tool)
        except (ToolRefusalError, ToolError) as error:
            answer = f"error: {error}"
        except Exception as error:  # what fails in an MCP session: nobody knows what was done, unless a server refuses
            if name not in calls.repeatable and not (isinstance(error, MCPError) and error.code == INVALID_PARAMS):
                raise _make_unanswered(name) from error
            answer = f"error: {str(error) or 'no answer in time'}"
        text = _cut(calls.hide(answer if isinstance(answer, str) else _to_text(answer)), calls.answer_bytes)
        await calls.task.checkpoint(place, {"tool": name, "answer": text})
        return text


def _make_unanswered(name: str) -> AgentError:
    return AgentError(
        f"the tool {name} was called and its answer is lost, so it may have done its work: see there whether it did,"
        " then have the job executed again; if calling it twice does no harm, mark it `repeatable` in agent.toml",
        code="tool_unanswered",
    )


def make_http_tools(tools: Sequence[HttpTool], guard: GuardedTransport, answer_bytes: int) -> AbstractToolset[Any]:
    """Return tools that are one HTTP request each."""
    toolset: FunctionToolset[Any] = FunctionToolset()
    for tool in tools:
        call = _HttpCall(tool, guard, answer_bytes).call
        toolset.add_tool(Tool.from_schema(call, tool.name, tool.description, tool.input, takes_ctx=True))
    return toolset


class _HttpCall:
    def __init__(self, tool: HttpTool, guard: GuardedTransport, answer_bytes: int) -> None:
        self._tool, self._http = tool, guard.open_client(read_headers(tool.headers), tool.timeout_s)
        self._read_max = answer_bytes + 1
        self._validator = Draft202012Validator(tool.input, registry=Registry())

    async def call(self, ctx: RunContext[ToolCalls], /, **arguments: Any) -> str:
        """Return the body of the answer, or its status and body. Raise ToolRefusalError if no request was made."""
        if (wrong := next(self._validator.iter_errors(arguments), None)) is not None:
            raise ToolRefusalError(f"{wrong.json_path}: {wrong.message[:200]}")
        request = self._make_request(arguments)
        request.headers["Idempotency-Key"] = str(
            uuid.uuid5(_CALLS, f"{ctx.deps.task.key}/{ctx.deps.step}/{ctx.tool_call_id}")
        )
        try:
            async with asyncio.timeout(self._tool.timeout_s):
                response = await self._http.send(request, stream=True)
                try:
                    text = await self._read(response)
                finally:
                    await response.aclose()
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ToolRefusalError(f"the tool cannot be reached: {error}") from error
        if response.status_code in _GATEWAY:
            raise TimeoutError(f"HTTP status {response.status_code}")
        return text if response.is_success else f"error: HTTP status {response.status_code}: {text}"

    def _make_request(self, arguments: dict[str, Any]) -> httpx2.Request:
        url, rest = self._tool.url, dict(arguments)
        for name in self._tool.path_parameters:
            value = rest.pop(name)
            part = quote(str(value) if not isinstance(value, bool) else str(value).lower(), safe="")
            if not isinstance(value, str | int | float) or part in ("", ".", ".."):
                raise ToolRefusalError(f"{name} must be a text or number that may stand in a path")
            url = url.replace(f"{{{name}}}", part)
        if self._tool.method in ("GET", "DELETE"):
            own = httpx2.URL(url)  # no model replaces what its query has
            query = {name: value if isinstance(value, str) else _to_text(value) for name, value in rest.items()}
            added = {name: value for name, value in query.items() if name not in own.params}
            return self._http.build_request(self._tool.method, own.copy_merge_params(added))
        return self._http.build_request(self._tool.method, url, json=rest)

    async def _read(self, response: httpx2.Response) -> str:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) >= self._read_max:
                break
        return bytes(body[: self._read_max]).decode(errors="replace")


@contextlib.asynccontextmanager
async def open_mcp_tools(
    server: McpServer, guard: GuardedTransport, bytes_max: int
) -> AsyncIterator[AbstractToolset[Any]]:
    """Connect to an MCP server, and return those of its tools that the model may call. Raise AgentError."""
    toolset: MCPToolset[Any] = MCPToolset(
        server.url,
        http_client=guard.open_client(read_headers(server.headers), server.timeout_s, SESSION_MAX_BYTES),
        init_timeout=server.timeout_s,
        read_timeout=server.timeout_s,
        tool_error_behavior="error",  # the model is not asked to try again what may have been done
    )
    host = httpx2.URL(server.url).host
    await guard.check(server.url)
    try:
        try:
            await toolset.__aenter__()
            offered = {tool.name: tool for tool in await toolset.list_tools()}
        except Exception as error:  # of a task group, whichever way the session failed
            message = f"the MCP server {host} cannot be reached, or speaks no MCP there: {error}"
            raise AgentError(message, code="tool_unreachable", retryable=True) from error
        if missing := [name for name in server.tools if name not in offered]:
            raise AgentError(f"the MCP server {host} has no tool {', '.join(missing)}", code="tool_unknown")
        if sum(len(offered[name].model_dump_json()) for name in server.tools) > bytes_max:
            message = f"the MCP server {host} describes its tools by more than {bytes_max} bytes"
            raise AgentError(message, code="tool_too_large")
        yield toolset.filtered(lambda _, tool: tool.name in server.tools)
    finally:  # if the server lets its session end in time: what was done with its tools counts in any case
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_S):
                if toolset.is_running:
                    await toolset.__aexit__(None, None, None)


def _to_text(value: Any) -> str:
    return to_json(value, fallback=str).decode()


def _cut(text: str, bytes_max: int) -> str:
    data = text.encode()
    if len(data) <= bytes_max:
        return text
    return f"{data[:bytes_max].decode(errors='ignore')}\n(cut after {bytes_max} bytes)"
