"""Read the overview: recent counts, gauges of now, and the statistics of each agent."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.sql import Connection, Row
from jobstore.insights import histogram
from jobstore.insights.rollups import COUNTED, HOUR_S, MAXIMA, MINUTE_S, TALLY_MAX, get_span_begin
from jobstore.jobs.waits import WaitingNow, find_newest_waiting, sum_up_all
from servicekit.errors import ServiceError
from signoff.types import (
    AgentStats,
    CircuitChange,
    Overview,
    OverviewCounts,
    OverviewNow,
    OverviewPoint,
    OverviewTotals,
    Percentiles,
)
from signoff.values import to_usd

#: The approximate number of points of a range.
POINTS: Final = 60
#: The longest range in seconds that is read by minute; longer ones are read by hour.
BY_MINUTE_MAX_S: Final = 24 * HOUR_S

#: The columns of histograms by their names in the overview.
_TIMES: Final = {"wait": "waits", "agent": "calls", "judge": "judgings", "duration": "durations"}
_READ: Final = "SELECT * FROM rollups WHERE span_s = :span_s AND at >= :since ORDER BY at"
_AGENTS: Final = """
    SELECT agent_id, coalesce(running, 0) AS running, coalesce(queued, 0) AS queued,
        completed::float8 / nullif(ended, 0) AS success_rate, seconds / nullif(ended, 0) AS mean_duration_s,
        waits_s / nullif(waits, 0) AS mean_wait_s, calls_s / nullif(calls, 0) AS mean_agent_s,
        judgings_s / nullif(judgings, 0) AS mean_judge_s,
        coalesce(ended, 0) AS ended, coalesce(completed, 0) AS completed, coalesce(refused, 0) AS refused,
        coalesce(tokens, 0) AS tokens, coalesce(cost_nanos, 0) AS cost_nanos, nullif(priced, 0) AS priced
    FROM (
        SELECT agent_id, count(*) FILTER (WHERE state <> 'QUEUED') AS running,
            count(*) FILTER (WHERE state = 'QUEUED') AS queued
        FROM executions WHERE state <> 'DONE' AND stage = 'EXECUTING' GROUP BY agent_id
    ) AS now FULL JOIN (
        SELECT agent_id, sum(ended)::bigint AS ended, sum(completed)::bigint AS completed, sum(seconds) AS seconds,
            sum(waits)::bigint AS waits, sum(waits_s) AS waits_s, sum(calls)::bigint AS calls, sum(calls_s) AS calls_s,
            sum(judgings)::bigint AS judgings, sum(judgings_s) AS judgings_s
        FROM agent_rollups WHERE at > signoff_now() - interval '24 hours' GROUP BY agent_id
    ) AS late USING (agent_id) LEFT JOIN (
        SELECT agent_id, sum(refused)::bigint AS refused, sum(tokens)::bigint AS tokens,
            sum(cost_nanos)::bigint AS cost_nanos, sum(ended)::bigint AS priced
        FROM counted_since WHERE at > signoff_now() - interval '24 hours' GROUP BY agent_id
    ) AS counted USING (agent_id)
    WHERE agent_id > :after AND agent_id = coalesce(CAST(:agent_id AS text), agent_id) ORDER BY agent_id LIMIT :limit
    """


#: By whether the caller is of all tenants: the others' counts are in tables of their own.
_READS: Final = {True: text(_READ), False: text(_READ.replace("rollups", "tenant_rollups"))}
#: What was counted first in the hours of tenants' agents is read of those, also of all tenants.
_READS_OF_AGENTS: Final = {
    of_all: text(_AGENTS.replace("agent_rollups", table).replace("counted_since", "tenant_agent_rollups"))
    for of_all, table in ((True, "agent_rollups"), (False, "tenant_agent_rollups"))
}
_HOURS: Final = text(
    """
    SELECT wait_parts, call_parts, judging_parts, failures::text AS failures, refusals::text AS refusals
    FROM tenant_agent_rollups WHERE agent_id = :agent_id AND at > signoff_now() - interval '24 hours'
    """
)
#: The newest changes of an agent's circuit that are read.
CHANGES_MAX: Final = 20
_CHANGES: Final = text(
    "SELECT at, open_until, CASE WHEN open_until IS NULL THEN 'CLOSED' ELSE 'OPEN' END AS circuit "
    "FROM circuit_changes WHERE agent_id = :agent_id ORDER BY at DESC LIMIT :limit"
)


async def get_overview(
    connection: Connection, range_s: int, now: WaitingNow, dead_letters: Mapping[str, int], *, of_all: bool = True
) -> Overview:
    """Return about POINTS points of the last `range_s` seconds, the totals of that range, and the counts of now.

    `of_all`: the counts are of all tenants, else of those of the connection.
    """
    span_s = MINUTE_S if range_s <= BY_MINUTE_MAX_S else HOUR_S
    point_s = max(1, round(range_s / POINTS / span_s)) * span_s
    since = get_span_begin(now.at - timedelta(seconds=range_s), point_s) + timedelta(seconds=point_s)
    rows = await connection.execute(_READS[of_all], {"span_s": span_s, "since": since})
    parts: dict[datetime, list[Row]] = {}
    while since <= now.at:
        parts[since] = []
        since += timedelta(seconds=point_s)
    for row in rows:
        parts.setdefault(get_span_begin(row.at, point_s), []).append(row)
    return Overview(
        points=[OverviewPoint(**dict(_sum_up(parts[at])), at=at) for at in sorted(parts)],
        totals=OverviewTotals(**dict(_sum_up(rows))),
        now=OverviewNow(
            queued=now.queued,
            running=now.running,
            judging=now.judging,
            oldest_wait_s=None if now.oldest_at is None else max(0.0, (now.at - now.oldest_at).total_seconds()),
            dead_letters=dict(dead_letters),
        ),
        waiting=list(now.sums),
    )


def _sum_up(rows: Sequence[Row]) -> OverviewCounts:
    fields: dict[str, object] = {name: sum(getattr(row, name) for row in rows) for name in COUNTED}
    fields["cost_usd"] = to_usd(sum(row.cost_nanos for row in rows))
    for name in MAXIMA:
        fields[name] = max((value for row in rows if (value := getattr(row, name)) is not None), default=None)
    for name, column in _TIMES.items():
        fields[name] = _estimate_percentiles(getattr(row, column) for row in rows)
    return OverviewCounts.model_validate(fields)


def _estimate_percentiles(counts: Iterable[Sequence[int]]) -> Percentiles:
    total = reduce(histogram.add, counts, list[int]())
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return Percentiles(**{name: histogram.estimate_percentile(total, share) for name, share in shares.items()})


async def get_agent_stats(
    connection: Connection, limit: int, after: str = "", *, of_all: bool = True, agent_id: str | None = None
) -> list[AgentStats]:
    """Return the statistics of up to `limit` agents, now and over the last 24 hours, by id, after the id `after`.

    With `agent_id`, of that agent alone, with what is only read of one: percentiles, failures, refusals, its circuit.
    """
    parameters = {"limit": limit, "after": after, "agent_id": agent_id}
    rows = await connection.execute(_READS_OF_AGENTS[of_all], parameters)
    stats = [_make_stats(row) for row in rows]
    if agent_id is None or after >= agent_id:
        return stats
    more = await _read_more(connection, agent_id)
    if not stats and not more["circuit_changes"]:
        return []
    return [(stats[0] if stats else AgentStats(agent_id=agent_id)).model_copy(update=more)]


def _make_stats(row: Row) -> AgentStats:
    fields = dict(row)
    cost_nanos, priced = fields.pop("cost_nanos"), fields.pop("priced")
    mean_cost = None if priced is None else to_usd(round(cost_nanos / priced))
    return AgentStats(**fields, cost_usd=to_usd(cost_nanos), mean_cost_usd=mean_cost)


async def _read_more(connection: Connection, agent_id: str) -> dict[str, object]:
    """Return the fields of statistics that are only read of one agent."""
    hours = await connection.execute(_HOURS, {"agent_id": agent_id})
    changes = await connection.execute(_CHANGES, {"agent_id": agent_id, "limit": CHANGES_MAX})
    more: dict[str, object] = {
        name: _estimate_percentiles(hour[parts] for hour in hours)
        for name, parts in (("wait", "wait_parts"), ("agent", "call_parts"), ("judge", "judging_parts"))
    }
    for name in ("failures", "refusals"):
        counts = Counter[str]()
        for hour in hours:
            counts.update(json.loads(hour[name]))
        more[name] = dict(counts.most_common(TALLY_MAX))
    return more | {"circuit_changes": [CircuitChange(**change) for change in changes]}


#: Seconds after which sums are read again.
AGE_MAX_S: Final = 2.0
#: Cheap sums, which took at most CHEAP_S, are reused for so many times as long as they took.
USED_AGAIN: Final = 20.0
#: Others are read ahead, so many seconds before they are too old, until no caller has asked for ASKED_S.
CHEAP_S, SPARE_S, ASKED_S = 0.02, 0.3, 30.0


class WaitingSums:
    """Read the sums of what waits once for all callers of all tenants; sums that are expensive are read ahead."""

    def __init__(self, database: Database, alive_s: float) -> None:
        self._database = database
        self._alive_s = alive_s
        self._sums: WaitingNow | None = None
        self._read_at = self._took_s = self._asked_at = 0.0
        self._reading = asyncio.Lock()
        self._keeping: asyncio.Task[None] | None = None

    async def get(self) -> WaitingNow:
        """Return the sums of waiting executions by reason. TransientError: the database cannot be read."""
        self._asked_at = _now()
        if (sums := self._find_new()) is None:
            async with self._reading:
                sums = self._find_new() or await self._read()
        if self._took_s > CHEAP_S and (self._keeping is None or self._keeping.done()):
            self._keeping = asyncio.create_task(self._keep(), name="waiting sums")
        return sums

    async def read(self, connection: Connection) -> WaitingNow:
        """Return the sums of what waits of the tenants that a connection reads, which are few and read each time."""
        return await sum_up_all(connection, self._alive_s)

    async def find_newest(self, connection: Connection, reasons: Collection[str]) -> dict[str, str]:
        """Return, by reason, the id of the newest job that waits for it, of the tenants that a connection reads."""
        return await find_newest_waiting(connection, reasons, self._alive_s)

    async def close(self) -> None:
        """Stop reading ahead."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    def _find_new(self) -> WaitingNow | None:
        """Return the sums that were read last, or None if they are too old."""
        age_max_s = AGE_MAX_S if self._took_s > CHEAP_S else USED_AGAIN * self._took_s
        return self._sums if _now() - self._read_at < age_max_s else None

    async def _read(self) -> WaitingNow:
        began = _now()
        async with self._database.session() as session:
            sums = self._sums = await sum_up_all(session, self._alive_s)
        self._read_at, self._took_s = began, _now() - began
        return sums

    async def _keep(self) -> None:
        """Read the sums before they are too old, until a read is cheap or no caller asks; `get` starts this again."""
        while self._took_s > CHEAP_S and _now() - self._asked_at < ASKED_S:
            await asyncio.sleep(
                max(self._took_s, AGE_MAX_S - SPARE_S - 2 * self._took_s)
            )  # reads at most half of the time
            try:
                async with self._reading:
                    await self._read()
            except ServiceError:  # the next caller gets the error
                return


def _now() -> float:
    return asyncio.get_running_loop().time()
