"""Spread calls over the jobstores that answer: a channel to each, and calls of each method by turns."""

import asyncio
import logging
import random
import re
import socket
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final, Self, cast
from weakref import WeakKeyDictionary

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from signoff.errors import is_retryable
from signoff.tls import Pem, Tls, watch_pem

log = logging.getLogger(__name__)

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
#: About so many seconds pass between two looks at which jobstores there are, and which of them answer again.
LOOK_S: Final = 10.0
#: Seconds that a look waits for the addresses of a name, and for the answer of a jobstore.
ANSWER_S: Final = 3.0
#: Seconds for which calls under way may go on at a jobstore that is no longer there by its name.
END_S: Final = 60.0
#: gRPC's health protocol as bytes: grpcio-health-checking is no dependency of the client.
HEALTH_CHECK: Final = "/grpc.health.v1.Health/Check"
SERVING: Final = b"\x08\x01"
#: After these a call or a stream goes on elsewhere: a server that is gone, or one that stops, and cancels its calls.
LEFT_STATUSES: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED})
#: A name of hosts with a port. Numbers need no look, and gRPC knows other schemes.
_NAME: Final = re.compile(r"(?:dns:///)?((?=[\w.-]*[A-Za-z])\w[\w.-]*):(\d+)")
#: The number of google.rpc.Status.details.
_DETAILS: Final = 3


def open_channel(
    addresses: str, message_max_bytes: int, credentials: grpc.ChannelCredentials | Tls | None = None
) -> grpc.aio.Channel:
    """Open a channel to jobstores at `host:port`, or at several such with commas between; with `credentials` by TLS.

    Calls of each method go to the jobstores by turns. A name may be of several jobstores: who joins or leaves it is
    noticed within LOOK_S, as are files of `credentials` that have changed.

    A call that one jobstore does not answer is tried at the next, and later calls leave it out until it answers: every
    call may be sent again, since requests name what they ask for. A call that runs out of its time is not tried again,
    but later calls leave that jobstore out, too: one whose database is silent answers pings, and no call.

    The channel serves stubs, with calls that answer once or stream, once its context is entered.
    """
    sizes = [(f"grpc.max_{way}_message_length", message_max_bytes) for way in ("send", "receive")]
    names = [name.strip() for name in addresses.split(",") if name.strip()]
    if not names:
        raise ValueError(f"no address of a jobstore in {addresses!r}: give host:port, or several with commas between")
    return cast("grpc.aio.Channel", Channels(names, [*_OPTIONS, *sizes], credentials))


class Jobstore:
    """A jobstore as its clients see it: where it is, the channel there, and whether calls leave it out."""

    def __init__(self, target: str, channel: grpc.aio.Channel, credentials: grpc.ChannelCredentials | None) -> None:
        self.target = target
        self.channel = channel
        self.credentials = credentials
        self._check: Any = channel.unary_unary(HEALTH_CHECK)
        #: The status of the call after which it was left; None: calls go there.
        self.left: grpc.StatusCode | None = None
        #: The watches there, which may be ended to be opened anew elsewhere.
        self.watches = set[Any]()

    async def is_serving(self) -> bool:
        """Return whether it answers that it serves."""
        try:
            answer = await self._check(b"", timeout=ANSWER_S, wait_for_ready=True)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer == SERVING)

    def end_watches(self) -> None:
        """End the watches here, as if the jobstore did: whoever watches opens another."""
        watches, self.watches = self.watches, set()
        for watch in watches:
            watch.cancel()


class Channels:
    """Channels to all jobstores at some addresses."""

    def __init__(
        self,
        names: Sequence[str],
        options: Sequence[tuple[str, Any]] = (),
        credentials: grpc.ChannelCredentials | Tls | None = None,
    ) -> None:
        self._targets = {name: [name] for name in names}
        self._options = options
        self._files = watch_pem(credentials) if isinstance(credentials, Tls) else None
        self._pem: Pem | None = None
        self._credentials = None if isinstance(credentials, Tls) else credentials
        self._jobstores: list[Jobstore] = []
        self._ending = set[asyncio.Task[None]]()

    async def __aenter__(self) -> Self:
        self._read_files()
        await self._look_up()
        self._jobstores = [self._open(target, name) for name, targets in self._targets.items() for target in targets]
        self._looking = asyncio.create_task(self._look_for_ever())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channels to all jobstores."""
        self._looking.cancel()
        for ending in self._ending:
            ending.cancel()
        await asyncio.gather(*(each.channel.close(grace) for each in self._jobstores))

    def choose(self, turn: int) -> Jobstore:
        """Return the jobstore whose turn it is, of those that answer; of all if none does."""
        well = [each for each in self._jobstores if each.left is None] or self._jobstores
        return well[turn % len(well)]

    def unary_unary(self, *method: Any, **options: Any) -> "UnaryCall":
        """Return a callable for a method that answers once."""
        return UnaryCall(self, lambda channel: channel.unary_unary(*method, **options))

    def unary_stream(self, *method: Any, **options: Any) -> Callable[..., AsyncGenerator[Any]]:
        """Return a callable for a method that streams. A stream that ends is not opened again.

        A watch also ends, without an error, where another jobstore is to have its share.
        """
        called = _Method(self, lambda channel: channel.unary_stream(*method, **options))
        is_watch = str(method[0]).rpartition("/")[2].startswith("Watch")

        async def stream(request: Any, **options: Any) -> AsyncGenerator[Any]:
            jobstore, open_stream = called.take_turn()
            call = open_stream(request, **options)
            if is_watch:
                jobstore.watches.add(call)
            try:
                async for response in call:
                    yield response
            except grpc.aio.AioRpcError as error:
                if error.code() in LEFT_STATUSES:
                    jobstore.left = error.code()
                raise
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if not is_watch or call in jobstore.watches or (task and task.cancelling()):
                    raise  # by whoever watches, and not by `end_watches`
            finally:
                jobstore.watches.discard(call)
                call.cancel()

        return stream

    async def look(self) -> None:
        """Find out which jobstores there are, and which of those that were left answer again; renew credentials."""
        await self._look_up()
        self._read_files()
        left = {each for each in self._jobstores if each.left in LEFT_STATUSES}
        known = {each.target: each for each in self._jobstores}
        wanted = [(target, name) for name, targets in self._targets.items() for target in targets]
        met = await asyncio.gather(*(self._meet(known.get(target), target, name) for target, name in wanted))
        for gone in {*self._jobstores}.difference(met):
            gone.end_watches()
            self._end(gone)
        joined = {each for each in met if each.left is None}.difference({*self._jobstores} - left)
        self._jobstores = met
        for each in met:
            if joined and each not in joined:  # watches begin again, at any
                each.end_watches()

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            await self.look()

    async def _look_up(self) -> None:
        """Look up the addresses of names; of a name that has none now those remain that it had."""
        found = await asyncio.gather(*(_find_targets(name) for name in self._targets))
        self._targets = {name: new or before for (name, before), new in zip(self._targets.items(), found, strict=True)}

    def _read_files(self) -> None:
        """Make new credentials if files have changed. Raise OSError, with what to do, if one is wrong at first."""
        if self._files is not None and (pem := self._files.read()) != self._pem:
            self._pem, self._credentials = pem, grpc.ssl_channel_credentials(*pem)

    async def _meet(self, known: Jobstore | None, target: str, name: str) -> Jobstore:
        """Return the jobstore at a target: that which is known, unless one with new credentials serves in its place."""
        if known is not None and known.credentials is self._credentials:
            if known.left is not None and await known.is_serving():
                known.left = None
            return known
        new = self._open(target, name)
        if not await new.is_serving():
            if known is not None:
                await new.channel.close()
                return known
            new.left = grpc.StatusCode.UNAVAILABLE
        return new

    def _open(self, target: str, name: str) -> Jobstore:
        options = [*self._options]
        if target != name:  # certificates are of names, and so are exceptions from a proxy
            options += [("grpc.default_authority", name.removeprefix("dns:///")), ("grpc.enable_http_proxy", 0)]
        credentials = self._credentials
        channel = (
            grpc.aio.insecure_channel(target, options=options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options=options)
        )
        return Jobstore(target, channel, credentials)

    def _end(self, jobstore: Jobstore) -> None:
        ending = asyncio.create_task(jobstore.channel.close(END_S))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _find_targets(name: str) -> list[str]:
    """Return the addresses of a name that has several of one family, else the name itself; [] if it cannot be found.

    gRPC tries the addresses of one host itself, such as ::1 and 127.0.0.1.
    """
    if (parts := _NAME.fullmatch(name)) is None:
        return [name]
    host, port = parts.groups()
    try:
        async with asyncio.timeout(ANSWER_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return []
    by_family = defaultdict[int, set[str]](set)
    for family, _, _, _, address in found:
        by_family[family].add(str(address[0]))
    most = max(map(sorted, by_family.values()), key=len)
    return [name] if len(most) == 1 else [f"[{each}]:{port}" if ":" in each else f"{each}:{port}" for each in most]


class _Method:
    """A method at all jobstores. Each is called as often as the others, also where few calls carry much."""

    def __init__(self, channels: Channels, make: Callable[[Any], Any]) -> None:
        self._channels = channels
        self._make = make
        self._made = WeakKeyDictionary[Jobstore, Any]()
        self._turn = random.randrange(1 << 16)  # noqa: S311 - no secret

    def take_turn(self) -> tuple[Jobstore, Any]:
        """Return the jobstore whose turn it is, and the method's callable there."""
        self._turn += 1
        jobstore = self._channels.choose(self._turn)
        if (made := self._made.get(jobstore)) is None:
            made = self._made[jobstore] = self._make(jobstore.channel)
        return jobstore, made


class UnaryCall:
    """Call a method that answers once, at the jobstores one after the other until one answers."""

    def __init__(self, channels: Channels, make: Callable[[Any], Any]) -> None:
        self._method = _Method(channels, make)

    async def __call__(self, request: Any, *, timeout: float, metadata: Any = None) -> Any:  # noqa: ASYNC109 - gRPC's own
        """Return the answer, or raise AioRpcError."""
        return await (await self.end(request, timeout=timeout, metadata=metadata))

    async def end(self, request: Any, *, timeout: float, metadata: Any = None) -> Any:  # noqa: ASYNC109 - gRPC's own
        """Return the call once it has ended, with an answer or an error; all tries end within `timeout` seconds."""
        ends_at = time.monotonic() + timeout
        for wait_s in (*WAITS_S, None):
            jobstore, method = self._method.take_turn()
            call = method(request, timeout=max(0.0, ends_at - time.monotonic()), metadata=metadata)
            try:
                code = await call.code()
            except asyncio.CancelledError:
                call.cancel()
                raise
            if code is grpc.StatusCode.OK:
                jobstore.left = None
                break
            if code in LEFT_STATUSES or code is grpc.StatusCode.DEADLINE_EXCEEDED:
                jobstore.left = code
            if code is grpc.StatusCode.DEADLINE_EXCEEDED:
                break
            pause_s = None if wait_s is None else await _find_wait_s(call, code, wait_s)
            if pause_s is None or time.monotonic() + pause_s >= ends_at:
                break
            await asyncio.sleep(pause_s)
        return call


def read_fields_at_fault(status: bytes) -> list[tuple[str, str]]:
    """Return the fields that a serialized google.rpc.Status says are wrong, each with what is wrong."""
    try:
        violations = [
            dict(_read_parts(each)) for bad in _find_details(status, b"BadRequest") for _, each in _read_parts(bad)
        ]
        return [(each.get(1, b"").decode(), each.get(2, b"").decode()) for each in violations]
    except (DecodeError, UnicodeDecodeError):
        return []  # another server's


def read_retry_wait_s(status: bytes) -> float | None:
    """Return the seconds after which a serialized google.rpc.Status asks for another try; None if it does not."""
    try:
        delays = [dict(_read_parts(each)).get(1, b"") for each in _find_details(status, b"RetryInfo")]
        return Duration.FromString(delays[0]).ToTimedelta().total_seconds() if delays else None
    except DecodeError:
        return None


def _find_details(status: bytes, kind: bytes) -> list[bytes]:
    """Return the serialized details of one kind in a google.rpc.Status, read without the package of its messages."""
    details = [dict(_read_parts(detail)) for number, detail in _read_parts(status) if number == _DETAILS]
    return [detail.get(2, b"") for detail in details if detail.get(1, b"").endswith(b"/google.rpc." + kind)]


def _read_parts(message: bytes) -> list[tuple[int, bytes]]:
    unknown = UnknownFieldSet(Empty.FromString(message))
    fields = [unknown[number] for number in range(len(unknown))]
    return [(each.field_number, each.data) for each in fields if isinstance(each.data, bytes)]


async def _find_wait_s(call: Any, status: grpc.StatusCode, wait_s: float) -> float | None:
    """Return the seconds to wait before a failed call is made again: about `wait_s`, or more if the server asks for it.

    None if the call may not be made again, by its code or, without a code, by its status.
    """
    trailers = dict(await call.trailing_metadata() or ())
    code = trailers.get("signoff-code")
    if not (status in LEFT_STATUSES if code is None else is_retryable(str(code), status.name)):
        return None
    asked_s = read_retry_wait_s(cast("bytes", trailers.get("grpc-status-details-bin", b"")))
    return max(wait_s * random.uniform(0.5, 1.0), asked_s or 0.0)  # noqa: S311 - no secret
