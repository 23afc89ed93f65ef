"""A TCP proxy whose connections can be cut, held up and slowed down."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024
DRIP_BYTES = 512
DRIP_S = 0.02
#: How much longer each chunk takes, by mode.
DELAYS_S = {"delay": 0.15, "late": 2.0}
STOPPED_WITHIN_S = 10.0
#: Of so many chunks one comes through by half, and its connection ends.
TORN_EVERY = 12


@dataclass(eq=False, slots=True)
class _Connection:
    """Both ends, and the port from which the client came."""

    client_port: int
    writers: list[asyncio.StreamWriter]
    upstream_port: int = 0

    def reset(self) -> None:
        """End both sides with a RST, as a machine does that was gone for a while."""
        for writer in self.writers:
            if (opened := writer.get_extra_info("socket")) is not None and not writer.transport.is_closing():
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def close(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


@dataclass(eq=False, slots=True)
class Link:
    """One listening port, or several, each of which leads to another.

    `mode` is open, cut, tear, hang, delay, late, drip or mute.
    """

    name: str
    upstream_port: int = 0
    port: int = 0
    mode: str = "open"
    #: By mode, how many connections it ended or turned away, or how many chunks it held up.
    acted: Counter[str] = field(default_factory=Counter)
    _connections: set[_Connection] = field(default_factory=set)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        self._flowing.set()
        self.port = await self._listen(lambda: self.upstream_port)

    async def open_door(self, upstream_port: int) -> int:
        """Listen at one more port, which leads to another part of the same upstream; return it."""
        return await self._listen(lambda: upstream_port)

    async def _listen(self, find_upstream: Callable[[], int]) -> int:
        async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._on_connection(reader, writer, find_upstream())

        self._servers.append(await asyncio.start_server(on_connection, "127.0.0.1", 0, backlog=1024))
        port: int = self._servers[-1].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        self.set("cut")
        with contextlib.suppress(TimeoutError):  # what was seen is not lost for a connection that does not end
            async with asyncio.timeout(STOPPED_WITHIN_S):
                while self._connections:  # noqa: ASYNC110 - each ends by itself
                    await asyncio.sleep(0.01)
                for server in self._servers:
                    await server.wait_closed()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set(self, mode: str) -> None:
        """From now on; `cut` also ends the connections that there are. One that was mute stays so until it ends."""
        self.mode = mode
        if mode == "hang":
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode == "cut":
            self.cut()

    def cut(self) -> None:
        """End all connections at once, with a reset."""
        self.acted["cut"] += len(self._connections)
        for connection in list(self._connections):
            connection.reset()

    def client_port_of(self, upstream_port: int) -> int | None:
        """From which port the client came that the upstream sees at this one."""
        ports = (c.client_port for c in self._connections if c.upstream_port == upstream_port)
        return next(ports, None)

    async def _on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream_port: int
    ) -> None:
        peer = writer.get_extra_info("peername")
        if peer is None:  # the client has left
            writer.close()
            return
        connection = _Connection(peer[1], [writer])
        self._connections.add(connection)
        try:
            await self._joined(connection, reader, writer, upstream_port)
        except OSError:
            pass  # the upstream is down, or one side has left
        finally:
            connection.close()
            await asyncio.gather(*(each.wait_closed() for each in connection.writers), return_exceptions=True)
            self._connections.discard(connection)

    async def _joined(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream_port: int
    ) -> None:
        if self.mode not in {"open", "tear"}:
            self.acted[self.mode] += 1
        if self.mode == "cut":
            return
        await self._flowing.wait()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
        connection.writers.append(far_writer)
        connection.upstream_port = far_writer.get_extra_info("sockname")[1]
        there = asyncio.create_task(self._pump(reader, far_writer))
        back = asyncio.create_task(self._pump(far_reader, writer))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            # Whoever ends one direction is answered in the other: HTTP and gRPC do not half-close for long.
            await asyncio.wait({there, back}, timeout=0.1)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_mute = False
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                is_mute = is_mute or self.mode == "mute"
                if is_mute:  # what follows a gap is nothing that the other side could read
                    self.acted["mute"] += 1
                else:
                    await self._passed(data, writer)
            writer.write_eof()

    async def _passed(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if self.mode != "open":
            self.acted[self.mode] += 1
        if self.mode == "tear" and self.acted["tear"] % TORN_EVERY == 0:
            writer.write(data[: len(data) // 2])
            await writer.drain()
            raise ConnectionResetError("torn half-way")
        await self._flowing.wait()
        await asyncio.sleep(DELAYS_S.get(self.mode, 0.0))
        while data:
            size = DRIP_BYTES if self.mode == "drip" else len(data)
            writer.write(data[:size])
            await writer.drain()
            data = data[size:]
            if self.mode == "drip":
                await asyncio.sleep(DRIP_S)
