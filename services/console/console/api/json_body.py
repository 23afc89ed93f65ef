"""Read request bodies: bounded, and parsed as JSON like in every part of Signoff."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from console.api.auth import SAFE_METHODS, token_of
from console.errors import ProblemError
from contracts.jsontext import parse_json


class JsonRequest(Request):
    """A request whose body is read up to a limit, and only if it is sent as JSON."""

    body_factor = 1  # times payload_max_bytes

    async def body(self) -> bytes:
        """Return the body. Raise ProblemError, before it is read where that shows, if it is too long or no JSON."""
        if not hasattr(self, "_body"):
            length = self.headers.get("content-length", "0")
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            has_body = length != "0" or "transfer-encoding" in self.headers
            if has_body and not (media_type == "application/json" or media_type.endswith("+json")):
                raise ProblemError(
                    415, "unsupported_media_type", "The body must be JSON: send it with Content-Type: application/json."
                )
            self._body = await self._read_body(int(length), self.app.state.payload_max_bytes * self.body_factor)
        return self._body

    async def json(self) -> Any:
        """Return the value of the body. Raise ProblemError if it is no JSON."""
        try:
            return parse_json(await self.body())
        except ValueError as error:
            raise ProblemError(400, "malformed_json", f"The body must be JSON: {error}.") from None

    async def _read_body(self, length: int, max_bytes: int) -> bytes:
        too_large = ProblemError(413, "payload_too_large", f"The body must have at most {max_bytes} bytes.")
        if length > max_bytes:
            raise too_large
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > max_bytes:
                raise too_large
        return bytes(body)


class ManyJsonRequest(JsonRequest):
    """A request whose body holds many jobs."""

    body_factor = 8


class JsonRoute(APIRoute):
    """A route whose body is read by JsonRequest, and only of callers whose token the jobstore accepts."""

    request_class = JsonRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that reads the body by `request_class`."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            if request.method not in SAFE_METHODS:  # the framework reads the body before it asks who calls
                await request.app.state.known_tokens.check(token_of(request))
            return await handle(self.request_class(request.scope, request.receive))

        return handle_json


class ManyJsonRoute(JsonRoute):
    """A route whose body holds many jobs."""

    request_class = ManyJsonRequest
