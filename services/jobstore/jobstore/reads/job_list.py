"""Lists: jobs by what they are, in any order, and how many there are; the log of a job, from either end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, Select, Text, cast, func, literal, select, text, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import JobFilter, JobOrder
from contracts.status import JobStatus
from jobstore.reads.job_filter import holds_text, where_matching
from jobstore.reads.jobs import JOB_COLUMNS, NO_TEXTS, TEXTS, job_view
from jobstore.reads.page import fetch_page
from jobstore.storage.tables import jobs

#: Of each status no more are counted.
COUNTED_MAX: Final = 10_000
#: A text is sought in so many jobs a page: no index finds the middle of a word.
SEARCHED_MAX: Final = 20_000

# The planner looks at what is asked for each time: a filter that nearly all match is another plan than a rare one.
_PLAN_ANEW: Final = text("SET LOCAL plan_cache_mode = force_custom_plan")

#: Where a page begins: behind this time and id.
Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class JobPage:
    """Jobs as `job_message` takes them, where the next page begins, and how many were searched for a text at most."""

    views: Sequence[dict[str, Any]]
    next: Place | None
    searched: int | None = None


def column_of(order: JobOrder) -> ColumnElement[Any]:
    """What jobs are ordered by, before their ids."""
    return jobs.c.updated_at if order in {JobOrder.UPDATED, JobOrder.UPDATED_DESC} else jobs.c.created_at


async def list_jobs(
    connection: AsyncConnection,
    *,
    limit: int,
    chosen: JobFilter,
    order: JobOrder = JobOrder.CREATED_DESC,
    behind: Place | None = None,
    texts: bool = True,
) -> JobPage:
    """Jobs that match; within a transaction."""
    await connection.execute(_PLAN_ANEW)
    if chosen.text is not None:
        return await _search(connection, limit, chosen, order, behind, texts=texts)
    query = where_matching(select(*_columns(texts=texts)), chosen).limit(limit)
    rows, is_cut = await fetch_page(connection, _in_order(query, order, behind), bodies=texts)
    has_next = is_cut or len(rows) == limit
    return JobPage([job_view(row) for row in rows], _place(rows[-1], order) if has_next else None)


def _columns(*, texts: bool) -> Sequence[Any]:
    return (*JOB_COLUMNS, *(TEXTS if texts else NO_TEXTS))


def _in_order(query: Select[Any], order: JobOrder, behind: Place | None) -> Select[Any]:
    by = column_of(order)
    if order in {JobOrder.CREATED_DESC, JobOrder.UPDATED_DESC}:
        query = query.order_by(by.desc(), jobs.c.id.desc())
        return query if behind is None else query.where(tuple_(by, jobs.c.id) < tuple_(*behind))
    query = query.order_by(by, jobs.c.id)
    return query if behind is None else query.where(tuple_(by, jobs.c.id) > tuple_(*behind))


def _place(row: Any, order: JobOrder) -> Place:
    return (getattr(row, column_of(order).key or ""), row.id)


async def _search(
    connection: AsyncConnection, limit: int, chosen: JobFilter, order: JobOrder, behind: Place | None, *, texts: bool
) -> JobPage:
    """The next jobs that hold the text, among the next so many; a page that is not full goes on behind those."""
    rest = chosen.model_copy(update={"text": None})
    columns = (jobs.c.id, jobs.c.title, jobs.c.created_at, jobs.c.updated_at)
    among = _in_order(where_matching(select(*columns), rest), order, behind)
    searched = among.limit(SEARCHED_MAX).subquery()
    found = (await connection.execute(select(searched).where(holds_text(searched.c, chosen.text)).limit(limit))).all()
    views, is_cut = await _by_id(connection, [row.id for row in found], texts=texts)
    found = found[: len(views)]
    if is_cut or len(found) == limit:
        place: Place | None = _place(found[-1], order)
    else:
        last = (await connection.execute(among.offset(SEARCHED_MAX - 1).limit(1))).one_or_none()
        place = None if last is None else _place(last, order)
    return JobPage(views, place, SEARCHED_MAX)


async def _by_id(
    connection: AsyncConnection, job_ids: Sequence[str], *, texts: bool
) -> tuple[list[dict[str, Any]], bool]:
    query = select(*_columns(texts=texts)).where(jobs.c.id.in_(job_ids))
    place = func.array_position(literal(job_ids, ARRAY(Text)), jobs.c.id)
    rows, is_cut = await fetch_page(connection, query.order_by(place), bodies=texts)
    return [job_view(row) for row in rows], is_cut


async def count_jobs(connection: AsyncConnection, chosen: JobFilter) -> tuple[dict[str, int], int | None]:
    """Jobs that match, by status, whatever the filter's statuses; and how many were searched for a text at most."""
    await connection.execute(_PLAN_ANEW)
    rest = chosen.model_copy(update={"text": None, "statuses": []})
    if chosen.text is not None:
        newest = _in_order(
            where_matching(select(jobs.c.id, jobs.c.title, jobs.c.status), rest), JobOrder.CREATED_DESC, None
        )
        searched = newest.limit(SEARCHED_MAX).subquery()
        query = select(searched.c.status, func.count()).where(holds_text(searched.c, chosen.text))
        rows = await connection.execute(query.group_by(searched.c.status))
        return dict(sorted((status, count) for status, count in rows)), SEARCHED_MAX
    counts = [_counted(rest, status) for status in JobStatus]
    rows = await connection.execute(union_all(*counts))
    return {status: count for status, count in rows if count}, None


def _counted(chosen: JobFilter, status: JobStatus) -> Select[str, int]:
    of_status = where_matching(select(literal(1)), chosen.model_copy(update={"statuses": [status]}))
    return select(cast(literal(status.value), Text), func.count()).select_from(of_status.limit(COUNTED_MAX).subquery())
