"""Whose turn it is: weighted fair shares between tenants, rank within a tenant, and no limit passed; pure.

Executions of one tenant that the same limits apply to are a flow: while one of its limits is used up the whole flow
waits, and costs nothing. Between tenants, start-time fair queueing (Goyal, Vin, Cheng 1996): each pick moves its tenant
1/weight further, and the tenant that is least far is next. One that was idle begins where the others are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Final
from uuid import UUID

#: So long a wait is worth one level of priority: nothing starves, since the rank of what waits does not move.
AGEING: Final = timedelta(seconds=60)
#: Of so many tenants it is kept how far they have come; of others nothing is worth keeping.
TENANTS_MAX: Final = 10_000


def rank(due_at: datetime, priority: int) -> datetime:
    """The order within a tenant: earlier is first. Waiting weighs as much as priority, and moves no row."""
    return due_at - priority * AGEING


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """An execution that is due."""

    rank: datetime
    execution_id: UUID


@dataclass(frozen=True, slots=True)
class Flow:
    """The first of a tenant's executions under the same limits, by rank; `more` wait behind them, unread."""

    tenant: str
    limits: Sequence[str]
    heads: Sequence[Head]
    more: bool = False


@dataclass(slots=True)
class Shares:
    """How far each tenant has come, in picks by weight; `clock` is how far the tenant picked last had come."""

    weights: Mapping[str, float] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    clock: float = 0.0

    def start(self, tenant: str) -> float:
        """Where a tenant stands: nobody saves up while idle."""
        return max(self.clock, self.passes.get(tenant, 0.0))

    def picked(self, tenant: str) -> None:
        """Move on."""
        self.clock = self.start(tenant)
        self.passes[tenant] = self.clock + 1 / self.weights.get(tenant, 1.0)
        if len(self.passes) > TENANTS_MAX:
            self.passes = {name: passed for name, passed in self.passes.items() if passed > self.clock}


class _Tenant:
    """The flows of one tenant, the next head first: (head, flow, its place in the flow)."""

    def __init__(self) -> None:
        self.queue: list[tuple[Head, int, int]] = []

    def next(self, flows: Sequence[Flow], free: Mapping[str, int]) -> tuple[Head, int, int] | None:
        """The first that no limit holds up; a limit that is used up is so for its flows for the rest of the pass."""
        while self.queue:
            found = heappop(self.queue)
            if all(free.get(limit, 1) > 0 for limit in flows[found[1]].limits):
                return found
        return None


def pick(flows: Sequence[Flow], free: dict[str, int], shares: Shares, most: int) -> tuple[list[UUID], bool]:
    """The executions whose turn it is, in order, at most so many; `free` and `shares` are what is left afterwards.

    `free` has, for each limit in use, how many more may run; a limit that is not there is none. Ends early, and says
    so, where a flow has more than was read of it: what follows depends on that.
    """
    tenants: defaultdict[str, _Tenant] = defaultdict(_Tenant)
    for number, flow in enumerate(flows):
        if flow.heads:
            heappush(tenants[flow.tenant].queue, (flow.heads[0], number, 0))
    turns = [(shares.start(tenant), tenant) for tenant in tenants]
    heapify(turns)
    picked: list[UUID] = []
    while turns and len(picked) < most:
        _, tenant = heappop(turns)
        if (found := tenants[tenant].next(flows, free)) is None:
            continue
        head, number, place = found
        flow = flows[number]
        free.update({limit: free[limit] - 1 for limit in flow.limits if limit in free})
        picked.append(head.execution_id)
        shares.picked(tenant)
        if place + 1 < len(flow.heads):
            heappush(tenants[tenant].queue, (flow.heads[place + 1], number, place + 1))
        elif flow.more:
            return picked, True
        heappush(turns, (shares.start(tenant), tenant))
    return picked, bool(turns)
