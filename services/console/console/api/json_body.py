"""Read request bodies: bounded, and parsed as JSON like in every part of Signoff."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from console.api.auth import token_of
from console.errors import ProblemError
from contracts.jsontext import parse_json


class JsonRequest(Request):
    """A request whose body is read only for callers with a token, and up to a limit."""

    body_factor = 1  # times payload_max_bytes

    async def body(self) -> bytes:
        """Return the body. Raise ProblemError if the caller has no token, it is too long, or not sent as JSON."""
        if not hasattr(self, "_body"):
            token_of(self)  # before the body, so that strangers send none
            body = await self._read_body(self.app.state.payload_max_bytes * self.body_factor)
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            if body and not (media_type == "application/json" or media_type.endswith("+json")):
                raise ProblemError(415, "unsupported_media_type", "The body must be application/json.")
            self._body = body
        return self._body

    async def json(self) -> Any:
        """Return the value of the body. Raise ProblemError if it is no JSON."""
        try:
            return parse_json(await self.body())
        except ValueError as error:
            raise ProblemError(400, "malformed_json", str(error)) from None

    async def _read_body(self, max_bytes: int) -> bytes:
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > max_bytes:
                raise ProblemError(413, "payload_too_large", f"The body has more than {max_bytes} bytes.")
        return bytes(body)


class ManyJsonRequest(JsonRequest):
    """A request whose body holds many jobs."""

    body_factor = 8


class JsonRoute(APIRoute):
    """A route whose body is read by JsonRequest."""

    request_class = JsonRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that reads the body by `request_class`."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(self.request_class(request.scope, request.receive))

        return handle_json


class ManyJsonRoute(JsonRoute):
    """A route whose body holds many jobs."""

    request_class = ManyJsonRequest
