"""Sort jobs, and go on where a page of them ended."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from sqlalchemy import ColumnElement, TextClause, text, tuple_

from jobstore.reads.job_filter import HAS_ENDED, Columns, Query
from jobstore.storage.sql import Row
from jobstore.storage.tables import jobs
from signoff.status import JobOrder

#: What the jobs of an order are sorted by before their ids, by the word of the order. An ended job alone has a place by
#: what it cost or how long it took.
SORTED_BY: Final[Mapping[str, Sequence[str]]] = {
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "cost_usd": ("cost_nanos",),
    "duration_s": ("duration_s",),
    "priority": ("priority", "created_at"),
}
OF_ENDED: Final = frozenset({JobOrder.COST, JobOrder.COST_DESC, JobOrder.DURATION, JobOrder.DURATION_DESC})
#: The parts of a list that are looked through in turn. Few jobs have another priority than most: these have an index,
#: and all others come in the order of creation.
PARTS: Final[Mapping[JobOrder, Sequence[TextClause]]] = {
    JobOrder.PRIORITY_DESC: (
        text("jobs.priority <> 5 AND jobs.priority > 5"),
        text("jobs.priority = 5"),
        text("jobs.priority <> 5 AND jobs.priority < 5"),
    ),
}
WHOLE: Final = (text("true"),)
CREATED: Final = frozenset({JobOrder.CREATED, JobOrder.CREATED_DESC})

#: The values after which a page begins, in the list's order: those that it sorts by, and the id.
Place: TypeAlias = tuple[object, ...]


def get_order_columns(order: JobOrder, table: Columns = jobs.c) -> Sequence[ColumnElement[object]]:
    """Return the columns of jobs, or of a query of them, that an order sorts by; the last is their id."""
    return [table[name] for name in (*SORTED_BY[order.value.removeprefix("-")], "id")]


def get_place_columns(order: JobOrder) -> Sequence[ColumnElement[object]]:
    """Return the columns of jobs that an order sorts by, and that which says whether a job has a place in it."""
    columns = get_order_columns(order)
    return columns if order not in OF_ENDED or jobs.c.duration_s in columns else (*columns, jobs.c.duration_s)


def sort(query: Query, order: JobOrder, table: Columns) -> Query:
    """Sort a query."""
    columns = get_order_columns(order, table)
    return query.order_by(*(column.desc() for column in columns) if order.value.startswith("-") else columns)


def sort_and_seek(query: Query, order: JobOrder, after: Place | None, table: Columns = jobs.c) -> Query:
    """Sort those of a query that have a place in an order, and let it begin after one."""
    if order in OF_ENDED:
        query = query.where(HAS_ENDED if table is jobs.c else table["duration_s"].is_not(None))
    if after is not None:
        columns, place = tuple_(*get_order_columns(order, table)), tuple_(*after)
        query = query.where(columns < place if order.value.startswith("-") else columns > place)
    return sort(query, order, table)


def get_place(row: Row, order: JobOrder) -> Place:
    """Return the place of a job in an order."""
    return tuple(row[str(column.key)] for column in get_order_columns(order))
