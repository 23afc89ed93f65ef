"""Choose the jobs of operations: count them, estimate their cost, and make the query of their items."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Text, Uuid, case, cast, func, literal, null, select, text

from contracts.resources import JobFilter
from jobstore.engine.sql import PLAN_ANEW, Connection, is_verdict
from jobstore.jobs.finding import Query, has_more_waiting, where_matching
from jobstore.jobs.reads import JOB_COLUMNS, make_job_view
from jobstore.jobs.rows import JobView
from jobstore.judging.rules import Version
from jobstore.operations.reads import retried_jobs
from jobstore.schema.tables import jobs
from signoff.status import BATCH_KINDS, JobStatus, OperationKind

#: How many of an operation's jobs a preview shows.
SAMPLE: Final = 5
#: The cost of a job is the mean of so many that its agent has ended, among so many of its newest.
ENDED_MAX: Final = 200
NEWEST_MAX: Final = 20_000

_MEAN_COSTS: Final = text(
    """
    SELECT a.id, round(avg(ended.cost_nanos))::bigint AS nanos
    FROM unnest(CAST(:agent_ids AS text[])) AS a (id) CROSS JOIN LATERAL (
        SELECT cost_nanos FROM (
            SELECT status, cost_nanos FROM jobs WHERE agent_id = a.id ORDER BY created_at DESC, id DESC LIMIT :newest
        ) AS newest WHERE status IN ('COMPLETED', 'FAILED', 'REJECTED', 'RESUBMISSION_REQUIRED') LIMIT :ended
    ) AS ended GROUP BY a.id HAVING sum(ended.cost_nanos) > 0
    """
)


#: The average cost of the last judging of each of these jobs: the amount that its entry added to the job's spending.
_MEAN_JUDGING: Final = text(
    f"""
    SELECT round(avg(l.cost_nanos - coalesce(p.cost_nanos, 0)))::bigint AS nanos
    FROM unnest(CAST(:job_ids AS text[])) AS a (id) CROSS JOIN LATERAL (
        SELECT job_id, version, coalesce(cost_nanos, 0) AS cost_nanos FROM job_logs log
        WHERE job_id = a.id AND {is_verdict("log")} ORDER BY version DESC LIMIT 1
    ) AS l LEFT JOIN job_logs p ON p.job_id = l.job_id AND p.version = l.version - 1
    HAVING sum(l.cost_nanos - coalesce(p.cost_nanos, 0)) > 0
    """  # noqa: S608 - words of our own
)
#: The average cost of verdicts by a version of a judge policy.
_MEAN_BY_POLICY: Final = text(
    """
    SELECT round(cost_nanos::numeric / (met + not_met + unjudged))::bigint AS nanos FROM judging_counts
    WHERE kind = 'judge' AND name = :name AND version = :version AND cost_nanos > 0
    """
)


@dataclass(frozen=True, slots=True)
class Preview:
    """The jobs that an operation would have: their number, their numbers by status, and the oldest of them as a sample.

    `cost_nanos`: the expected cost of executing, or judging again, `cost_of` of these jobs; None: no cost is known.
    """

    total: int
    items_max: int
    counts: Mapping[str, int] = field(default_factory=dict)
    sample: Sequence[JobView] = ()
    cost_nanos: int | None = None
    cost_of: int = 0


def matching_items(kind: OperationKind, chosen: JobFilter, limit: int) -> Query:
    """Return the query of the items (number, job, execution) of the `limit` oldest jobs that match a filter."""
    number = func.row_number().over(order_by=(jobs.c.created_at, jobs.c.id)) - 1
    query = where_matching(select(number, jobs.c.id, _get_target(kind)), chosen)
    return query.order_by(jobs.c.created_at, jobs.c.id).limit(limit)


def named_items(kind: OperationKind, job_ids: Sequence[str]) -> Query:
    """Return the query of one item for each named job, in the given order, even if no such job exists."""
    named = func.unnest(literal(list(job_ids), ARRAY(Text))).table_valued("id", with_ordinality="n").render_derived()
    query = select(named.c.n - 1, named.c.id, _get_target(kind))
    return query.select_from(named.outerjoin(jobs, jobs.c.id == named.c.id))


def retried_items(retry_of: UUID, statuses: Sequence[JobStatus]) -> Query:
    """Return the query of the items of a retry: those of the operation `retry_of` that ended at one of `statuses`."""
    found = retried_jobs(retry_of, statuses).subquery()
    number = func.row_number().over(order_by=found.c.item) - 1
    return select(number, found.c.job_id, cast(null(), Uuid))


def _get_target(kind: OperationKind) -> ColumnElement[UUID | None]:
    """Return the column of an item's execution: the live one to cancel, the last one to judge again, or else NULL."""
    if kind is OperationKind.REJUDGE:
        return jobs.c.execution_id
    return case((jobs.c.live, jobs.c.execution_id)) if kind is OperationKind.CANCEL else cast(null(), Uuid)


async def count_matching(connection: Connection, chosen: JobFilter, limit: int) -> int:
    """Return how many jobs match a filter, counted up to `limit` + 1; call this within a transaction.

    If more jobs wait for its reasons than were looked up, these count as too many: some that match may be missing.
    """
    if has_more_waiting(chosen):
        return limit + 1
    return await count_items(connection, where_matching(select(jobs.c.id), chosen).limit(limit + 1))


async def find_tenants_of(connection: Connection, chosen: JobFilter | Sequence[str]) -> list[str]:
    """Return the tenants of the jobs that match a filter or are named; call this within a transaction."""
    if isinstance(chosen, JobFilter) and chosen.tenant is not None:
        return [chosen.tenant]
    query = select(jobs.c.tenant).distinct()
    if isinstance(chosen, JobFilter):
        await connection.execute(PLAN_ANEW)
        return await connection.scalars(where_matching(query, chosen))
    named = query.where(jobs.c.id == func.any(literal(list(chosen), ARRAY(Text))))
    return await connection.scalars(named) if chosen else []


async def count_items(connection: Connection, items: Query) -> int:
    """Return how many items a query selects; call this within a transaction."""
    await connection.execute(PLAN_ANEW)
    return int(await connection.scalar(select(func.count()).select_from(items.subquery())))


async def make_preview(
    connection: Connection,
    kind: OperationKind,
    chosen: JobFilter | Sequence[str],
    items_max: int,
    judge: Version | None = None,
) -> Preview:
    """Return the preview of an operation on up to `items_max` of the chosen jobs; call this within a transaction.

    `judge`: the policy by which the jobs would be judged again; None: each job by the policy of its last verdict.
    """
    await connection.execute(PLAN_ANEW)
    columns = (jobs.c.status, jobs.c.agent_id)
    found = _where_chosen(select(*columns), chosen).limit(items_max + 1).subquery()
    groups = await connection.execute(select(found, func.count().label("number")).group_by(*found.c))
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.status] += group.number
    sample = await connection.execute(_make_sample_query(chosen, are_few=counts.total() <= items_max))
    means: dict[str, int] = {}
    if kind is OperationKind.REJUDGE:
        mean = await _find_mean_judging(connection, chosen, judge)
        means = {} if mean is None else {group.agent_id: mean for group in groups}
    elif kind in BATCH_KINDS and (agent_ids := sorted({group.agent_id for group in groups if group.agent_id})):
        asked = {"agent_ids": agent_ids, "newest": NEWEST_MAX, "ended": ENDED_MAX}
        means = {row.id: row.nanos for row in await connection.execute(_MEAN_COSTS, asked)}
    known = [(group.number, means[group.agent_id]) for group in groups if group.agent_id in means]
    return Preview(
        total=_find_total(counts, chosen, items_max),
        items_max=items_max,
        counts=dict(sorted(counts.items())),
        sample=[make_job_view(row) for row in sample],
        cost_nanos=sum(number * mean for number, mean in known) if known else None,
        cost_of=sum(number for number, _ in known),
    )


def _find_total(counts: Counter[str], chosen: JobFilter | Sequence[str], items_max: int) -> int:
    if not isinstance(chosen, JobFilter):
        return len(chosen)
    # Some that match may be missing: as many as that are refused.
    return items_max + 1 if has_more_waiting(chosen) else counts.total()


async def _find_mean_judging(
    connection: Connection, chosen: JobFilter | Sequence[str], judge: Version | None
) -> int | None:
    """Return the mean cost of judging one of these jobs again, in nano-dollars, or None if the cost is unknown."""
    mean: int | None
    if judge is not None:
        mean = await connection.scalar(_MEAN_BY_POLICY, {"name": judge.name, "version": judge.version})
    else:
        sampled = await connection.scalars(_where_chosen(select(jobs.c.id), chosen).limit(ENDED_MAX))
        mean = await connection.scalar(_MEAN_JUDGING, {"job_ids": sampled})
    return mean


def _make_sample_query(chosen: JobFilter | Sequence[str], *, are_few: bool) -> Query:
    """Return the query of the SAMPLE oldest chosen jobs: it sorts all of them if `are_few`, else reads by age."""
    ids = _where_chosen(select(jobs.c.id, jobs.c.created_at), chosen)
    # OFFSET 0: all that match are found first, by whatever index serves the filter.
    found = (ids.offset(0) if are_few else ids).subquery()
    oldest = select(found.c.id).order_by(found.c.created_at, found.c.id).limit(SAMPLE).subquery()
    query = select(*JOB_COLUMNS[False]).join(oldest, oldest.c.id == jobs.c.id)
    return query.order_by(jobs.c.created_at, jobs.c.id)


def _where_chosen(query: Query, chosen: JobFilter | Sequence[str]) -> Query:
    if isinstance(chosen, JobFilter):
        return where_matching(query, chosen)
    return query.where(jobs.c.id.in_(chosen))
