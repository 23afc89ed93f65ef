"""Answer HEAD as GET without the body, and give a compressed body an entity tag of its own."""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What the entity tag of a compressed body ends with: it is another representation of the same version (RFC 9110).
GZIP: Final = "-gzip"
UNCHANGED: Final = 304


class Heads:
    """ASGI middleware around the compression; routes know GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        known = Headers(scope=scope).get("If-None-Match", "") if scope["type"] == "http" else ""

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if tag := headers.get("ETag"):
                    if "Accept-Encoding" not in headers.get("Vary", ""):
                        headers.add_vary_header("Accept-Encoding")
                    own = f'{tag[:-1]}{GZIP}"'
                    if headers.get("Content-Encoding") == "gzip" or (message["status"] == UNCHANGED and own in known):
                        headers["ETag"] = own
            await send(message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._answer_head({**scope, "method": "GET"}, receive, send_tagged)
        else:
            await self._app(scope, receive, send_tagged)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head of what GET answers, and end what would send its body: a stream would never."""
        sent = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body"})
                sent.set()

        answering = asyncio.ensure_future(self._app(scope, receive, send_head))
        waiting = asyncio.ensure_future(sent.wait())
        await asyncio.wait({answering, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not sent.is_set():
            waiting.cancel()
            await answering  # raises what ended it
        answering.cancel()
        await asyncio.wait({answering})
