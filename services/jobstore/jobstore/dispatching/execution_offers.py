"""Offers what waits for executing: reads the head of each queue, and marks those whose turn it is.

One dispatcher at a time does this, of all processes: so limits are exact, and counted nowhere else.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.dispatching.fair_share import Flow, Head, Shares, pick, rank
from jobstore.dispatching.offers import DUE, MARK, ROOM, OfferTerms
from jobstore.domain.limits import PERIOD_PARTS, agent_limit, part_of, tenant_limit, wildcard, window_of
from jobstore.domain.model import ExecutionStage
from jobstore.storage import locks
from jobstore.storage.locks import Lock

#: Heads read of each queue in the first pass; then so many that their turns may fill the room.
DEPTH_FIRST: Final = 8

_WAITS: Final = "stage = 'EXECUTING' AND state = 'QUEUED'"
#: From queue to queue along the index, so that what waits in one costs the others nothing.
_HEADS: Final = text(
    f"""
    WITH RECURSIVE {ROOM}, queues AS (
        (SELECT tenant, flow, priority FROM executions WHERE {_WAITS} AND (SELECT free FROM room) > 0
        ORDER BY tenant, flow, priority LIMIT 1)
        UNION ALL
        SELECT following.* FROM queues CROSS JOIN LATERAL (
            SELECT tenant, flow, priority FROM executions
            WHERE {_WAITS} AND (tenant, flow, priority) > (queues.tenant, queues.flow, queues.priority)
            ORDER BY tenant, flow, priority LIMIT 1) AS following
    )
    SELECT now() AS now, room.free, EXISTS (SELECT FROM limits) AS limited,
        EXISTS (SELECT FROM circuits WHERE open_until IS NOT NULL) AS troubled,
        queued.tenant, queued.flow, queued.priority, queued.execution_id, queued.due_at
    FROM room LEFT JOIN (
        SELECT queues.*, heads.* FROM queues CROSS JOIN LATERAL (
            SELECT execution_id, due_at FROM executions e
            WHERE {_WAITS} AND (e.tenant, e.flow, e.priority) = (queues.tenant, queues.flow, queues.priority) AND {DUE}
            ORDER BY due_at LIMIT :depth) AS heads
    ) AS queued ON true
    """,  # noqa: S608 - fragments of our own
)
_LIMITS: Final = text(
    "SELECT name, concurrency, rate, rate_period_s, weight, paused FROM limits "
    "WHERE name = ANY(CAST(:names AS text[]))",
)
_RUNNING: Final = text(
    """
    SELECT name, count(*) AS running
    FROM executions CROSS JOIN LATERAL unnest(array_append(flow, 'tenant:' || tenant)) AS name
    WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED') AND name = ANY(CAST(:names AS text[])) GROUP BY name
    """,
)
_STARTED: Final = text(
    """
    WITH windows AS (SELECT * FROM unnest(CAST(:names AS text[]), CAST(:since AS timestamptz[])) AS w(name, since)),
    past AS (DELETE FROM starts USING windows w WHERE starts.name = w.name AND starts.began_at <= w.since)
    SELECT starts.name, sum(starts.count) AS started FROM starts JOIN windows w
    ON starts.name = w.name AND starts.began_at > w.since GROUP BY starts.name
    """,
)
_START: Final = text(
    """
    INSERT INTO starts (name, began_at, count)
    SELECT * FROM unnest(CAST(:names AS text[]), CAST(:began AS timestamptz[]), CAST(:counts AS int[]))
    ON CONFLICT (name, began_at) DO UPDATE SET count = starts.count + excluded.count
    """,
)
#: Never waits for a lock: circuits are locked before executions here.
_HALF_OPEN: Final = text(
    "SELECT agent_id FROM circuits WHERE open_until <= now() ORDER BY agent_id FOR UPDATE SKIP LOCKED",
)
_ADMITS: Final = text(
    """
    SELECT agent_id, agent_id = ANY(CAST(:half_open AS text[])) AND NOT EXISTS (
        SELECT FROM executions probe WHERE probe.execution_id = circuits.probe_id
        AND probe.stage = 'EXECUTING' AND probe.state IN ('OFFERED', 'LEASED')) AS one
    FROM circuits WHERE open_until IS NOT NULL
    """,
)
_OFFER: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND {_WAITS} AND {DUE}
        FOR UPDATE SKIP LOCKED
    ), marked AS ({MARK}), probes AS (
        UPDATE circuits SET probe_id = marked.execution_id FROM marked
        WHERE circuits.agent_id = marked.agent_id AND circuits.open_until IS NOT NULL
    )
    SELECT * FROM marked
    """,  # noqa: S608 - fragments of our own
)


@dataclass(frozen=True, slots=True)
class Offers:
    """The rows that are offered now, in order. `more`: there may be more at once; `held_back`: once something ends.

    `again_in_s`: when a rate allows more at the earliest.
    """

    rows: Sequence[Row[Any]] = ()
    more: bool = False
    held_back: bool = False
    again_in_s: float | None = None


@dataclass(slots=True)
class Capacity:
    """How many more may run under each name, and which limit's rate each name is under: (rate, period in s)."""

    free: dict[str, int] = field(default_factory=dict)
    rates: dict[str, tuple[int, float]] = field(default_factory=dict)


@dataclass(slots=True)
class FairQueue:
    """Remembers how far each tenant has come."""

    shares: Shares = field(default_factory=Shares)
    depth: int = DEPTH_FIRST

    async def offer(self, connection: AsyncConnection, most: int, terms: OfferTerms) -> Offers:
        """Mark as offered whose turn it is, within the workers' room and all limits."""
        await locks.hold(connection, Lock.OFFERS)
        about = {"stage": ExecutionStage.EXECUTING.value, "most": most, "depth": self.depth, **asdict(terms)}
        rows = (await connection.execute(_HEADS, about)).all()
        first, flows = rows[0], _flows(rows, self.depth)
        if not flows:
            return Offers(held_back=not first.free)
        self.depth = max(2, 2 * first.free // len(flows))
        allowed = await self._allowed(connection, first, flows)
        picked, more = pick(flows, allowed.free, self.shares, first.free)
        marked = {}
        if picked:
            asked = {"ids": picked, **asdict(terms)}
            marked = {row.execution_id: row for row in await connection.execute(_OFFER, asked)}
        if allowed.rates:
            await _start(connection, first.now, allowed.rates, flows, marked)
        rates = [rate for name, rate in allowed.rates.items() if allowed.free.get(name, 1) <= 0]
        return Offers(
            [marked[i] for i in picked if i in marked],
            bool(marked) and (more or len(picked) == most),
            len(picked) < sum(len(flow.heads) for flow in flows),
            min((period_s / PERIOD_PARTS for _, period_s in rates), default=None),
        )

    async def _allowed(self, connection: AsyncConnection, first: Row[Any], flows: Sequence[Flow]) -> Capacity:
        allowed = Capacity()
        if first.limited:
            await self._limit(connection, allowed, first.now, flows)
        if first.troubled:
            half_open = list(await connection.scalars(_HALF_OPEN))
            for row in await connection.execute(_ADMITS, {"half_open": half_open}):
                name = agent_limit(row.agent_id)
                allowed.free[name] = min(allowed.free.get(name, 1), int(row.one))
        return allowed

    async def _limit(
        self, connection: AsyncConnection, allowed: Capacity, now: datetime, flows: Sequence[Flow]
    ) -> None:
        names = {name for flow in flows for name in flow.limits}
        asked = {"names": sorted(names | set(map(wildcard, names)))}
        rows = {row.name: row for row in await connection.execute(_LIMITS, asked)}
        limits = {n: rows[applies] for n in names for applies in (n if n in rows else wildcard(n),) if applies in rows}
        self.shares.weights = {
            flow.tenant: limit.weight
            for flow in flows
            if (limit := limits.get(tenant_limit(flow.tenant))) is not None and limit.weight
        }
        running: Mapping[str, int] = {}
        if counted := sorted(name for name, limit in limits.items() if limit.concurrency is not None):
            rows_running = await connection.execute(_RUNNING, {"names": counted})
            running = {row.name: row.running for row in rows_running}
        allowed.rates = {name: (limit.rate, limit.rate_period_s) for name, limit in limits.items() if limit.rate}
        started = await _started(connection, now, allowed.rates)
        for name, limit in limits.items():
            left = [limit.concurrency - running.get(name, 0)] if limit.concurrency is not None else []
            left += [limit.rate - started.get(name, 0)] if limit.rate else []
            left += [0] if limit.paused else []
            if left:
                allowed.free[name] = max(0, min(left))


def _flows(rows: Sequence[Row[Any]], depth: int) -> list[Flow]:
    queues: defaultdict[tuple[str, int, tuple[str, ...]], list[Head]] = defaultdict(list)
    for row in rows:
        if row.execution_id is not None:
            head = Head(rank(row.due_at, row.priority), row.execution_id)
            queues[row.tenant, row.priority, tuple(row.flow)].append(head)
    return [
        Flow(tenant, (tenant_limit(tenant), *flow), sorted(heads), more=len(heads) >= depth)
        for (tenant, _, flow), heads in queues.items()
    ]


async def _started(
    connection: AsyncConnection, now: datetime, rates: Mapping[str, tuple[int, float]]
) -> Mapping[str, int]:
    if not rates:
        return {}
    since = [window_of(now, period_s) for _, period_s in rates.values()]
    rows = await connection.execute(_STARTED, {"names": list(rates), "since": since})
    return {row.name: row.started for row in rows}


async def _start(
    connection: AsyncConnection,
    now: datetime,
    rates: Mapping[str, tuple[int, float]],
    flows: Iterable[Flow],
    marked: Mapping[UUID, Any],
) -> None:
    """Count what is offered under the rates that it is under."""
    counts: defaultdict[str, int] = defaultdict(int)
    for flow in flows:
        began = sum(head.execution_id in marked for head in flow.heads)
        for name in flow.limits:
            counts[name] += began
    named = sorted(name for name in rates if counts[name])
    if named:
        began_at = [part_of(now, rates[name][1]) for name in named]
        about = {"names": named, "began": began_at, "counts": [counts[name] for name in named]}
        await connection.execute(_START, about)
