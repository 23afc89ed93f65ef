"""Serve HTTP to clients that may be hostile: bound connections, heads and requests, count requests, answer HEAD."""

import asyncio
import logging
import re
import time
from collections import deque
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import httptools
from prometheus_client import Counter, Gauge, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from console.config import ClientLimits
from console.errors import HEADERS, MEDIA_TYPE, build_problem
from servicekit.metrics import OTHER, REQUEST_BUCKETS
from signoff.errors import ErrorCode

HEADER = "X-Request-Id"
#: In milliseconds since 1970: a page corrects its own clock by it.
TIME_HEADER = "X-Server-Time"
_USABLE = re.compile(r"[\x21-\x7e]{1,128}")
#: At DEBUG it has one line a request.
requests_log = logging.getLogger("requests.http")

REQUESTS = Counter("signoff_http_requests", "Requests of HTTP that were answered", ["method", "route", "status"])
DURATIONS = Histogram(
    "signoff_http_request_duration_seconds",
    "Time until the answer to a request of HTTP begins",
    ["method", "route"],
    buckets=REQUEST_BUCKETS,
)
CONNECTIONS = Gauge("signoff_http_connections", "Open connections of clients")
#: The route of requests that meet none, whose paths and methods strangers choose.
NO_ROUTE: Final = "none"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """ASGI middleware that counts requests by their routes, and logs each at DEBUG, without its query or body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and count it once its answer has begun."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_answer(scope, message["status"], time.monotonic() - began)
            await send(message)

        await self._app(scope, receive, send_measured)


def _note_answer(scope: Scope, status: int, duration_s: float) -> None:
    method, route = scope["method"], getattr(scope.get("route"), "path", NO_ROUTE)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:  # else strangers would make a histogram of each method of each route
        method, route = OTHER, NO_ROUTE
    elif method not in _METHODS:
        method = OTHER
    REQUESTS.labels(method, route, str(status)).inc()
    DURATIONS.labels(method, route).observe(duration_s)
    if requests_log.isEnabledFor(logging.DEBUG):
        ids = {name: value for name, value in scope.get("path_params", {}).items() if name.endswith("_id")}
        extra = {"method": method, "route": route, "status": status, "duration_s": round(duration_s, 4)}
        requests_log.debug("a request", extra=extra | ids | {"request_id": scope["state"]["request_id"]})


class RequestIds:
    """ASGI middleware that gives each request an id, which is also kept in `request.state.request_id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, and add its id, the server's time and default headers to the response."""
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
    """ASGI middleware that bounds the requests under way. A request that waits for its client holds no slot."""

    def __init__(self, app: ASGIApp, limits: ClientLimits) -> None:
        self._app = app
        self._limits = limits
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request once a slot is free, or answer 429 if no slot is free in time."""
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
        """Take a slot, and return True; return False if no slot is free within `turn_s`."""
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
        """Give a slot back, and pass it to the request that has waited longest for a slot, if there is one."""
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
    """ASGI middleware that answers HEAD by the routes of GET, and marks the entity tags of compressed bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, HEAD as GET without the body; mark the entity tag of a compressed answer."""
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
            await self._answer_head(scope, receive, send_tagged)
        else:
            await self._app(scope, receive, send_tagged)

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle GET, send the head of the answer, and cancel the rest, since the body of a stream never ends."""
        sent, as_get = asyncio.Event(), {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope.update(route=as_get.get("route"), path_params=as_get.get("path_params", {}))
                await send(message)
                await send({"type": "http.response.body"})
                sent.set()

        answering = asyncio.ensure_future(self._app(as_get, receive, send_head))
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
    """A connection of one client. It is closed if the client exceeds a limit, with an answer if none is under way.

    The server calls `check` once a second. The base class ends idle connections.
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
        """Begin a connection, or refuse it with a problem if too many are open."""
        super().connection_made(transport)
        CONNECTIONS.set(len(self.connections))
        if len(self.connections) > self._limits.connections_max:
            detail = f"{self._limits.connections_max} connections are open already; try again later."
            self._refuse(ErrorCode.TOO_MANY_CONNECTIONS, detail)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        super().connection_lost(exc)
        CONNECTIONS.set(len(self.connections))

    def data_received(self, data: bytes) -> None:
        """Parse data that came from the client; refuse a head that is too large."""
        if self.timeout_keep_alive_task is not None:
            self._since = self.loop.time()
        self._held += len(data)
        super().data_received(data)
        if self._held > self._limits.head_max_bytes and not self.transport.is_closing():
            self.send_400_response("")

    def on_headers_complete(self) -> None:
        """Begin a request. Raise HttpParserError, by which the request is refused, if its head is too large."""
        self._held = len(self.url) + sum(len(name) + len(value) + FIELD_BYTES for name, value in self.headers)
        if self._held > self._limits.head_max_bytes:
            raise httptools.HttpParserError
        self._held = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass a part of a request's body on to the application."""
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request was read to its end, so that the next bytes count as another head."""
        self._held = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem to a request that is malformed, or whose head is too large, and end the connection."""
        if self._held > self._limits.head_max_bytes:
            self._refuse(ErrorCode.HEAD_TOO_LARGE, f"A request's head has at most {self._limits.head_max_bytes} bytes.")
        else:
            self._refuse(ErrorCode.MALFORMED_REQUEST, msg)

    def resume_writing(self) -> None:
        """Note that the client reads its answer, so that `check` does not cut off the client."""
        self._left = 0
        super().resume_writing()

    def check(self) -> None:
        """End the connection if the client takes too long to send a head, or to read an answer."""
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
            REQUESTS.labels(OTHER, NO_ROUTE, str(problem.status)).inc()
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
