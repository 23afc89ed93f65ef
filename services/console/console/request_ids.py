"""Give every response a request id, the caller's or a new one, and the console's time."""

import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-Id"
#: In milliseconds since 1970: a page corrects its own clock by it.
TIME_HEADER = "X-Server-Time"
_USABLE = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIds:
    """ASGI middleware; the id is also kept in `request.state.request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and add the headers to its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        callers_id = Headers(scope=scope).get(HEADER, "")
        request_id = callers_id if _USABLE.fullmatch(callers_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                headers[TIME_HEADER] = str(time.time_ns() // 1_000_000)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_id)
