"""Run a model with its tools until it has a result, or a bound is reached."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from jsonschema import Draft202012Validator
from openai import AsyncOpenAI
from pydantic import TypeAdapter
from pydantic_ai import Agent, ModelRetry, StructuredDict, exceptions
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings
from pydantic_ai.toolsets import AbstractToolset, CombinedToolset
from pydantic_ai.usage import RunUsage, UsageLimits
from referencing import Registry

from signoff_agent.run import templates
from signoff_agent.run.config import AgentConfig, ConfigError, read_headers, read_reference
from signoff_agent.run.guard import GuardedTransport
from signoff_agent.run.tools import CALL, KeptToolset, ToolCalls, make_http_tools, open_mcp_tools
from signoff_agent.store import StoreError
from signoff_agent.task import AgentError, Task

#: Where the conversation stands among the checkpoints of a task.
_RUN: Final = "run"
_USAGE: Final = TypeAdapter(RunUsage)
#: HTTP statuses of a model's server after which another call may succeed, besides 5xx.
_PASSING: Final = (408, 409, 425, 429)
#: Characters of a secret below which it is not hidden: it would be found in any text.
_SECRET_MIN: Final = 4


class ModelAgent:
    """The agent of an `agent.toml`: its function performs tasks, many at once, until it is closed."""

    def __init__(self, config: AgentConfig) -> None:
        self.config = config
        self._guard = GuardedTransport(config.networks)
        key = [read_reference(config.model.key)] if config.model.key else []
        headers = [tool.headers for tool in config.tools] + [server.headers for server in config.mcp]
        values = [value for each in headers for value in read_headers(each).values()]
        self._secrets = sorted({*key, *values}, key=len, reverse=True)
        self._model = self._make_model()
        try:
            self._output: Any = StructuredDict(config.schema_, name="result") if config.schema_ else str
        except exceptions.UserError as error:
            raise ConfigError(f"schema: {error}") from None

    async def close(self) -> None:
        """Close all connections."""
        await self._guard.aclose()

    async def perform(self, task: Task) -> Any:
        """Return the result of a task; one that was begun before goes on where it was. Raise AgentError without one."""
        bounds = self.config.bounds
        try:
            run = _Run(self.config, task, self._hide)
            await self._guard.check(self.config.model.base_url)
            async with asyncio.timeout(bounds.seconds), AsyncExitStack() as opened:
                tools = [make_http_tools(self.config.tools, self._guard, bounds.answer_bytes)]
                mcp = (open_mcp_tools(server, self._guard, bounds.answer_bytes) for server in self.config.mcp)
                tools += [await opened.enter_async_context(each) for each in mcp]
                return await run.perform(self._make_agent(KeptToolset(CombinedToolset(tools))))
        except TimeoutError as error:
            raise _make_exceeded("time", f"{bounds.seconds:g} s") from error
        except StoreError as error:
            raise AgentError(str(error), code="store_unavailable", retryable=True) from error
        except (AgentError, exceptions.AgentRunError) as error:
            told = error if isinstance(error, AgentError) else _translate(error)
            raise AgentError(self._hide(str(told)), code=told.code, retryable=told.retryable) from error

    def _make_model(self) -> Model:
        model = self.config.model
        client = AsyncOpenAI(
            api_key=read_reference(model.key) if model.key else "none",
            base_url=model.base_url,
            timeout=model.timeout_s,
            http_client=self._guard.open_client({}, model.timeout_s),
        )
        client.organization = client.project = None  # what the environment says of OpenAI is for no other server
        client._custom_headers = {}  # noqa: SLF001
        kind = OpenAIChatModel if model.api == "chat" else OpenAIResponsesModel
        settings = ModelSettings(extra_body=model.parameters) if model.parameters else None
        return kind(model.name, provider=OpenAIProvider(openai_client=client), settings=settings)

    def _make_agent(self, tools: AbstractToolset[ToolCalls]) -> Agent[ToolCalls, Any]:
        schema = self.config.schema_
        agent: Agent[ToolCalls, Any] = Agent(
            self._model,
            output_type=self._output,
            instructions=self.config.instructions,
            deps_type=ToolCalls,
            toolsets=[tools],
            # Calls of tools that do not exist end by the bounds, too.
            retries={"tools": self.config.bounds.model_calls, "output": 2},
        )
        if schema is not None:
            validator = Draft202012Validator(schema, registry=Registry())

            def check(output: Any) -> Any:
                if (wrong := next(validator.iter_errors(output), None)) is not None:
                    raise ModelRetry(f"{wrong.json_path}: {wrong.message[:500]}")
                return output

            agent.output_validator(check)
        return agent

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            for part in (secret, secret.rpartition(" ")[2]):
                if len(part) >= _SECRET_MIN:
                    text = text.replace(part, "***")
        return text


class _Run:
    """One attempt at a task."""

    def __init__(self, config: AgentConfig, task: Task, hide: Callable[[str], str]) -> None:
        self._config, self._task = config, task
        kept = task.checkpoints.get(_RUN)
        self._messages = ModelMessagesTypeAdapter.validate_python(kept["messages"]) if kept else []
        self._usage = _USAGE.validate_python(kept["usage"]) if kept else RunUsage()
        self._told = replace(self._usage)
        self._cost = Decimal(kept["cost_usd"]) if kept else Decimal(0)
        self._tools = ToolCalls(task, config.repeatable, config.bounds.answer_bytes, self._begin_tool_call, hide)
        self._tools.check_answered()
        self._tool_calls = sum(name.startswith(CALL) for name in task.checkpoints)

    async def perform(self, agent: Agent[ToolCalls, Any]) -> Any:
        """Return what the agent answers, and keep each step."""
        prompt = None if self._messages else templates.fill(self._config.template, self._task.request)
        async with agent.iter(
            prompt,
            message_history=self._messages or None,
            deps=self._tools,
            usage=self._usage,
            usage_limits=UsageLimits(request_limit=None),
        ) as steps:
            async for step in steps:
                if Agent.is_model_request_node(step):
                    self._begin_model_call()
                elif Agent.is_call_tools_node(step):
                    await self._keep(steps.all_messages())
        assert steps.result is not None
        return steps.result.output

    def _begin_model_call(self) -> None:
        bounds, usage = self._config.bounds, self._usage
        if usage.requests >= bounds.model_calls:
            raise _make_exceeded("model_calls", f"{bounds.model_calls} calls of the model")
        self._check_spent()
        self._task.progress(message=f"call {usage.requests + 1} of the model")

    def _begin_tool_call(self, name: str) -> None:
        if self._tool_calls >= self._config.bounds.tool_calls:
            raise _make_exceeded("tool_calls", f"{self._config.bounds.tool_calls} calls of tools")
        self._check_spent()
        self._tool_calls += 1
        self._task.progress(message=f"call {self._tool_calls} of a tool: {name}")

    def _check_spent(self) -> None:
        bounds, usage = self._config.bounds, self._usage
        if usage.total_tokens >= bounds.tokens:
            raise _make_exceeded("tokens", f"{bounds.tokens} tokens")
        if bounds.cost_usd is not None and self._cost >= bounds.cost_usd:
            raise _make_exceeded("cost", f"{bounds.cost_usd} USD")

    async def _keep(self, messages: list[ModelMessage]) -> None:
        """Keep the conversation, before its tools are called, and tell what the last answer consumed."""
        self._tools.step = sum(isinstance(message, ModelResponse) for message in messages)
        spent = self._usage - self._told
        if not spent.requests:
            return  # an earlier attempt has kept it
        self._told = replace(self._usage)
        cost = self._config.model.calculate_cost(spent.input_tokens, spent.cache_read_tokens, spent.output_tokens)
        self._cost += cost or 0
        self._task.usage(
            input_tokens=spent.input_tokens,
            cached_tokens=spent.cache_read_tokens,
            output_tokens=spent.output_tokens,
            cost_usd=cost,
            model=self._config.model.name,
        )
        kept = {
            "messages": ModelMessagesTypeAdapter.dump_python(messages, mode="json"),
            "usage": _USAGE.dump_python(self._usage, mode="json"),
            "cost_usd": str(self._cost),
        }
        await self._task.checkpoint(_RUN, kept)


def _make_exceeded(bound: str, words: str) -> AgentError:
    message = f"no result within {words}; if the job is worth more, raise it under `bounds` in agent.toml"
    return AgentError(message, code=f"{bound}_exceeded")


def _translate(error: exceptions.AgentRunError) -> AgentError:
    """Return the error of an agent that stands for one of the loop, with the words of what caused it."""
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    message = str(error)[:300] if cause is error else f"{str(error)[:200]} ({str(cause)[:200]})"
    match error:
        case exceptions.ModelHTTPError(status_code=status):
            passes = status in _PASSING or status >= 500  # noqa: PLR2004 - HTTP's own
            return AgentError(f"the model's server: {message}", code="model_status", retryable=passes)
        case exceptions.ModelAPIError():
            return AgentError(f"the model's server: {message}", code="model_unreachable", retryable=True)
        case exceptions.ContentFilterError():
            return AgentError(f"the model refuses: {message}", code="model_refused")
        case exceptions.OutputTokenLimitExceeded():
            return AgentError(f"the model's answer is cut off: {message}", code="model_truncated")
    return AgentError(f"the model's answer cannot be taken: {message}", code="model_output_invalid")
