"""Connect to the jobstore: time limits, the caller's token, and one error type."""

import copy
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Self, TypeVar, cast

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from grpc import ChannelCredentials as Credentials

from contracts import messages
from signoff.channels import LEFT_STATUSES, open_channel
from signoff.errors import ErrorCode, is_retryable

Response = TypeVar("Response")
Item = TypeVar("Item")

#: A larger gRPC message is neither sent nor received.
MESSAGE_MAX_BYTES = 16 << 20
#: A watch that lost its stream waits about so long before it connects again, twice as long each time.
WATCH_BACKOFF_FIRST_S = 0.1
WATCH_BACKOFF_MAX_S = 5.0


#: The number of google.rpc.Status.details.
_DETAILS: Final = 3
#: Where the name of a status is the code of a refusal, too: an execution that was cancelled answers `cancelled`.
_STATUS_CODES: Final = {
    grpc.StatusCode.CANCELLED: ErrorCode.CALL_CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED: ErrorCode.CALL_DEADLINE_EXCEEDED,
}


class JobStoreError(Exception):
    """The jobstore refused a call, or did not answer. `code` is stable; `grpc_status` gives the class of error.

    `retryable`: the same call may succeed later, with nothing mended. `fields` says which fields of the request are
    wrong, by their names there, and how.
    """

    def __init__(
        self, code: str, message: str, grpc_status: grpc.StatusCode, fields: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.grpc_status = grpc_status
        self.retryable = is_retryable(code, grpc_status.name)
        self.fields = fields

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Self:
        """Return the error with which a gRPC call ended."""
        status, trailers = error.code(), dict(error.trailing_metadata() or ())
        code = trailers.get("signoff-code") or _STATUS_CODES.get(status, status.name.lower())
        fields = _read_fields(trailers.get("grpc-status-details-bin", b""))
        return cls(str(code), error.details() or status.name, status, fields)


def _read_fields(status: str | bytes) -> list[tuple[str, str]]:
    """Return the fields that a google.rpc.Status says are wrong; its messages are of a package that is not needed."""

    def parts(message: bytes) -> list[tuple[int, bytes]]:
        unknown = UnknownFieldSet(Empty.FromString(message))
        fields = [unknown[number] for number in range(len(unknown))]
        return [(each.field_number, each.data) for each in fields if isinstance(each.data, bytes)]

    try:
        details = [dict(parts(detail)) for number, detail in parts(bytes(status)) if number == _DETAILS]  # type: ignore[arg-type]
        wrong = [detail[2] for detail in details if detail.get(1, b"").endswith(b"/google.rpc.BadRequest")]
        violations = [dict(parts(violation)) for bad in wrong for _, violation in parts(bad)]
        return [(each.get(1, b"").decode(), each.get(2, b"").decode()) for each in violations]
    except (DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return []  # another server's


class Connection:
    """A channel to the jobstores, and the metadata of one caller."""

    def __init__(
        self,
        address: str,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        credentials: Credentials | None = None,
        read: Callable[[Any], Any] | None = None,
    ) -> None:
        """`address` is host:port, or several with commas between; with `credentials` the connection is TLS.

        `read` makes of a message what the methods return; without it they return resources.
        """
        self._address = address
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._metadata = _make_metadata(token)
        self._on_replay: Callable[[], None] | None = None
        self._read = read or _read_resource

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self._address, MESSAGE_MAX_BYTES, self._credentials)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    def with_token(self, token: str | None, on_replay: Callable[[], None] | None = None) -> Self:
        """Return a client on this connection for another caller. It works as long as this one is open.

        `on_replay` is called where a request is answered as an earlier one was, under its key or the id that it names.
        """
        client = copy.copy(self)
        client._metadata, client._on_replay = _make_metadata(token), on_replay  # noqa: SLF001 - its own
        return client

    def reading(self, read: Callable[[Any], Any]) -> Self:
        """Return a client on this connection whose methods return what `read` makes of a message."""
        client = copy.copy(self)
        client._read = read  # noqa: SLF001 - its own
        return client

    async def _call(
        self, method: Callable[..., Awaitable[Response]], request: Any, *, timeout_s: float | None = None
    ) -> Response:
        options = {"timeout": timeout_s or self._timeout_s, "metadata": self._metadata}
        try:
            if self._on_replay is None:
                return await method(request, **options)
            call = await cast("Any", method).end(request, **options)
            response: Response = await call
        except grpc.aio.AioRpcError as error:
            raise JobStoreError.of(error) from None
        if messages.REPLAYED in tuple(await call.trailing_metadata() or ()):
            self._on_replay()
        return response

    async def _stream(self, method: Callable[..., Any], request: Any) -> AsyncGenerator[Any]:
        """Yield the responses of one stream. Return where connecting again may help, else raise JobStoreError."""
        stream = method(request, metadata=self._metadata)
        try:
            async for response in stream:
                yield response
        except grpc.aio.AioRpcError as error:
            if error.code() not in LEFT_STATUSES:
                raise JobStoreError.of(error) from None
        finally:
            await stream.aclose()


async def list_all(list_page: Callable[..., Awaitable[tuple[list[Item], str]]]) -> list[Item]:
    """Return the items of all pages of a list, such as `list_all(client.list_limits)`."""
    items, token = await list_page(page_size=messages.PAGE_MAX)
    while token:
        more, token = await list_page(page_size=messages.PAGE_MAX, page_token=token)
        items += more
    return items


def watch_backoffs_s() -> Iterator[float]:
    """Yield how long a watch waits before it connects again, in seconds: growing, with jitter."""
    backoff_s = WATCH_BACKOFF_FIRST_S
    while True:
        yield backoff_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        backoff_s = min(backoff_s * 2, WATCH_BACKOFF_MAX_S)


def _read_resource(message: Any) -> Any:
    return messages.answers.read_resource(message)


def _make_metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    return () if token is None else (("authorization", f"Bearer {token}"),)
