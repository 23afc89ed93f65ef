"""Limits: what each applies to and holds back, and the limits of one transaction. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from contracts.resources import NewLimit
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import Actor, Execution
from servicekit.leasing.slots import is_scarce, may_have_more
from signoff.types import Limit

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


class LimitsLock(IntEnum):
    """How a command needs the limits: not at all; as they are, to request or claim an execution; or to change them."""

    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsWish(Wish):
    """`lock`: no limit may change until the commit, or nobody else may look at one. `named` limits are read."""

    lock: LimitsLock = LimitsLock.NONE
    named: frozenset[str] = frozenset()


class LimitChange(NamedTuple):
    """A limit as it is from now on, None where it is removed, and by whom."""

    limit: Limit | None
    actor: Actor


@dataclass(eq=False, slots=True)
class Limits(Part):
    """The limits that were named, and the names of all that hold executions back."""

    #: None: a limit was removed.
    limits: Overlay[str, Limit | None] = field(default_factory=overlay)
    changes: dict[str, LimitChange] = field(default_factory=dict)
    #: Who says that what is set now is all there is, after a rebuild that did not find it.
    confirmed_by: Actor | None = None
    #: Whether the limits lock is held; it is missed where a command needs it while limits are being changed.
    is_held: bool = False
    names: Collection[str] = frozenset()
    #: Whether any limit caps a queue, or has a rate.
    has_queue_caps: bool = False
    has_rates: bool = False

    def misses(self, wish: Wish) -> bool:
        """Return whether a wish needs the limits lock, and that is not held."""
        return self.is_missed and isinstance(wish, LimitsWish) and bool(wish.lock)

    def put(self, name: str, new: NewLimit | Limit, actor: Actor) -> Limit:
        """Set a limit, and return it. One that sets nothing is removed."""
        stored, general = self.limits.get(name), self.limits.get(wildcard(name)) if name != wildcard(name) else None
        fields = new.model_dump(include=set(NewLimit.model_fields))
        if not new.paused and not (general is not None and general.paused):
            fields["paused"] = None  # nothing else pauses it, so that this sets nothing
        version = stored.version + 1 if stored else 1
        limit = Limit(**fields, name=name, version=version, updated_at=self.uow.clock.now)
        if all(value is None for field, value in fields.items() if field != "rate_period_s"):
            self.remove(name, actor)
        else:
            self.limits[name] = limit
            self.changes[name] = LimitChange(limit, actor)
        return limit

    def pause(self, name: str, actor: Actor, *, paused: bool) -> Limit:
        """Pause or resume what a name applies to, and return its limit: what it sets besides stays."""
        limit = self.limits.get(name) or NewLimit()
        return self.put(name, limit.model_copy(update={"paused": paused}), actor)

    def remove(self, name: str, actor: Actor) -> bool:
        """Remove a limit. Return False if there is none."""
        if self.limits.get(name) is None:
            return False
        self.limits[name] = None
        self.changes[name] = LimitChange(None, actor)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesWish(Wish):
    """Queues of tenants, where any is capped."""

    tenants: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Queues(Part):
    """How many more executions of each tenant may wait whose queue is capped, counting those of this transaction."""

    room: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Starts(Part):
    """How many executions begin, by the names that a limit with a rate may apply to."""

    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, execution: Execution) -> None:
        """Count that an execution begins, which rates are about, and not that it was offered."""
        limits = self.uow[Limits]
        if limits.has_rates:
            for name in (tenant_limit(execution.tenant), *execution.flow):
                if is_limited(name, limits.names):
                    self.begun[name] += 1
