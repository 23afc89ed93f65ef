"""List and count the jobs that match a filter."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ARRAY,
    ColumnCollection,
    ColumnElement,
    CompoundSelect,
    Select,
    Subquery,
    Text,
    TextClause,
    cast,
    func,
    literal,
    select,
    text,
    tuple_,
    union,
    union_all,
)
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.resources import JobFilter
from contracts.status import JobOrder, JobStatus
from jobstore.commands.unit_of_work import JobView
from jobstore.reads.job_filter import HAS_ENDED, Query, has_words, holds, is_found, is_search, where_matching
from jobstore.reads.jobs import JOB_COLUMNS, NO_TEXTS, TEXTS, make_job_view
from jobstore.reads.page import fetch_page
from jobstore.storage.sql import PLAN_ANEW, Connection, Row
from jobstore.storage.tables import job_texts, jobs

#: Jobs of one status are counted up to this number; more cost time and tell nobody more.
COUNTED_MAX: Final = 10_000
#: Jobs that are searched for the middle of a word, which no index finds: the newest.
SEARCHED_MAX: Final = 20_000


#: What the jobs of an order are sorted by before their ids, by the word of the order. An ended job alone has a place by
#: what it cost or how long it took.
_SORTED_BY: Final[Mapping[str, Sequence[str]]] = {
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "spent_usd": ("spent_usd",),
    "duration_s": ("duration_s",),
    "priority": ("priority", "created_at"),
}
_OF_ENDED: Final = frozenset({JobOrder.SPENT, JobOrder.SPENT_DESC, JobOrder.DURATION, JobOrder.DURATION_DESC})
#: The parts of a list that are looked through in turn. Few jobs have another priority than most: these have an index,
#: and all others come in the order of creation.
_PARTS: Final[Mapping[JobOrder, Sequence[TextClause]]] = {
    JobOrder.PRIORITY_DESC: (
        text("jobs.priority <> 5 AND jobs.priority > 5"),
        text("jobs.priority = 5"),
        text("jobs.priority <> 5 AND jobs.priority < 5"),
    ),
}
_WHOLE: Final = (text("true"),)

#: The columns of jobs, or of a query of them.
Columns: TypeAlias = ColumnCollection[str, ColumnElement[object]]
#: The values after which a page begins, in the list's order: those that it sorts by, and the id.
Place = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs as `job_message` takes them.

    `next`: where the next page begins, None at the end; `searched`: jobs that were searched for a text at most.
    """

    views: Sequence[JobView]
    next: Place | None
    searched: int | None = None


def get_order_columns(order: JobOrder, table: Columns = jobs.c) -> Sequence[ColumnElement[object]]:
    """Return the columns of jobs, or of a query of them, that an order sorts by; the last is their id."""
    return [table[name] for name in (*_SORTED_BY[order.value.removeprefix("-")], "id")]


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
    if is_search(chosen):
        return await _search(connection, limit, chosen, order, after, texts=texts)
    if order in _PARTS:
        rows = await _find_by_parts(connection, limit, chosen, order, after)
        views, is_cut = await _fetch_by_id(connection, [row.id for row in rows], texts=texts)
        rows = rows[: len(views)]
    else:
        query = where_matching(select(*_get_columns(texts=texts)), chosen).limit(limit)
        rows, is_cut = await fetch_page(connection, _sort_and_seek(query, order, after), bodies=texts)
        views = [make_job_view(row) for row in rows]
    has_next = is_cut or len(rows) == limit
    return JobPage(views, _get_place(rows[-1], order) if has_next else None)


def _get_columns(*, texts: bool) -> Sequence[ColumnsClauseRole]:
    return (*JOB_COLUMNS, *(TEXTS if texts else NO_TEXTS))


async def _find_by_parts(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> list[Row]:
    """Return the ids of a page of jobs, and what they are sorted by."""
    rows: list[Row] = []
    for part in _PARTS[order]:
        query = where_matching(select(*get_order_columns(order)).where(part), chosen)
        rows += await connection.execute(_sort_and_seek(query, order, after).limit(limit - len(rows)))
        if len(rows) == limit:
            break
    return rows


def _sort_and_seek(query: Query, order: JobOrder, after: Place | None, table: Columns = jobs.c) -> Query:
    columns = get_order_columns(order, table)
    if order in _OF_ENDED and table is jobs.c:
        query = query.where(HAS_ENDED)
    if order.value.startswith("-"):
        query = query.order_by(*(column.desc() for column in columns))
        return query if after is None else query.where(tuple_(*columns) < tuple_(*after))
    query = query.order_by(*columns)
    return query if after is None else query.where(tuple_(*columns) > tuple_(*after))


def _get_place(row: Row, order: JobOrder) -> Place:
    return tuple(row[str(column.key)] for column in get_order_columns(order))


async def _search(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None, *, texts: bool
) -> JobPage:
    """Return the jobs that hold what is searched: by the index of texts, and whatever the newest hold themselves."""
    rest = chosen.model_copy(update=_NO_SEARCH)
    columns = get_order_columns(order)
    newest = _select_newest(columns, rest, ended=order in _OF_ENDED)
    holding = select(*get_order_columns(order, newest.c)).where(holds(newest.c, chosen))
    found = where_matching(select(*columns), rest).join(job_texts, job_texts.c.job_id == jobs.c.id)
    parts = [(found.where(has_words(chosen), part), jobs.c) for part in _PARTS.get(order, _WHOLE)]
    pages = (
        _sort_and_seek(query, order, after, table).limit(limit).subquery().select()
        for query, table in ((holding, newest.c), *parts)
    )
    both = union(*pages).subquery()
    rows = await connection.execute(_sort_and_seek(select(both), order, None, both.c).limit(limit))
    views, is_cut = await _fetch_by_id(connection, [row.id for row in rows], texts=texts)
    has_next = is_cut or len(rows) == limit
    return JobPage(views, _get_place(rows[len(views) - 1], order) if has_next else None, SEARCHED_MAX)


def _select_newest(columns: Iterable[ColumnElement[object]], chosen: JobFilter, *, ended: bool = False) -> Subquery:
    """Return the newest SEARCHED_MAX jobs that match, with what is searched and more columns."""
    each = {column.key: column for column in (jobs.c.id, jobs.c.title, jobs.c.created_at, *columns)}
    query = where_matching(select(*each.values()), chosen)
    query = query.where(HAS_ENDED) if ended else query
    return _sort_and_seek(query, JobOrder.CREATED_DESC, None).limit(SEARCHED_MAX).subquery()


def select_found(columns: Sequence[ColumnElement[object]], chosen: JobFilter) -> CompoundSelect[*tuple[object, ...]]:
    """Return what a search finds: the newest SEARCHED_MAX that hold it themselves, and what the index of texts has.

    The id is among the columns, since a job may be found by both.
    """
    rest = chosen.model_copy(update=_NO_SEARCH)
    newest = _select_newest(columns, rest)
    holding = select(*(newest.c[str(column.key)] for column in columns)).where(holds(newest.c, chosen))
    return union(holding, where_matching(select(*columns), rest).where(is_found(chosen)))


def select_newest(columns: Sequence[ColumnElement[object]], chosen: JobFilter, limit: int) -> Query:
    """Return the newest jobs that match, without a search."""
    return _sort_and_seek(where_matching(select(*columns), chosen), JobOrder.CREATED_DESC, None).limit(limit)


#: The conditions for which jobs are searched, left out.
_NO_SEARCH: Final = {"text": None, "id_part": None}


async def _fetch_by_id(connection: Connection, job_ids: Sequence[str], *, texts: bool) -> tuple[list[JobView], bool]:
    query = select(*_get_columns(texts=texts)).where(jobs.c.id.in_(job_ids))
    place = func.array_position(literal(job_ids, ARRAY(Text)), jobs.c.id)
    rows, is_cut = await fetch_page(connection, query.order_by(place), bodies=texts)
    return [make_job_view(row) for row in rows], is_cut


class Counts(NamedTuple):
    """How many jobs match, by status; how many were cancelled; and how many were searched for a text at most."""

    by_status: Mapping[str, int]
    cancelled: int
    searched: int | None = None


async def count_jobs(connection: Connection, chosen: JobFilter) -> Counts:
    """Count the jobs that match by status, ignoring the filter's statuses; call within a transaction.

    Without a search each count ends at COUNTED_MAX. Those that were cancelled are counted at their status, too.
    """
    await connection.execute(PLAN_ANEW)
    if is_search(chosen):
        found = select_found(
            (jobs.c.id, jobs.c.status, jobs.c.cancelled), chosen.model_copy(update={"statuses": []})
        ).subquery()
        numbers = func.count(), func.count().filter(found.c.cancelled)
        rows_found = list(await connection.execute(select(found.c.status, *numbers).group_by(found.c.status)))
        by_status = dict(sorted((status, count) for status, count, _ in rows_found))
        return Counts(by_status, sum(cancelled for _, _, cancelled in rows_found), SEARCHED_MAX)
    rest = chosen.model_copy(update={"statuses": []})
    counts = [_make_count_query(status.value, rest, statuses=[status]) for status in JobStatus]
    rows = await connection.execute(union_all(*counts, _make_count_query(_CANCELLED, rest, cancelled=True)))
    by_word = {word: count for word, count in rows if count}
    return Counts({w: n for w, n in by_word.items() if w != _CANCELLED}, by_word.get(_CANCELLED, 0))


_CANCELLED: Final = "cancelled"


def _make_count_query(word: str, chosen: JobFilter, **conditions: object) -> Select[str, int]:
    matching = where_matching(select(literal(1)).select_from(jobs), chosen.model_copy(update=conditions))
    return select(cast(literal(word), Text), func.count()).select_from(matching.limit(COUNTED_MAX).subquery())
