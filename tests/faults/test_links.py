"""The proxy does what the storm relies on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from faults.stack.links import TORN_EVERY, Link


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link("echo", server.sockets[0].getsockname()[1])
    await link.start()
    yield link
    await link.stop()
    server.close()
    await server.wait_closed()


async def said(link: Link, words: bytes, port: int = 0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port or link.port)
    try:
        writer.write(words)
        return await reader.readexactly(len(words))
    finally:
        writer.close()


async def test_an_open_link_passes_everything_on(link: Link) -> None:
    words = bytes(range(256)) * 2000
    assert await said(link, words) == words


@pytest.mark.parametrize("mode", ["delay", "late", "drip"])
async def test_a_slow_link_passes_everything_on_in_the_end(link: Link, mode: str) -> None:
    link.set(mode)
    assert await said(link, b"slow" * 300) == b"slow" * 300


async def test_a_link_that_hangs_passes_on_what_waited(link: Link) -> None:
    link.set("hang")
    saying = asyncio.create_task(said(link, b"later"))
    done, _ = await asyncio.wait({saying}, timeout=0.1)
    assert not done
    link.set("open")
    assert await saying == b"later"


async def test_a_link_that_is_cut_ends_all_connections_and_takes_no_new_ones(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    link.set("cut")
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await said(link, b"after")


async def test_all_doors_of_a_link_are_cut_with_it(link: Link) -> None:
    door = await link.open_door(link.upstream_port)
    assert await said(link, b"before", door) == b"before"
    link.set("cut")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await said(link, b"after", door)


async def test_a_link_that_tears_passes_on_half_of_a_chunk_and_ends_that_connection(link: Link) -> None:
    link.set("tear")
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while True:
            writer.write(b"12345678")
            if not (said_back := await reader.read(8)):
                break
            heard += said_back
    writer.close()
    assert len(heard) == 8 * (TORN_EVERY // 2 - 1) + 4
    assert await said(link, b"another") == b"another"


async def test_a_connection_that_was_mute_stays_so_and_a_new_one_is_not(link: Link) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    link.set("mute")
    writer.write(b"lost")
    while not link.acted["mute"]:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    link.set("open")
    writer.write(b"lost, too")
    assert await said(link, b"heard") == b"heard"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
