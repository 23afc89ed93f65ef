"""Delay batches of records until they have reached an age."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord

from servicekit import clock

#: Unread records beyond which a reader is behind, and delays no batch.
BEHIND_RECORDS: Final = 500


class BatchDelay:
    """The delay of batches until their records have reached an age; a caller that waits can cut it short."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._is_ended = False

    def hurry(self) -> None:
        """End the delay under way; later batches are delayed again."""
        self._over.set()
        if not self._is_ended:
            self._over.clear()

    def end(self) -> None:
        """End the delay, and all later ones."""
        self._is_ended = True
        self._over.set()

    async def wait(self, records: Sequence[ConsumerRecord[Any, Any]], delay_s: float, unread: int | None) -> bool:
        """Wait until the newest record is `delay_s` old, and return whether the delay was cut short.

        The wait is at most `delay_s`, whatever timestamps records have. There is no wait if one is twice as old, or if
        `unread` is None or above BEHIND_RECORDS: timestamps in the future must not make this reader fall behind.
        """
        now = clock.now().timestamp()
        ages_s = [now - record.timestamp / 1000 for record in records]
        if unread is None or unread > BEHIND_RECORDS or max(ages_s) > 2 * delay_s:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(delay_s - min(ages_s), delay_s)):
                return await self._over.wait()
        return False
