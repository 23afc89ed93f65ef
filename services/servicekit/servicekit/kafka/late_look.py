"""Look at records only once they are of some age: by then most need nothing any more."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord

from servicekit import clock

#: Among more unread records a reader that looks late at each is behind, and waits for nothing.
BEHIND_RECORDS: Final = 500


class LateLook:
    """The wait of a batch, which ends sooner where somebody waits for what is in it."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._is_ended = False

    def hurry(self) -> None:
        """End the wait that is under way; what comes later waits again."""
        self._over.set()
        if not self._is_ended:
            self._over.clear()

    def end(self) -> None:
        """Wait no more."""
        self._is_ended = True
        self._over.set()

    async def wait(self, records: Sequence[ConsumerRecord[Any, Any]], delay_s: float, unread: int | None) -> bool:
        """Wait until the newest record is `delay_s` old, and return whether this was hurried.

        No longer than that, whatever time its writer gave it. Where many more are unread, or that is not known, nothing
        waits: whoever writes times to come must not make this reader fall behind.
        """
        now = clock.now().timestamp()
        ages_s = [now - record.timestamp / 1000 for record in records]
        if unread is None or unread > BEHIND_RECORDS or max(ages_s) > 2 * delay_s:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(delay_s - min(ages_s), delay_s)):
                return await self._over.wait()
        return False
