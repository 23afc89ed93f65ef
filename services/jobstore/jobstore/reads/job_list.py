"""List and count the jobs that match a filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ARRAY, ColumnElement, Select, Text, cast, func, literal, select, tuple_, union_all
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.resources import JobFilter
from contracts.status import JobOrder, JobStatus
from jobstore.commands.unit_of_work import JobView
from jobstore.reads.job_filter import Query, holds_text, where_matching
from jobstore.reads.jobs import JOB_COLUMNS, NO_TEXTS, TEXTS, make_job_view
from jobstore.reads.page import fetch_page
from jobstore.storage.sql import PLAN_ANEW, Connection, Row
from jobstore.storage.tables import jobs

#: Jobs of one status are counted up to this number; more cost time and tell nobody more.
COUNTED_MAX: Final = 10_000
#: Jobs that are searched for a text per page at most: no index finds the middle of a word.
SEARCHED_MAX: Final = 20_000


#: The time and id after which a page begins, in the list's order.
Place = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs as `job_message` takes them.

    `next`: where the next page begins, None at the end; `searched`: jobs that were searched for a text at most.
    """

    views: Sequence[JobView]
    next: Place | None
    searched: int | None = None


def get_order_column(order: JobOrder) -> ColumnElement[datetime]:
    """Return the column that an order sorts jobs by, before their ids."""
    return jobs.c.updated_at if order in {JobOrder.UPDATED, JobOrder.UPDATED_DESC} else jobs.c.created_at


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
    if chosen.text is not None:
        return await _search(connection, limit, chosen, order, after, texts=texts)
    query = where_matching(select(*_get_columns(texts=texts)), chosen).limit(limit)
    rows, is_cut = await fetch_page(connection, _sort_and_seek(query, order, after), bodies=texts)
    has_next = is_cut or len(rows) == limit
    return JobPage([make_job_view(row) for row in rows], _get_place(rows[-1], order) if has_next else None)


def _get_columns(*, texts: bool) -> Sequence[ColumnsClauseRole]:
    return (*JOB_COLUMNS, *(TEXTS if texts else NO_TEXTS))


def _sort_and_seek(query: Query, order: JobOrder, after: Place | None) -> Query:
    by = get_order_column(order)
    if order in {JobOrder.CREATED_DESC, JobOrder.UPDATED_DESC}:
        query = query.order_by(by.desc(), jobs.c.id.desc())
        return query if after is None else query.where(tuple_(by, jobs.c.id) < tuple_(*after))
    query = query.order_by(by, jobs.c.id)
    return query if after is None else query.where(tuple_(by, jobs.c.id) > tuple_(*after))


def _get_place(row: Row, order: JobOrder) -> Place:
    return (getattr(row, get_order_column(order).key or ""), row.id)


async def _search(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None, *, texts: bool
) -> JobPage:
    """Return the jobs that hold the text, among the next SEARCHED_MAX; a page that is not full goes on after those."""
    rest = chosen.model_copy(update={"text": None})
    columns = (jobs.c.id, jobs.c.title, jobs.c.created_at, jobs.c.updated_at)
    candidates = _sort_and_seek(where_matching(select(*columns), rest), order, after)
    searched = candidates.limit(SEARCHED_MAX).subquery()
    query = select(searched).where(holds_text(searched.c, chosen.text)).limit(limit)
    rows: list[Row] = await connection.execute(query)
    views, is_cut = await _fetch_by_id(connection, [row.id for row in rows], texts=texts)
    rows = rows[: len(views)]
    if is_cut or len(rows) == limit:
        place: Place | None = _get_place(rows[-1], order)
    else:
        last = (await connection.execute(candidates.offset(SEARCHED_MAX - 1).limit(1))).one_or_none()
        place = None if last is None else _get_place(last, order)
    return JobPage(views, place, SEARCHED_MAX)


async def _fetch_by_id(connection: Connection, job_ids: Sequence[str], *, texts: bool) -> tuple[list[JobView], bool]:
    query = select(*_get_columns(texts=texts)).where(jobs.c.id.in_(job_ids))
    place = func.array_position(literal(job_ids, ARRAY(Text)), jobs.c.id)
    rows, is_cut = await fetch_page(connection, query.order_by(place), bodies=texts)
    return [make_job_view(row) for row in rows], is_cut


async def count_jobs(connection: Connection, chosen: JobFilter) -> tuple[dict[str, int], int | None]:
    """Count the jobs that match by status, ignoring the filter's statuses; call within a transaction.

    Without a text each count ends at COUNTED_MAX. With one only the newest SEARCHED_MAX jobs are searched; that number
    is returned too, and None without a text.
    """
    await connection.execute(PLAN_ANEW)
    rest = chosen.model_copy(update={"text": None, "statuses": []})
    if chosen.text is not None:
        newest = _sort_and_seek(
            where_matching(select(jobs.c.id, jobs.c.title, jobs.c.status), rest), JobOrder.CREATED_DESC, None
        )
        searched = newest.limit(SEARCHED_MAX).subquery()
        query = select(searched.c.status, func.count()).where(holds_text(searched.c, chosen.text))
        rows = await connection.execute(query.group_by(searched.c.status))
        return dict(sorted((status, count) for status, count in rows)), SEARCHED_MAX
    counts = [_make_count_query(rest, status) for status in JobStatus]
    rows = await connection.execute(union_all(*counts))
    return {status: count for status, count in rows if count}, None


def _make_count_query(chosen: JobFilter, status: JobStatus) -> Select[str, int]:
    of_status = where_matching(select(literal(1)), chosen.model_copy(update={"statuses": [status]}))
    return select(cast(literal(status.value), Text), func.count()).select_from(of_status.limit(COUNTED_MAX).subquery())
