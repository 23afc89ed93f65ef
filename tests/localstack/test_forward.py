"""A port of Compose is forwarded to whichever jobstore answers to their name."""

import asyncio
import sys

from support.free_ports import free_port
from support.programs import process

LIMIT = 1 << 22


async def test_what_either_side_sends_arrives_and_the_end_of_one_ends_the_other():
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
        gone.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=LIMIT)
    target = server.sockets[0].getsockname()[1]
    port = free_port()
    async with server, process(sys.executable, "-m", "localstack.forward", str(port), f"localhost:{target}"):
        reader, writer = await connect(port)
        for size in (1, 1 << 20):
            writer.write(b"a" * size + b"\n")
            async with asyncio.timeout(20):
                assert await reader.readuntil(b"\n") == b"A" * size + b"\n"
        writer.close()
        async with asyncio.timeout(20):
            await gone.wait()


async def test_a_connection_ends_where_nobody_answers():
    port = free_port()
    async with process(sys.executable, "-m", "localstack.forward", str(port), f"localhost:{free_port()}"):
        reader, writer = await connect(port)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(20):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
            except OSError:
                await asyncio.sleep(0.05)
