"""An agent that does to each path what a script says, down to the bytes."""

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

MEGABYTE = b" " * (1 << 20)

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class FaultAgent:
    """Listens on a loopback address; `calls` has what arrived."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.port = 0
        self.ended = 0  # scripts that ended, or were broken off
        self._scripts: dict[str, Script] = {}
        self._running: set[asyncio.Task[None]] = set()

    def does(self, script: Script) -> str:
        """The URL of a path that does it."""
        path = f"/{len(self._scripts)}"
        self._scripts[path] = script
        return f"http://127.0.0.1:{self.port}{path}"

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._running.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._answer(reader, writer)
        finally:
            self.ended += 1
            self._running.discard(task)
            writer.close()

    async def stop(self) -> None:
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name: value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        method, path, _ = head[0].split(" ")
        call = Call(method, path, headers, body)
        self.calls.append(call)
        await self.choose(call)(writer)

    def choose(self, call: Call) -> Script:
        """What it does with a call."""
        return self._scripts[call.path]


@asynccontextmanager
async def fault_agent(host: str = "127.0.0.1") -> AsyncIterator[FaultAgent]:
    agent = FaultAgent()
    server = await asyncio.start_server(agent.on_connection, host)
    agent.port = server.sockets[0].getsockname()[1]
    async with server:
        yield agent
        await agent.stop()


def says(body: bytes, status: int = 200, **headers: Any) -> Script:
    """A whole answer. Header names are written with underscores."""
    headers = {"Content-Length": len(body), "Connection": "close", **headers}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()]
    return sends(f"HTTP/1.1 {status} Whatever\r\n{''.join(lines)}\r\n".encode("utf-8", "surrogateescape") + body)


def sends(text: bytes) -> Script:
    """These bytes, and the end of the connection."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return script


async def hangs(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def pours(writer: asyncio.StreamWriter) -> None:
    """100 MB that are JSON."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
    for _ in range(100):
        writer.write(MEGABYTE)
        await writer.drain()
    writer.write(b"1]")


@cache
def zip_spaces() -> bytes:
    """Return the same in 100 KB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join([deflate.compress(b"["), *(deflate.compress(MEGABYTE) for _ in range(100))])
    return body + deflate.compress(b"1]") + deflate.flush()


async def bomb(writer: asyncio.StreamWriter) -> None:
    await says(zip_spaces(), Content_Encoding="gzip")(writer)


def zipped(body: bytes) -> Script:
    return says(gzip.compress(body), Content_Encoding="gzip")
