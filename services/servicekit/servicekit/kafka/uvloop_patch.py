"""Patch aiokafka so that it survives lost connections.

A write to a connection that has just been lost raises RuntimeError in uvloop, and nothing in asyncio. aiokafka
expects only OSError: its task that refreshes metadata ended there for good, and with it the consumer's membership in
its group, while the consumer went on reading.

A consumer that is stopped cancels its fetches and awaits them. One that failed, since the broker is away, and waits to
be tried again lets that through: whoever stopped the consumer then ends as if they had been cancelled themselves, and
says nothing of the broker.
"""

import asyncio
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.errors import KafkaConnectionError

_send: Final = AIOKafkaConnection.send
_fetch: Final = Fetcher._proc_fetch_request  # noqa: SLF001 - there is no public way


def _send_or_close(self: AIOKafkaConnection, *args: Any, **named: Any) -> Any:
    try:
        return _send(self, *args, **named)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


async def _fetch_or_end(self: Fetcher, *args: Any) -> bool:
    try:
        return bool(await _fetch(self, *args))
    except asyncio.CancelledError:  # as where it is cancelled before it failed
        return False


def survive_lost_connections() -> None:
    """Make aiokafka treat a lost connection as what it is, while it goes on and as it ends; call once per process."""
    AIOKafkaConnection.send = _send_or_close
    Fetcher._proc_fetch_request = _fetch_or_end  # noqa: SLF001 - there is no public way
