"""Forward the connections of a port to another address, where several servers may share one name: the port of Compose.

A port of a machine is published by one container, and there may be several jobstores.
"""

import asyncio
import sys
from contextlib import suppress

import uvloop

CHUNK_BYTES = 1 << 16


async def forward(port: int, host: str, target: int) -> None:
    """Forward until the process ends."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(host, target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    server = await asyncio.start_server(connect, "0.0.0.0", port)  # noqa: S104 - of a container
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy what comes until either side ends, and end the other."""
    with suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    name, _, at = sys.argv[2].rpartition(":")
    uvloop.run(forward(int(sys.argv[1]), name, int(at)))
