"""A server in front of another one, which passes requests on, or does with them what a broken one does."""

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

_KEPT = ("content-type", "content-range", "etag", "last-modified", "accept-ranges", "x-amz-version-id")
_ERROR = "<Error><Code>{}</Code></Error>"
_REFUSALS = {"full": (507, "InsufficientStorage"), "forbids": (403, "AccessDenied")}
_CHANGES: dict[str | None, Callable[[bytes], bytes]] = {
    "truncates": lambda body: body[: len(body) // 2],
    "flips": lambda body: body[:10] + bytes([body[10] ^ 1]) + body[11:] if body else body,
}


class Misbehaving:
    """How the server behaves; None: as the one behind it.

    `away`: it closes connections; `slow`: it answers when nobody waits any more; `full`, `forbids`: it refuses what is
    written. `forgets`: it says that it has written data, and has not; `truncates`: it writes less; `flips`: a byte is
    another one.
    """

    how: str | None = None

    def __init__(self) -> None:
        #: Set at the end, when nobody waits for a slow answer.
        self.is_over = threading.Event()


class _Server(ThreadingHTTPServer):
    behaving: Misbehaving
    behind: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        how, writes = self.server.behaving.how, self.command == "PUT"
        if how in {"away", "slow"}:
            self.server.behaving.is_over.wait(60 if how == "slow" else 0)
            self.close_connection = True
        elif writes and how in _REFUSALS:
            status, code = _REFUSALS[how]
            self._answer(status, {}, _ERROR.format(code).encode())
        elif writes and how == "forgets" and self.path.endswith(".zst"):
            self._answer(200, {"etag": '"0"'}, b"")
        else:
            self._ask(_CHANGES[how](body) if how in _CHANGES and self.path.endswith(".zst") else body)

    def _ask(self, body: bytes) -> None:
        # The signature is of the body that came; the server behind does not look at it.
        left_out = {"host", "content-length"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in left_out}
        headers = {"Content-type": "application/octet-stream"} | headers
        request = urllib.request.Request(self.server.behind + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(request) as answer:
                self._answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, dict(error.headers.items()), error.read())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() in _KEPT:
                self.send_header(name, value)
        length = headers.get("content-length") or headers.get("Content-Length") if self.command == "HEAD" else None
        self.send_header("content-length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass_on  # noqa: N815 - as the library names them


@contextmanager
def misbehave(url: str) -> Iterator[Misbehaving]:
    """Serve on loopback in front of a server of S3, and let clients of this process find it there."""
    behaving = Misbehaving()

    server = _Server(("127.0.0.1", 0), _Handler)
    server.behaving, server.behind = behaving, url
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with patch.dict(os.environ, {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_address[1]}"}):
            yield behaving
    finally:
        behaving.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()
