"""Remember since when a command has failed alone, while the database could be written."""

import time
from collections.abc import Hashable
from typing import Final

from jobstore.commands.base import Command

#: After so long a command that fails alone is given up, and its record goes to the dead-letter queue.
PATIENCE_S: Final = 600.0
#: A command that did not fail for so long was carried out, or its worker is gone.
FORGET_S: Final = 120.0


class Doubts:
    """Since when, and when last, each command failed alone. Only what failed within FORGET_S is held."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._failing: dict[Hashable, tuple[float, float]] = {}

    def is_over(self, command: Command[object]) -> bool:
        """Note that a command failed alone, and return whether it has for too long."""
        now = time.monotonic()
        self._failing = {key: times for key, times in self._failing.items() if now - times[1] < FORGET_S}
        key = (type(command), command.locks())
        since, _ = self._failing.get(key, (now, now))
        self._failing[key] = since, now
        return now - since >= self._patience_s

    def forget(self) -> None:
        """Begin anew."""
        self._failing.clear()
