"""Bound the requests that are worked on at once: who comes beyond that is refused, not answered too late."""

import asyncio
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.client_limits import ClientLimits
from console.errors import HEADERS, MEDIA_TYPE, Problem


class RequestSlots:
    """ASGI middleware. A request that waits for its client, for a body or as a stream of events, holds no slot."""

    def __init__(self, app: ASGIApp, limits: ClientLimits) -> None:
        self._app = app
        self._limits = limits
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it."""
        if scope["type"] == "http" and self._under_way >= self._limits.requests_max:
            await asyncio.sleep(self._limits.refusal_s)
            detail = f"{self._limits.requests_max} requests are under way; try again later."
            problem = Problem(
                title=HTTPStatus.TOO_MANY_REQUESTS.phrase, status=429, detail=detail, code="too_many_requests"
            )
            refusal = Response(problem.model_dump_json(exclude_none=True), 429, HEADERS[429], MEDIA_TYPE)
            await refusal(scope, receive, send)
            return

        async def receive_without_slot() -> Message:
            self._under_way -= 1
            try:
                return await receive()
            finally:
                self._under_way += 1

        self._under_way += 1
        try:
            await self._app(scope, receive_without_slot, send)
        finally:
            self._under_way -= 1
