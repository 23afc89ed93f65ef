"""Patch aiokafka so that it survives lost connections under uvloop.

A write to a connection that has just been lost raises RuntimeError in uvloop, and nothing in asyncio. aiokafka
expects only OSError: its task that refreshes metadata ended there for good, and with it the consumer's membership in
its group, while the consumer went on reading.
"""

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send: Final = AIOKafkaConnection.send


def _send_or_close(self: AIOKafkaConnection, *args: Any, **named: Any) -> Any:
    try:
        return _send(self, *args, **named)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def survive_lost_connections() -> None:
    """Make aiokafka treat uvloop's RuntimeError as the lost connection that it is; call once per process."""
    AIOKafkaConnection.send = _send_or_close
