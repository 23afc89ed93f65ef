"""Show in metrics what entries of logs say. One jobstore counts each entry, so that sums over all jobstores are right.

What rollups count is counted here by the same rules, so that metrics and the overview tell the same times.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from prometheus_client import Counter, Histogram

from contracts.traceparent import find_trace_id
from jobstore.engine.sql import Row
from jobstore.jobs.model import UNPROVEN, TransitionKind
from servicekit.metrics import LIFE_BUCKETS, NAMED, Names

#: Entries that a rebuild or an outage brings so late are nothing that happens now.
LATE: Final = timedelta(hours=1)
#: How many agents, tenants, judges and codes of failures are counted by themselves.
AGENTS_MAX, TENANTS_MAX, JUDGES_MAX, CODES_MAX = 200, 50, 50, 100
NANOS_A_USD: Final = 10**9


def _time(name: str, help_text: str) -> Histogram:
    return Histogram(f"signoff_{name}_seconds", help_text, buckets=LIFE_BUCKETS)


#: By the name of the rollups' histogram.
TIMES: Final = {
    "waits": _time("execution_wait", "Time from when an execution could begin until an executor began it"),
    "calls": _time("agent_call", "Time of a call of an agent"),
    "judgings": _time("judging", "Time of judging a result"),
    "durations": _time("execution", "Time from when an execution could begin until its end"),
}
CREATED = Counter("signoff_jobs_created", "Jobs that were created")
ENDED = Counter("signoff_executions_ended", "Executions that ended, by the job's status then", ["status"])
FAILED = Counter("signoff_executions_failed", "Executions that ended as FAILED, by why", ["code"])
VERDICTS = Counter("signoff_verdicts", "Verdicts on executions", ["outcome"])
TOKENS = Counter("signoff_tokens", "Tokens that agents and judges used")
COST = Counter("signoff_cost_usd", "What agents and judges cost, in US dollars")
OF_JUDGES = Counter("signoff_judge_verdicts", "Verdicts by a judge policy", ["judge", "outcome"], registry=NAMED)


class _Sums(NamedTuple):
    """The counters of a label that names somebody, and the names that are counted by themselves."""

    names: Names
    ended: Counter
    tokens: Counter
    cost: Counter


def _make_sums(of: str, most: int) -> _Sums:
    return _Sums(
        Names(most),
        Counter(f"signoff_{of}_executions_ended", f"Executions of {of}s that ended", [of, "status"], registry=NAMED),
        Counter(f"signoff_{of}_tokens", f"Tokens that executions of {of}s used", [of], registry=NAMED),
        Counter(f"signoff_{of}_cost_usd", f"What executions of {of}s cost, in US dollars", [of], registry=NAMED),
    )


_AGENTS, _TENANTS = _make_sums("agent", AGENTS_MAX), _make_sums("tenant", TENANTS_MAX)
_JUDGES, _CODES = Names(JUDGES_MAX), Names(CODES_MAX)
_ENDS: Final = frozenset({"completed", "failed", "rejected", "resubmission_required", "cancelled"})


class Told(NamedTuple):
    """An entry, the column of rollups in which it counts, if any, and the seconds of each time that ends with it."""

    row: Row
    column: str | None
    times: Iterable[tuple[str, float]]


#: What counters count of some entries: each is added to once, whoever reads them meanwhile.
Totals: TypeAlias = defaultdict[Counter, float]


def note(entries: Iterable[Told]) -> None:
    """Count entries that rollups have counted; late ones are left out."""
    since, shown, totals = datetime.now(UTC) - LATE, set[tuple[str, int]](), Totals(float)
    for row, column, times in entries:
        if row.created_at > since:
            for name, seconds in times:
                _note_time(row, name, max(0.0, seconds), shown)
            _note(row, column, totals)
    for counter, value in totals.items():
        counter.inc(value)


def _note_time(row: Row, name: str, seconds: float, shown: set[tuple[str, int]]) -> None:
    """Count a time, with an exemplar if it is the first of its bucket: `shown` has the buckets that have one."""
    bucket = name, bisect_left(LIFE_BUCKETS, seconds)
    exemplar = None if bucket in shown or row.execution_id is None else _make_exemplar(row)
    shown.add(bucket)
    TIMES[name].observe(seconds, exemplar)


def _note(row: Row, column: str | None, totals: Totals) -> None:
    ended = column if column in _ENDS else None
    if row.judge is not None:
        outcome = find_outcome(row)
        totals[_find(VERDICTS, outcome)] += 1
        totals[_find(OF_JUDGES, _JUDGES.bound(row.judged_by), outcome)] += 1
    if column == "created":
        totals[CREATED] += 1
    elif column == "failed":
        totals[_find(FAILED, _CODES.bound(row.code or "unknown"))] += 1
    if ended is not None:
        totals[_find(ENDED, ended)] += 1
    if row.tokens > 0:
        totals[TOKENS] += row.tokens
    if row.cost_nanos > 0:
        totals[COST] += row.cost_nanos / NANOS_A_USD
    if ended is not None or row.tokens > 0 or row.cost_nanos > 0:
        for whose, sums in ((row.agent_id, _AGENTS), (row.tenant, _TENANTS)):
            if whose is not None:
                _add(sums, whose, row, ended, totals)


def _add(sums: _Sums, whose: str, row: Row, ended: str | None, totals: Totals) -> None:
    name = sums.names.bound(whose)
    if ended is not None:
        totals[_find(sums.ended, name, ended)] += 1
    if row.tokens > 0:
        totals[_find(sums.tokens, name)] += row.tokens
    if row.cost_nanos > 0:
        totals[_find(sums.cost, name)] += row.cost_nanos / NANOS_A_USD


@cache
def _find(counter: Counter, *labels: str) -> Counter:
    return counter.labels(*labels)


def _make_exemplar(row: Row) -> dict[str, str]:
    """Return what names an execution that took such a time, and its trace."""
    trace_id = find_trace_id(row.traceparent, row.execution_id)
    return {"trace_id": trace_id, "execution_id": str(row.execution_id)}


def find_outcome(row: Row) -> str:
    """Return how an entry with a verdict counts: met, not_met, or unjudged, if the judge failed."""
    if row.kind == TransitionKind.MET:
        return "met"
    is_unjudged = row.code == UNPROVEN or (row.code or "").startswith("judge_")
    return "unjudged" if is_unjudged else "not_met"
