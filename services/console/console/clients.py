"""Serve HTTP to clients that may be hostile: bound connections, heads and requests, give requests ids, answer HEAD."""

import asyncio
import re
import time
from collections import deque
from typing import Any, Final
from uuid import uuid4

import httptools
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from console.config import ClientLimits
from console.errors import HEADERS, MEDIA_TYPE, build_problem
from signoff.errors import ErrorCode

HEADER = "X-Request-Id"
#: In milliseconds since 1970: a page corrects its own clock by it.
TIME_HEADER = "X-Server-Time"
_USABLE = re.compile(r"[\x21-\x7e]{1,128}")


class RequestIds:
    """ASGI middleware that gives each request an id, which is also kept in `request.state.request_id`."""

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


class RequestSlots:
    """ASGI middleware that bounds the requests under way. One that waits for its client holds no slot."""

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
            finally:  # without waiting, since a cancelled task must not wait: a semaphore would
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
        """Give a slot back, to the request that has waited longest."""
        self._under_way -= 1
        while self._waiting and self._under_way < self._limits.requests_max:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._under_way += 1


#: What the entity tag of a compressed body ends with: it is another representation of the same version (RFC 9110).
GZIP: Final = "-gzip"
UNCHANGED: Final = 304


class Heads:
    """ASGI middleware around the compression, which answers HEAD: routes know GET alone."""

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
        """Send the head of the answer to GET, and cancel the rest: the body of a stream would never end."""
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


#: What a field counts beside its name and value, as in HTTP/2.
FIELD_BYTES: Final = 32


class Connection(HttpToolsProtocol):
    """A connection of one client. Beyond the limits it is closed: with an answer, where one may be given.

    The server calls `check` once a second. The base ends connections that stand idle.
    """

    def __init__(self, *args: Any, limits: ClientLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limits = limits
        self._since = self._looked_at = self.loop.time()
        self._held = 0  # bytes that the parser has taken of a head, or of a body's trailer
        self._left = 0  # bytes of answers that the client had not taken at the last look, and not since

    @property
    def _is_served(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Refuse a client where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections_max:
            detail = f"{self._limits.connections_max} connections are open already; try again later."
            self._refuse(ErrorCode.TOO_MANY_CONNECTIONS, detail)

    def data_received(self, data: bytes) -> None:
        """Parse data that came from the client."""
        if self.timeout_keep_alive_task is not None:
            self._since = self.loop.time()
        self._held += len(data)
        super().data_received(data)
        if self._held > self._limits.head_max_bytes and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """Begin a request, unless its head is too large."""
        self._held = len(self.url) + sum(len(name) + len(value) + FIELD_BYTES for name, value in self.headers)
        if self._held > self._limits.head_max_bytes:
            raise httptools.HttpParserError
        self._held = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand on a part of a body."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note the end of a request."""
        self._held = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that is malformed, or whose head is too large."""
        if self._held > self._limits.head_max_bytes:
            self._refuse(ErrorCode.HEAD_TOO_LARGE, f"A request's head has at most {self._limits.head_max_bytes} bytes.")
        else:
            self._refuse(ErrorCode.MALFORMED_REQUEST, msg)

    def resume_writing(self) -> None:
        """Note that the client reads its answer."""
        self._left = 0
        super().resume_writing()

    def check(self) -> None:
        """Cut off a client that takes too long to send a head, or to take an answer."""
        now, limits = self.loop.time(), self._limits
        is_waited_for = self.timeout_keep_alive_task is None and not self._is_served
        if is_waited_for and now - self._since > limits.head_s and not self.transport.is_closing():
            if self._held:
                self._refuse(ErrorCode.REQUEST_TIMEOUT, f"A request's head must come within {limits.head_s:g} s.")
            else:
                self.transport.close()
        if (passed_s := now - self._looked_at) >= limits.patience_s:
            left = self.transport.get_write_buffer_size()
            if self._left and left > self._left - passed_s * limits.slowest_bytes_s:
                self.transport.abort()
            self._left, self._looked_at = left, now

    def _refuse(self, code: ErrorCode, detail: str) -> None:
        """Answer with a problem, unless another answer is under way, and end the connection."""
        if not self._is_served:
            problem = build_problem(code, detail)
            body = problem.model_dump_json(exclude_none=True).encode()
            headers: dict[str, object] = {
                "Content-Type": MEDIA_TYPE,
                "Content-Length": len(body),
                "Connection": "close",
            }
            headers |= HEADERS.get(problem.status, {})
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self.transport.write(STATUS_LINE[problem.status] + f"{lines}\r\n".encode() + body)
        self.transport.close()
