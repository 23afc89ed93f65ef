"""Calls go to all jobstores by turns, and leave out those that do not answer within 3 s; not those that take time."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from socket import AddressFamily, SocketKind
from typing import Any, NamedTuple, cast

import grpc
import pytest
from support.echo import ANSWER, SERVICE, STREAM, TOKEN
from support.free_ports import free_port

from contracts.access import ADMINISTRATORS, Access, Of
from jobstore.access import callers
from jobstore.access.tokens import Tokens
from jobstore.api.server import create_server, set_serving
from signoff import AsyncClient, SignoffError, channels
from signoff.channels import open_channel
from signoff.status import Role

WATCH, EXPORT = f"/{SERVICE}/WatchAnswers", f"/{SERVICE}/ExportAnswers"
TESTS = Path(__file__).parents[2]
look_up = socket.getaddrinfo
METADATA = (("authorization", f"Bearer {TOKEN}"),)
#: Within which a jobstore is left that does not answer; half a second is for a busy machine.
WITHIN_S = 3.5


class Server(NamedTuple):
    """A process that serves, and its port."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.echo"),
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield Server(process, int(await asyncio.wait_for(process.stdout.readline(), 60)))
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
async def servers() -> AsyncIterator[list[Server]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving()) for _ in range(2)]


@asynccontextmanager
async def connected(*servers: Server) -> AsyncIterator[Any]:
    async with open_channel(",".join(server.address for server in servers), 1 << 20) as channel:
        yield channel


class Caller:
    """Calls the method that answers once, at the first server at first."""

    def __init__(self, channel: Any) -> None:
        self._call = channel.unary_unary(ANSWER)
        self._call._method._turn = -1  # it is drawn by lot

    async def __call__(self, seconds: float = 0.0, timeout_s: float = 30.0) -> int:
        """Return the port of who answered, after so many seconds."""
        return int(await self._call(str(seconds).encode(), timeout=timeout_s, metadata=METADATA))


async def watch(channel: Any, server: Server) -> AsyncGenerator[bytes]:
    """A watch of a server that is among those of the channel, once it has begun."""
    while True:
        stream = channel.unary_stream(STREAM)(b"60", metadata=METADATA)
        if int(await anext(stream)) == server.port:
            return cast("AsyncGenerator[bytes]", stream)
        await stream.aclose()


async def test_calls_of_each_method_go_to_all_by_turns(servers: list[Server]) -> None:
    async with connected(*servers) as channel:
        calls = Caller(channel), Caller(channel)
        for expected in [server.port for server in servers] * 3:
            assert [await call() for call in calls] == [expected, expected]


async def test_a_frozen_server_is_left_within_three_seconds(servers: list[Server]) -> None:
    """By a call that is under way, by a stream, and by who has not connected to it before."""
    first, second = servers
    async with connected(first, second) as channel, connected(first, second) as watching, connected(*servers) as new:
        call = Caller(channel)
        assert [await call(), await call()] == [first.port, second.port]
        stream = await watch(watching, first)
        under_way = asyncio.create_task(call(1.0))
        await asyncio.sleep(0)
        first.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        begun = asyncio.create_task(Caller(new)())
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await anext(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - began < WITHIN_S
        assert await Caller(watching)() == second.port
        assert await begun == second.port
        assert time.monotonic() - began < WITHIN_S
        assert await under_way == second.port
        assert time.monotonic() - began < WITHIN_S + 1.0  # for which it asked
        began = time.monotonic()
        await channel.look()
        assert [await call(), await call()] == [second.port] * 2  # as long as it stands still
        assert time.monotonic() - began < WITHIN_S
        first.process.send_signal(signal.SIGCONT)
        await channel.look()
        assert {await call(), await call()} == {first.port, second.port}


async def test_a_server_that_takes_its_time_is_not_left(servers: list[Server]) -> None:
    async with connected(*servers) as channel:
        assert await Caller(channel)(5.0) == servers[0].port
        assert await Caller(channel)() == servers[0].port


async def test_a_server_at_which_a_call_ran_out_of_its_time_is_left_by_the_next(servers: list[Server]) -> None:
    async with connected(*servers) as channel:
        call = Caller(channel)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call(2.0, timeout_s=0.5)
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert [await call(), await call()] == [servers[1].port] * 2


async def test_an_address_at_which_nobody_is_costs_no_time(servers: list[Server]) -> None:
    nobody = Server(servers[0].process, free_port())
    async with connected(nobody, servers[1]) as channel:
        began = time.monotonic()
        call = Caller(channel)
        assert [await call() for _ in range(4)] == [servers[1].port] * 4
        assert time.monotonic() - began < 1.0


class Names:
    """What a name stands for, in place of a server of names."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts

    def __call__(self, host: str, port: str, *others: Any, **options: Any) -> list[Any]:
        if host != "localhost":
            return look_up(host, port, *others, **options)
        if not self.hosts:
            raise OSError(f"nobody knows {host}")
        return [(AddressFamily.AF_INET, SocketKind.SOCK_STREAM, 6, "", (each, int(port))) for each in self.hosts]


@asynccontextmanager
async def at(host: str, port: int = 0) -> AsyncIterator[int]:
    """A jobstore at a host of the loopback, that answers with the last number of the host."""
    server, servicer = create_server(Tokens({Role.ADMINISTRATOR: [TOKEN]}))

    async def answer(_: bytes, __: Any) -> bytes:
        return host.rpartition(".")[2].encode()

    async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield await answer(request, context)
        await asyncio.sleep(60)

    methods = {
        "Answer": grpc.unary_unary_rpc_method_handler(answer),
        "WatchAnswers": grpc.unary_stream_rpc_method_handler(stream),
        "ExportAnswers": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    port = server.add_insecure_port(f"{host}:{port}")
    await server.start()
    await set_serving(servicer, ready=True)
    yield port
    await set_serving(servicer, ready=False)
    await server.stop(1.0)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    methods = (ANSWER, WATCH, EXPORT)
    monkeypatch.setattr(callers, "ACCESS", dict.fromkeys(methods, Access(ADMINISTRATORS, Of.ANYBODY)))
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    monkeypatch.setattr(channels, "ANSWER_S", 0.5)
    return made


async def test_who_joins_a_name_has_its_share_and_who_leaves_it_has_none(names: Names) -> None:
    """As with `--scale jobstore=2`, and as pods come and go; one that does not serve yet has none either."""
    names.hosts = ("127.0.0.1",)
    async with at("127.0.0.1") as port, open_channel(f"localhost:{port}", 1 << 20) as channel:
        call, seen = Caller(channel), list[int]()

        async def call_until_told() -> None:
            while not is_told:
                seen.append(await call())

        async def look(*hosts: str) -> set[int]:
            names.hosts = hosts
            await channel.look()  # type: ignore[attr-defined]
            before = len(seen)
            while len(seen) < before + 20:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
            return set(seen[before + 2 :])

        is_told = False
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call_until_told())
            assert await look("127.0.0.1", "127.0.0.2") == {1}
            async with at("127.0.0.2", port), at("127.0.0.3", port):
                assert await look("127.0.0.1", "127.0.0.2") == {1, 2}
                assert await look() == {1, 2}  # the server of names is away
                assert await look("127.0.0.2", "127.0.0.3") == {2, 3}
                assert await look("127.0.0.1", "127.0.0.2") == {1, 2}
            assert await look("127.0.0.1", "127.0.0.2") == {1}
            is_told = True


async def test_watches_are_begun_anew_where_a_jobstore_joins_or_leaves(names: Names) -> None:
    """And nothing else that streams is: it could not go on where it was."""
    names.hosts = ("127.0.0.1",)
    async with at("127.0.0.1") as port, at("127.0.0.2", port), open_channel(f"localhost:{port}", 1 << 20) as channel:

        async def open_stream(method: str) -> Any:
            stream = channel.unary_stream(method)(b"", metadata=METADATA)
            assert int(await anext(stream)) == 1
            return stream

        watched, exported = await open_stream(WATCH), await open_stream(EXPORT)
        ended, going_on = asyncio.create_task(anext(watched, None)), asyncio.create_task(anext(exported, None))
        names.hosts = ("127.0.0.1", "127.0.0.2")
        await channel.look()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            assert await ended is None
        begun = {int(await anext(channel.unary_stream(WATCH)(b"", metadata=METADATA))) for _ in range(20)}
        assert begun == {1, 2}
        assert not going_on.done()
        going_on.cancel()


async def test_who_gives_up_a_watch_is_told_so_whatever_ends_it(names: Names) -> None:
    names.hosts = ("127.0.0.1",)
    async with at("127.0.0.1") as port, open_channel(f"localhost:{port}", 1 << 20) as channel:
        stream = channel.unary_stream(WATCH)(b"", metadata=METADATA)
        await anext(stream)
        watching = asyncio.create_task(anext(stream, None))
        await asyncio.sleep(0)
        watching.cancel()
        for jobstore in channel._jobstores:  # type: ignore[attr-defined]
            jobstore.end_watches()
        with pytest.raises(asyncio.CancelledError):
            await watching


async def test_calls_that_reach_a_server_as_it_stops_go_on_elsewhere() -> None:
    """Those that arrive before a client has heard of it are cancelled by gRPC, and not by whoever made them."""
    addresses, answered = [], []

    async def answer(_: bytes, __: Any) -> bytes:
        await asyncio.sleep(0.001)
        return b"1"

    async def call_until_told(channel: Any) -> None:
        call = Caller(channel)
        while not is_told:
            answered.append(await call())

    async with AsyncExitStack() as stack:
        servers = [grpc.aio.server() for _ in range(2)]
        for server in servers:
            handlers = {"Answer": grpc.unary_unary_rpc_method_handler(answer)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            await server.start()
            stack.push_async_callback(server.stop, 0)
        channel = await stack.enter_async_context(open_channel(",".join(addresses), 1 << 20))
        is_told = False
        async with asyncio.TaskGroup() as tasks:
            for _ in range(50):
                tasks.create_task(call_until_told(channel))
            while len(answered) < 100:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.001)
            await servers[0].stop(1.0)
            is_told = True
    assert set(answered) == {1}


async def test_a_channel_without_an_address_says_so() -> None:
    with pytest.raises(ValueError, match="host:port"):
        open_channel(" , ", 1)


async def test_a_jobstore_that_does_not_answer_is_an_error_of_the_clients_own() -> None:
    held = []
    async with await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        async with AsyncClient(f"127.0.0.1:{port}", timeout_s=0.3) as client:
            with pytest.raises(SignoffError) as failed:
                await client.get_latest_cursor()
        for _, writer in held:
            writer.close()
    assert failed.value.grpc_status is grpc.StatusCode.DEADLINE_EXCEEDED
