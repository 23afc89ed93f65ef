"""How it went of late, from what was counted, and how much is there now."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.views import AgentStats, Overview, OverviewNow, OverviewPoint, OverviewTotals, Percentiles
from jobstore.insights import gauges, histogram
from jobstore.insights.rollups import COUNTED, HOUR_S, MINUTE_S, MOST, begin_of

POINTS: Final = 60
#: Of a longer range, hours are added up instead of minutes.
BY_MINUTE_MAX_S: Final = 24 * HOUR_S

_READ: Final = text("SELECT * FROM rollups WHERE span_s = :span_s AND at >= :since ORDER BY at")
_OLDEST_WAIT: Final = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(greatest(created_at, not_before))) FROM executions "
    "WHERE stage = 'EXECUTING' AND state = 'QUEUED' AND attempt = 0",
)
_AGENTS: Final = text(
    """
    SELECT agent_id, coalesce(running, 0) AS running, coalesce(queued, 0) AS queued, ended, completed, seconds
    FROM (
        SELECT agent_id, count(*) FILTER (WHERE state <> 'QUEUED') AS running,
            count(*) FILTER (WHERE state = 'QUEUED') AS queued
        FROM executions WHERE state <> 'DONE' AND stage = 'EXECUTING' GROUP BY agent_id
    ) AS now FULL JOIN (
        SELECT agent_id, sum(ended)::bigint AS ended, sum(completed)::bigint AS completed, sum(seconds) AS seconds
        FROM agent_rollups WHERE at > clock_timestamp() - interval '24 hours' GROUP BY agent_id
    ) AS late USING (agent_id)
    WHERE agent_id IS NOT NULL ORDER BY agent_id
    """,
)


async def get(connection: AsyncConnection, range_s: int, dead_letters: Mapping[str, int]) -> Overview:
    """About 60 points of the range, up to now, all that happened within it, and how much is there now."""
    now = await gauges.now(connection)
    oldest_wait_s = await connection.scalar(_OLDEST_WAIT)
    span_s = MINUTE_S if range_s <= BY_MINUTE_MAX_S else HOUR_S
    point_s = max(1, round(range_s / POINTS / span_s)) * span_s
    since = begin_of(now.at - timedelta(seconds=range_s), point_s) + timedelta(seconds=point_s)
    rows = (await connection.execute(_READ, {"span_s": span_s, "since": since})).all()
    parts: dict[datetime, list[Any]] = {}
    while since <= now.at:
        parts[since] = []
        since += timedelta(seconds=point_s)
    for row in rows:
        parts.setdefault(begin_of(row.at, point_s), []).append(row)
    return Overview(
        points=[OverviewPoint(**_counts(parts[at]), at=at) for at in sorted(parts)],
        totals=OverviewTotals(**_counts(rows)),
        now=OverviewNow(
            **{name: getattr(now, name) for name in gauges.GAUGES},
            oldest_wait_s=None if oldest_wait_s is None else max(0.0, float(oldest_wait_s)),
            dead_letters=dict(dead_letters),
        ),
    )


def _counts(rows: Sequence[Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: sum(getattr(row, name) for row in rows) for name in (*COUNTED, "cost_usd")}
    for name in MOST:
        fields[name] = max((most for row in rows if (most := getattr(row, name)) is not None), default=None)
    wait, duration = _percentiles(row.waits for row in rows), _percentiles(row.durations for row in rows)
    return fields | {"wait": wait, "duration": duration}


def _percentiles(counts: Iterable[Sequence[int]]) -> Percentiles:
    total: list[int] = []
    for some in counts:
        total = histogram.added(total, some)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return Percentiles(**{name: histogram.percentile(total, share) for name, share in shares.items()})


async def agents(connection: AsyncConnection) -> list[AgentStats]:
    """What each agent has to do now, and how it did over the last 24 hours."""
    rows = await connection.execute(_AGENTS)
    return [
        AgentStats(
            agent_id=row.agent_id,
            running=row.running,
            queued=row.queued,
            success_rate=row.completed / row.ended if row.ended else None,
            mean_duration_s=row.seconds / row.ended if row.ended else None,
        )
        for row in rows
    ]
