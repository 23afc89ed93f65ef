"""Read what a retention would let go, and how much is kept, how it grows and what goes next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic_core import from_json
from sqlalchemy import select, text

from jobstore.engine.sql import PLAN_ANEW, Connection, Row
from jobstore.jobs.reads import JOB_COLUMNS, make_job_view
from jobstore.jobs.rows import JobView
from jobstore.keeping.due import KEEPS_BACK, KEPT_S, RULE, RULES_OF_JOBS, is_due, join_retentions, kept_s
from jobstore.keeping.rules import GENERAL, Rule, find_kept_s, find_tenant
from jobstore.schema.tables import jobs
from signoff.keeping import Kept, KeptArchive, KeptBack, KeptGrowth, KeptJobs, KeptNext, KeptTable, Retention
from signoff.status import JobStatus

#: A preview counts jobs up to so many, and shows so many.
COUNTED_MAX: Final = 100_000
SAMPLE: Final = 5
#: A preview says how much goes within so many seconds.
LATER_S: Final = 30 * 86_400.0
#: Jobs are counted by tenant and status among about so many; of more a sample of pages is read.
SAMPLED_MAX: Final = 200_000
GROUPS_MAX: Final = 200
#: What is due, and kept back, is counted up to so many.
DUE_MAX: Final = 10_000
#: The bounds of the ages by which jobs are counted, in days.
AGES: Final = (1, 7, 30, 90)
#: Of how many days the growth is told at most.
GROWTH_DAYS: Final = 7
#: An archive is late in which an older entry of a log does not stand yet.
LATE_S: Final = 900.0
#: While the clocks of the database and of a jobstore differ by more, what is due by one alone is not removed.
CLOCKS_S: Final = 60.0
_DAY_S: Final = 86_400.0
#: What is wrong with an archive, whether or not anything is to be removed.
OF_ARCHIVE: Final = frozenset({"archive_failed", "archive_late"})

_SIZES: Final = text(
    """
    SELECT relname AS name, pg_total_relation_size(oid) AS bytes, greatest(reltuples, 0)::bigint AS rows
    FROM pg_class WHERE relkind = 'r' AND relnamespace = CAST(current_schema() AS regnamespace)
    ORDER BY bytes DESC, name
    """
)
#: Tables that have rows of each job: what they take is what jobs take.
_OF_JOBS: Final = frozenset({"executions", "job_logs", "job_texts", "jobs", "judgings", "reusable"})
_COUNT: Final = text("SELECT count(*) FROM jobs")

#: Jobs of the tenant `only`, or of all but those whose own retention says it, that are past what is said of their rule.
_PAST: Final = f"""
    FROM jobs j WHERE (CAST(:only AS text) IS NULL OR j.tenant = :only) AND NOT j.live
        AND NOT ({" OR ".join(KEEPS_BACK.values())}) AND CASE {RULE}
        {
    " ".join(
        f"WHEN '{rule.name}' THEN {is_due(f'CAST(:{rule.field} AS float8)', 'CAST(:within AS float8)')} "
        f"AND j.tenant <> ALL(CAST(:others_{rule.field} AS text[]))"
        for rule in RULES_OF_JOBS
    )
} END
"""
_COUNT_PAST: Final = text(
    f"SELECT rule, count(*) AS number FROM (SELECT {RULE} AS rule {_PAST} LIMIT :limit) AS past GROUP BY rule"  # noqa: S608
)
_OLDEST_PAST: Final = text(f"SELECT j.id {_PAST} ORDER BY j.updated_at, j.id LIMIT :limit")
_COUNT_OPERATIONS: Final = text(
    """
    SELECT count(*) FROM operations o WHERE o.state IN ('CANCELLED', 'DONE')
        AND (CAST(:only AS text) IS NULL OR o.tenant = :only)
        AND coalesce(o.tenant, '') <> ALL(CAST(:others_operations_s AS text[]))
        AND o.finished_at <= signoff_now() + make_interval(secs => CAST(:within AS float8))
            - make_interval(secs => CAST(:operations_s AS float8))
    """
)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a retention lets go by some time: jobs by rule, operations, an estimate of bytes, and the oldest jobs."""

    counts: Mapping[str, int]
    operations: int
    bytes: int
    sample: Sequence[JobView] = ()

    @property
    def jobs(self) -> int:
        """How many jobs it lets go."""
        return sum(self.counts.values())

    @property
    def oldest_at(self) -> datetime | None:
        """When the oldest of them came to rest."""
        return self.sample[0]["updated_at"] if self.sample else None

    @property
    def has_more(self) -> bool:
        """Whether there may be more."""
        return self.jobs >= COUNTED_MAX


@dataclass(frozen=True, slots=True)
class Preview:
    """What a retention would let go at once, and within 30 days of what rests now."""

    now: Effect
    later: Effect


async def preview_retention(connection: Connection, name: str, said: Mapping[str, Retention]) -> Preview:
    """Return what the retention of a name lets go if retentions are as `said`; call this within a transaction."""
    await connection.execute(PLAN_ANEW)
    bytes_of_job = _divide_bytes(await connection.execute(_SIZES), 0)
    tenant = find_tenant(name)
    parameters: dict[str, object] = {"only": tenant}
    for rule in Rule:
        parameters[rule.field] = find_kept_s(rule, tenant or "", said)
        own = () if tenant else (each for each, one in said.items() if getattr(one, rule.field) is not None)
        parameters[f"others_{rule.field}"] = [str(find_tenant(each)) for each in own if each != GENERAL]
    now, later = [
        await _find_effect(connection, {**parameters, "within": within}, bytes_of_job) for within in (0.0, LATER_S)
    ]
    return Preview(now, later)


async def _find_effect(connection: Connection, parameters: dict[str, object], bytes_of_job: float) -> Effect:
    counts = {
        row.rule: row.number for row in await connection.execute(_COUNT_PAST, {**parameters, "limit": COUNTED_MAX})
    }
    ids = await connection.scalars(_OLDEST_PAST, {**parameters, "limit": SAMPLE}) if counts else []
    query = select(*JOB_COLUMNS[False]).where(jobs.c.id.in_(ids)).order_by(jobs.c.updated_at, jobs.c.id)
    sample = [make_job_view(row) for row in await connection.execute(query)] if ids else []
    operations = await connection.scalar(_COUNT_OPERATIONS, parameters)
    return Effect(dict(sorted(counts.items())), operations, round(sum(counts.values()) * bytes_of_job), sample)


def _divide_bytes(sizes: Sequence[Row], count: int) -> float:
    """Return how many bytes of tables one of `count` jobs takes, or of as many as the database estimates."""
    rows = max(count, next((row.rows for row in sizes if row.name == "jobs"), 0), 1)
    return float(sum(row.bytes for row in sizes if row.name in _OF_JOBS)) / rows


_OWN_CLOCK: Final = text("SELECT signoff_now() AS now, pg_database_size(current_database()) AS bytes")
_IS_ON: Final = text(
    f"SELECT EXISTS (SELECT FROM retentions WHERE {' OR '.join(f'{rule.field} IS NOT NULL' for rule in Rule)})"  # noqa: S608
)
#: TABLESAMPLE SYSTEM reads whole pages: as many percent of them, and all of a small table.
_GROUPS: Final = text(
    f"""
    SELECT tenant, status, rule, kept_s, count(*) AS number, min(updated_at) AS oldest_at,
        count(*) FILTER (WHERE updated_at <= signoff_now() - make_interval(secs => kept_s)) AS due,
        {", ".join(f"count(*) FILTER (WHERE age >= {days}) AS over_{days}" for days in AGES)}
    FROM (
        SELECT j.tenant, j.status, j.updated_at, {RULE} AS rule, {KEPT_S} AS kept_s,
            extract(epoch FROM signoff_now() - j.updated_at) / {_DAY_S:.0f} AS age
        FROM jobs j TABLESAMPLE SYSTEM (CAST(:percent AS float4)) {join_retentions("j.tenant")}
    ) AS each GROUP BY tenant, status, rule, kept_s
    """  # noqa: S608 - words of our own
)
_OPERATIONS: Final = text(
    f"""
    SELECT coalesce(o.tenant, '') AS tenant, min(o.finished_at) AS oldest_at, kept.s AS kept_s,
        count(*) FILTER (WHERE o.finished_at <= signoff_now() - make_interval(secs => kept.s)) AS due
    FROM operations o {join_retentions("o.tenant")}
        CROSS JOIN LATERAL (SELECT {kept_s(Rule.OPERATION)} AS s) AS kept
    WHERE o.state IN ('CANCELLED', 'DONE') AND kept.s IS NOT NULL GROUP BY 1, 3
    """  # noqa: S608 - words of our own
)
_REMOVED: Final = text(
    "SELECT count(*) AS removed, count(*) FILTER (WHERE seq > (SELECT cut_seq FROM keeping)) AS uncut, "
    "(SELECT count(*) FROM holds) AS holds FROM job_logs WHERE kind = 'removed'"
)
_ARCHIVE: Final = text(
    """
    SELECT k.checkpoint, k.checkpoint_at, k.archive_error AS error, parts.*,
        greatest(0, last.seq - k.archived_seq) AS behind,
        (SELECT extract(epoch FROM signoff_now() - created_at)::float8 FROM job_logs WHERE seq > k.archived_seq
            ORDER BY seq LIMIT 1) AS waits_s
    FROM keeping k CROSS JOIN (
        SELECT coalesce(sum(bytes), 0)::bigint AS bytes, count(*) AS parts, max(created_at) AS newest_at,
            coalesce(sum(bytes) FILTER (WHERE created_at > signoff_now() - make_interval(days => :days)), 0)::bigint
                AS lately
        FROM archive_parts WHERE bytes > 0
    ) AS parts CROSS JOIN (
        SELECT greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts), 0) AS seq
    ) AS last
    """
)
_GROWTH: Final = text(
    """
    SELECT coalesce(sum(created), 0)::bigint AS created,
        coalesce(extract(epoch FROM signoff_now() - min(at)), 0)::float8 AS seconds
    FROM rollups WHERE at > signoff_now() - make_interval(days => :days)
    """
)
#: How many that are due are kept back by each of the reasons.
_KEPT_BACK: Final = {
    code: text(
        f"""
        SELECT count(*) FROM (
            SELECT FROM jobs j {join_retentions("j.tenant")}
            WHERE j.id IN ({ids}) AND {is_due(KEPT_S)} LIMIT {DUE_MAX}
        ) AS kept_back
        """  # noqa: S608 - words of our own
    )
    for code, ids in {
        "job_held": "SELECT job_id FROM holds",
        "operation_live": "SELECT i.job_id FROM operations o JOIN operation_items i ON i.operation_id = o.id "
        "WHERE o.state NOT IN ('CANCELLED', 'DONE')",
    }.items()
}
_HELD_BACK: Final = text("SELECT held_back::text FROM keeping")
_HOLDS_OF_NOTHING: Final = text(
    "SELECT count(*) FROM holds WHERE NOT EXISTS (SELECT FROM jobs WHERE jobs.id = holds.job_id)"
)
#: What keeps removal back, by code: a message, and what helps.
_REASONS: Final = {
    "job_held": (
        "jobs that are due, and held: {count}",
        "release them once nobody needs them: signoff jobs release ID",
    ),
    "operation_live": (
        "jobs that are due, in an operation that is under way: {count}",
        "wait for it, or cancel it: signoff bulk list",
    ),
    "no_archive": (
        "no archive is configured, and nothing is removed that is not archived",
        "set SIGNOFF_ARCHIVE of the jobstores to a directory or a bucket",
    ),
    "archive_failed": (
        "nothing is archived: {age}",
        "mend the archive, and see whether it is whole: signoff archive verify",
    ),
    "archive_late": (
        "the archive is behind: rows that are not archived yet: {count}; the oldest has waited for {age}",
        "see the log of the jobstores: one of them archives, and says there why it cannot",
    ),
    "hold_of_nothing": (
        "holds of jobs that are not there, which keep nothing back: {count}",
        "release them: signoff jobs release ID",
    ),
    "group_behind": (
        "facts stay in their topics: the group {group} has not read {count} of those that could go",
        "let it go on, or take it out of SIGNOFF_FACTS_GROUPS of the jobstores",
    ),
    "clocks_differ": (
        "the clocks of the database and of this jobstore differ by {count} s; what is due by one alone stays",
        "let both keep the same time, by NTP",
    ),
}


async def read_kept(connection: Connection, clock: datetime, *, has_archive: bool) -> Kept:
    """Return what is kept; `clock` is the jobstore's own time. Call this within a transaction, of all tenants."""
    own = (await connection.execute(_OWN_CLOCK)).one()
    sizes = await connection.execute(_SIZES)
    estimated = next((row.rows for row in sizes if row.name == "jobs"), 0)
    share = min(1.0, SAMPLED_MAX / max(estimated, 1))
    groups = await connection.execute(_GROUPS, {"percent": 100 * share})
    total = round(sum(row.number for row in groups) / share)
    counts = (await connection.execute(_REMOVED)).one()
    archive = await _read_archive(connection, has_archive=has_archive)
    is_on = bool(await connection.scalar(_IS_ON))
    operations = await connection.execute(_OPERATIONS)
    if is_on:
        kept_back = await _list_kept_back(connection, archive, own.now, clock)
    else:
        kept_back = [each for each in _list_obstacles(archive, own.now, clock) if each.code in OF_ARCHIVE]
    if has_archive:
        held_back = from_json(await connection.scalar(_HELD_BACK))
        kept_back += [_explain("group_behind", count, group=group) for group, count in sorted(held_back.items())]
    return Kept(
        at=own.now,
        is_on=is_on,
        database_bytes=own.bytes,
        tables=[KeptTable(**dict(row)) for row in sizes],
        jobs=_sum_up(groups, share),
        removed=counts.removed,
        uncut=counts.uncut,
        holds=counts.holds,
        archive=archive.shown,
        growth=await _read_growth(connection, archive.lately, _divide_bytes(sizes, total)),
        next=sorted([*_list_next(groups, share), *_list_next(operations, 1.0)], key=lambda each: each.at),
        kept_back=kept_back,
    )


def _sum_up(groups: Sequence[Row], share: float) -> list[KeptJobs]:
    """Return how many jobs there are of each tenant and status, the most first."""
    summed: dict[tuple[str, str], list[Row]] = {}
    for row in groups:
        summed.setdefault((row.tenant, row.status), []).append(row)
    kept = []
    for (tenant, status), rows in summed.items():
        count = round(sum(row.number for row in rows) / share)
        over = [round(sum(row[f"over_{days}"] for row in rows) / share) for days in AGES]
        by_age = [before - after for before, after in zip([count, *over], [*over, 0], strict=True)]
        oldest_at = min(row.oldest_at for row in rows)
        kept.append(KeptJobs(tenant=tenant, status=JobStatus(status), count=count, oldest_at=oldest_at, by_age=by_age))
    return sorted(kept, key=lambda each: (-each.count, each.tenant, each.status))[:GROUPS_MAX]


def _list_next(rows: Sequence[Row], share: float) -> list[KeptNext]:
    return [
        KeptNext(
            tenant=row.tenant,
            kind=row.get("rule", Rule.OPERATION.name),
            at=row.oldest_at + timedelta(seconds=row.kept_s),
            due=min(DUE_MAX, round(row.due / share)),
        )
        for row in rows
        if row.kept_s is not None
    ]


@dataclass(frozen=True, slots=True)
class _Archive:
    """The archive as the database knows it, the bytes of its parts of the last days, and what waits for it longest."""

    shown: KeptArchive
    lately: int
    waits_s: float | None


async def _read_archive(connection: Connection, *, has_archive: bool) -> _Archive:
    fields = dict((await connection.execute(_ARCHIVE, {"days": GROWTH_DAYS})).one())
    lately, waits_s = fields.pop("lately"), fields.pop("waits_s")
    return _Archive(KeptArchive(is_configured=has_archive, **fields), lately, waits_s)


async def _read_growth(connection: Connection, lately: int, bytes_of_job: float) -> KeptGrowth:
    row = (await connection.execute(_GROWTH, {"days": GROWTH_DAYS})).one()
    days = min(float(GROWTH_DAYS), row.seconds / _DAY_S)
    if not days:
        return KeptGrowth()
    per_day = row.created / days
    return KeptGrowth(
        days=days,
        jobs_per_day=per_day,
        database_bytes_per_day=per_day * bytes_of_job,
        archive_bytes_per_day=lately / days,
    )


async def _list_kept_back(connection: Connection, archive: _Archive, now: datetime, clock: datetime) -> list[KeptBack]:
    """Return what keeps back what is due, of all retentions."""
    found = _list_obstacles(archive, now, clock)
    for code, statement in {**_KEPT_BACK, "hold_of_nothing": _HOLDS_OF_NOTHING}.items():
        if count := await connection.scalar(statement):
            found.append(_explain(code, count))
    return found


async def list_obstacles(connection: Connection, clock: datetime, *, has_archive: bool) -> list[KeptBack]:
    """Return what keeps back all removal, whatever is due; `clock` is the jobstore's own time."""
    archive = await _read_archive(connection, has_archive=has_archive)
    return _list_obstacles(archive, (await connection.execute(_OWN_CLOCK)).one().now, clock)


def _list_obstacles(archive: _Archive, now: datetime, clock: datetime) -> list[KeptBack]:
    found: list[KeptBack] = []
    if not archive.shown.is_configured:
        found.append(_explain("no_archive"))
    elif archive.shown.error is not None:
        found.append(_explain("archive_failed", age=archive.shown.error))
    elif archive.waits_s is not None and archive.waits_s > LATE_S:
        found.append(_explain("archive_late", archive.shown.behind, age=f"{archive.waits_s / 60:.0f} minutes"))
    if (apart_s := abs((now - clock).total_seconds())) > CLOCKS_S:
        found.append(_explain("clocks_differ", round(apart_s)))
    return found


def _explain(code: str, count: int = 0, **words: str) -> KeptBack:
    message, remedy = _REASONS[code]
    of_jobs = count if code in {*_KEPT_BACK, "hold_of_nothing"} else 0
    return KeptBack(code=code, count=of_jobs, message=message.format(count=count, **words), remedy=remedy)
