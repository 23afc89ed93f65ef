"""Pick the executions to offer next: fair shares between tenants, rank within a tenant, no limit passed. Pure.

Fair shares are of turns; SharedRoom decides how much of the workers' capacity a tenant or an agent may hold.

Executions of one tenant that the same limits apply to are a flow: while one of its limits is used up the whole flow
waits, and costs nothing. Between tenants, start-time fair queueing (Goyal, Vin, Cheng 1996): each pick moves its tenant
1/weight further, and the tenant that is least far is next. A tenant that was idle begins where the others are.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Final
from uuid import UUID

from jobstore.jobs.waiting import AGEING
from jobstore.limits.rules import SharedRoom

#: Tenants remembered before those are forgotten that are no further than an idle one would be.
TENANTS_MAX: Final = 10_000


def rank(due_at: datetime, priority: int) -> datetime:
    """Return the rank of an execution within its tenant; the earliest comes first. Priority counts as time waited."""
    return due_at - priority * AGEING


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """A due execution that was read from the head of its queue."""

    rank: datetime
    execution_id: UUID


@dataclass(frozen=True, slots=True)
class Flow:
    """The first executions of a tenant under the same limits, by rank; `more`: others wait behind them, unread."""

    tenant: str
    limits: Sequence[str]
    heads: Sequence[Head]
    more: bool = False


@dataclass(slots=True)
class Shares:
    """The position of each tenant (`passes`), in picks divided by weight; `clock`: that of the tenant picked last."""

    weights: Mapping[str, float] = field(default_factory=dict)
    passes: dict[str, float] = field(default_factory=dict)
    clock: float = 0.0

    def get_position(self, tenant: str) -> float:
        """Return the position of a tenant. A tenant that was idle is where the others are, and has saved nothing."""
        return max(self.clock, self.passes.get(tenant, 0.0))

    def advance(self, tenant: str) -> None:
        """Move a tenant further by one pick, which is 1/weight."""
        self.clock = self.get_position(tenant)
        self.passes[tenant] = self.clock + 1 / self.weights.get(tenant, 1.0)
        if len(self.passes) > TENANTS_MAX:
            self.passes = {name: passed for name, passed in self.passes.items() if passed > self.clock}


class _Tenant:
    """The next heads of one tenant's flows, as a heap of (head, number of the flow, place in the flow)."""

    def __init__(self) -> None:
        self.queue: list[tuple[Head, int, int]] = []

    def pop_next(
        self, flows: Sequence[Flow], free: Mapping[str, int], room: SharedRoom
    ) -> tuple[Head, int, int] | None:
        """Return the next head that nothing holds back, or None. Heads before it are dropped: they cannot run now."""
        while self.queue:
            turn = heappop(self.queue)
            limits = flows[turn[1]].limits
            if all(free.get(limit, 1) > 0 for limit in limits) and room.find_full(limits) is None:
                return turn
        return None


def pick(
    flows: Sequence[Flow], free: dict[str, int], shares: Shares, limit: int, room: SharedRoom
) -> tuple[list[UUID], bool]:
    """Pick up to `limit` executions in order, and return whether there may be more; update `free`, `shares` and `room`.

    `free`: how many more executions may run under each limit; a name without an entry is not limited. Picking ends
    early at a flow of which only a part was read, since the next turn depends on the unread part.
    """
    tenants: defaultdict[str, _Tenant] = defaultdict(_Tenant)
    for number, flow in enumerate(flows):
        if flow.heads:
            heappush(tenants[flow.tenant].queue, (flow.heads[0], number, 0))
    turns = [(shares.get_position(tenant), tenant) for tenant in tenants]
    heapify(turns)
    picked: list[UUID] = []
    while turns and len(picked) < limit:
        _, tenant = heappop(turns)
        if (turn := tenants[tenant].pop_next(flows, free, room)) is None:
            continue
        head, number, place = turn
        flow = flows[number]
        free.update({name: free[name] - 1 for name in flow.limits if name in free})
        room.take(flow.limits)
        picked.append(head.execution_id)
        shares.advance(tenant)
        if place + 1 < len(flow.heads):
            heappush(tenants[tenant].queue, (flow.heads[place + 1], number, place + 1))
        elif flow.more:
            return picked, True
        heappush(turns, (shares.get_position(tenant), tenant))
    return picked, bool(turns)
