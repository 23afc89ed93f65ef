"""Connections by themselves take little of a gRPC server: not many, none that says nothing, none that is not there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from api_calls import TOKENS

from jobstore.api.auth import Tokens
from jobstore.api.server import ConnectionLimits, create_server

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
        most=10_000, handshake_ms=10_000, idle_ms=300_000, keepalive_ms=20_000
    )


async def test_connections_beyond_the_most_are_closed_as_they_come() -> None:
    async with serving(most=2) as port, connected(port) as first, connected(port) as second:
        assert await first.read(1)  # it is served
        assert await second.read(1)
        async with connected(port) as third:
            assert await is_closed(third, WAIT_S)
        assert not await is_closed(first, 0.2)
        assert not await is_closed(second, 0.2)


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
