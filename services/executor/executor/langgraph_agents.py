"""Call graphs on LangGraph servers: a job is a thread there, and an execution a run in it, known by its metadata."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter
from yarl import URL

from contracts.agent_settings import LangGraphSettings
from contracts.templates import fill_json, find, split_path
from executor import errors
from executor.http_agents import (
    ENVELOPE_BYTES,
    A,
    AgentResponse,
    HttpClient,
    PolledHttpAgent,
    build_headers,
    parse_answer,
    parse_usage,
)
from executor.ports import Call
from executor.work import POLL_FIRST_S, POLL_TIMEOUT_S, Work
from servicekit.retry import backoffs_s
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json

#: The member of a run's metadata by which the run of an execution is recognised.
MESSAGE_ID: Final = "signoff_message_id"
#: Bytes that a thread's state may have beside the result, such as the messages before it.
STATE_BYTES: Final = 1 << 20
#: The newest runs of a thread, without their inputs. No other writes to it, so that the execution's stands first.
_NEWEST: Final = {"limit": 20, "select": ["run_id", "status", "metadata"]}
_LIVE: Final = frozenset({"pending", "running"})
_CONFLICT: Final = 409
_EXCERPT_MAX: Final = 500
_MISSING: Final = object()
#: Where a word begins in the name of a class.
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _Run(BaseModel):
    run_id: UUID  # which is part of URLs
    status: str = Field(max_length=100)
    metadata: dict[str, Any] | None = None


_RUN: Final = TypeAdapter(_Run)
_RUNS: Final = TypeAdapter(list[_Run])
_THREAD: Final = TypeAdapter(dict[str, Any])


class End(NamedTuple):
    """How a run ended, and the state of its thread then."""

    status: str
    state: Any
    waits: bool


class LangGraphAgent(PolledHttpAgent):
    """An adapter for graphs on LangGraph servers."""

    async def find(self, call: Call) -> "_RunWork | None":
        """Return the newest run of this execution in the job's thread."""
        response = await _request(self._client, call, "GET", "/runs", query=_NEWEST)
        if response.status == 404:  # noqa: PLR2004 - the thread is not there
            return None
        run = next((run for run in _read(_RUNS, response) if _is_own(call, run)), None)
        return None if run is None else _RunWork(self._client, call, run)

    async def send(self, call: Call) -> "_RunWork":
        """Begin a run in the job's thread, once no other is under way there."""
        thread = {"thread_id": call.grant.context_id, "if_exists": "do_nothing"}
        (await _request(self._client, call, "POST", None, data=thread)).read_value()
        run = _describe_run(call)
        for wait_s in backoffs_s(POLL_FIRST_S, max(self._poll_max_s, POLL_FIRST_S)):
            response = await _request(self._client, call, "POST", "/runs", data=run)
            if response.status != _CONFLICT:
                return _RunWork(self._client, call, _read(_RUN, response))
            work = await self.find(call)  # which another request may have begun; one that failed, an earlier call
            if work is not None and work.status in {*_LIVE, "success"}:
                return work
            await asyncio.sleep(wait_s)
        raise AssertionError


class _RunWork(Work[End]):
    """A run in the thread of its job."""

    def __init__(self, client: HttpClient, call: Call, run: _Run) -> None:
        super().__init__(call, f"the run {run.run_id}", handle=str(run.run_id))
        self.status = run.status
        self._client = client
        self._run_id = run.run_id

    async def ask(self) -> End | None:
        """Ask for the thread's runs, and for its state once this run has ended."""
        runs = _read(_RUNS, await _request(self._client, self.call, "GET", "/runs", query=_NEWEST))
        run = next((run for run in runs if run.run_id == self._run_id), None)
        if run is None:
            raise errors.AgentBusyError(f"the thread has no run {self._run_id}", status=404)
        self.retry_after_s = None
        if run.status in _LIVE:
            self.note_life()
            return None
        if run.status not in {"success", "error", "timeout", "interrupted"}:
            raise errors.AgentProtocolError(f"the run has the unknown status {run.status!r}")
        if run is not runs[0]:
            raise errors.AgentProtocolError(
                "another run has begun in the job's thread, whose state is no longer this run's"
            )
        state = (await self._get_state(f"/runs/{self._run_id}/join")).read_value()
        # A graph that stops before or after a node does not say so in its state.
        waits = run.status == "success" and _read(_THREAD, await self._get_state("")).get("status") == "interrupted"
        return End(run.status, state, waits)

    def spend(self, status: End) -> None:
        if (usage := _sum_usage(status.state)) and (read := parse_usage(usage)):
            self.call.spend(read)

    def read(self, status: End) -> Any:
        """Return what stands at the path of the settings in the state of a run that succeeded."""
        end, state = status, status.state if isinstance(status.state, dict) else {}
        if end.waits or "__interrupt__" in state:
            message = f"the graph waits for an answer: {_list_questions(state)}"
            raise errors.AgentError(message, code=ErrorCode.AGENT_INPUT_REQUIRED)
        if end.status == "interrupted":
            raise errors.AgentError("the run was cancelled on its server", code=ErrorCode.AGENT_CANCELED)
        if end.status == "timeout":
            raise errors.AgentFailedError(
                "the run took longer than its server allows", status="timeout", retryable=True
            )
        if end.status == "error" or "__error__" in state:
            error = state.get("__error__")
            name, message = (
                (str(error.get(member))[:_EXCERPT_MAX] for member in ("error", "message"))
                if isinstance(error, dict)
                else ("error", "its server does not say why")
            )
            code = _WORD.sub("_", name).lower()  # in which form policies name it
            raise errors.AgentFailedError(f"the run failed: {name}: {message}", status=code, retryable=False)
        path = _read_settings(self.call).output
        result = find(end.state, split_path(path), _MISSING)
        if result is _MISSING:
            message = (
                f"the state at the run's end has nothing at {path}; it has {', '.join(sorted(state)) or 'nothing'}"
            )
            raise errors.AgentAnswerError(message, code=ErrorCode.AGENT_OUTPUT_MISSING)
        return result

    async def stop(self) -> None:
        """Cancel the run, and wait for that, so that no other call finds it under way."""
        path, sizes = f"/runs/{self._run_id}/cancel", {"envelope_bytes": STATE_BYTES}
        (await _request(self._client, self.call, "POST", path, query={"wait": "true"}, **sizes)).check()

    async def _get_state(self, path: str) -> AgentResponse:
        return await _request(self._client, self.call, "GET", path, envelope_bytes=STATE_BYTES)


async def _request(
    client: HttpClient,
    call: Call,
    method: str,
    path: str | None,
    *,
    data: Any = None,
    query: Mapping[str, Any] | None = None,
    envelope_bytes: int = ENVELOPE_BYTES,
) -> AgentResponse:
    """Send a request to a path below the job's thread, or to that of all threads, and return the response.

    Raise AgentError if none comes within POLL_TIMEOUT_S, or a too large one; it may repeat `data`.
    """
    grant = call.grant
    body = None if data is None else json_text(data).encode()
    try:
        url = URL(grant.url) / ("threads" if path is None else f"threads/{grant.context_id}{path}")
        async with asyncio.timeout(POLL_TIMEOUT_S):
            return await client.request(
                call,
                method,
                str(url.with_query(query) if query else url),
                data=body,
                headers=None if body is None else build_headers(call),
                envelope_bytes=envelope_bytes + 2 * len(body or b""),
            )
    except TimeoutError:
        raise errors.AgentTimeoutError(f"no whole answer to {method} {url} within {POLL_TIMEOUT_S:g} s") from None


def _read_settings(call: Call) -> LangGraphSettings:
    return LangGraphSettings.model_validate(call.grant.settings)


def _describe_run(call: Call) -> dict[str, Any]:
    settings = _read_settings(call)
    run: dict[str, Any] = {
        "assistant_id": settings.assistant,
        "input": fill_json(settings.input, parse_json(call.grant.request)),
        "metadata": {MESSAGE_ID: call.grant.message_id, "signoff_job_id": call.grant.job_id},
        "multitask_strategy": "reject",
    }
    return run | {name: value for name in ("config", "context") if (value := getattr(settings, name))}


def _is_own(call: Call, run: _Run) -> bool:
    return str(run.run_id) == call.handle or (run.metadata or {}).get(MESSAGE_ID) == call.grant.message_id


def _read(adapter: TypeAdapter[A], response: AgentResponse) -> A:
    """Return what a response has. Raise AgentError if it is no success, no JSON, or not what LangGraph answers."""
    return parse_answer(adapter.validate_python, response.read_value(), "answer of a LangGraph server")


def _list_questions(state: Mapping[str, Any]) -> str:
    interrupts = state.get("__interrupt__")
    asked = [each.get("value") if isinstance(each, dict) else each for each in interrupts or () if each is not None]
    return json_text(asked)[:_EXCERPT_MAX] if asked else "it stopped before or after a node"


def _list_new_messages(state: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the messages behind the last one of a person, which was the run's input: those of this run."""
    messages = state.get("messages") if isinstance(state, dict) else None
    for message in reversed(messages if isinstance(messages, list) else []):
        if not isinstance(message, dict):
            continue
        if message.get("type") == "human" or message.get("role") == "user":
            return
        yield message


def _sum_usage(state: Any) -> dict[str, Any] | None:
    """Return the tokens of a run's messages, and the model if there was one; None if no message has any."""
    sums: dict[str, Any] = {}
    models = set()
    for message in _list_new_messages(state):
        usage, about = message.get("usage_metadata"), message.get("response_metadata")
        if not isinstance(usage, dict):
            continue
        details = usage.get("input_token_details")
        counts = {**usage, "cached_tokens": details.get("cache_read") if isinstance(details, dict) else None}
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            if isinstance(count := counts.get(name), int):
                sums[name] = sums.get(name, 0) + count
        models.add(about.get("model_name") if isinstance(about, dict) else None)
    if len(models) == 1 and isinstance(model := models.pop(), str):
        sums["model"] = model[:200]
    return sums or None
