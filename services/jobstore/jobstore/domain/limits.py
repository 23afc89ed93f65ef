"""What holds executions back, by name: agents, tenants, values of labels and batches; pure.

A name ends in a value, or in `*`, which stands for each value that has no limit of its own.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

#: A period is counted in so many parts, so that no window as long as the period ever holds more than the rate.
PERIOD_PARTS: Final = 20


def agent_limit(agent_id: str) -> str:
    """The name of what applies to an agent."""
    return f"agent:{agent_id}"


def tenant_limit(tenant: str) -> str:
    """The name of what applies to a tenant."""
    return f"tenant:{tenant}"


def batch_limit(batch_id: UUID) -> str:
    """The name of what applies to a batch."""
    return f"batch:{batch_id}"


def wildcard(name: str) -> str:
    """The name of what applies to each value of this kind."""
    kind, _, value = name.partition(":")
    return f"label:{value.partition('=')[0]}=*" if kind == "label" else f"{kind}:*"


def is_limited(name: str, limits: Collection[str]) -> bool:
    """Whether one of the limits applies to it."""
    return name in limits or wildcard(name) in limits


def flow_of(agent_id: str, labels: Mapping[str, str], batch_id: UUID | None, limits: Collection[str]) -> list[str]:
    """What executions of a tenant must have in common to wait in one queue: the agent, and what else limits them."""
    others = [f"label:{key}={value}" for key, value in labels.items()]
    others += [batch_limit(batch_id)] if batch_id else []
    return sorted([agent_limit(agent_id), *(name for name in others if is_limited(name, limits))])


def part_of(now: datetime, period_s: float) -> datetime:
    """When the part of the period began that `now` is in."""
    length = timedelta(seconds=period_s / PERIOD_PARTS)
    return now - (now - _EPOCH) % length


def window_of(now: datetime, period_s: float) -> datetime:
    """Parts that began after this may hold what began less than a period ago."""
    return now - timedelta(seconds=period_s * (1 + 1 / PERIOD_PARTS))


def held_back(names: Iterable[str], limits: Collection[str]) -> bool:
    """Whether any limit applies to what has these names."""
    return bool(limits) and any(is_limited(name, limits) for name in names)


_EPOCH: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
