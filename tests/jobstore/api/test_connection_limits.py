"""Connections by themselves take little of a gRPC server: not many, none that says nothing, none that is not there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from api_calls import TOKENS

from jobstore.access.tokens import Tokens
from jobstore.api.server import SERVERS, ConnectionLimits, create_server

#: What begins HTTP/2: the preface, and settings, of which there are none.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SHORT_MS, LONG_MS = 300, 60_000
WAIT_S = 10.0


@asynccontextmanager
async def serving(**limits: int) -> AsyncIterator[int]:
    """A server whose other limits are far away."""
    far = {"handshake_ms": LONG_MS, "idle_ms": LONG_MS, "keepalive_ms": LONG_MS}
    server, _ = create_server(Tokens(TOKENS), connections=ConnectionLimits(**{**far, **limits}))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


@asynccontextmanager
async def connected(port: int, *, says: bytes = HELLO) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(says)
    yield reader
    writer.close()


async def is_closed(reader: asyncio.StreamReader, within_s: float) -> bool:
    """Whether the server closes a connection in time; what it says before is of no interest."""
    try:
        async with asyncio.timeout(within_s):
            while await reader.read(1024):
                pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_the_limits_are_those_that_are_stated() -> None:
    assert ConnectionLimits() == ConnectionLimits(
        connections_max=10_000, handshake_ms=10_000, idle_ms=300_000, keepalive_ms=20_000
    )


async def test_connections_beyond_the_most_are_closed_as_they_come() -> None:
    """The system spreads connections by chance over the servers, each of which takes its share."""
    async with serving(connections_max=2 * SERVERS) as port, AsyncExitStack() as stack:
        made = [await stack.enter_async_context(connected(port)) for _ in range(20 * SERVERS)]
        served = [reader for reader in made if await is_served(reader)]
        assert SERVERS <= len(served) <= 2 * SERVERS
        assert not any(await asyncio.gather(*(is_closed(reader, 0.2) for reader in served)))


async def is_served(reader: asyncio.StreamReader) -> bool:
    """Whether the server speaks to a connection, and does not close it."""
    async with asyncio.timeout(WAIT_S):
        try:
            return bool(await reader.read(1))
        except ConnectionResetError:
            return False


async def test_an_address_that_another_serves_is_refused() -> None:
    """Servers share their port with one another alone: by a second jobstore there, calls would go here and there."""
    async with serving() as port:
        other, _ = create_server(Tokens(TOKENS))
        with pytest.raises(OSError, match="already in use"):
            other.add_insecure_port(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("limit", "says"),
    [("handshake_ms", b""), ("idle_ms", HELLO), ("keepalive_ms", HELLO)],
    ids=["says nothing", "makes no call", "answers no ping"],
)
async def test_a_connection_is_closed_that_is_of_no_use(limit: str, says: bytes) -> None:
    async with serving(**{limit: SHORT_MS}) as port, connected(port, says=says) as reader:
        began = time.monotonic()
        assert await is_closed(reader, WAIT_S)
        assert time.monotonic() - began >= SHORT_MS / 1000 * 0.9


async def test_a_connection_is_kept_within_its_limits() -> None:
    async with serving() as port, connected(port) as spoken, connected(port, says=b"") as silent:
        assert not await is_closed(spoken, 1.0)
        assert not await is_closed(silent, 0.2)
