"""Follow an agent's work that goes on by itself: look for it before it is sent, ask until it ends, stop it."""

import asyncio
import contextlib
import math
import random
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from contracts.events import check_handle
from executor import errors
from executor.outcomes import to_printable
from executor.ports import Call
from servicekit.retry import backoffs_s

S = TypeVar("S")

#: The first wait between two polls; each is twice the one before, up to the setting `poll_max_s`.
POLL_FIRST_S: Final = 0.25
#: The share of a heartbeat timeout that a poll, and the time between two, may take at most.
POLL_SHARE: Final = 1 / 3
#: Seconds after which a poll counts as silence.
POLL_TIMEOUT_S: Final = 30.0
#: Seconds for an agent to answer that it is asked to stop.
STOP_TIMEOUT_S: Final = 2.0
_GONE: Final = frozenset({404, 410})
#: Statuses which say that the work is gone, or cannot be stopped at all.
_NOTHING_TO_STOP: Final = _GONE | {405, 501}


@dataclass(frozen=True, slots=True)
class Done:
    """The result of work that had ended as it was sent or found."""

    result: Any


class Work(ABC, Generic[S]):
    """A piece of an agent's work. Between two polls no status is kept.

    An adapter asks for the status, and says how the end is read and how the work is stopped. `place` names the work in
    messages; `retry_after_s` is the time that the agent asks to wait before the next poll; `last_poll` says why the
    last one showed no sign of life.
    """

    def __init__(self, call: Call, place: str, *, handle: str | None = None) -> None:
        self.call = call
        self.place = place
        self.handle = handle
        self.retry_after_s: float | None = None
        self._heartbeat_s = call.grant.policy.heartbeat_timeout_s or math.inf
        self.last_poll = "it has not been asked yet"
        self._silent_since = time.monotonic()

    @abstractmethod
    async def ask(self) -> S | None:
        """Ask how the work is, once: return its status if it has ended, else None, after `note_life` and progress.

        Raise AgentError: a retryable one is no end, and is asked again; status 404 or 410 says that the work is lost.
        """

    @abstractmethod
    def spend(self, status: S) -> None:
        """Spend the usage that the status of ended work has, if any."""

    @abstractmethod
    def read(self, status: S) -> Any:
        """Return the result in the status of ended work. Raise AgentError if there is none."""

    @abstractmethod
    async def stop(self) -> None:
        """Ask the agent to stop the work. The caller bounds the time, and ignores AgentError."""

    def note_life(self) -> None:
        """Note that the agent has shown a sign of life."""
        self._silent_since = time.monotonic()

    async def follow(self, poll_max_s: float) -> S:
        """Poll until the work ends, and return its last status. Raise AgentError if polling has to be given up."""
        for interval_s in backoffs_s(min(POLL_FIRST_S, poll_max_s), poll_max_s):
            await asyncio.sleep(self._wait_s(interval_s))
            is_last = self._left_s <= 0  # an earlier poll may have been answered while this process was frozen
            if (status := await self._poll()) is not None:
                return status
            if is_last and self._left_s <= 0:
                message = f"no heartbeat within {self._heartbeat_s:g} s of {self.place}; {self.last_poll}"
                raise errors.AgentHeartbeatTimeoutError(message)
        raise AssertionError

    async def ask_in_time(self) -> S | None:
        """Ask as `ask` does. Raise AgentWorkLostError if the agent does not know the work, TimeoutError for silence."""
        try:
            async with asyncio.timeout(min(POLL_TIMEOUT_S, self._heartbeat_s * POLL_SHARE)):
                return await self.ask()
        except errors.AgentError as error:
            if error.status in _GONE:
                raise errors.AgentWorkLostError(f"the agent knows nothing of {self.place}: {error}") from error
            raise

    async def stop_in_time(self) -> None:
        """Ask the agent to stop work that is no longer needed; a failure of this request is ignored."""
        with contextlib.suppress(errors.AgentError, TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.stop()

    async def _poll(self) -> S | None:
        try:
            return await self.ask_in_time()
        except errors.AgentError as error:
            if not error.retryable or isinstance(error, errors.AgentWorkLostError):
                raise
            self.last_poll = to_printable(self.call.hide(str(error))[:500])
            self.retry_after_s = error.retry_after_s
        except TimeoutError:
            self.last_poll, self.retry_after_s = "it did not answer in time", None
        return None

    @property
    def _left_s(self) -> float:
        return self._silent_since + self._heartbeat_s - time.monotonic()

    def _wait_s(self, interval_s: float) -> float:
        if self.retry_after_s is not None:
            jitter = random.uniform(1.0, 1.1)  # noqa: S311 - no secret
            interval_s = max(self.retry_after_s, POLL_FIRST_S) * jitter
        return min(interval_s, self._heartbeat_s * POLL_SHARE, max(self._left_s, 0.0))


class PolledAgent(ABC):
    """An adapter for agents whose work goes on by itself, and can be found again."""

    def __init__(self, poll_max_s: float) -> None:
        self._poll_max_s = poll_max_s

    @abstractmethod
    async def find(self, call: Call) -> "Work[Any] | None":
        """Return the work of this execution, by its handle or its ids, unless the agent knows none.

        Raise AgentError if that cannot be said: nothing is sent then.
        """

    @abstractmethod
    async def send(self, call: Call) -> "Work[Any] | Done":
        """Send the work, and return it as the agent accepted it. Raise AgentError if the agent did not."""

    def goes_on(self, call: Call) -> bool:
        """Return whether the work of a call may go on once the request that began it is broken off."""
        del call
        return True

    @abstractmethod
    def check(self, result: Any) -> Any:
        """Return a result. Raise AgentError if it cannot be taken."""

    async def call(self, call: Call) -> Any:
        """Return the result of the agent's work, which is sent unless it is found. Raise AgentError without one."""
        taken = None if call.is_first else await self._look(call)
        if taken is None and call.grant.follows_only:
            raise errors.AgentWorkUnknownError(
                "the agent may have been called before, does not show the work, and is called at most once"
            )
        if taken is None:
            taken = await self.begin(call)
        if isinstance(taken, Done):
            return self.check(taken.result)
        if taken.handle is not None:
            call.keep_handle(taken.handle)
        return self.check(await self._follow(taken))

    async def stop_work(self, call: Call) -> None:
        """Stop the agent's work for an execution that has ended, if it goes on. Raise AgentError if that failed."""
        try:
            work = await self.find(call)
            if work is not None and await work.ask_in_time() is None:
                await work.stop()
        except (errors.AgentWorkLostError, errors.AgentWorkUnknownError):
            return
        except errors.AgentError as error:
            if error.status not in _NOTHING_TO_STOP:
                raise

    async def begin(self, call: Call) -> "Work[Any] | Done":
        """Send the work, and have it stopped if the call is given up meanwhile.

        If the answer is lost, return the work nevertheless where the agent shows it.
        """
        sending = asyncio.ensure_future(self.send(call))
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            await self._break_off(call, sending)
            raise
        except (errors.AgentBrokenOffError, errors.AgentTimeoutError) as lost:
            try:
                taken = await self._look(call)
            except errors.AgentDeclinedError:
                raise
            except errors.AgentError as error:
                raise lost from error
            if taken is None:
                raise
            return taken

    async def _break_off(self, call: Call, sending: "asyncio.Future[Work[Any] | Done]") -> None:
        """End a request for work; if the call is given up, wait for the answer first, and have the work stopped.

        What is not answered in time is stopped afterwards, if it can be found by our ids.
        """
        if call.is_given_up() and self.goes_on(call):
            with contextlib.suppress(errors.AgentError, TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    taken = await sending
                    if isinstance(taken, Work):
                        await taken.stop()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    async def _look(self, call: Call) -> "Work[Any] | Done | None":
        """Return work that goes on, or the result of work that is finished; None if it failed, or there is none.

        Work that failed is that of an earlier call, which has spent its usage.
        """
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                work = await self.find(call)
            if work is None:
                return None
            status = await work.ask_in_time()
        except errors.AgentWorkLostError:
            return None
        except TimeoutError:
            raise errors.AgentTimeoutError("the agent was asked for the work, and did not answer in time") from None
        if status is None:
            return work
        try:
            result = work.read(status)
        except errors.AgentError as error:
            if not call.grant.follows_only and not isinstance(error, errors.AgentDeclinedError):
                return None  # by the policy it is tried again
            work.spend(status)
            error.retryable = False  # it is not sent again, and would end so at each further look
            raise
        work.spend(status)
        return Done(result)

    async def _follow(self, work: "Work[Any]") -> Any:
        call = work.call
        try:
            status = await work.follow(self._poll_max_s)
        except errors.AgentWorkLostError:
            call.keep_handle("")
            raise
        except (errors.AgentError, asyncio.CancelledError) as error:
            if call.is_given_up() if isinstance(error, asyncio.CancelledError) else not call.has_lapsed():
                await work.stop_in_time()
                call.keep_handle("")
            raise
        work.spend(status)
        return work.read(status)


def choose_handle(text: str) -> str | None:
    """Return an agent's name for its work if it can be kept as its handle, else None."""
    try:
        return check_handle(text)
    except ValueError:
        return None
