"""Serve HTTP to clients that may be hostile: bound a request's head in size and time, and the time of answers."""

from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from console.config import ClientLimits
from console.errors import HEADERS, MEDIA_TYPE, build_problem
from signoff.errors import ErrorCode

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
        """Note that the client takes its answer."""
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
