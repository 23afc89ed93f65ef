"""Read how much is accepted: over time, by agent, judge and criterion, and how often judgings came to another end."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from jobstore.engine.sql import Connection, Row
from jobstore.insights.overview import POINTS
from jobstore.insights.rollups import DAY_S, HOUR_S, get_span_begin
from jobstore.insights.verdicts import CRITERION_MAX, MODELS_MAX, OTHERS, SUMS, name_most
from signoff.quality import Quality, QualityCounts, QualityOf, QualityOfCriterion, QualityPoint

#: The longest range in seconds, and the longest that is read by hour; longer ones are read by day.
RANGE_MAX_S: Final = 90 * DAY_S
BY_HOUR_MAX_S: Final = 7 * DAY_S
#: The highest numbers of agents, of judges and of criteria.
NAMES_MAX: Final = 500
CRITERIA_MAX: Final = 100

_OF: Final = """
    (CAST(:agent_id AS text) = '' OR agent_id = :agent_id)
        AND (CAST(:judge AS text) = '' OR judge = :judge OR split_part(judge, '@', 1) = :judge)
"""
_CHOSEN: Final = f"FROM quality_rollups WHERE span_s = :span_s AND at >= :since AND {_OF}"
#: The same, but the days from `:day` on in place of their hours: outcomes and models take long to be taken apart.
_IN_DAYS: Final = f"""
    FROM quality_rollups WHERE (span_s = :span_s AND at >= :since AND at < :day OR span_s = {DAY_S} AND at >= :day)
        AND {_OF}
"""
#: The spans that were chosen; with a criterion, with the outcomes of that one in place of the verdicts'.
_SPANS: Final = f"""
    SELECT at, agent_id, judge, {", ".join(SUMS)} {_CHOSEN} AND CAST(:criterion AS text) = ''
    UNION ALL
    SELECT at, agent_id, judge, passed + failed, passed, unassessed, 0, 0
    FROM (SELECT at, agent_id, judge, (criteria -> CAST(:criterion AS text) ->> 0)::bigint AS passed,
            (criteria -> CAST(:criterion AS text) ->> 1)::bigint AS failed,
            (criteria -> CAST(:criterion AS text) ->> 2)::bigint AS unassessed
        {_CHOSEN} AND CAST(:criterion AS text) <> '' AND criteria ? CAST(:criterion AS text)) AS of_criterion
"""  # noqa: S608 - words of our own
_SUMMED: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in SUMS)
_READ: Final = {
    by: text(f"SELECT {by}, {_SUMMED} FROM ({_SPANS}) AS spans GROUP BY {by} ORDER BY {order} LIMIT :limit")  # noqa: S608
    for by, order in (("at", "at"), ("agent_id", "judged DESC, agent_id"), ("judge", "judged DESC, judge"))
}
#: The models of `judges`, of each those that judged most.
_MODELS: Final = text(
    f"""
    SELECT judge, model, judged FROM (
        SELECT judge, of.key AS model, sum(of.value::bigint)::bigint AS judged,
            row_number() OVER (PARTITION BY judge ORDER BY sum(of.value::bigint) DESC, of.key) AS place
        FROM (SELECT judge, models {_IN_DAYS} AND judge = ANY(CAST(:judges AS text[]))) AS spans,
            jsonb_each_text(models) AS of GROUP BY 1, 2
    ) AS summed WHERE place <= {MODELS_MAX} ORDER BY place
    """  # noqa: S608 - words of our own
)
_OUTCOMES: Final = f"SELECT of.* FROM (SELECT criteria {_IN_DAYS}) AS spans, jsonb_each(criteria) AS of"  # noqa: S608
_CRITERIA: Final = text(
    f"""
    SELECT * FROM ({name_most(_OUTCOMES, CRITERIA_MAX)}) AS named
    ORDER BY text = '{OTHERS}', failed + unassessed DESC, passed DESC, text
    """  # noqa: S608 - words of our own
)


async def get_quality(
    connection: Connection, range_s: int, now: datetime, *, agent_id: str = "", judge: str = "", of_criterion: str = ""
) -> Quality:
    """Return what the verdicts of the last `range_s` seconds came to, of the tenants of the connection.

    `agent_id`: of this agent's results; `judge`: by this policy, or this version of it; `of_criterion`: the outcomes of
    this one alone, in place of the verdicts'.
    """
    span_s = HOUR_S if range_s <= BY_HOUR_MAX_S else DAY_S
    point_s = max(1, round(range_s / POINTS / span_s)) * span_s
    since = get_span_begin(now - timedelta(seconds=range_s), span_s)
    chosen = {"span_s": span_s, "since": since, "agent_id": agent_id, "judge": judge}
    in_days = chosen | {"day": get_span_begin(since + timedelta(seconds=DAY_S - 1), DAY_S)}
    of_one = chosen | {"criterion": of_criterion[:CRITERION_MAX], "limit": NAMES_MAX}
    spans = await connection.execute(_READ["at"], of_one | {"limit": None})
    agents = await connection.execute(_READ["agent_id"], of_one)
    judges = await connection.execute(_READ["judge"], of_one)
    models: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in await connection.execute(_MODELS, in_days | {"judges": [row.judge for row in judges]}):
        models[row.judge][row.model] = row.judged
    criteria = [QualityOfCriterion(**row) for row in await connection.execute(_CRITERIA, in_days)]
    others = criteria.pop() if criteria and criteria[-1].text == OTHERS else None
    return Quality(
        points=list(_make_points(spans, point_s, now)),
        totals=_sum_up(spans),
        agents=[QualityOf(name=row.agent_id, **_read_sums(row)) for row in agents if row.agent_id],
        judges=[QualityOf(name=row.judge, models=models[row.judge], **_read_sums(row)) for row in judges],
        criteria=criteria,
        others=others,
    )


def _make_points(spans: Sequence[Row], point_s: int, now: datetime) -> Iterator[QualityPoint]:
    """Yield points without a gap from the first span on in which something was counted; none if nothing was."""
    parts: defaultdict[datetime, list[Row]] = defaultdict(list)
    for row in spans:
        parts[get_span_begin(row.at, point_s)].append(row)
    at = min(parts, default=now + timedelta(seconds=1))
    while at <= now:
        yield QualityPoint(at=at, **dict(_sum_up(parts[at])))
        at += timedelta(seconds=point_s)


def _read_sums(row: Row) -> dict[str, int]:
    return {name: row[name] for name in SUMS}


def _sum_up(rows: Sequence[Row]) -> QualityCounts:
    return QualityCounts(**{name: sum(row[name] for row in rows) for name in SUMS})
