"""Read requests: bodies, bounded in size and time, parameters by their names of today, versions and keys of headers."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

from fastapi import Depends, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import Scope

from console.api.auth import SAFE_METHODS, token_of
from console.clients import GZIP
from console.config import ClientLimits
from console.errors import ProblemError
from servicekit.deprecations import DEPRECATIONS, EARLIER_NAMES, find_declared, note_uses
from signoff.errors import ErrorCode
from signoff.jsontext import parse_json

Answer = TypeVar("Answer")

#: Names that parameters had, and are taken still. An order has its own (JobOrder).
EARLIER_PARAMETERS: Final = {
    "q": "text",
    "criterion": "criterion_not_met",
    "limit": "page_size",
    "cursor": "page_token",
    "sort": "order",
    "from": "from_version",
    **{
        f"{old}_{bound}": f"{name}_{bound}"
        for old, name in (("spent", "cost_usd"), ("cost", "cost_usd"), ("duration", "duration_s"))
        for bound in ("min", "max")
    },
}
#: Parameters whose value has another name, too.
EARLIER_VALUES: Final = {("fields", "summary"): ("view", "basic")}


def rename_parameters(scope: Scope) -> tuple[Scope, list[str]]:
    """Return a scope whose query has each parameter by its present name, and the earlier names that were replaced."""
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if not any(name in EARLIER_PARAMETERS or (name, value) in EARLIER_VALUES for name, value in given):
        return scope, []
    earlier = [name for name, value in given if name in EARLIER_PARAMETERS or (name, value) in EARLIER_VALUES]
    renamed = [EARLIER_VALUES.get((name, value), (EARLIER_PARAMETERS.get(name, name), value)) for name, value in given]
    return {**scope, "query_string": urlencode(renamed).encode()}, earlier


async def find_deprecated(request: Request) -> list[str]:
    """Return the names of the deprecated parts of a request: its route, its parameters, and members of its body."""
    if not DEPRECATIONS:
        return []
    document, path = request.app.openapi(), request.scope["route"].path
    operation = document["paths"].get(path, {}).get(request.method.lower(), {})
    route = f"{request.method} {path}"
    names = [route] if operation.get("deprecated") else []
    for each in operation.get("parameters", ()):
        given = {"query": request.query_params, "header": request.headers}.get(each["in"], {})
        if each.get("deprecated") and each["name"] in given:
            names.append(f"{route} {each['in']}:{each['name']}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    schemas = document["components"]["schemas"]
    if content is not None and await request.body():
        names += _find_members(await request.json(), content["schema"], schemas)
    return names


def _find_members(value: Any, schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "") -> Iterator[str]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = schemas[name]
    for each in schema.get("anyOf", ()):
        yield from _find_members(value, each, schemas, name)
    if isinstance(value, list):
        for each in value:
            yield from _find_members(each, schema.get("items", {}), schemas, name)
    elif isinstance(value, dict):
        for key, member in schema.get("properties", {}).items():
            if key in value and member.get("deprecated"):
                yield f"{name}.{key}"
            elif key in value:
                yield from _find_members(value[key], member, schemas, f"{name}.{key}")


def refuse_unknown_parameters(request: Request) -> None:
    """Raise RequestValidationError if a query has parameters that the API's document does not have for its route."""
    if not request.query_params:
        return
    operation = request.app.openapi()["paths"].get(request.scope["route"].path, {}).get(request.method.lower())
    if operation is None:  # a page, and no part of the API
        return
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    if unknown := [name for name in request.query_params if name not in known]:
        message = f"there is no such parameter; use {', '.join(known)}" if known else "this address takes no parameters"
        raise RequestValidationError([{"type": "unknown", "loc": ("query", name), "msg": message} for name in unknown])


class JsonRequest(Request):
    """A request whose body is read only up to a limit, and only if its Content-Type is JSON."""

    body_factor = 1  # times payload_max_bytes
    body_bytes = 0  # read so far

    async def body(self) -> bytes:
        """Return the body. Raise ProblemError if it is too large or too slow, or its Content-Type is not JSON."""
        if not hasattr(self, "_body"):
            length = self.headers.get("content-length", "0")
            media_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
            has_body = length != "0" or "transfer-encoding" in self.headers
            if has_body and not (media_type == "application/json" or media_type.endswith("+json")):
                detail = "The body must be JSON: send it with Content-Type: application/json."
                raise ProblemError(ErrorCode.UNSUPPORTED_MEDIA_TYPE, detail)
            self._body = await self._read_body(int(length), self.app.state.payload_max_bytes * self.body_factor)
        return self._body

    async def json(self) -> Any:
        """Return the parsed body, but False for null. Raise ProblemError if the body is no JSON."""
        try:
            body = parse_json(await self.body())
        except ValueError as error:
            raise ProblemError(ErrorCode.MALFORMED_JSON, f"The body must be JSON: {error}.") from None
        return False if body is None else body  # null would be taken for a body that was left out

    async def _read_body(self, length: int, max_bytes: int) -> bytes:
        too_large = ProblemError(ErrorCode.PAYLOAD_TOO_LARGE, f"The body must have at most {max_bytes} bytes.")
        if length > max_bytes:
            raise too_large
        limits, under_way, body = self.app.state.client_limits, self.app.state.bodies, bytearray()
        try:
            async with asyncio.timeout(limits.patience_s) as patience:
                begun_at = asyncio.get_running_loop().time()
                async for chunk in self.stream():
                    body += chunk
                    if len(body) > max_bytes:
                        raise too_large
                    self.body_bytes += len(chunk)
                    under_way.take(len(chunk))
                    patience.reschedule(begun_at + limits.patience_s + len(body) / limits.slowest_bytes_s)
        except TimeoutError:
            raise ProblemError(ErrorCode.REQUEST_TIMEOUT, "The body comes too slowly.") from None
        return bytes(body)


class Bodies:
    """Counts the bytes of the bodies of all requests under way, up to a bound."""

    def __init__(self, limits: ClientLimits) -> None:
        self._max = self._left = limits.bodies_max_bytes

    def take(self, count: int) -> None:
        """Add `count`, which may be negative, to the bytes under way. Raise ProblemError if that exceeds the bound."""
        self._left -= count
        if self._left < 0:
            raise ProblemError(ErrorCode.TOO_MANY_BYTES, f"Bodies of {self._max} bytes are under way; try again later.")


class ManyJsonRequest(JsonRequest):
    """A request whose body holds many jobs, and may be eight times as large as the body of a JsonRequest."""

    body_factor = 8


class JsonRoute(APIRoute):
    """A route that checks a caller's token before it reads a body as `request_class`; its answers have no nulls."""

    request_class = JsonRequest

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Make a route whose answers leave out members that are null."""
        super().__init__(*arguments, **options | {"response_model_exclude_none": True})

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that checks the token of a request that writes, and reads requests by `request_class`."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            if request.method not in SAFE_METHODS:  # the framework reads the body before it asks who calls
                await request.app.state.known_tokens.check(token_of(request))
            scope, earlier = rename_parameters(request.scope)
            own = self.request_class(scope, request.receive)
            try:
                answer = await handle(own)
                uses = dict.fromkeys(earlier, EARLIER_NAMES) | find_declared(await find_deprecated(own))
                answer.headers.update(dict(note_uses(uses)))
                return answer
            finally:
                request.app.state.bodies.take(-own.body_bytes)

        return handle_json


class ManyJsonRoute(JsonRoute):
    """A route that takes bodies of many jobs, which may be larger than the bodies that a JsonRoute takes."""

    request_class = ManyJsonRequest


IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", description="entity tags that the caller has")]
_TAGGED: Final[dict[str, Any]] = {
    "headers": {"ETag": {"description": "its version", "schema": {"type": "string", "examples": ['"3"']}}}
}
#: The answers to a change of something that has versions, and to a read of it, for the OpenAPI document.
CHANGED: Final[dict[int | str, dict[str, Any]]] = {200: _TAGGED}
READ: Final[dict[int | str, dict[str, Any]]] = {
    **CHANGED,
    304: {"description": "It still has the version of `If-None-Match`"},
}
_TAG: Final = re.compile(r'(W/)?"([^"]*)"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")


def tag(answer: Answer, response: Response) -> Answer:
    """Set a response's entity tag (RFC 9110) to the newest version of a resource, and return the resource."""
    response.headers["ETag"] = _make_tag(answer)
    return answer


def show(answer: Any, response: Response, if_none_match: str | None, *, version: str = "") -> Any:
    """Return a resource with its entity tag set, or a response 304 if `if_none_match` names the resource's version.

    `version`: of a resource without versions of its own.
    """
    headers = {"ETag": f'"{version}"' if version else _make_tag(answer), "Cache-Control": "private, no-cache"}
    known = (if_none_match or "").strip()
    if known == "*" or (version or str(answer.version)) in map(_read_tag, _TAG.finditer(known)):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return answer


def _make_tag(answer: Any) -> str:
    return f'"{getattr(answer, "newest", None) or answer.version}"'


def _read_tag(tag: re.Match[str]) -> str:
    """Return the version in an entity tag, without the suffix that marks the tag of a compressed body."""
    return tag[2].removesuffix(GZIP)


class Changing(NamedTuple):
    """The `If-Match` of a request that changes a resource with versions, and the response, which gets an `ETag`."""

    if_match: str | None
    response: Response

    @property
    def version(self) -> int | None:
        """The version that `If-Match` demands; None if any will do. Raise ProblemError if no version can match."""
        if self.if_match is None or self.if_match.strip() == "*":
            return None
        tag = _TAG.fullmatch(self.if_match.strip())  # [1]: weak, which If-Match never matches; [2]: the version
        if tag is None or tag[1] or not _VERSION.fullmatch(_read_tag(tag)):
            detail = "If-Match: no version has this entity tag; send the ETag of its last answer."
            raise ProblemError(ErrorCode.VERSION_CONFLICT, detail)
        return int(_read_tag(tag))

    def tag(self, answer: Answer) -> Answer:
        """Return the changed resource, and set the response's entity tag to its newest version."""
        return tag(answer, self.response)


async def _read_change(
    response: Response,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="the entity tag of the version that is meant")
    ] = None,
) -> Changing:
    return Changing(if_match, response)


Change = Annotated[Changing, Depends(_read_change)]


class Making(NamedTuple):
    """The `Idempotency-Key` of a request that makes a resource, and the response, which gets a `Location`."""

    key: str | None
    response: Response

    def at(self, address: str, made: Answer) -> Answer:
        """Return the new resource, and set the response's `Location` to its address, which is below `address`."""
        self.response.headers["Location"] = f"{address}/{made.id}"  # type: ignore[attr-defined]
        return made


async def _read_making(
    response: Response,
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="one request of this method within its tenant: the same again has the same answer, "
            "another is refused as `idempotency_key_reused`",
        ),
    ] = None,
) -> Making:
    return Making(key, response)


Make = Annotated[Making, Depends(_read_making)]
_REPLAYED: Final = {"description": "always `true`", "schema": {"type": "string", "enum": ["true"]}}


def replays(model: type) -> dict[int | str, dict[str, Any]]:
    """Return, for OpenAPI, the answer to a repetition of a request, by its `Idempotency-Key` or its resource's id."""
    description = "It was asked for before: nothing was made, and this is what the first request has made"
    return {200: {"model": model, "description": description, "headers": {"Idempotency-Replayed": _REPLAYED}}}
