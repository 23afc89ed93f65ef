"""List and count the jobs that match a filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Select, Text, cast, func, literal, select, text, union_all
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.resources import JobFilter
from jobstore.commands.unit_of_work import JobView
from jobstore.reads import job_finding
from jobstore.reads.job_filter import has_exclusions, is_search, where_matching
from jobstore.reads.job_order import PARTS, Place, get_place, sort_and_seek
from jobstore.reads.jobs import JOB_COLUMNS, NO_TEXTS, TEXTS, make_job_view
from jobstore.reads.page import fetch_page
from jobstore.storage.sql import PLAN_ANEW, Connection
from jobstore.storage.tables import jobs
from signoff.status import JobOrder, JobStatus


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs as `job_message` takes them.

    `next`: where the next page begins, None at the end; `searched`: only so many of the newest jobs were searched for a
    text, or of those that match were sorted.
    """

    views: Sequence[JobView]
    next: Place | None
    searched: int | None = None


async def list_jobs(
    connection: Connection,
    *,
    limit: int,
    chosen: JobFilter,
    order: JobOrder = JobOrder.CREATED_DESC,
    after: Place | None = None,
    texts: bool = True,
) -> JobPage:
    """Return a page of the jobs that match, without their bodies if not `texts`; call within a transaction."""
    await connection.execute(PLAN_ANEW)
    if chosen == JobFilter() and order not in PARTS:
        query = sort_and_seek(select(*_get_columns(texts=texts)), order, after).limit(limit)
        rows, is_cut = await fetch_page(connection, query, bodies=texts)
        has_next = is_cut or len(rows) == limit
        return JobPage([*map(make_job_view, rows)], get_place(rows[-1], order) if has_next else None)
    find = job_finding.search_jobs if is_search(chosen) else job_finding.find_jobs
    found, searched = await find(connection, limit, chosen, order, after)
    views, is_cut = await _fetch_by_id(connection, [row.id for row in found], texts=texts)
    has_next = is_cut or len(found) == limit
    return JobPage(views, get_place(found[len(views) - 1], order) if has_next else None, searched)


def _get_columns(*, texts: bool) -> Sequence[ColumnsClauseRole]:
    return (*JOB_COLUMNS, *(TEXTS if texts else NO_TEXTS))


_IDS: Final = "CAST(:job_ids AS text[])"
#: Jobs in the order of their ids as given, with texts and without: written once, since a query is long in the making.
_BY_ID: Final = {
    texts: text(
        f"{select(*_get_columns(texts=texts))} WHERE jobs.id = ANY({_IDS}) ORDER BY array_position({_IDS}, jobs.id)"
    )
    for texts in (True, False)
}


async def _fetch_by_id(connection: Connection, job_ids: Sequence[str], *, texts: bool) -> tuple[list[JobView], bool]:
    rows, is_cut = await fetch_page(connection, _BY_ID[texts], {"job_ids": job_ids}, bodies=texts)
    return [make_job_view(row) for row in rows], is_cut


class Counts(NamedTuple):
    """How many jobs match, by status, and how many were cancelled; only `searched` of the newest were looked at."""

    by_status: dict[str, int]
    cancelled: int
    searched: int | None = None


_CANCELLED: Final = "cancelled"


async def count_jobs(connection: Connection, chosen: JobFilter) -> Counts:
    """Count the jobs that match by status, ignoring the filter's statuses; call within a transaction.

    Each status is counted up to COUNTED_MAX; of a search, of a batch, or with exclusions among so many of the newest.
    Those that were cancelled are counted at their status, too.
    """
    await connection.execute(PLAN_ANEW)
    rest = chosen.model_copy(update={"statuses": []})
    if not is_search(rest) and rest.batch_id is None and not has_exclusions(rest):
        return await _count_each(connection, rest)
    columns = (jobs.c.id, jobs.c.status, jobs.c.cancelled)
    if is_search(rest):
        found = (await job_finding.select_found(connection, columns, rest)).subquery()
    else:
        found = job_finding.select_newest(columns, rest, job_finding.COUNTED_MAX).subquery()
    numbers = func.count().label("number"), func.count().filter(found.c.cancelled).label("cancelled")
    rows = await connection.execute(select(found.c.status, *numbers).group_by(found.c.status))
    by_status = dict(sorted((row.status, row.number) for row in rows))
    searched = await job_finding.find_bound(connection, rest, sum(by_status.values()))
    return Counts(by_status, sum(row.cancelled for row in rows), searched)


async def _count_each(connection: Connection, chosen: JobFilter) -> Counts:
    counts = [_make_count_query(status.value, chosen, statuses=[status]) for status in JobStatus]
    rows = await connection.execute(union_all(*counts, _make_count_query(_CANCELLED, chosen, cancelled=True)))
    by_word = {word: count for word, count in rows if count}
    return Counts({w: n for w, n in by_word.items() if w != _CANCELLED}, by_word.get(_CANCELLED, 0))


def _make_count_query(word: str, chosen: JobFilter, **conditions: object) -> Select[str, int]:
    matching = where_matching(select(literal(1)).select_from(jobs), chosen.model_copy(update=conditions))
    return select(cast(literal(word), Text), func.count()).select_from(
        matching.limit(job_finding.COUNTED_MAX).subquery()
    )
