"""Whether an execution is offered with its request, by the transaction that requests it, or queued. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from jobstore.domain.model import Execution


@dataclass(slots=True)
class Openings:
    """What decides whether requests may be offered at once.

    `room`: leases that live executors would still take, less the offers that are not claimed yet. `is_waiting`: whether
    an execution waits that is due, or so many wait that nobody has looked. `has_open_circuits`: of any agent.
    """

    room: int = 0
    is_waiting: bool = False
    has_open_circuits: bool = False

    def take(self, execution: Execution, limit_names: Collection[str], now: datetime) -> bool:
        """Return whether a queued execution may be offered at once, and count it.

        Nothing that is due may wait before it, and no limit or circuit may hold anything back: else its turn is the
        dispatcher's to decide. More may be offered than there is room for where transactions count the same room; then
        its claim is answered `no_room`, and it is queued again.
        """
        is_due = execution.due_at is not None and execution.due_at <= now
        if not is_due or self.room <= 0 or self.is_waiting or self.has_open_circuits or limit_names:
            return False
        self.room -= 1
        return True
