"""Calls are admitted before any of their bytes are read, and each role has its own share of those under way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import grpc
import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, TOKENS, VALIDATOR, Status, refused
from support.fakes import until

from jobstore.access.tokens import Tokens
from jobstore.api.server import CallLimits, create_server, set_serving

LARGE = bytes(60 << 20)
#: HTTP/2 lets a client send 64 KiB unasked.
UNREAD_MAX_BYTES = 1 << 17
CALLS_MAX, WATCHES_MAX, REFUSAL_S = 3, 2, 0.3
CREATE, WATCH = "/signoff.v1.JobService/CreateJob", "/signoff.v1.JobService/WatchJobs"
BEGIN, JUDGE = "/signoff.worker.v1.WorkService/BeginExecutions", "/signoff.worker.v1.WorkService/BeginJudgings"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
CHECK, WATCH_HEALTH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
WRONG = (("authorization", "Bearer wrong"),)


class Doors:
    """A server whose calls last until they are let go, behind a link that counts what clients send."""

    def __init__(self) -> None:
        self.reads: list[int] = []
        self.sent = 0
        self.inside = 0
        self.let_go = asyncio.Event()
        self.port = 0
        self.large = False

    def read(self, body: bytes) -> bytes:
        self.reads.append(len(body))
        return body

    async def answer(self, request: Any, context: Any) -> bytes:
        del context
        self.inside += 1
        await self.let_go.wait()
        self.inside -= 1
        return bytes(request[:2])

    async def watch(self, request: Any, context: Any) -> AsyncIterator[bytes]:
        yield await self.answer(request, context)
        while self.large:
            yield bytes(1 << 20)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        unary = grpc.unary_unary_rpc_method_handler(self.answer, self.read, None)
        stream = grpc.unary_stream_rpc_method_handler(self.watch, self.read, None)
        return [
            grpc.method_handlers_generic_handler("signoff.v1.JobService", {"CreateJob": unary, "WatchJobs": stream}),
            grpc.method_handlers_generic_handler(
                "signoff.worker.v1.WorkService", {"BeginExecutions": unary, "BeginJudgings": unary}
            ),
        ]

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)

        async def forward() -> None:
            with suppress(ConnectionError):
                while chunk := await reader.read(1 << 16):
                    self.sent += len(chunk)
                    far_writer.write(chunk)
                    await far_writer.drain()
            far_writer.close()

        async def back() -> None:
            with suppress(ConnectionError):
                while chunk := await far_reader.read(1 << 16):
                    writer.write(chunk)
            writer.close()

        await asyncio.gather(forward(), back())


@pytest.fixture
async def doors() -> AsyncIterator[Doors]:
    made = Doors()
    server, servicer = create_server(
        Tokens(TOKENS), CallLimits(CALLS_MAX, WATCHES_MAX, REFUSAL_S, request_s=2, response_s=2)
    )
    server.add_generic_rpc_handlers(made.handlers())
    made.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await set_serving(servicer, ready=True)
    yield made
    made.let_go.set()
    await server.stop(0)


@pytest.fixture
async def channel(doors: Doors) -> AsyncIterator[grpc.aio.Channel]:
    link = await asyncio.start_server(doors.link, "127.0.0.1", 0)
    async with link:
        port = link.sockets[0].getsockname()[1]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
            await opened.channel_ready()
            yield opened


@pytest.mark.parametrize("metadata", [(), WRONG])
@pytest.mark.parametrize("method", [CREATE, BEGIN, WATCH_HEALTH, "/signoff.v1.JobService/Nothing", "/x/y"])
async def test_a_stranger_is_refused_before_the_body_is_read(
    doors: Doors, channel: grpc.aio.Channel, method: str, metadata: Any
) -> None:
    assert (await refused(channel.unary_unary(method)(LARGE, metadata=metadata)))[0] is Status.UNAUTHENTICATED
    assert doors.sent < UNREAD_MAX_BYTES
    assert doors.reads == []


@pytest.mark.parametrize(("method", "metadata"), [(CREATE, EXECUTOR), (BEGIN, VALIDATOR), (JUDGE, ADMINISTRATOR)])
async def test_another_role_is_refused_before_the_body_is_read(
    doors: Doors, channel: grpc.aio.Channel, method: str, metadata: Any
) -> None:
    assert (await refused(channel.unary_unary(method)(LARGE, metadata=metadata)))[0] is Status.PERMISSION_DENIED
    assert doors.sent < UNREAD_MAX_BYTES
    assert doors.reads == []


@pytest.mark.parametrize("method", [CREATE, WATCH, REFLECT, CHECK, "/x/y"])
async def test_a_strangers_stream_is_refused_before_its_messages_are_read(
    doors: Doors, channel: grpc.aio.Channel, method: str
) -> None:
    call = channel.stream_stream(method)(iter([LARGE] * 3))
    with suppress(grpc.aio.AioRpcError):
        async for _ in call:
            pass
    # INTERNAL is what a Python client says that was still writing when it was answered.
    answer = Status.OK if method == CHECK else Status.UNAUTHENTICATED
    assert await call.code() in {answer, Status.INTERNAL}
    assert doors.sent < UNREAD_MAX_BYTES
    assert doors.reads == []


async def test_health_is_told_to_strangers_without_reading_what_they_send(
    doors: Doors, channel: grpc.aio.Channel
) -> None:
    assert await channel.unary_unary(CHECK)(LARGE) == b"\x08\x01"
    assert doors.sent < UNREAD_MAX_BYTES


async def test_a_call_without_a_request_is_invalid(channel: grpc.aio.Channel) -> None:
    status, code, _ = await refused(channel.stream_unary(CREATE)(iter(()), metadata=ADMINISTRATOR))
    assert (status, code) == (Status.INVALID_ARGUMENT, "invalid_request")


async def test_the_load_of_one_role_refuses_calls_of_that_role_alone(doors: Doors, channel: grpc.aio.Channel) -> None:
    create, begin = channel.unary_unary(CREATE), channel.unary_unary(BEGIN)
    async with AsyncExitStack() as stack:
        for _ in range(CALLS_MAX):
            stack.callback(create(b"held", metadata=ADMINISTRATOR).cancel)
        await until(lambda: doors.inside == CALLS_MAX)
        reads, asked = len(doors.reads), time.monotonic()
        status, code, _ = await refused(create(LARGE, metadata=ADMINISTRATOR))
        assert (status, code) == (Status.RESOURCE_EXHAUSTED, "too_many_calls")
        assert time.monotonic() - asked >= REFUSAL_S  # who asks again at once leaves others a turn
        assert len(doors.reads) == reads
        working = [channel.unary_unary(BEGIN)(b"work", metadata=EXECUTOR) for _ in range(CALLS_MAX)]
        working += [channel.unary_unary(JUDGE)(b"work", metadata=VALIDATOR) for _ in range(CALLS_MAX)]
        await until(lambda: doors.inside == 3 * CALLS_MAX)
        assert (await refused(begin(b"more", metadata=EXECUTOR)))[1] == "too_many_calls"
        doors.let_go.set()
        assert await asyncio.gather(*working) == [b"wo"] * 2 * CALLS_MAX
    assert await create(b"later", metadata=ADMINISTRATOR) == b"la"


async def test_watches_are_counted_for_themselves(doors: Doors, channel: grpc.aio.Channel) -> None:
    watch = channel.unary_stream(WATCH)
    watches = [watch(b"held", metadata=ADMINISTRATOR) for _ in range(WATCHES_MAX)]
    await until(lambda: doors.inside == WATCHES_MAX)
    assert (await refused(anext(aiter(watch(b"more", metadata=ADMINISTRATOR)))))[1] == "too_many_calls"
    doors.let_go.set()
    assert await channel.unary_unary(CREATE)(b"call", metadata=ADMINISTRATOR) == b"ca"
    for held in watches:
        assert [answer async for answer in held] == [b"he"]


async def test_a_call_that_its_client_gives_up_is_no_longer_counted(doors: Doors, channel: grpc.aio.Channel) -> None:
    """Also one that never sent its request: else who begins calls and leaves would take the places for ever."""
    doors.let_go.set()
    create = channel.unary_unary(CREATE)
    begun = [channel.stream_unary(CREATE)(metadata=ADMINISTRATOR) for _ in range(CALLS_MAX)]
    async with asyncio.timeout(10):
        while await code_of(create(b"asks", metadata=ADMINISTRATOR)) != "too_many_calls":
            pass
        for call in begun:
            call.cancel()
        while await code_of(create(b"asks", metadata=ADMINISTRATOR)):
            pass


async def test_a_request_that_does_not_come_is_not_waited_for(doors: Doors, channel: grpc.aio.Channel) -> None:
    """Also one of which a part came: else a few who send by the byte take all places of their role."""
    begun = [channel.stream_unary(CREATE)(metadata=ADMINISTRATOR) for _ in range(CALLS_MAX)]
    for call in begun:
        assert await refused(call) == (Status.RESOURCE_EXHAUSTED, "too_slow", "the request did not come within 2 s")
    doors.let_go.set()
    assert await channel.unary_unary(CREATE)(b"asks", metadata=ADMINISTRATOR) == b"as"


async def test_a_watch_that_nobody_reads_is_cut_off(doors: Doors, channel: grpc.aio.Channel) -> None:
    """It is told so, once it reads on; its place is free before."""
    doors.large = True
    doors.let_go.set()
    watches = [channel.unary_stream(WATCH)(b"held", metadata=ADMINISTRATOR) for _ in range(WATCHES_MAX)]
    for watch in watches:
        await watch.read()
    more = channel.unary_stream(WATCH)
    async with asyncio.timeout(20):
        while await code_of(more(b"more", metadata=ADMINISTRATOR).read()):
            pass
    for watch in watches:
        assert (await refused(drained(watch)))[:2] == (Status.RESOURCE_EXHAUSTED, "too_slow")


async def drained(watch: Any) -> None:
    while await watch.read():
        pass


async def code_of(call: Any) -> str:
    """The stable code that a call is refused with; empty if it is not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return str(dict(error.trailing_metadata() or ()).get("signoff-code"))
    return ""
