"""Count published entries by minute, hour and agent, so that an overview need not read millions of entries.

No entry has the number of queued or running executions: that is sampled, and the maximum of each minute and hour kept.
"""

import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import TextClause, text

from contracts.judging.policy import DEFAULT_POLICY
from jobstore.engine import locks, sql
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.engine.sql import Connection, Row
from jobstore.insights import histogram, measures, verdicts
from jobstore.insights.verdicts import Verdicts, Whose
from jobstore.jobs.model import UNPROVEN, VALIDATOR, TransitionKind
from jobstore.jobs.reads import SETTLED
from jobstore.jobs.transitions import REJUDGED
from jobstore.jobs.waits import STARTABLE_AT
from jobstore.judging.store import COUNTED as JUDGED
from jobstore.schema import tables
from servicekit.process.runtime import run_forever

log = logging.getLogger(__name__)


#: The numbers of executions that are sampled, by what they do.
GAUGES: Final = ("queued", "running", "judging")
#: The time between two samples, by any jobstore.
SAMPLED_EVERY: Final = timedelta(seconds=10)
#: The time after which another jobstore takes the samples over: the one that took the last shows it so long, so that
#: what is sampled is never shown by two.
TAKEN_OVER_AFTER: Final = timedelta(seconds=15)
#: Milliseconds that a sample may take, enough for millions of executions; one that takes longer is left out.
SAMPLE_MAX_MS: Final = 5_000

#: Each count reads a partial index of these rows alone: executions that are DONE cost nothing.
_NOW: Final = text(
    """
    SELECT signoff_now() AS at,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED') AS queued,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED')) AS running,
        (SELECT count(*) FROM executions WHERE stage = 'JUDGING' AND state <> 'DONE') AS judging
    """
)
#: Whether the last sample is recent. A sample in the future is not: the database's clock was set back.
_IS_RECENT: Final = "sampled_at BETWEEN signoff_now() - CAST(:every AS interval) AND signoff_now()"
#: Of several jobstores that claim a sample at once, the first updates the row, and the others find it recent.
_CLAIM: Final = text(
    f"""
    INSERT INTO rollup (id, seq, sampled_at) VALUES (1, 0, signoff_now())
    ON CONFLICT (id) DO UPDATE SET sampled_at = excluded.sampled_at
    WHERE (rollup.{_IS_RECENT}) IS NOT TRUE RETURNING id
    """  # noqa: S608 - words of our own
)
_SET_TIMEOUT: Final = text("SELECT set_config('statement_timeout', :limit_ms, true)")


async def claim_sample(connection: Connection, every: timedelta = SAMPLED_EVERY) -> bool:
    """Claim the next sample if it is due, and return whether it is; a failing sample is not tried again at once."""
    return await connection.scalar(_CLAIM, {"every": every}) is not None


async def set_timeout(connection: Connection) -> None:
    """Let no statement of a transaction take longer than a sample may."""
    await connection.execute(_SET_TIMEOUT, {"limit_ms": str(SAMPLE_MAX_MS)})


class Shown(Protocol):
    """What else is sampled, and shown until a time of the monotonic clock."""

    async def show(self, until: float) -> None:
        """Sample and show. TransientError: the database takes too long."""


#: The highest number of entries that one transaction counts.
BATCH: Final = 2_000
POLL_S: Final = 2.0
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
#: How long the counts by minute, and by hour, are kept;
KEPT: Final = {MINUTE_S: timedelta(days=2), HOUR_S: timedelta(days=31)}
#: and those of verdicts, by hour and by day of UTC.
VERDICTS_KEPT: Final = {HOUR_S: timedelta(days=8), DAY_S: timedelta(days=91)}
FORGET_EVERY_S: Final = 600.0

COUNTED: Final = ("created", "completed", "failed", "rejected", "resubmission_required", "cancelled", "tokens")
_SUMS: Final = (*COUNTED, "cost_nanos")
_HISTOGRAMS: Final = ("waits", "calls", "judgings", "durations")
#: Columns that hold maxima, not sums; NULL where no sample was taken.
MAXIMA: Final = tuple(f"{name}_max" for name in GAUGES)
_COLUMNS: Final = (*_SUMS, *_HISTOGRAMS, *MAXIMA)

_CURSOR: Final = text(
    f"SELECT coalesce((SELECT seq FROM rollup WHERE id = 1), 0) AS seq, {SETTLED} FROM relay WHERE id = 1"  # noqa: S608
)
#: Whether there are entries to count, or a sample to take: the only statement while there are none.
_LOOK: Final = text(
    f"""
    SELECT {SETTLED} > coalesce(rollup.seq, 0) AS is_uncounted, ({_IS_RECENT}) IS NOT TRUE AS is_sample_due,
        EXISTS (SELECT FROM judgings WHERE state = 'DONE' AND NOT is_counted) AS has_judgings
    FROM relay LEFT JOIN rollup ON rollup.id = 1 WHERE relay.id = 1
    """  # noqa: S608 - words of our own
)
#: The spending of an entry is the job's total after it less that before; a wait begins when the execution may start.
_ROWS: Final = text(
    f"""
    SELECT l.seq, (SELECT tenant FROM jobs WHERE id = l.job_id) AS tenant, l.kind, l.status, l.code, l.agent_id,
        l.execution_id, e.traceparent, l.attempt, l.created_at, l.duration_s, l.actor,
        {STARTABLE_AT} AS startable_at,
        CASE WHEN l.kind = 'not_met' THEN (SELECT not_met_criteria FROM jobs WHERE id = l.job_id) END AS criteria,
        CASE WHEN {sql.is_verdict("l")} THEN coalesce(e.policy ->> 'judge', 'default') END AS judge,
        {verdicts.COLUMNS},
        coalesce(l.cost_nanos, 0) - coalesce(p.cost_nanos, 0) AS cost_nanos,
        coalesce(l.tokens, 0) - coalesce(p.tokens, 0) AS tokens
    FROM job_logs l LEFT JOIN executions e ON e.execution_id = l.execution_id
        LEFT JOIN job_logs p ON p.job_id = l.job_id AND p.version = l.version - 1
            AND (l.cost_nanos IS NOT NULL OR l.tokens IS NOT NULL)
        {verdicts.JOINED}
    WHERE l.seq > :after AND l.seq <= :until AND l.kind <> '{TransitionKind.REMOVED}' ORDER BY l.seq LIMIT :limit
    """  # noqa: S608 - words of our own
)


def _add_histogram(table: str, name: str) -> str:
    """Return the SET that adds a histogram to the one in a table's row."""
    return (
        f"{name} = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0) "  # noqa: S608 - names of our own
        f"FROM unnest({table}.{name}, excluded.{name}) WITH ORDINALITY AS u (a, b, n) ORDER BY n)"
    )


def _add_to(table: str, *key: str) -> TextClause:
    """Return the statement that adds the counts of a span to a table of these, which has `key` as its primary key."""
    names = (*key, *_COLUMNS)
    return text(
        f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES (:{", :".join(names)})
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET {", ".join(sql.add_up(table, n) for n in _SUMS)},
            {", ".join(f"{n} = greatest({table}.{n}, excluded.{n})" for n in MAXIMA)},
            {", ".join(_add_histogram(table, n) for n in _HISTOGRAMS)}
        """  # noqa: S608 - names of our own
    )


_ADD: Final = _add_to("rollups", "span_s", "at")
_ADD_OF_TENANT: Final = _add_to("tenant_rollups", "tenant", "span_s", "at")
#: Columns of an agent's sums: for each kind of time, how many were measured, and their seconds.
_OF_AGENT: Final = (
    *("ended", "completed", "seconds"),
    *(f"{name}{suffix}" for name in _HISTOGRAMS[:-1] for suffix in ("", "_s")),
)


def _add_agent_to(table: str, *key: str) -> TextClause:
    """Return the statement that adds the sums of an agent to a table of these, which has `key` as its primary key."""
    names = (*key, *_OF_AGENT)
    return text(
        f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES (:{", :".join(names)})
        ON CONFLICT ({", ".join(key)}) DO UPDATE
            SET {", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in _OF_AGENT)}
        """  # noqa: S608 - names of our own
    )


_ADD_AGENT: Final = _add_agent_to("agent_rollups", "agent_id", "at")
#: What the hour of a tenant's agent has besides: sums, durations by length, and counts by code and by criterion.
_MORE: Final = ("refused", "tokens", "cost_nanos")
_PARTS: Final = {"waits": "wait_parts", "calls": "call_parts", "judgings": "judging_parts"}
_TALLIES: Final = ("failures", "refusals")
#: The highest number of codes, and of criteria, of an hour: those that were most.
TALLY_MAX: Final = 50
#: Characters of a criterion by which it is counted.
CRITERION_MAX: Final = 300


def _add_agent_of_tenant() -> TextClause:
    """Return the statement that adds the sums of an agent to those of a tenant."""
    table, sums = "tenant_agent_rollups", (*_OF_AGENT, *_MORE)
    names = ("tenant", "agent_id", "at", *sums, *_PARTS.values(), *_TALLIES)
    values = (f"CAST(CAST(:{name} AS text) AS jsonb)" if name in _TALLIES else f":{name}" for name in names)
    tallies = (
        f"""
        {name} = (SELECT coalesce(jsonb_object_agg(key, count), '{{}}') FROM (
            SELECT key, sum(value::bigint) AS count FROM (
                SELECT * FROM jsonb_each_text({table}.{name}) UNION ALL SELECT * FROM jsonb_each_text(excluded.{name})
            ) AS counted GROUP BY key ORDER BY count DESC, key LIMIT {TALLY_MAX}
        ) AS most)"""  # noqa: S608 - as below
        for name in _TALLIES
    )
    return text(
        f"""
        INSERT INTO {table} ({", ".join(names)}) VALUES ({", ".join(values)})
        ON CONFLICT (tenant, agent_id, at) DO UPDATE SET {", ".join(f"{n} = {table}.{n} + excluded.{n}" for n in sums)},
            {", ".join(_add_histogram(table, name) for name in _PARTS.values())}, {", ".join(tallies)}
        """  # noqa: S608 - names of our own
    )


_ADD_AGENT_OF_TENANT: Final = _add_agent_of_tenant()
#: The outcome and the cost of a verdict, at the time of its entry.
_JUDGED: Final = {"at": "timestamptz"} | sql.columns(tables.judging_counts, only=set(JUDGED))
#: Verdicts by `default` count for the version that was current then, or else for the first version after that.
#: Nothing else writes these rows, since transactions that record verdicts would wait for their locks.
_COUNT_DEFAULT: Final = text(
    f"""
    INSERT INTO judging_counts (kind, name, version, {", ".join(JUDGED)})
    SELECT 'judge', '{DEFAULT_POLICY}', current.version, {", ".join(f"sum(u.{name})" for name in JUDGED)}
    FROM {sql.unnest("u", _JUDGED)} CROSS JOIN LATERAL (
        SELECT version FROM judging_moves WHERE kind = 'judge' AND name = '{DEFAULT_POLICY}' AND version IS NOT NULL
        ORDER BY created_at > u.at, CASE WHEN created_at > u.at THEN move ELSE -move END LIMIT 1
    ) AS current GROUP BY current.version
    ON CONFLICT (kind, name, version) DO UPDATE SET
        {", ".join(sql.add_up("judging_counts", name) for name in JUDGED)}
    """  # noqa: S608 - names of our own
)
_STORE: Final = text("INSERT INTO rollup (id, seq) VALUES (1, :seq) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq")
_OLD: Final = "span_s = :span_s AND at < signoff_now() - CAST(:kept AS interval)"
_FORGET: Final = (text(f"DELETE FROM rollups WHERE {_OLD}"), text(f"DELETE FROM tenant_rollups WHERE {_OLD}"))  # noqa: S608
_FORGET_SPENDING: Final = text("DELETE FROM spending WHERE day < signoff_now() - interval '31 days'")
_FORGET_AGENTS: Final = (
    text("DELETE FROM circuit_changes WHERE at < signoff_now() - interval '31 days'"),
    text("DELETE FROM agent_rollups WHERE at < signoff_now() - interval '2 days'"),
    text("DELETE FROM tenant_agent_rollups WHERE at < signoff_now() - interval '2 days'"),
)

#: The columns of entries that end an execution, each the status in small letters. An edit or a late result ends none,
#: and the cancel of one that had not begun is not counted.
_ENDS: Final = frozenset(COUNTED[1:6])
_REFUSED: Final = frozenset({"rejected", "resubmission_required"})
_ENDS_WITH_TIME: Final = _ENDS - {"cancelled"}
_ENDS_NOTHING: Final = frozenset({TransitionKind.EDITED, TransitionKind.RESULT, TransitionKind.SPENT})


@dataclass(slots=True)
class Counts:
    """The counts of one minute or hour."""

    sums: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count an entry of a job's log."""
        self.sums.update({"cost_nanos": row.cost_nanos, "tokens": row.tokens})
        if (column := _choose_column(row)) is not None:
            self.sums[column] += 1
        for name, seconds in _measure(row):
            _count_in(self.histograms, name, seconds)


@dataclass(slots=True)
class AgentHour:
    """What an agent did in an hour for a tenant."""

    sums: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    histograms: dict[str, list[int]] = field(default_factory=dict)
    tallies: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in _TALLIES})

    def add(self, row: Row) -> None:
        """Count an entry of a job's log."""
        self.sums.update({"cost_nanos": row.cost_nanos, "tokens": row.tokens})
        column = _choose_column(row)
        if column == "failed":
            self.tallies["failures"][row.code or "unknown"] += 1
        if column in _REFUSED:
            self.tallies["refusals"].update(each[:CRITERION_MAX] for each in row.criteria or ())
        for name, seconds in _measure(row):
            if name != "durations":
                self.sums[name] += 1
                self.seconds[f"{name}_s"] += max(0.0, seconds)
                _count_in(self.histograms, _PARTS[name], seconds)
            elif row.code != UNPROVEN:  # that is a failure of the judge
                self.sums.update({"ended": 1, "completed": column == "completed", "refused": column in _REFUSED})
                self.seconds["seconds"] += max(0.0, seconds)

    def make_row(self) -> dict[str, object]:
        """Return the columns of the hour."""
        row: dict[str, object] = {name: self.sums[name] for name in (*_OF_AGENT, *_MORE)}
        row |= {name: self.histograms.get(name, []) for name in _PARTS.values()} | dict(self.seconds)
        return row | {name: json.dumps(dict(tally.most_common(TALLY_MAX))) for name, tally in self.tallies.items()}


def _count_in(histograms: dict[str, list[int]], name: str, seconds: float) -> None:
    counts, part = histograms.setdefault(name, []), histogram.get_part(seconds)
    counts.extend([0] * (part + 1 - len(counts)))
    counts[part] += 1


_VERDICTS: Final = frozenset({TransitionKind.MET, TransitionKind.NOT_MET, TransitionKind.MISJUDGED})


def _measure(row: Row) -> Iterator[tuple[str, float]]:
    """Yield (name, seconds) of each duration that ends with a log entry: the wait, a call or judging, the execution."""
    since_startable = None if row.startable_at is None else (row.created_at - row.startable_at).total_seconds()
    if since_startable is not None and row.kind == TransitionKind.CLAIMED and row.attempt == 1:
        yield "waits", since_startable
    if row.duration_s is not None:
        yield "judgings" if row.kind in _VERDICTS or row.actor == VALIDATOR else "calls", row.duration_s
    if since_startable is not None and _choose_column(row) in _ENDS_WITH_TIME:
        yield "durations", since_startable


def _choose_column(row: Row) -> str | None:
    if row.kind == TransitionKind.CREATED:
        return "created"
    if row.kind in _ENDS_NOTHING or _is_rejudged(row) or (row.kind == TransitionKind.CANCELLED and not row.attempt):
        return None
    column: str = row.status.lower()
    return column if column in _ENDS else None


def _is_rejudged(row: Row) -> bool:
    """Return whether a log entry is the verdict of judging a job again, after its execution had ended."""
    return row.code == REJUDGED and row.kind in {TransitionKind.MET, TransitionKind.NOT_MET}


def get_span_begin(at: datetime, span_s: int) -> datetime:
    """Return the time at which the span of `span_s` seconds that contains the time `at` begins."""
    return datetime.fromtimestamp(at.timestamp() // span_s * span_s, UTC)


class Rollups:
    """Count published entries, in one jobstore at a time.

    The counts and the cursor of counted entries are stored in one transaction, so that no entry is counted twice.
    """

    def __init__(self, database: Database, shown: Shown | None = None) -> None:
        self._database = database
        self._shown = shown
        self._forget_at = 0.0
        #: Until when this jobstore is the one that samples.
        self._samples_until = 0.0

    async def run(self) -> None:
        """Sample gauges and count published entries for ever."""
        await run_forever(self._sample_and_count, name="rollups", every_s=POLL_S, rests=True)

    async def _sample_and_count(self) -> bool:
        async with self._database.session() as session:
            look = (await session.execute(_LOOK, {"every": self._find_every()})).one()
        if look.is_sample_due:
            await self.sample()
        if look.has_judgings:
            await self.count_judgings()
        if look.is_uncounted and await self.count():
            return True
        if time.monotonic() >= self._forget_at:
            await self.forget()
            self._forget_at = time.monotonic() + FORGET_EVERY_S
        return False

    async def count(self) -> bool:
        """Count the next entries, unless another jobstore counts; return whether there may be more entries."""
        async with self._database.transaction() as connection:
            if not await locks.try_hold(connection, Lock.ROLLUPS):
                return False
            seq, until = (await connection.execute(_CURSOR)).one()
            if seq >= until:
                return False
            rows = await connection.execute(_ROWS, {"after": seq, "until": until, "limit": BATCH})
            await _add_up(connection, rows)
            is_full = len(rows) == BATCH
            await connection.execute(_STORE, {"seq": rows[-1].seq if is_full else until})
        measures.note(measures.Told(row, _choose_column(row), _measure(row)) for row in rows)
        return is_full

    async def count_judgings(self) -> None:
        """Count judgings without a job that have ended; call `count` for those of jobs."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(verdicts.TAKE_JUDGINGS, {"limit": BATCH})
            spans: dict[Whose, Verdicts] = {}
            for row in rows:
                for whose in _list_spans(row, row.answered_at, datetime.now(UTC)):
                    spans.setdefault(whose, Verdicts()).add_judging(row)
            await _add_verdicts(connection, spans)

    async def sample(self) -> None:
        """Sample the gauges if a sample is due. TransientError: the query takes longer than SAMPLE_MAX_MS.

        Stuck executions show in gauges alone, since they have no new entries.
        """
        begun_at = time.monotonic()
        async with self._database.session() as session:
            if not await claim_sample(session, self._find_every()):
                return
        self._samples_until = begun_at + TAKEN_OVER_AFTER.total_seconds()
        async with self._database.transaction() as connection:
            await set_timeout(connection)
            now = (await connection.execute(_NOW)).one()
            maxima = {f"{name}_max": now[name] for name in GAUGES}
            rows = [_make_row(span_s, get_span_begin(now.at, span_s), Counts()) | maxima for span_s in KEPT]
            await connection.execute_many(_ADD, rows)
        if self._shown is not None:
            await self._shown.show(self._samples_until)

    def _find_every(self) -> timedelta:
        """Return after how long this jobstore takes the next sample."""
        return SAMPLED_EVERY if time.monotonic() < self._samples_until else TAKEN_OVER_AFTER

    async def forget(self) -> None:
        """Delete counts that are older than overviews show, and what tenants spent more than a month ago."""
        async with self._database.transaction() as connection:
            for span_s, kept in KEPT.items():
                for statement in _FORGET:
                    await connection.execute(statement, {"span_s": span_s, "kept": kept})
            for statement in _FORGET_AGENTS:
                await connection.execute(statement)
            for span_s, kept in VERDICTS_KEPT.items():
                await connection.execute(verdicts.OLD, {"span_s": span_s, "kept": kept})
            await connection.execute(_FORGET_SPENDING)


async def _add_up(connection: Connection, rows: Sequence[Row]) -> None:
    now = datetime.now(UTC)
    spans: dict[tuple[int, datetime], Counts] = {}
    of_tenants: dict[tuple[str, int, datetime], Counts] = {}
    agents: dict[tuple[str, str, datetime], AgentHour] = {}
    judged_in: dict[Whose, Verdicts] = {}
    for row in rows:
        for span_s, kept in KEPT.items():
            if row.created_at > now - kept:
                at = get_span_begin(row.created_at, span_s)
                spans.setdefault((span_s, at), Counts()).add(row)
                of_tenants.setdefault((row.tenant, span_s, at), Counts()).add(row)
        if row.agent_id is not None and row.created_at > now - KEPT[MINUTE_S]:
            key = (row.tenant, row.agent_id, get_span_begin(row.created_at, HOUR_S))
            agents.setdefault(key, AgentHour()).add(row)
        if row.judge is not None:
            for whose in _list_spans(row, row.created_at, now):
                judged_in.setdefault(whose, Verdicts()).add(row)
    await _add_verdicts(connection, judged_in)
    rollups = [_make_row(span_s, at, counts) for (span_s, at), counts in sorted(spans.items()) if counts != Counts()]
    if rollups:
        await connection.execute_many(_ADD, rollups)
        made = (({"tenant": key[0]}, _make_row(*key[1:], counts), counts) for key, counts in sorted(of_tenants.items()))
        await connection.execute_many(
            _ADD_OF_TENANT, [tenant | row for tenant, row, counts in made if counts != Counts()]
        )
    of_agents = [
        {"tenant": tenant, "agent_id": i, "at": at, **hour.make_row()}
        for (tenant, i, at), hour in sorted(agents.items(), key=lambda item: item[0])
        if hour != AgentHour()
    ]
    if of_agents:
        await connection.execute_many(_ADD_AGENT, of_agents)
        await connection.execute_many(_ADD_AGENT_OF_TENANT, of_agents)
    judged = [_count_verdict(row) for row in rows if row.judge == DEFAULT_POLICY and not _is_rejudged(row)]
    if judged:
        await connection.execute(_COUNT_DEFAULT, sql.arrays(_JUDGED, "u", judged))


def _list_spans(row: Row, at: datetime, now: datetime) -> Iterator[Whose]:
    """Yield whose verdict a row holds, for each span of time in which it is counted; none if it holds none."""
    if row.judged_by is not None:
        for span_s, kept in VERDICTS_KEPT.items():
            if at > now - kept:
                yield Whose(row.tenant, span_s, get_span_begin(at, span_s), row.agent_id or "", row.judged_by)


async def _add_verdicts(connection: Connection, spans: Mapping[Whose, Verdicts]) -> None:
    made = [counts.make_row(whose) for whose, counts in sorted(spans.items(), key=lambda item: item[0]) if counts.sums]
    if made:
        await connection.execute_many(verdicts.ADD, made)


def _count_verdict(row: Row) -> dict[str, object]:
    outcome = measures.find_outcome(row)
    outcomes = {name: int(name == outcome) for name in ("met", "not_met", "unjudged")}
    return {"at": row.created_at, **outcomes, "cost_nanos": row.cost_nanos, "tokens": row.tokens}


def _make_row(span_s: int, at: datetime, counts: Counts) -> dict[str, object]:
    histograms = {name: counts.histograms.get(name, []) for name in _HISTOGRAMS}
    sums = {name: counts.sums[name] for name in _SUMS}
    return {"span_s": span_s, "at": at, **sums, **histograms, **dict.fromkeys(MAXIMA)}
