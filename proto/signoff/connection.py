"""Connect to a jobstore: its channel, and the calls that every client makes by it."""

import asyncio
import copy
import functools
import random
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, Self, TypedDict, TypeVar, cast

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass
from grpc import ChannelCredentials as Credentials

from signoff.channels import open_channel, read_fields_at_fault, read_retry_wait_s
from signoff.errors import ErrorCode, is_retryable
from signoff.tls import Tls
from signoff.v1 import (
    agent_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    judge_service_pb2,
    judging_service_pb2,
    keeping_service_pb2,
    operations_service_pb2,
    receipt_service_pb2,
)
from signoff.wire import find_unknown, split_patch, write_message

Item = TypeVar("Item")

P = ParamSpec("P")

#: What is asked for: a mapping, or a model of `contracts.resources`; besides, or instead, its fields by keyword.
Request = Any
#: A larger gRPC message is neither sent nor received.
MESSAGE_MAX_BYTES: Final = 16 << 20
#: A watch that lost its stream waits about so long before it connects again, twice as long each time.
WATCH_BACKOFF_FIRST_S: Final = 0.1
WATCH_BACKOFF_MAX_S: Final = 5.0
#: Metadata of a caller that wants JSON as a google.protobuf.Value, which rounds numbers, rather than as text.
JSON_AS_VALUE: Final = ("signoff-json", "value")
#: Trailing metadata of an answer that repeats that of an earlier request, under its idempotency key or id.
REPLAYED: Final = ("idempotency-replayed", "true")
#: Items of the largest page.
PAGE_MAX: Final = 500
#: Where the name of a status is the code of a refusal, too: an execution that was cancelled answers `cancelled`.
_STATUS_CODES: Final = {
    grpc.StatusCode.CANCELLED: ErrorCode.CALL_CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorCode.CALL_DEADLINE_EXCEEDED,
}


class Call(TypedDict, total=False):
    """An option of every call: the seconds that the call may take, with all its tries."""

    timeout_s: float | None


class Page(Call, total=False):
    """Options of a call for a page of a list: how many items it has at most, and the token from the page before."""

    page_size: int
    page_token: str


class SignoffError(Exception):
    """The jobstore refused a call, or did not answer. `code` is stable; `grpc_status` gives the class of error.

    `retryable`: the same call may succeed later, with nothing mended, `retry_after_s` from now if that is known.
    `fields` says which fields of the request are wrong, by their names there, and how.
    """

    def __init__(
        self,
        code: str,
        message: str,
        grpc_status: grpc.StatusCode,
        fields: Sequence[tuple[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.grpc_status = grpc_status
        self.retryable = is_retryable(code, grpc_status.name)
        self.fields = fields
        self.retry_after_s = retry_after_s


class InvalidError(SignoffError):
    """The request is not well formed, or too large: `fields` says where."""


class UnauthenticatedError(SignoffError):
    """The call has no token, or an unknown one."""


class PermissionDeniedError(SignoffError):
    """The token does not allow the call."""


class NotFoundError(SignoffError):
    """Nothing has the id or the name that was given."""


class ConflictError(SignoffError):
    """The state of the resource does not allow the request, or something else has its id."""


class BusyError(SignoffError):
    """The jobstore accepts no more requests now, of this caller or of anybody."""


class UnavailableError(SignoffError):
    """The jobstore cannot be reached, or cannot serve now."""


class DeadlineError(SignoffError, TimeoutError):
    """No answer came within the time of the call, or a job was not at rest within the time of `wait`."""


_KINDS: Final[Mapping[grpc.StatusCode, type[SignoffError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: ConflictError,
    grpc.StatusCode.ABORTED: ConflictError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: BusyError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
}


#: What gRPC says of a handshake that failed, and what to do about it.
_HANDSHAKES: Final = {
    "CERTIFICATE_VERIFY_FAILED": (
        "no CA that is trusted here has signed the jobstore's certificate, or it has ended: name the file of its CA "
        "(SIGNOFF_JOBSTORE_CA), or have the jobstore's certificate renewed"
    ),
    "Hostname Verification": (
        "the jobstore's certificate is of other names than that by which it is called: call it by one of them, or have "
        "this one added to its certificate"
    ),
    "WRONG_VERSION_NUMBER": (
        "the jobstore does not speak TLS: call it without a CA (SIGNOFF_JOBSTORE_CA), or give it a certificate "
        "(SIGNOFF_GRPC_CERTIFICATE)"
    ),
}
#: What gRPC says of a connection that the other side ended before it answered.
_CUT_OFF: Final = ("Socket closed", "Connection reset", "before receiving SETTINGS")
_CUT_OFF_ADVICE: Final = (
    "; if that lasts, it may speak TLS, or ask for a certificate: give SIGNOFF_JOBSTORE_CA, _CERTIFICATE and _KEY"
)


def make_error(error: grpc.aio.AioRpcError) -> SignoffError:
    """Return the error with which a gRPC call ended."""
    status, trailers = error.code(), dict(error.trailing_metadata() or ())
    if status is grpc.StatusCode.UNAVAILABLE and "signoff-code" not in trailers:
        told = error.details() or ""
        if advice := next((advice for sign, advice in _HANDSHAKES.items() if sign in told), None):
            return UnavailableError(ErrorCode.TLS_REFUSED, f"{advice} ({told})", status)
        if "timed out" not in told and any(sign in told for sign in _CUT_OFF):
            return UnavailableError(ErrorCode.UNAVAILABLE.value, told + _CUT_OFF_ADVICE, status)
    code = trailers.get("signoff-code") or _STATUS_CODES.get(status, status.name.lower())
    details = bytes(cast("bytes", trailers.get("grpc-status-details-bin", b"")))
    fields, wait_s = read_fields_at_fault(details), read_retry_wait_s(details)
    return _KINDS.get(status, SignoffError)(str(code), error.details() or status.name, status, fields, wait_s)


class _Method(NamedTuple):
    """A method of one of the services: its path, and the classes of its request and its response."""

    path: str
    request: Any
    response: Any


_METHODS: Final[Mapping[str, _Method]] = {
    method.name: _Method(
        f"/{service.full_name}/{method.name}", GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    )
    for module in (
        agent_service_pb2,
        identity_service_pb2,
        job_service_pb2,
        judge_service_pb2,
        judging_service_pb2,
        keeping_service_pb2,
        operations_service_pb2,
        receipt_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


class Connection:
    """A channel to the jobstores, and the metadata of one caller."""

    def __init__(
        self,
        address: str,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        credentials: Credentials | Tls | None = None,
        read: Callable[[Any], Any] | None = None,
    ) -> None:
        """`address` is host:port, or several with commas between; with `credentials` the connection is TLS.

        Of `Tls(ca="ca.pem")` files are read again when they change.
        `timeout_s` bounds each call that is given no other time. `read` makes of a message what the methods return;
        without `read` they return the models of `signoff.types`.
        """
        self._address = address
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._metadata = _make_metadata(token)
        self._on_replay: Callable[[], None] | None = None
        self._read = read or _read_model
        self._methods: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self._address, MESSAGE_MAX_BYTES, self._credentials)
        await self._channel.__aenter__()
        self._methods.clear()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def with_token(
        self, token: str | None, on_replay: Callable[[], None] | None = None, *, traceparent: str | None = None
    ) -> Self:
        """Return a client for another caller on this connection, which works as long as this client is open.

        `on_replay` is called when an answer repeats that of an earlier request with the same key, or the same id.
        Executions that are asked for are of the trace of `traceparent`.
        """
        client = copy.copy(self)
        client._metadata, client._on_replay = _make_metadata(token), on_replay  # noqa: SLF001 - its own
        if traceparent is not None:
            client._metadata = (*client._metadata, ("traceparent", traceparent))  # noqa: SLF001 - its own
        return client

    def with_id_token(self, id_token: str, secret: str) -> Self:
        """Return a client for whom an ID token signs in, with the secret that it is bound to: for `create_session`."""
        client = copy.copy(self)
        client._metadata = _make_metadata(f"{id_token} {secret}", scheme="ID-Token")  # noqa: SLF001 - its own
        return client

    def reading(self, read: Callable[[Any], Any]) -> Self:
        """Return a client on this connection whose methods return what `read` makes of a message."""
        client = copy.copy(self)
        client._read = read  # noqa: SLF001 - its own
        return client

    async def _ask(self, method: str, part: str | None = None, /, **values: Any) -> Any:
        """Call a method with `values` as fields of its request. Return what `read` makes of the response, or a part."""
        response = await self._call(method, **values)
        return self._read(response if part is None else getattr(response, part))

    async def _ask_page(self, method: str, part: str, /, **values: Any) -> tuple[list[Any], str]:
        """Call a method that lists, and return the items in the field `part`, and the next page's token or ""."""
        response = await self._call(method, **values)
        return [self._read(item) for item in getattr(response, part)], response.next_page_token

    async def _call(self, method: str, /, *, timeout_s: float | None = None, **values: Any) -> Any:
        """Call a method, and return its response. Raise SignoffError if the call fails."""
        request = _make_request(_METHODS[method], values)
        options = {"timeout": timeout_s or self._timeout_s, "metadata": self._metadata}
        try:
            call = await self._find(method, "unary_unary").end(request, **options)
            response = await call
        except grpc.aio.AioRpcError as error:
            raise make_error(error) from None
        if self._on_replay is not None and REPLAYED in tuple(await call.trailing_metadata() or ()):
            self._on_replay()
        return response

    async def _watch(self, method: str, values: Mapping[str, Any]) -> AsyncGenerator[Any]:
        """Yield the responses of a stream. A lost stream is opened again, with the present contents of `values`."""
        backoffs_s = _grow_backoffs_s()
        while True:
            wait_s = 0.0
            try:
                async with aclosing(self._stream(method, values)) as responses:
                    async for response in responses:
                        backoffs_s = _grow_backoffs_s()
                        yield response
            except SignoffError as refused:
                if not refused.retryable:
                    raise
                wait_s = refused.retry_after_s or 0.0
            await asyncio.sleep(max(wait_s, next(backoffs_s)))

    async def _stream(self, method: str, values: Mapping[str, Any]) -> AsyncGenerator[Any]:
        """Yield the responses of a stream. Raise SignoffError if the stream fails."""
        request = _make_request(_METHODS[method], values)
        stream = self._find(method, "unary_stream")(request, metadata=self._metadata)
        try:
            async for response in stream:
                yield response
        except grpc.aio.AioRpcError as error:
            raise make_error(error) from None
        finally:
            await stream.aclose()

    def _find(self, name: str, kind: str) -> Any:
        """Return the callable of a method by its name."""
        if (found := self._methods.get(name)) is None:
            method = _METHODS[name]
            found = self._methods[name] = getattr(self._channel, kind)(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
        return found


def _make_request(method: _Method, values: Mapping[str, Any]) -> Any:
    """Return a request with these fields. Raise InvalidError for an unknown field, or a value that does not fit."""
    try:
        if unknown := [(name, "is not known here: leave it out") for name in find_unknown(method.request, values)]:
            message = f"{unknown[0][0]} {unknown[0][1]}"
            raise InvalidError(ErrorCode.INVALID_REQUEST, message, grpc.StatusCode.INVALID_ARGUMENT, unknown)
        return write_message(method.request, values)
    except (TypeError, ValueError) as error:
        raise InvalidError(ErrorCode.INVALID_REQUEST, str(error), grpc.StatusCode.INVALID_ARGUMENT) from error


def iterate_by(
    list_page: Callable[Concatenate[Any, P], Awaitable[Any]], read: Callable[[Any], tuple[list[Item], str | None]]
) -> Callable[Concatenate[Any, P], AsyncGenerator[Item]]:
    """Turn a method that returns a page into one that yields the items of all pages; `read` reads items and token."""

    @functools.wraps(list_page)
    async def iterate_all(self: Any, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Item]:
        options: Any = {"page_size": PAGE_MAX, **kwargs, "page_token": ""}
        while True:
            items, following = read(await list_page(self, *args, **options))
            for item in items:
                yield item
            if not following:
                return
            options["page_token"] = following

    iterate_all.__name__ = f"iter_{list_page.__name__.partition('_')[2]}"
    iterate_all.__doc__ = f"Yield the items of all pages of `{list_page.__name__}`."
    return cast("Any", iterate_all)  # type: ignore[no-any-return]


def iterate(
    list_page: Callable[Concatenate[Any, P], Awaitable[tuple[list[Item], str]]],
) -> Callable[Concatenate[Any, P], AsyncGenerator[Item]]:
    """Turn a method that returns a page and the next token into one that yields the items of all pages."""
    return iterate_by(list_page, lambda page: page)


async def list_all(items: AsyncIterable[Item]) -> list[Item]:
    """Return all items that an iterator yields, such as `list_all(client.iter_limits())`."""
    return [item async for item in items]


def _grow_backoffs_s() -> Iterator[float]:
    """Yield how long a watch waits before it connects again, in seconds: growing, with jitter."""
    backoff_s = WATCH_BACKOFF_FIRST_S
    while True:
        yield backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        backoff_s = min(backoff_s * 2, WATCH_BACKOFF_MAX_S)


def _read_model(message: Any) -> Any:
    from signoff.types import read_model  # noqa: PLC0415 - needs pydantic

    return read_model(message)


def _make_metadata(credential: str | None, scheme: str = "Bearer") -> tuple[tuple[str, str], ...]:
    return () if credential is None else (("authorization", f"{scheme} {credential}"),)


def join_request(given: Request, fields: Mapping[str, Any]) -> Any:
    """Return the resource of a request: the given model or mapping, with `fields` in addition."""
    if not fields and given is not None:
        return given
    return {**(given.model_dump(exclude_unset=True) if hasattr(given, "model_dump") else given or {}), **fields}


def make_change(kind: Any, change: Any) -> tuple[dict[str, Any], FieldMask | None]:
    """Return the fields and the mask of a patch or a mapping; of a whole resource, its fields and no mask."""
    if not getattr(change, "IS_PATCH", isinstance(change, Mapping)):
        unsaid = getattr(change, "OF_CALLER", frozenset()) - change.model_fields_set
        return {name: value for name, value in dict(change).items() if name not in unsaid}, None
    values, paths = split_patch(kind, change)
    return values, FieldMask(paths=paths)


@asynccontextmanager
async def within(timeout_s: float | None, words: str) -> AsyncGenerator[None]:
    """Raise DeadlineError, with `words` in its message, if the block takes longer than `timeout_s` seconds."""
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        if isinstance(error, DeadlineError):
            raise
        message, status = f"{words} within {timeout_s:g} s", grpc.StatusCode.DEADLINE_EXCEEDED
        raise DeadlineError(ErrorCode.CALL_DEADLINE_EXCEEDED, message, status) from None
