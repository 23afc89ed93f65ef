"""Reach whichever jobstore answers: a gRPC channel for each of its addresses, of which one is used at a time."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final, Self, cast

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from signoff.errors import is_retryable

#: Seconds between the tries of a call that no jobstore answered: one more try than there are waits.
WAITS_S: Final = (0.1, 0.2, 0.4, 0.8)
#: A jobstore that is frozen or cut off answers no ping, however long a call may take, and none that begins to connect:
#: either is noticed within 3 s. Pings are sent only while a call is under way.
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_500),
    ("grpc.http2.ping_timeout_ms", 1_500),  # else a minute, whatever the line before says
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),  # it would try the same address again
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),  # also what one attempt to connect may last
    ("grpc.max_reconnect_backoff_ms", 500),  # meanwhile calls fail at once, and their tries end after a second
)
#: The number of google.rpc.Status.details.
_DETAILS: Final = 3
#: After these a call or a stream goes on elsewhere: a server that is gone, or one that stops, and cancels its calls.
LEFT_STATUSES: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})


def open_channel(
    addresses: str, message_max_bytes: int, credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """Open a channel to jobstores at `host:port`, or at several such with commas between; with `credentials` by TLS.

    A call that one of them does not answer is tried at the next, and those after it begin there: every call may be sent
    again, since requests name what they ask for. One that runs out of its time is not tried again, but those after
    it begin at the next: a jobstore whose database is silent answers pings, and no call.

    It serves stubs, with calls that answer once or stream.
    """
    sizes = [(f"grpc.max_{way}_message_length", message_max_bytes) for way in ("send", "receive")]
    options = [*_OPTIONS, *sizes]
    names = [name.strip() for name in addresses.split(",") if name.strip()]
    if not names:
        raise ValueError(f"no address of a jobstore in {addresses!r}: give host:port, or several with commas between")
    channels = [
        grpc.aio.secure_channel(name, credentials, options=options)
        if credentials is not None
        else grpc.aio.insecure_channel(name, options=options)
        for name in names
    ]
    return cast("grpc.aio.Channel", _Channels(channels))


class _Channels:
    """A channel for each address. Which one a process begins with is drawn by lot, so that all are used alike."""

    def __init__(self, channels: list[grpc.aio.Channel]) -> None:
        self._channels = channels
        self.current = random.randrange(len(channels))  # noqa: S311 - no secret

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channels to all addresses."""
        await asyncio.gather(*(channel.close(grace) for channel in self._channels))

    def leave(self, number: int) -> None:
        """Go on at the next address, unless that was done already."""
        if number == self.current:
            self.current = (number + 1) % len(self._channels)

    def unary_unary(self, *method: Any, **options: Any) -> "UnaryCall":
        """Return what makes calls of a method that answers once."""
        return UnaryCall(self, [channel.unary_unary(*method, **options) for channel in self._channels])

    def unary_stream(self, *method: Any, **options: Any) -> Callable[..., AsyncGenerator[Any]]:
        """Return what makes calls of a method that streams. One that ends is not begun again."""
        methods = [channel.unary_stream(*method, **options) for channel in self._channels]

        async def stream(request: Any, **options: Any) -> AsyncGenerator[Any]:
            number = self.current
            call = methods[number](request, **options)
            try:
                async for response in call:
                    yield response
            except grpc.aio.AioRpcError as error:
                if error.code() in LEFT_STATUSES:
                    self.leave(number)
                raise
            finally:
                call.cancel()

        return stream


def read_fields_at_fault(status: bytes) -> list[tuple[str, str]]:
    """Return the fields that a google.rpc.Status says are wrong, and how."""
    try:
        violations = [
            dict(_read_parts(each)) for bad in _find_details(status, b"BadRequest") for _, each in _read_parts(bad)
        ]
        return [(each.get(1, b"").decode(), each.get(2, b"").decode()) for each in violations]
    except (DecodeError, UnicodeDecodeError):
        return []  # another server's


def read_retry_wait_s(status: bytes) -> float | None:
    """Return after how many seconds a google.rpc.Status wants the request to be sent again; None if it does not."""
    try:
        delays = [dict(_read_parts(each)).get(1, b"") for each in _find_details(status, b"RetryInfo")]
        return Duration.FromString(delays[0]).ToTimedelta().total_seconds() if delays else None
    except DecodeError:
        return None


def _find_details(status: bytes, kind: bytes) -> list[bytes]:
    """Return the details of one kind, serialized; their messages are of a package that is not needed."""
    details = [dict(_read_parts(detail)) for number, detail in _read_parts(status) if number == _DETAILS]
    return [detail.get(2, b"") for detail in details if detail.get(1, b"").endswith(b"/google.rpc." + kind)]


def _read_parts(message: bytes) -> list[tuple[int, bytes]]:
    unknown = UnknownFieldSet(Empty.FromString(message))
    fields = [unknown[number] for number in range(len(unknown))]
    return [(each.field_number, each.data) for each in fields if isinstance(each.data, bytes)]


async def _find_wait_s(call: Any, status: grpc.StatusCode, wait_s: float) -> float | None:
    """Return how long to wait before a call that failed is made again: as long as the server asks for, if it does.

    None: it may not be made again, by its code, or by its status where it has none.
    """
    trailers = dict(await call.trailing_metadata() or ())
    code = trailers.get("signoff-code")
    if not (status in LEFT_STATUSES if code is None else is_retryable(str(code), status.name)):
        return None
    asked_s = read_retry_wait_s(cast("bytes", trailers.get("grpc-status-details-bin", b"")))
    return max(wait_s * random.uniform(0.5, 1.0), asked_s or 0.0)  # noqa: S311 - no secret


class UnaryCall:
    """Call a method that answers once, at whichever address answers."""

    def __init__(self, channels: _Channels, methods: list[Any]) -> None:
        self._channels = channels
        self._methods = methods

    async def __call__(self, request: Any, *, timeout: float, metadata: Any = None) -> Any:  # noqa: ASYNC109 - gRPC's own
        """Return the answer, or raise AioRpcError."""
        return await (await self.end(request, timeout=timeout, metadata=metadata))

    async def end(self, request: Any, *, timeout: float, metadata: Any = None) -> Any:  # noqa: ASYNC109 - gRPC's own
        """Return the call once it has ended, however that was, within `timeout` seconds."""
        ends_at = time.monotonic() + timeout
        for wait_s in (*WAITS_S, None):
            number = self._channels.current
            call = self._methods[number](request, timeout=max(0.0, ends_at - time.monotonic()), metadata=metadata)
            try:
                code = await call.code()
            except asyncio.CancelledError:
                call.cancel()
                raise
            if code in LEFT_STATUSES or code is grpc.StatusCode.DEADLINE_EXCEEDED:
                self._channels.leave(number)
            if code is grpc.StatusCode.OK or code is grpc.StatusCode.DEADLINE_EXCEEDED:
                break
            pause_s = None if wait_s is None else await _find_wait_s(call, code, wait_s)
            if pause_s is None or time.monotonic() + pause_s >= ends_at:
                break
            await asyncio.sleep(pause_s)
        return call
