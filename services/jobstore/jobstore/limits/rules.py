"""Names of limits, the flows they make, and the windows in which rates are counted. Pure.

A limit applies to an agent, a tenant, the value of a label, or a batch. Its name ends in that value, or in `*`, the
wildcard, which stands for each value: `agent:writer`, `tenant:*`, `label:team=red`, `label:team=*`. A value's own limit
holds what it sets, and of the rest what the wildcard's says (`apply` in storage.limits). The name of a label ends at
the first `=`: a label whose own name has one is not limited.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from servicekit.leasing.slots import is_scarce, may_have_more

#: Starts are counted by whole parts of a period, this many to a period. No window as long as the period then holds more
#: than the rate; a start may wait for up to one part longer than it must.
PERIOD_PARTS: Final = 20


def agent_limit(agent_id: str) -> str:
    """Return the name of an agent's limit."""
    return f"agent:{agent_id}"


def tenant_limit(tenant: str) -> str:
    """Return the name of a tenant's limit."""
    return f"tenant:{tenant}"


def batch_limit(batch_id: UUID) -> str:
    """Return the name of a batch's limit."""
    return f"batch:{batch_id}"


def is_shared(name: str) -> bool:
    """Return whether a name is of a tenant or an agent, which hold shares of the workers' capacity."""
    return name.startswith(("tenant:", "agent:"))


def wildcard(name: str) -> str:
    """Return the name of the limit that applies to each value of the same kind (`WILDCARD` in storage.limits)."""
    kind, _, value = name.partition(":")
    return f"label:{value.partition('=')[0]}=*" if kind == "label" else f"{kind}:*"


def is_limited(name: str, limits: Collection[str]) -> bool:
    """Return whether a limit applies to a name."""
    return name in limits or wildcard(name) in limits


def flow_of(agent_id: str, labels: Mapping[str, str], batch_id: UUID | None, limits: Collection[str]) -> list[str]:
    """Return the flow of an execution: the sorted names of its agent and of its limited labels and batch.

    `_ADD_BATCH_TO_FLOWS` and `_ADD_LABEL_TO_FLOWS` of limits/store.py add to it what is limited later.
    """
    others = [f"label:{key}={value}" for key, value in labels.items() if "=" not in key]
    others += [batch_limit(batch_id)] if batch_id else []
    return sorted({agent_limit(agent_id), *(name for name in others if is_limited(name, limits))})


def window_start(now: datetime, period_s: float) -> datetime:
    """Return the time after which those parts began that may hold starts of the last period."""
    return now - timedelta(seconds=period_s * (1 + 1 / PERIOD_PARTS))


def is_held_back(tenant: str, flow: Iterable[str], limits: Collection[str]) -> bool:
    """Return whether a limit applies to a tenant, or to any name of a flow."""
    return bool(limits) and any(is_limited(name, limits) for name in (tenant_limit(tenant), *flow))


@dataclass(slots=True)
class SharedRoom:
    """What is free of the executors' capacity, and how much tenants and agents hold, by the names of their limits.

    While more than a fifth is free nobody need be counted, and while nothing is, nobody is given anything.
    """

    free: int
    capacity: int
    held: dict[str, int] = field(default_factory=dict)

    def find_full(self, names: Iterable[str]) -> str | None:
        """Return the first of these names that holds so much that it is given no more, or None."""
        if self.free <= 0 or not is_scarce(self.free, self.capacity):
            return None
        return next((name for name in names if not may_have_more(self.held.get(name, 0), self.free)), None)

    def take(self, names: Iterable[str]) -> None:
        """Count an execution that is offered under these names."""
        self.free -= 1
        for name in filter(is_shared, names):
            self.held[name] = self.held.get(name, 0) + 1
