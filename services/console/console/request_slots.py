"""Bound the requests that are worked on at once: one beyond that waits in turn, and is refused before it is late."""

import asyncio
from collections import deque

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.client_limits import ClientLimits
from console.errors import HEADERS, MEDIA_TYPE, build_problem
from signoff.errors import ErrorCode


class RequestSlots:
    """ASGI middleware. A request that waits for its client, for a body or as a stream of events, holds no slot."""

    def __init__(self, app: ASGIApp, limits: ClientLimits) -> None:
        self._app = app
        self._limits = limits
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request once there is a slot for it, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not await self._take():
            detail = f"{self._limits.requests_max} requests are under way; try again later."
            problem = build_problem(ErrorCode.TOO_MANY_REQUESTS, detail)
            refusal = Response(problem.model_dump_json(exclude_none=True), 429, HEADERS[429], MEDIA_TYPE)
            await refusal(scope, receive, send)
            return

        async def receive_without_slot() -> Message:
            self._give_back()
            try:
                return await receive()
            finally:  # without waiting, as who was cancelled must not: a semaphore would
                self._under_way += 1

        try:
            await self._app(scope, receive_without_slot, send)
        finally:
            self._give_back()

    async def _take(self) -> bool:
        """Take a slot, and return whether there was one in time."""
        if self._under_way < self._limits.requests_max:
            self._under_way += 1
            return True
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.turn_s):
                await turn
        except TimeoutError:
            return not turn.cancelled()
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back()
            raise
        return True

    def _give_back(self) -> None:
        """Give a slot back, to whoever has waited longest."""
        self._under_way -= 1
        while self._waiting and self._under_way < self._limits.requests_max:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._under_way += 1
