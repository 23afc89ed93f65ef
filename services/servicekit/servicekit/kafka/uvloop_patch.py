"""What aiokafka does not know of uvloop.

Where a connection has just been lost, a write to it raises RuntimeError in uvloop, and nothing in asyncio. aiokafka
expects an OSError alone: the task that refreshes its metadata ended there for good, and with it the consumer's
membership in its group, while it went on reading.
"""

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send: Final = AIOKafkaConnection.send


def _sent(self: AIOKafkaConnection, *args: Any, **named: Any) -> Any:
    try:
        return _send(self, *args, **named)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"Connection at {self.host}:{self.port} broken: {error}") from error


def survive_lost_connections() -> None:
    """Have aiokafka take a connection that was lost for what it is."""
    AIOKafkaConnection.send = _sent
