"""Agents of protocol `http_async`: 202 and a `Location`, which tells how the work stands until it ends."""

import asyncio
import math
import random
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yarl import URL

from contracts.jsontext import json_text
from executor.agents.client import Answer, HttpClient, usage_of
from executor.errors import (
    AgentAnswerError,
    AgentDeclinedError,
    AgentError,
    AgentFailedError,
    AgentHeartbeatTimeoutError,
    AgentWorkLostError,
)
from executor.ports import Call
from executor.reporting import progress_of, storable
from servicekit.retry import backoffs_s

POLL_FIRST_S = 0.25
#: Of a heartbeat timeout, the most that one look, or the time between two, may take.
POLL_SHARE = 1 / 3
POLL_TIMEOUT_S = 30.0
#: What a status has beside a result.
ENVELOPE_BYTES = 64 << 10
#: An agent that does not even answer that it stops is left alone.
STOP_TIMEOUT_S = 2.0
_ACCEPTED, _GONE = 202, frozenset({404, 410})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Failure(_Strict):
    """Why the work failed, or was declined; `code` is the agent's own."""

    code: str | None = None
    message: str | None = None
    retryable: bool = False


class Status(_Strict):
    """How the work stands. A `heartbeat`, where there is one, shows life only when it changes."""

    state: Literal["running", "succeeded", "failed", "declined"]
    progress: float | None = Field(None, ge=0, le=1)
    message: str | None = None
    partial: Any = None
    result: Any = None
    error: Failure | None = None
    heartbeat: Any = None
    usage: Any = None


class HttpAsyncAgent:
    """It takes the work, and is asked how that stands: less and less often, but for as long as it lives."""

    def __init__(self, client: HttpClient, poll_max_s: float) -> None:
        self._client = client
        self._poll_max_s = poll_max_s

    async def call(self, call: Call) -> Any:
        """The agent's result."""
        answer = await self._client.post(call)
        if answer.status != _ACCEPTED:
            if (usage := answer.usage) is not None:
                call.spend(usage)
            return self._client.checked(answer.value())
        work = _Work(self._client, call, answer)
        del answer
        try:
            status = await work.ended(self._poll_max_s)
        except AgentWorkLostError:
            raise
        except AgentError:
            await work.stop()
            raise
        except asyncio.CancelledError:
            if call.given_up():
                await work.stop()
            raise
        return self._client.checked(_result(status))


class _Work:
    """What an agent has taken. Between two looks nothing is kept of what it said."""

    def __init__(self, client: HttpClient, call: Call, accepted: Answer) -> None:
        self._client = client
        self._call = call
        self._url = _status_url(call.grant.url, accepted.headers.get("Location"))
        self._heartbeat_s = call.grant.policy.heartbeat_timeout_s or math.inf
        self._retry_after_s = accepted.retry_after_s
        self._last = "it has not been asked yet"
        self._beat: int | None = None
        self._silent_from = time.monotonic()

    async def ended(self, poll_max_s: float) -> Status:
        """How it ended. AgentError: that will never be known."""
        for interval_s in backoffs_s(min(POLL_FIRST_S, poll_max_s), poll_max_s):
            await asyncio.sleep(self._wait_s(interval_s))
            is_last = self._left_s <= 0  # an earlier look may have been answered while this process was frozen
            if (status := await self._looked()) is not None:
                return status
            if is_last and self._left_s <= 0:
                message = f"no heartbeat within {self._heartbeat_s:g} s of the work at {self._url}; {self._last}"
                raise AgentHeartbeatTimeoutError(message)
        raise AssertionError

    @property
    def _left_s(self) -> float:
        return self._silent_from + self._heartbeat_s - time.monotonic()

    def _wait_s(self, interval_s: float) -> float:
        if self._retry_after_s is not None:
            jitter = random.uniform(1.0, 1.1)  # noqa: S311 - no secret
            interval_s = max(self._retry_after_s, POLL_FIRST_S) * jitter
        return min(interval_s, self._heartbeat_s * POLL_SHARE, max(self._left_s, 0.0))

    async def _looked(self) -> Status | None:
        """How it ended; None: it goes on, or cannot be asked for now."""
        try:
            answer = await self._asked()
            status = _status(answer)
        except AgentError as error:
            if error.status in _GONE:
                raise AgentWorkLostError(f"the agent knows nothing of the work at {self._url}: {error}") from error
            if not error.retryable:
                raise
            self._last, self._retry_after_s = storable(str(error)[:500]), error.retry_after_s
            return None
        except TimeoutError:
            self._last, self._retry_after_s = "it did not answer in time", None
            return None
        self._retry_after_s = answer.retry_after_s
        if status.state != "running":
            self._spend(answer, status)
            return status
        self._hear(status)
        self._call.tell(progress_of(status.progress, status.message, status.partial))
        return None

    def _spend(self, answer: Answer, status: Status) -> None:
        usage = answer.usage
        if usage is None and status.usage is not None:
            usage = usage_of(status.usage)
        if usage is not None:
            self._call.spend(usage)

    async def _asked(self) -> Answer:
        connect_s, accept = self._call.grant.policy.connect_timeout_s, {"Accept": "application/json"}
        async with asyncio.timeout(min(POLL_TIMEOUT_S, self._heartbeat_s * POLL_SHARE)):
            return await self._client.request(
                "GET", self._url, connect_s, envelope_bytes=ENVELOPE_BYTES, headers=accept
            )

    def _hear(self, status: Status) -> None:
        if status.heartbeat is not None:
            beat = hash(json_text(status.heartbeat))
            if beat == self._beat:
                self._last = "it answered with the same heartbeat as before"
                return
            self._beat = beat
        self._silent_from = time.monotonic()

    async def stop(self) -> None:
        """Tell the agent that nobody wants it any more; whether it listens does not matter."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._client.request("DELETE", self._url, STOP_TIMEOUT_S)
        except (AgentError, TimeoutError):
            return


def _status_url(agent_url: str, location: str | None) -> str:
    """Where the work stands, at the agent's own origin and nowhere else."""
    if location is None:
        raise _wrong_location("the agent answered 202 without a Location")
    try:
        agent = URL(agent_url)
        url = agent.join(URL(location))
        is_own = url.origin() == agent.origin()
    except ValueError:
        is_own = False
    if not is_own:
        raise _wrong_location(f"the Location {storable(location)!r} is not of the agent's origin")
    return str(url)


def _wrong_location(message: str) -> AgentError:
    return AgentAnswerError(message, code="agent_invalid_location")


def _status(answer: Answer) -> Status:
    try:
        return Status.model_validate(answer.value())
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise AgentAnswerError(f"the answer is no status: {why}", code="agent_invalid_status") from None


def _result(status: Status) -> Any:
    """The result of work that ended. AgentError: it has none."""
    error = status.error or Failure()
    why = error.message or status.message
    if status.state == "declined":
        raise AgentDeclinedError(why or "the agent declined", status=error.code)
    if status.state == "failed":
        message = ": ".join(part for part in ("the agent's work failed", error.code, why) if part)
        raise AgentFailedError(message, status=error.code, retryable=error.retryable)
    return status.result
