"""Names of limits and their wildcards, flows of executions, and the limits of one transaction. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

from contracts.resources import NewLimit
from jobstore.engine.parts import NOTHING, Overlay, Part, Wish, Wishes, overlay
from jobstore.jobs.model import Actor, Execution
from servicekit.leasing.slots import is_scarce, may_have_more
from signoff.status import FIRST_PROTOCOLS
from signoff.types import Limit

#: Starts are counted by parts of a period, of which there are so many. No window of the length of a period then holds
#: more starts than the rate allows; a start may wait for up to one part longer than necessary.
PERIOD_PARTS: Final = 20
#: How the name of a protocol in a flow begins.
PROTOCOL: Final = "protocol:"


def agent_limit(agent_id: str) -> str:
    """Return the name of the limit of an agent, `agent:<id>`."""
    return f"agent:{agent_id}"


def tenant_limit(tenant: str) -> str:
    """Return the name of the limit of a tenant, `tenant:<name>`."""
    return f"tenant:{tenant}"


def batch_limit(batch_id: UUID) -> str:
    """Return the name of the limit of a batch, `batch:<id>`."""
    return f"batch:{batch_id}"


def protocol_limit(protocol: str) -> str:
    """Return the name of a protocol, `protocol:<name>`: nobody sets a limit of it, but executors may not call it."""
    return f"{PROTOCOL}{protocol}"


def list_protocols(names: Iterable[str]) -> set[str]:
    """Return the protocols that are among the names of limits."""
    return {name.removeprefix(PROTOCOL) for name in names if name.startswith(PROTOCOL)}


def is_shared(name: str) -> bool:
    """Return whether a name is a tenant's or an agent's: these hold shares of the workers' capacity."""
    return name.startswith(("tenant:", "agent:"))


def wildcard(name: str) -> str:
    """Return the wildcard of a name, such as `agent:*`, whose limit is for all names of the kind (SQL: WILDCARD)."""
    kind, _, value = name.partition(":")
    return f"label:{value.partition('=')[0]}=*" if kind == "label" else f"{kind}:*"


def is_limited(name: str, limits: Collection[str]) -> bool:
    """Return whether a limit in `limits` applies to a name: the name's own, or its wildcard's."""
    return name in limits or wildcard(name) in limits


def flow_of(
    agent_id: str,
    labels: Mapping[str, str],
    batch_id: UUID | None,
    limits: Collection[str],
    protocol: str | None = None,
) -> list[str]:
    """Return the flow of an execution: the sorted names of its agent and of its limited labels and batch.

    The name of its protocol is among them unless every executor calls agents by it. When a name is limited later,
    `_ADD_BATCH_TO_FLOWS` or `_ADD_LABEL_TO_FLOWS` of limits/store.py adds it to flows.
    """
    others = [f"label:{key}={value}" for key, value in labels.items() if "=" not in key]
    others += [batch_limit(batch_id)] if batch_id else []
    return sorted({*name_agent(agent_id, protocol), *(name for name in others if is_limited(name, limits))})


def name_agent(agent_id: str, protocol: str | None) -> list[str]:
    """Return the sorted names in an execution's flow that follow from its agent."""
    is_first = protocol is None or protocol in FIRST_PROTOCOLS
    return [agent_limit(agent_id), *([] if is_first else [protocol_limit(str(protocol))])]


def window_start(now: datetime, period_s: float) -> datetime:
    """Return the time at which the window of a rate begins: one period and one part of the period before `now`."""
    return now - timedelta(seconds=period_s * (1 + 1 / PERIOD_PARTS))


def end_of_day(now: datetime) -> datetime:
    """Return when the day of UTC ends that the time `now` is in: then tenants may spend anew."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def is_held_back(tenant: str, flow: Iterable[str], limits: Collection[str]) -> bool:
    """Return whether a limit in `limits` applies to a tenant, or to any name of a flow."""
    return bool(limits) and any(is_limited(name, limits) for name in (tenant_limit(tenant), *flow))


@dataclass(slots=True)
class SharedRoom:
    """The capacity of executors, how much of it is free, and how much tenants and agents hold, by their limits' names.

    While more than a fifth of the capacity is free, shares hold back nothing; while none is free, nothing is offered.
    """

    free: int
    capacity: int
    held: dict[str, int] = field(default_factory=dict)

    def find_full(self, names: Iterable[str]) -> str | None:
        """Return the first of `names` that holds its whole share; None if none does, or shares do not apply."""
        if self.free <= 0 or not is_scarce(self.free, self.capacity):
            return None
        return next((name for name in names if not may_have_more(self.held.get(name, 0), self.free)), None)

    def take(self, names: Iterable[str]) -> None:
        """Count an execution that is offered: one place less is free, and its tenant and agent hold one more."""
        self.free -= 1
        for name in filter(is_shared, names):
            self.held[name] = self.held.get(name, 0) + 1


class LimitsLock(IntEnum):
    """The lock of limits that a command needs: none, shared (to request or claim) or exclusive (to change limits)."""

    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsWish(Wish):
    """The mode of the `lock` of all limits, which is held until the commit, and the names of limits to be read."""

    lock: LimitsLock = LimitsLock.NONE
    named: frozenset[str] = frozenset()


class LimitChange(NamedTuple):
    """A limit after a change, or None if the limit was removed, and the actor of the change."""

    limit: Limit | None
    actor: Actor


@dataclass(eq=False, slots=True)
class Limits(Part):
    """The limits that a transaction has read or changed, and the names of all limits that hold executions back."""

    #: None: the limit was removed.
    limits: Overlay[str, Limit | None] = field(default_factory=overlay)
    changes: dict[str, LimitChange] = field(default_factory=dict)
    #: The actor that confirmed that the settings are complete, after a rebuild that lost some.
    confirmed_by: Actor | None = None
    #: Whether the limits lock is held; commands that need it are set aside while limits are being changed.
    is_held: bool = False
    names: Collection[str] = frozenset()
    #: Whether any limit caps a queue, or has a rate.
    has_queue_caps: bool = False
    has_rates: bool = False
    #: The names of the limits on what is spent in a day.
    daily: Collection[str] = frozenset()
    #: The judge policies that tenants may name, by the names of the limits that say so.
    judge_policies: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def misses(self, wish: Wish) -> bool:
        """Return whether a wish needs the lock of limits, and this transaction could not take that lock."""
        return self.is_missed and isinstance(wish, LimitsWish) and bool(wish.lock)

    def find_policies(self, tenant: str) -> Sequence[str] | None:
        """Return the names of the judge policies that a tenant may name; None: any."""
        name = tenant_limit(tenant)
        return self.judge_policies.get(name, self.judge_policies.get(wildcard(name)))

    def put(self, name: str, new: NewLimit | Limit, actor: Actor) -> Limit:
        """Set the limit of a name, and return the limit; if it sets nothing, remove the stored limit instead."""
        stored, general = self.limits.get(name), self.limits.get(wildcard(name)) if name != wildcard(name) else None
        fields = new.model_dump(include=set(NewLimit.model_fields))
        if not new.paused and not (general is not None and general.paused):
            fields["paused"] = None  # no wildcard pauses it, so that False sets nothing
        version = stored.version + 1 if stored else 1
        spent = stored.model_dump(include={"agents_usd", "judges_usd"}) if stored else {}
        limit = Limit(**fields, **spent, name=name, version=version, updated_at=self.uow.clock.now)
        if all(value is None for field, value in fields.items() if field != "rate_period_s"):
            self.remove(name, actor)
        else:
            self.limits[name] = limit
            self.changes[name] = LimitChange(limit, actor)
        return limit

    def pause(self, name: str, actor: Actor, *, paused: bool) -> Limit:
        """Pause or resume the executions of a name, keep the other fields of its limit, and return the limit."""
        limit = self.limits.get(name) or NewLimit()
        return self.put(name, limit.model_copy(update={"paused": paused}), actor)

    def remove(self, name: str, actor: Actor) -> bool:
        """Remove the limit of a name, and return whether there was one."""
        if self.limits.get(name) is None:
            return False
        self.limits[name] = None
        self.changes[name] = LimitChange(None, actor)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuesWish(Wish):
    """The tenants for whose queues the room is read, if any queue is capped."""

    tenants: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Queues(Part):
    """The room in each tenant's capped queue: how many executions may be added after those of this transaction."""

    room: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Starts(Part):
    """How many executions a transaction begins, by the names to which a rate may apply."""

    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def count(self, execution: Execution) -> None:
        """Count an execution that begins, under each of its limited names; rates limit begins, and not offers."""
        limits = self.uow[Limits]
        if limits.has_rates:
            for name in (tenant_limit(execution.tenant), *execution.flow):
                if is_limited(name, limits.names):
                    self.begun[name] += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingWish(Wish):
    """The tenants of which a command must know whether they have spent what they may in a day."""

    tenants: frozenset[str] = frozenset()


class Spent(NamedTuple):
    """What was spent, in nano-dollars: as agents claim, and by judges."""

    agents_nanos: int = 0
    judges_nanos: int = 0


@dataclass(eq=False, slots=True)
class Spending(Part):
    """What each tenant spends in a transaction, and what it had left of its day before, in nano-dollars."""

    spent: dict[str, Spent] = field(default_factory=dict)
    #: Of tenants that were asked for, and that a limit bounds.
    left: dict[str, int] = field(default_factory=dict)

    def add(self, tenant: str, *, agents_nanos: int = 0, judges_nanos: int = 0) -> None:
        """Add what an agent claims for a call, or what a judge costs, to what a tenant spends."""
        if not agents_nanos and not judges_nanos:
            return
        before = self.spent.get(tenant, Spent())
        self.spent[tenant] = Spent(before.agents_nanos + agents_nanos, before.judges_nanos + judges_nanos)

    def is_used_up(self, tenant: str) -> bool:
        """Return whether a tenant has spent what it may in this day; it must have been asked for (`read_for`)."""
        return tenant in self.left and sum(self.spent.get(tenant, Spent())) >= self.left[tenant]

    def read_for(self, tenant: str) -> Wishes:
        """Return the wish to know whether a tenant has spent what it may; nothing if no limit says what it may."""
        is_limited_daily = is_limited(tenant_limit(tenant), self.uow[Limits].daily)
        return (SpendingWish(tenants=frozenset({tenant})),) if is_limited_daily else NOTHING
