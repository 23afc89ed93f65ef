"""Patch asyncpg 0.32: send BEGIN with a transaction's first statement and COMMIT with its last, in no round trip more.

asyncpg sends Sync behind each statement and awaits the answer (upstream: MagicStack/asyncpg#588). PostgreSQL answers
all that comes before one Sync, and passes over what stands behind a statement that failed [1]. asyncpg takes the rows
of all answers before the next Sync for those of its statement, and the last command's tag for its tag: COMMIT has no
rows, and nobody here asks for tags. test_pipelining.py shows that asyncpg still does so: where that fails, the patch
goes.

[1] https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar, cast

import asyncpg

_SYNC: Final = b"S\x00\x00\x00\x04"
_BIND, _QUERY = ord("B"), ord("Q")


def _make_message(kind: bytes, body: bytes) -> bytes:
    return kind + (4 + len(body)).to_bytes(4) + body


def _make_command(sql: bytes) -> bytes:
    """Return the protocol messages that parse, bind and execute a command without parameters, as unnamed statement."""
    parse, bind, execute = b"\x00" + sql + b"\x00" + bytes(2), bytes(2 + 6), bytes(1 + 4)
    return _make_message(b"P", parse) + _make_message(b"B", bind) + _make_message(b"E", execute)


_BEGIN: Final = _make_command(b"BEGIN")
_COMMIT: Final = _make_command(b"COMMIT")


class Pipeline:
    """The transport of a connection; on demand it sends BEGIN in front of the next statement, and COMMIT behind it."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._front = self._back = b""
        self._is_open = False
        #: Whether COMMIT was sent; and it was carried out, unless the statement before it has failed.
        self.is_committed = False

    def __getattr__(self, name: str) -> object:
        """Return an attribute of the wrapped transport."""
        return getattr(self._transport, name)

    @property
    def socket(self) -> socket.socket | None:
        """The socket that the transport writes to."""
        return cast("socket.socket | None", self._transport.get_extra_info("socket"))

    @property
    def _is_waiting(self) -> bool:
        return bool(self._front or self._back)

    def write(self, data: memoryview) -> None:
        """Write protocol messages. The first Bind, which executes a statement, takes waiting BEGIN and COMMIT along."""
        if not self._is_waiting or data[0] != _BIND:
            assert not (self._is_waiting and data[0] == _QUERY), "BEGIN and COMMIT go with prepared statements alone"
            self._transport.write(data)
            return
        self._transport.writelines([self._front, data[: -len(_SYNC)], self._back + _SYNC])
        self.is_committed = bool(self._back)
        self._front = self._back = b""

    def writelines(self, data: Iterable[bytes]) -> None:
        """Write the protocol messages that execute one statement many times, once for each row of values."""
        assert not self._is_waiting, "BEGIN and COMMIT go with statements that are executed once"
        self._transport.writelines(data)

    def is_closing(self) -> bool:
        """Return whether the connection is lost, or being closed."""
        return self._transport.is_closing()

    def begin_with_next(self) -> None:
        """Send BEGIN in front of the next statement."""
        self._front, self._is_open = _BEGIN, True

    def commit_with_next(self) -> None:
        """Send COMMIT behind the next statement."""
        assert self._is_open, "only a pipelined transaction is committed by a statement"
        self._back = _COMMIT

    def end(self) -> bool:
        """Drop a BEGIN or COMMIT that still waits for a statement, and return whether BEGIN was sent."""
        has_begun = not self._front
        self._front, self._back, self._is_open = b"", b"", False
        return has_begun


class _PipelinedProtocol(asyncpg.protocol.Protocol):  # type: ignore[misc] # asyncpg has no types
    """The protocol of every connection of asyncpg in this process; it writes to a Pipeline."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.pipeline = Pipeline(transport)
        super().connection_made(self.pipeline)


asyncpg.protocol.Protocol = _PipelinedProtocol  # there is no public way


def get_pipeline(driver: "asyncpg.Connection[asyncpg.Record]") -> Pipeline:
    """Return the Pipeline that a connection of asyncpg writes to."""
    pipeline: Pipeline = driver._protocol.pipeline  # noqa: SLF001 - there is no public way
    return pipeline


@contextlib.asynccontextmanager
async def begin_with_next(driver: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[None]:
    """Begin a transaction with the next statement; commit it when the context ends, or roll it back on an error."""
    pipeline = get_pipeline(driver)
    pipeline.begin_with_next()
    try:
        yield
    except BaseException:
        # After a cancellation it is unknown how far the server is: a rollback too many is only a warning.
        if pipeline.end() and not pipeline.is_closing():
            await driver.execute("ROLLBACK")
        raise
    if pipeline.end() and not pipeline.is_committed:
        await driver.execute("COMMIT")


R = TypeVar("R", bound=asyncpg.Record)


def count_waiting(pools: Iterable["asyncpg.Pool[R]"], places: Iterable[asyncio.Semaphore]) -> int:
    """Return how many wait for a connection of pools, or for a place; neither asyncpg nor asyncio says that itself.

    To count them where they wait would cost each transaction.
    """
    getters = [*(pool._queue._getters for pool in pools), *(place._waiters or () for place in places)]  # noqa: SLF001
    return sum(not each.done() for waiting in getters for each in [*waiting])
