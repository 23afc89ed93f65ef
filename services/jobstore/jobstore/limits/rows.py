"""Limits in one transaction: those that commands change, and what the others leave room for. Pure."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from contracts.resources import NewLimit
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import Actor, Execution
from jobstore.limits.rules import is_limited, tenant_limit, wildcard
from signoff.types import Limit


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
