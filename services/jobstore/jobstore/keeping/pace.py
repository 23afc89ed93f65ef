"""Let the loops that remove things take no more than a share of a connection's time."""

import asyncio
import time
from typing import Final

#: They work for so much of the time at most.
SHARE: Final = 0.2


async def pause(began: float) -> None:
    """Pause so long that no more than SHARE of the time is spent in what has begun then (`time.monotonic`)."""
    await asyncio.sleep((time.monotonic() - began) * (1 / SHARE - 1))
