"""Calls go on at another jobstore where one does not answer within 3 s, and not where one takes its time."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from support.echo import ANSWER, SERVICE, STREAM, TOKEN
from support.free_ports import free_port

from signoff import AsyncClient, SignoffError
from signoff.connection import open_channel

TESTS = Path(__file__).parents[2]
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
    """A channel to servers that begins at the first."""
    async with open_channel(",".join(server.address for server in servers), 1 << 20) as channel:
        channel.current = 0  # type: ignore[attr-defined] # it is drawn by lot
        yield channel


async def call(channel: Any, seconds: float = 0.0) -> int:
    """Call the method that answers once; return the port of who answered."""
    return int(await channel.unary_unary(ANSWER)(str(seconds).encode(), timeout=30, metadata=METADATA))


async def test_a_frozen_server_is_left_within_three_seconds(servers: list[Server]) -> None:
    """By a call that is under way, by a stream, and by who has not connected to it before."""
    first, second = servers
    async with connected(first, second) as channel, connected(first, second) as watching, connected(*servers) as new:
        assert await call(channel) == first.port
        stream = watching.unary_stream(STREAM)(b"60", metadata=METADATA)
        assert int(await anext(stream)) == first.port
        under_way = asyncio.create_task(call(channel, 1.0))
        first.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        begun = asyncio.create_task(call(new))
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await anext(stream)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - began < WITHIN_S
        assert await call(watching) == second.port
        assert await begun == second.port
        assert time.monotonic() - began < WITHIN_S
        assert await under_way == second.port
        assert time.monotonic() - began < WITHIN_S + 1.0  # for which it asked
        began = time.monotonic()
        assert await call(channel) == second.port  # and stays there
        assert time.monotonic() - began < 1.0


async def test_a_server_that_takes_its_time_is_not_left(servers: list[Server]) -> None:
    async with connected(*servers) as channel:
        assert await call(channel, 5.0) == servers[0].port


async def test_a_server_at_which_a_call_ran_out_of_its_time_is_left_by_the_next(servers: list[Server]) -> None:
    async with connected(*servers) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await channel.unary_unary(ANSWER)(b"2", timeout=0.5, metadata=METADATA)
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await call(channel) == servers[1].port


async def test_an_address_at_which_nobody_is_costs_no_time(servers: list[Server]) -> None:
    nobody = Server(servers[0].process, free_port())
    async with connected(nobody, servers[1]) as channel:
        began = time.monotonic()
        assert await call(channel) == servers[1].port
        assert time.monotonic() - began < 1.0


async def test_calls_that_reach_a_server_as_it_stops_go_on_elsewhere() -> None:
    """Those that arrive before a client has heard of it are cancelled by gRPC, and not by whoever made them."""
    addresses, answered = [], []

    async def answer(_: bytes, __: Any) -> bytes:
        await asyncio.sleep(0.001)
        return b"1"

    async def call_until_told(channel: Any) -> None:
        while not is_told:
            answered.append(await call(channel))

    async with AsyncExitStack() as stack:
        servers = [grpc.aio.server() for _ in range(2)]
        for server in servers:
            handlers = {"Answer": grpc.unary_unary_rpc_method_handler(answer)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            await server.start()
            stack.push_async_callback(server.stop, 0)
        channel = await stack.enter_async_context(open_channel(",".join(addresses), 1 << 20))
        channel.current, is_told = 0, False  # type: ignore[attr-defined] # it is drawn by lot
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
