"""Call agents of protocol `http_async`: they answer 202 and a `Location`, which is polled until the work ends."""

import asyncio
import math
import random
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from contracts.fields import describe_problem
from executor.agents.client import AgentResponse, HttpClient, parse_usage
from executor.errors import (
    AgentAnswerError,
    AgentDeclinedError,
    AgentError,
    AgentFailedError,
    AgentHeartbeatTimeoutError,
    AgentWorkLostError,
)
from executor.ports import Call
from executor.reporting import read_progress, to_printable
from servicekit.retry import backoffs_s
from signoff.errors import ErrorCode
from signoff.jsontext import json_text

#: The first wait between two polls; each is twice the one before, up to the setting `poll_max_s`.
POLL_FIRST_S = 0.25
#: The share of a heartbeat timeout that one poll, or the time between two, may take at most.
POLL_SHARE = 1 / 3
#: A poll that takes longer counts as silence.
POLL_TIMEOUT_S = 30.0
#: Bytes that a status may have beside a result.
ENVELOPE_BYTES = 64 << 10
#: How long to wait for the answer of an agent that is told to stop; then it is left alone.
STOP_TIMEOUT_S = 2.0
_ACCEPTED, _GONE = 202, frozenset({404, 410})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Failure(_Strict):
    """An agent's word on why the work failed, or was declined; `code` is the agent's own."""

    code: str | None = None
    message: str | None = None
    retryable: bool = False


class Status(_Strict):
    """An agent's word on how the work stands. A `heartbeat`, where there is one, shows life only when it changes."""

    state: Literal["running", "succeeded", "failed", "declined"]
    progress: float | None = Field(None, ge=0, le=1)
    message: str | None = None
    partial: Any = None
    result: Any = None
    error: Failure | None = None
    heartbeat: Any = None
    usage: Any = None


class HttpAsyncAgent:
    """Adapter of agents that take the work, and are polled less and less often, for as long as they show life."""

    def __init__(self, client: HttpClient, poll_max_s: float) -> None:
        self._client = client
        self._poll_max_s = poll_max_s

    async def call(self, call: Call) -> Any:
        """Return the agent's result. Raise AgentError if there is none."""
        response = await self._client.post(call)
        if response.status != _ACCEPTED:
            if (usage := response.usage) is not None:
                call.spend(usage)
            return self._client.check_size(response.read_value())
        work = _Work(self._client, call, response)
        del response  # a call may last for hours; its body need not
        try:
            status = await work.follow(self._poll_max_s)
        except AgentWorkLostError:
            raise
        except AgentError:
            if not call.has_lapsed():
                await work.stop()
            raise
        except asyncio.CancelledError:
            if call.is_given_up():
                await work.stop()
            raise
        return self._client.check_size(_read_result(status))


class _Work:
    """Follow work that an agent has taken. Between two polls nothing is kept of what it said."""

    def __init__(self, client: HttpClient, call: Call, accepted: AgentResponse) -> None:
        self._client = client
        self._call = call
        self._url = _resolve_location(call.grant.url, accepted.headers.get("Location"))
        self._heartbeat_s = call.grant.policy.heartbeat_timeout_s or math.inf
        self._retry_after_s = accepted.retry_after_s
        self._last_poll = "it has not been asked yet"
        self._last_heartbeat: int | None = None  # a hash, so that a large one is not kept
        self._silent_since = time.monotonic()

    async def follow(self, poll_max_s: float) -> Status:
        """Poll until the work ends, and return its last status. Raise AgentError if that will never be known."""
        for interval_s in backoffs_s(min(POLL_FIRST_S, poll_max_s), poll_max_s):
            await asyncio.sleep(self._wait_s(interval_s))
            is_last = self._left_s <= 0  # an earlier poll may have been answered while this process was frozen
            if (status := await self._poll()) is not None:
                return status
            if is_last and self._left_s <= 0:
                message = f"no heartbeat within {self._heartbeat_s:g} s of the work at {self._url}; {self._last_poll}"
                raise AgentHeartbeatTimeoutError(message)
        raise AssertionError

    @property
    def _left_s(self) -> float:
        return self._silent_since + self._heartbeat_s - time.monotonic()

    def _wait_s(self, interval_s: float) -> float:
        if self._retry_after_s is not None:
            jitter = random.uniform(1.0, 1.1)  # noqa: S311 - no secret
            interval_s = max(self._retry_after_s, POLL_FIRST_S) * jitter
        return min(interval_s, self._heartbeat_s * POLL_SHARE, max(self._left_s, 0.0))

    async def _poll(self) -> Status | None:
        """Return the status of work that ended, and None while it goes on or cannot be asked about."""
        try:
            response = await self._get_status()
            status = _read_status(response)
        except AgentError as error:
            if error.status in _GONE:
                raise AgentWorkLostError(f"the agent knows nothing of the work at {self._url}: {error}") from error
            if not error.retryable:
                raise
            self._last_poll = to_printable(self._call.hide(str(error))[:500])
            self._retry_after_s = error.retry_after_s
            return None
        except TimeoutError:
            self._last_poll, self._retry_after_s = "it did not answer in time", None
            return None
        self._retry_after_s = response.retry_after_s
        if status.state != "running":
            self._spend(response, status)
            return status
        self._note_life(status)
        message = None if status.message is None else self._call.hide(status.message)
        self._call.report_progress(read_progress(status.progress, message, status.partial))
        return None

    def _spend(self, response: AgentResponse, status: Status) -> None:
        usage = response.usage
        if usage is None and status.usage is not None:
            usage = parse_usage(status.usage)
        if usage is not None:
            self._call.spend(usage)

    async def _get_status(self) -> AgentResponse:
        connect_s, accept = self._call.grant.policy.connect_timeout_s, {"Accept": "application/json"}
        async with asyncio.timeout(min(POLL_TIMEOUT_S, self._heartbeat_s * POLL_SHARE)):
            return await self._client.request(
                self._call, "GET", self._url, connect_s, headers=accept, envelope_bytes=ENVELOPE_BYTES
            )

    def _note_life(self, status: Status) -> None:
        if status.heartbeat is not None:
            heartbeat = hash(json_text(status.heartbeat))
            if heartbeat == self._last_heartbeat:
                self._last_poll = "it answered with the same heartbeat as before"
                return
            self._last_heartbeat = heartbeat
        self._silent_since = time.monotonic()

    async def stop(self) -> None:
        """Ask the agent to stop, since nobody waits for the work any more; whether it does so does not matter."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._client.request(self._call, "DELETE", self._url, STOP_TIMEOUT_S, headers={})
        except (AgentError, TimeoutError):
            return


def _resolve_location(agent_url: str, location: str | None) -> str:
    """Return the URL at which the work is followed. Raise AgentError unless it is of the agent's own origin."""
    if location is None:
        raise _location_error("the agent answered 202 without a Location")
    try:
        agent = URL(agent_url)
        url = agent.join(URL(location))
        is_own = url.origin() == agent.origin()
    except ValueError:
        is_own = False
    if not is_own:
        raise _location_error(f"the Location {to_printable(location)!r} is not of the agent's origin")
    return str(url)


def _location_error(message: str) -> AgentError:
    return AgentAnswerError(message, code=ErrorCode.AGENT_INVALID_LOCATION)


def _read_status(response: AgentResponse) -> Status:
    try:
        return Status.model_validate(response.read_value())
    except ValidationError as error:
        why = "; ".join(map(describe_problem, error.errors()[:3]))
        raise AgentAnswerError(f"the answer is no status: {why}", code=ErrorCode.AGENT_INVALID_STATUS) from None


def _read_result(status: Status) -> Any:
    """Return the result of work that ended. Raise AgentError if it has none."""
    error = status.error or Failure()
    why = error.message or status.message
    if status.state == "declined":
        raise AgentDeclinedError(why or "the agent declined", status=error.code)
    if status.state == "failed":
        message = ": ".join(part for part in ("the agent's work failed", error.code, why) if part)
        raise AgentFailedError(message, status=error.code, retryable=error.retryable)
    return status.result
