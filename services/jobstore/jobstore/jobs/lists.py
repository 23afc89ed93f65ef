"""List and count the jobs that match a filter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import sqlalchemy as sa

from contracts.resources import JobFilter
from jobstore.engine.sql import PLAN_ANEW, Connection, fetch_page
from jobstore.errors import InvalidError
from jobstore.jobs import finding
from jobstore.jobs.finding import (
    PARTS,
    Columns,
    Place,
    Query,
    get_place,
    has_exclusions,
    is_search,
    sort_and_seek,
    where_matching,
)
from jobstore.jobs.reads import JOB_COLUMNS, make_job_view
from jobstore.jobs.rows import JobView
from jobstore.schema.tables import agents, jobs, operation_items, operations
from signoff.errors import ErrorCode
from signoff.status import FACET_FIELDS, JobOrder, JobStatus


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs, as `job_message` takes them.

    `next`: the place behind which the next page begins, None at the end; `searched`: how many of the newest jobs were
    looked at, None if all were.
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
    """Return a page of the jobs that match `chosen`, with their texts if `texts`; call within a transaction."""
    await connection.execute(PLAN_ANEW)
    if chosen == JobFilter() and order not in PARTS:
        query = sort_and_seek(sa.select(*JOB_COLUMNS[texts]), order, after).limit(limit)
        rows, is_cut = await fetch_page(connection, query, bodies=texts)
        has_next = is_cut or len(rows) == limit
        return JobPage([*map(make_job_view, rows)], get_place(rows[-1], order) if has_next else None)
    find = finding.search_jobs if is_search(chosen) else finding.find_jobs
    found, searched = await find(connection, limit, chosen, order, after)
    rows, is_cut = await fetch_page(connection, _BY_ID[texts], {"job_ids": [row.id for row in found]}, bodies=texts)
    if finding.has_more_waiting(chosen):
        searched = min(searched or finding.COUNTED_MAX, finding.COUNTED_MAX)
    has_next = is_cut or len(found) == limit
    return JobPage([*map(make_job_view, rows)], get_place(found[len(rows) - 1], order) if has_next else None, searched)


_IDS: Final = "CAST(:job_ids AS text[])"
#: Jobs in the order of their ids as given, with texts and without: written once, since a query is long in the making.
_BY_ID: Final = {
    texts: sa.text(
        f"{sa.select(*JOB_COLUMNS[texts])} WHERE jobs.id = ANY({_IDS}) ORDER BY array_position({_IDS}, jobs.id)"
    )
    for texts in (True, False)
}


class Counts(NamedTuple):
    """How many jobs match, by status, and how many were cancelled, among the `searched` newest; None: among all."""

    by_status: dict[str, int]
    cancelled: int
    searched: int | None = None


_CANCELLED: Final = "cancelled"


async def count_jobs(connection: Connection, chosen: JobFilter) -> Counts:
    """Count the jobs that match a filter, by status, ignoring the filter's statuses; call within a transaction.

    Each status is counted up to COUNTED_MAX; with a search, a batch, reasons or exclusions, only the newest jobs are.
    Cancelled jobs are counted under their status, too.
    """
    await connection.execute(PLAN_ANEW)
    rest = chosen.model_copy(update={"statuses": []})
    if not (is_search(rest) or rest.batch_id or rest.reasons or has_exclusions(rest)):
        return await _count_each(connection, rest)
    columns = (jobs.c.id, jobs.c.status, jobs.c.cancelled)
    if is_search(rest):
        found = (await finding.select_found(connection, columns, rest)).subquery()
    else:
        found = finding.select_newest(columns, rest, finding.COUNTED_MAX).subquery()
    numbers = sa.func.count().label("number"), sa.func.count().filter(found.c.cancelled).label("cancelled")
    rows = await connection.execute(sa.select(found.c.status, *numbers).group_by(found.c.status))
    by_status = dict(sorted((row.status, row.number) for row in rows))
    searched = await finding.find_bound(connection, rest, sum(by_status.values()))
    return Counts(by_status, sum(row.cancelled for row in rows), searched)


async def _count_each(connection: Connection, chosen: JobFilter) -> Counts:
    counts = [_make_count_query(status.value, chosen, statuses=[status]) for status in JobStatus]
    rows = await connection.execute(sa.union_all(*counts, _make_count_query(_CANCELLED, chosen, cancelled=True)))
    by_word = {word: count for word, count in rows if count}
    return Counts({w: n for w, n in by_word.items() if w != _CANCELLED}, by_word.get(_CANCELLED, 0))


def _make_count_query(word: str, chosen: JobFilter, **conditions: object) -> sa.Select[str, int]:
    matching = where_matching(sa.select(sa.literal(1)).select_from(jobs), chosen.model_copy(update=conditions))
    return sa.select(sa.cast(sa.literal(word), sa.Text), sa.func.count()).select_from(
        matching.limit(finding.COUNTED_MAX).subquery()
    )


_LABEL: Final = "label"
#: The word under which jobs whose last execution was cancelled are counted, besides at their status.
CANCELLED: Final = "CANCELLED"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of jobs whose values are counted as facets.

    `conditions`: the fields of a JobFilter about it, emptied; `wanted`: the condition of jobs that have a value, as an
    index has it; `make_values`: makes a row of each value of a column; `names`: a table whose rows name the values.
    """

    column: sa.ColumnElement[object]
    conditions: Mapping[str, object]
    wanted: str = ""
    make_values: Callable[[sa.ColumnElement[object]], sa.ColumnElement[object]] | None = None
    names: sa.Table | None = None

    def select_values(self, found: Columns) -> sa.SelectBase:
        """Return the query of the values of this field in the jobs `found`: one row for each value of each job."""
        if self.column is not jobs.c.batch_id:
            column = found[str(self.column.key)]
            return sa.select((self.make_values(column) if self.make_values else column).label("value"))
        # All batches that a job is an item of, as the filter has it: not only the last that executed it. They are
        # looked up by the ids of the jobs.
        of_found = operation_items.c.job_id == sa.any_(sa.func.ARRAY(sa.select(found["id"]).scalar_subquery()))
        items = sa.select(operation_items.c.job_id, operation_items.c.operation_id.label("value")).where(of_found)
        is_known = sa.exists().where(operations.c.id == found["batch_id"])
        unknown = sa.select(found["batch_id"]).where(~is_known)  # as after a rebuild
        return sa.union_all(sa.select(items.distinct().subquery().c.value), unknown)


#: The functions that make rows of the values of a column that has several.
_UNNEST: Final = {"labels": sa.func.jsonb_object_keys, "not_met_criteria": sa.func.unnest}
_NAMED: Final = {"agent_id": agents, "batch_id": operations}
_EMPTY: Final = JobFilter()
_FIELDS: Final[Mapping[str, _Field]] = {
    each.facet: _Field(
        jobs.c[name],
        {} if each.facet == _LABEL else {field: getattr(_EMPTY, field) for field in each.list_values()},
        f"jobs.{each.where}" if each.where else "",
        _UNNEST.get(name),
        _NAMED.get(name),
    )
    for name, each in finding.FILTERS.items()
    if each.facet
}


@dataclass(frozen=True, slots=True)
class Facet:
    """A value of a field, and how many of the jobs have it; `name`: of the agent or batch that the value is, if any."""

    value: str
    count: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """The most frequent values of a field.

    `searched`: how many of the newest matching jobs were looked at; None: all. `last`: the value behind which the next
    page begins; None: no less frequent value is left.
    """

    facets: Sequence[Facet]
    searched: int | None
    last: Facet | None = None


async def list_job_facets(
    connection: Connection, field: str, chosen: JobFilter, limit: int, after: Facet | None = None
) -> Facets:
    """Return a field's most frequent values, behind `after`, among the jobs that match; call within a transaction.

    The conditions of the filter on the field itself are ignored, so that another value may be chosen. InvalidError:
    there is no such field.
    """
    if field == "status":
        return await _count_statuses(connection, chosen)
    word, _, label = field.partition(":")
    if word not in _FIELDS or (label and word != _LABEL) or field.endswith(":"):
        message = f"field: must be one of {', '.join(FACET_FIELDS)}, or label:NAME; not {field[:100]!r}"
        raise InvalidError(message, code=ErrorCode.UNKNOWN_FIELD)
    return await _count_values(connection, _get_field(word, label, chosen), chosen, limit, after)


async def _count_statuses(connection: Connection, chosen: JobFilter) -> Facets:
    counts = await count_jobs(connection, chosen.model_copy(update={"cancelled": None}))
    numbers = {**counts.by_status, CANCELLED: counts.cancelled}
    by_count = sorted(numbers.items(), key=lambda each: (-each[1], each[0]))
    return Facets([Facet(word, count) for word, count in by_count if count], counts.searched)


def _get_field(word: str, label: str, chosen: JobFilter) -> _Field:
    field = _FIELDS[word]
    if not label:
        return field
    others = {
        "labels": {name: value for name, value in chosen.labels.items() if name != label},
        "not_labels": [each for each in chosen.not_labels if each.partition(":")[0] != label],
    }
    return _Field(field.column, others, field.wanted, lambda column: column.op("->>")(label))


async def _count_values(
    connection: Connection, field: _Field, chosen: JobFilter, limit: int, after: Facet | None
) -> Facets:
    await connection.execute(PLAN_ANEW)
    chosen = chosen.model_copy(update=dict(field.conditions))
    found = (await _select_jobs(connection, field, chosen)).cte("found")
    each = field.select_values(found.c).subquery()
    value, count = sa.cast(each.c.value, sa.Text).collate("C"), sa.func.count()  # in the order of Python's texts
    counted = sa.select(value.label("value"), count.label("count")).where(each.c.value.is_not(None)).group_by(value)
    if after is not None:
        counted = counted.having(sa.or_(count < after.count, sa.and_(count == after.count, value > after.value)))
    values = counted.order_by(count.desc(), value).limit(limit + 1).subquery()
    looked_at = sa.select(sa.func.count().label("number")).select_from(found).subquery()
    both = looked_at.outerjoin(values, sa.true())  # the number is there without any value, too
    rows = list(
        await connection.execute(sa.select(looked_at.c.number, values.c.value, values.c.count).select_from(both))
    )
    counts = sorted((-count, value) for _, value, count in rows if value is not None)
    shown = {value: -count for count, value in counts[:limit]}
    names = await _read_names(connection, field.names, list(shown))
    facets = [Facet(value, min(count, finding.COUNTED_MAX), names.get(value)) for value, count in shown.items()]
    searched = await finding.find_bound(connection, chosen, rows[0].number)
    last = Facet(counts[limit - 1][1], -counts[limit - 1][0]) if len(counts) > limit else None
    return Facets(facets, searched, last)


async def _select_jobs(
    connection: Connection, field: _Field, chosen: JobFilter
) -> Query | sa.CompoundSelect[*tuple[object, ...]]:
    """Return the query of the jobs, up to a bound, among which a field's values are counted, with its column."""
    columns = (jobs.c.id, field.column)
    if is_search(chosen):
        return await finding.select_found(connection, columns, chosen)
    newest = finding.select_newest(columns, chosen, finding.COUNTED_MAX)
    return newest.where(sa.text(field.wanted)) if field.wanted else newest


async def _read_names(connection: Connection, table: sa.Table | None, ids: Sequence[str]) -> Mapping[str, str]:
    if table is None or not ids:
        return {}
    named = sa.select(table.c.id, table.c.name).where(table.c.id.in_(map(table.c.id.type.python_type, ids)))
    return {str(each): name for each, name in await connection.execute(named) if name is not None}
