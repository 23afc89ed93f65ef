"""Find the jobs that match a filter, in any order, and look at few rows, whatever statistics the planner has.

The planner cannot know how the values of a filter lie along an order: a walk that it takes for short may end nowhere.
So walks are short, and where a walk finds no whole page, the newest jobs that match are sorted.
"""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects.postgresql import JSONB

from contracts.resources import JobFilter
from jobstore.engine.sql import Connection, Row
from jobstore.jobs.transitions import cut_criterion
from jobstore.jobs.waits import list_waiting
from jobstore.schema.columns import MATCHED, Filter, find_names
from jobstore.schema.tables import job_texts, jobs, operation_items
from signoff.status import JobOrder
from signoff.values import to_nanos

#: Up to how many jobs that match are counted: more take long.
COUNTED_MAX: Final = 10_000
#: Jobs with matching words that are looked at: the newest of them.
FOUND_MAX: Final = 20_000
#: The columns by which jobs are filtered, counted or sorted, each with the fields of a JobFilter that are about it.
FILTERS: Final[Mapping[str, Filter]] = {
    column.name: column.info["filter"] for column in jobs.c if "filter" in column.info
}
#: The fields of a filter that exclude jobs, emptied. No index finds the jobs that are left: where these are few, lists
#: look at the newest that match the rest.
NO_EXCLUSIONS: Final[Mapping[str, list[str]]] = {each.excluded: [] for each in FILTERS.values() if each.excluded}
#: Words that so many of the newest jobs have, of so many that are asked, are frequent.
FREQUENT, ASKED_MAX = 400, 4_000
#: The texts of a caller's tenants that are looked at one by one, where there are no more: the index of words has those
#: of all tenants, and would be read whole for a word that many of these have.
FEW_TEXTS_MAX: Final = 4_000
#: The newest jobs among which the rarest word of several is found.
COMPARED_MAX: Final = 400
_NEWEST_TEXTS: Final = (job_texts.c.created_at.desc(), job_texts.c.job_id.desc())
#: All words of a text, of which each may go on: `:*` ends each lexeme.
_WORDS: Final = r"""
    words @@ CAST(replace(nullif(CAST(plainto_tsquery('simple', :text) AS text), ''), $$' &$$, $$'\:* &$$) || '\:*'
        AS tsquery)
"""
#: The same where one word of the text, the rarest, is looked up alone: the index reads all that has any of the words it
#: is asked for. The others are in a CASE, which no index is used for.
_WORDS_BY_RAREST: Final = f"(words @@ CAST(:rarest AS tsquery) AND CASE WHEN {_WORDS} THEN true END)"
#: The word of a text that is the rarest among the newest texts, as a condition. It stands there twice, since
#: the planner takes a prefix for a frequent word, for which it would read jobs in turn.
_RAREST: Final = sa.text(
    """
    WITH newest AS MATERIALIZED (SELECT words FROM job_texts ORDER BY created_at DESC, job_id DESC LIMIT :compared)
    SELECT word || ' & ' || word FROM unnest(to_tsvector('simple', :text)) AS asked,
        LATERAL (SELECT array_to_tsvector(ARRAY[lexeme])::text || ':*' AS word) AS quoted
    ORDER BY (SELECT count(*) FROM newest WHERE words @@ CAST(word AS tsquery)) LIMIT 1
    """
)
_ID_PART: Final = "(job_id LIKE :beginning OR reverse(job_id) LIKE :end)"
#: A query of any columns.
Query: TypeAlias = sa.Select[*tuple[object, ...]]
#: The columns of jobs, or of a query of them.
Columns: TypeAlias = sa.ColumnCollection[str, sa.ColumnElement[object]]
Condition: TypeAlias = sa.ColumnElement[bool] | sa.TextClause


#: The items of an operation, or the newest; where it is not known any more, as after a rebuild, the jobs that it
#: executed last. An array, so that the planner looks these up by their ids.
_ITEMS: Final = """
    jobs.id = ANY (ARRAY(
        SELECT job_id FROM operation_items WHERE operation_id = :batch_id{newest}
        UNION ALL (SELECT id FROM jobs AS known
        WHERE known.batch_id = :batch_id AND NOT EXISTS (SELECT FROM operations WHERE id = :batch_id){limit})
    ))
"""
#: Items have numbers from 0 on, in the order in which new jobs are made.
_ALL_ITEMS: Final = sa.text(_ITEMS.format(newest="", limit=""))
_NEWEST_ITEMS: Final = sa.text(
    _ITEMS.format(
        newest=" AND item > (SELECT max(item) FROM operation_items WHERE operation_id = :batch_id) - :items_max",
        limit=" ORDER BY created_at DESC, id DESC LIMIT :items_max",
    )
)
#: The same of a row that is at hand: it is looked up among the items, which are not read (OFFSET).
_IS_ITEM: Final = sa.text(
    """
    (EXISTS (SELECT FROM operation_items WHERE job_id = jobs.id AND operation_id = :batch_id OFFSET 0)
        OR jobs.batch_id = :batch_id AND NOT EXISTS (SELECT FROM operations WHERE id = :batch_id))
    """
)


class KnownFilter(JobFilter):
    """A filter whose reasons are looked up: `waiting` are the ids of the jobs that wait for any of these.

    `has_more`: more jobs wait for them than were looked up.
    """

    waiting: list[str]
    has_more: bool


async def look_up(connection: Connection, chosen: JobFilter, alive_s: float, limit: int = COUNTED_MAX) -> JobFilter:
    """Return a filter with the newest jobs, `limit` at most, that wait for its reasons now; without reasons as it is.

    They are of the filter's tenant, if it names one. `alive_s`: for how long a worker counts after its last report.
    """
    if not chosen.reasons:
        return chosen
    found = await list_waiting(connection, chosen.reasons, alive_s, limit + 1, chosen.tenant)
    return KnownFilter.model_construct(**dict(chosen), waiting=found[:limit], has_more=len(found) > limit)


def has_more_waiting(chosen: JobFilter) -> bool:
    """Return whether more jobs wait for the reasons of a filter than were looked up."""
    return isinstance(chosen, KnownFilter) and chosen.has_more


def where_waiting(query: Query, chosen: JobFilter, table: Columns = jobs.c) -> Query:
    """Restrict a query to the jobs that wait for a reason of a filter, if that has any."""
    if not isinstance(chosen, KnownFilter):
        return query
    ids = sa.func.unnest(sa.literal(chosen.waiting, sa.ARRAY(sa.Text)))
    # An array, so that the planner looks the jobs up by their ids.
    return query.where(table["id"] == sa.any_(sa.func.ARRAY(sa.select(ids).scalar_subquery())))


def is_search(chosen: JobFilter) -> bool:
    """Return whether a filter searches the texts or ids of jobs."""
    return chosen.text is not None or chosen.id_part is not None


def has_exclusions(chosen: JobFilter) -> bool:
    """Return whether a filter excludes the jobs that have some value."""
    return any(getattr(chosen, name) for name in NO_EXCLUSIONS)


def is_found(chosen: JobFilter) -> sa.ColumnElement[bool]:
    """Return the condition that a job is among the newest FOUND_MAX jobs that the index of texts finds for a search."""
    found = sa.select(job_texts.c.job_id).where(has_words(chosen))
    newest = found.order_by(*_NEWEST_TEXTS).limit(FOUND_MAX)
    # An array, so that the planner looks the jobs up by their ids.
    return jobs.c.id == sa.any_(sa.func.ARRAY(newest.scalar_subquery()))


def select_found_of_newest(chosen: JobFilter, bound: int) -> sa.Select[str]:
    """Return the query of the ids of those of the `bound` newest jobs whose texts match a search."""
    newest = sa.select(job_texts.c.job_id, job_texts.c.words).order_by(*_NEWEST_TEXTS).limit(bound).subquery()
    return sa.select(newest.c.job_id).where(has_words(chosen))


async def find_rare(connection: Connection, chosen: JobFilter) -> list[str] | None:
    """Return the ids of all jobs whose texts match a search; None if so many match that only the newest are searched.

    Sorting all jobs that have a frequent word takes long; whether a word is frequent, the newest texts show at once.
    """
    among_newest = sa.select(sa.func.count()).select_from(select_found_of_newest(chosen, ASKED_MAX).subquery())
    if await connection.scalar(among_newest) >= FREQUENT:
        return None
    words = has_words(chosen, await find_rarest_word(connection, chosen))
    among_all = sa.select(job_texts.c.job_id).where(words).limit(FOUND_MAX + 1)
    found = [row.job_id for row in await connection.execute(among_all)]
    return None if len(found) > FOUND_MAX else found


async def select_few_texts(connection: Connection) -> sa.Subquery | None:
    """Return the texts that a caller of some tenants searches, if they are few; None if they are many, or of all."""
    if connection.tenants is None:
        return None
    texts = sa.select(job_texts).order_by(*_NEWEST_TEXTS)
    beyond = texts.with_only_columns(job_texts.c.job_id).limit(1).offset(FEW_TEXTS_MAX)
    return texts.limit(FEW_TEXTS_MAX).subquery() if await connection.scalar(beyond) is None else None


async def find_rarest_word(connection: Connection, chosen: JobFilter) -> str | None:
    """Return, as a condition, the word of a search that is rarest in the newest texts; None if it has only one."""
    if chosen.text is None or len(chosen.text.split()) == 1:
        return None
    found: str | None = await connection.scalar(_RAREST, {"text": chosen.text, "compared": COMPARED_MAX})
    return found


def has_words(chosen: JobFilter, rarest: str | None = None) -> sa.TextClause:
    """Return the condition that a row of `job_texts` matches a search; `rarest`: the word to look up first, if any."""
    conditions, values = [], {}
    if chosen.text is not None:
        words = _WORDS if rarest is None else _WORDS_BY_RAREST
        conditions.append(words if chosen.id_part is not None else f"({words} OR {_ID_PART})")
        values["text"] = chosen.text
        if rarest is not None:
            values["rarest"] = rarest
    if chosen.id_part is not None:
        conditions.append(_ID_PART)
    part = chosen.id_part or chosen.text or ""
    values |= {"beginning": f"{_escape_like(part)}%", "end": f"{_escape_like(part[::-1])}%"}
    found = sa.text(" AND ".join(conditions))
    return found.bindparams(*(sa.bindparam(name, value, sa.Text, unique=True) for name, value in values.items()))


def _escape_like(words: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", words)


def holds(columns: sa.ColumnCollection[str, sa.ColumnElement[str]], chosen: JobFilter) -> sa.ColumnElement[bool]:
    """Return the condition that a job's title or id, which are among `columns`, matches a search."""
    conditions, job_id = [], columns["id"]
    if chosen.text is not None:  # in any case: ILIKE takes three times as long
        sought = sa.func.lower(sa.literal(chosen.text, sa.Text))
        conditions.append(
            sa.or_(*(sa.func.strpos(sa.func.lower(column), sought) > 0 for column in (columns["title"], job_id)))
        )
    if (part := chosen.id_part) is not None:
        conditions.append(sa.or_(job_id.startswith(part, autoescape=True), job_id.endswith(part, autoescape=True)))
    return sa.and_(*conditions)


def where_matching(
    query: Query, chosen: JobFilter, table: Columns = jobs.c, *, items_max: int | None = None, by_row: bool = False
) -> Query:
    """Restrict a query to the jobs that match a filter.

    `table`: jobs, or a query of jobs that is named `jobs`; `items_max`: how many of the newest items of a batch are
    looked at; `by_row`: the query has few rows, each of which waits as is asked, and is looked up among the items.
    """
    for name, each in FILTERS.items():
        conditions = _list_bounds(table[name], each, chosen)
        if (value := getattr(chosen, each.one, None)) not in (None, {}):
            is_batch = name == "batch_id"
            has = _is_of_batch(value, items_max, by_row=by_row) if is_batch else _has_value(table[name], value)
            conditions.append(has)
        if values := getattr(chosen, each.many, None):
            conditions.append(table[name].in_(values))
        if conditions and each.where:
            conditions.append(sa.text(f"jobs.{each.where}"))
        query = query.where(*conditions)
    if not by_row:
        query = where_waiting(query, chosen, table)
    if is_search(chosen):
        query = query.where(sa.or_(holds(jobs.c, chosen), is_found(chosen)))
    return where_not_excluded(query, chosen, table)


def _list_bounds(column: sa.ColumnElement[object], each: Filter, chosen: JobFilter) -> list[Condition]:
    """Return the conditions that a column is within its bounds in a filter; a cost is compared in nanos."""
    bounds = ((each.least, operator.ge), (each.highest, operator.le), (each.before, operator.lt))
    given = [(value, compare) for name, compare in bounds if (value := getattr(chosen, name, None)) is not None]
    is_cost = column.key == "cost_nanos"
    return [compare(column, to_nanos(value) if is_cost else value) for value, compare in given]


def _has_value(column: sa.ColumnElement[object], value: object) -> Condition:
    """Return the condition that a column equals a value, or contains it, if the column has labels or criteria."""
    if isinstance(value, bool):
        return sa.and_(column) if value else sa.not_(column)
    if isinstance(value, Mapping):
        return column.op("@>")(sa.cast(sa.literal(to_json(value).decode(), sa.Text), JSONB))
    if isinstance(column.type, sa.ARRAY):
        return column.op("@>")(sa.cast(sa.literal([cut_criterion(str(value))], sa.ARRAY(sa.Text)), sa.ARRAY(sa.Text)))
    equals: sa.ColumnElement[bool] = column == value
    return equals


def where_not_excluded(query: Query, chosen: JobFilter, table: Columns) -> Query:
    """Restrict a query of `table` to the jobs that have none of the values that a filter excludes."""
    excluded: list[Condition] = []
    for name, each in FILTERS.items():
        column, values = table[name], getattr(chosen, each.excluded, None) or ()
        if name == "batch_id":
            excluded += [_is_of_batch(value, None, by_row=True) for value in values]
        elif name == "labels":
            excluded += [_has_value(column, {label: value}) for label, _, value in (v.partition(":") for v in values)]
        elif isinstance(column.type, sa.ARRAY):
            excluded += [_has_value(column, value) for value in values]
        elif values:
            excluded.append(column.in_(values))
    # A job whose column is NULL has none of these.
    return query.where(*(sa.not_(sa.func.coalesce(condition, sa.false(), type_=sa.Boolean)) for condition in excluded))


def _is_of_batch(batch_id: UUID, items_max: int | None, *, by_row: bool) -> sa.TextClause:
    which = _IS_ITEM if by_row else _ALL_ITEMS if items_max is None else _NEWEST_ITEMS
    values = [sa.bindparam("batch_id", batch_id, sa.Uuid, unique=True)]
    if which is _NEWEST_ITEMS:
        values.append(sa.bindparam("items_max", items_max, sa.Integer, unique=True))
    return which.bindparams(*values)


#: The columns that an order sorts by before the id, by the word of the order. Only ended jobs have a place by
#: cost or duration.
SORTED_BY: Final[Mapping[str, Sequence[str]]] = {
    each.order: ("priority", "created_at") if name == "priority" else (name,)
    for name, each in FILTERS.items()
    if each.order
}
OF_ENDED: Final = frozenset({JobOrder.COST, JobOrder.COST_DESC, JobOrder.DURATION, JobOrder.DURATION_DESC})
#: The parts of a list that are looked through in turn. Few jobs have another priority than 5: these have an index,
#: and all others come in the order of creation.
PARTS: Final[Mapping[JobOrder, Sequence[sa.TextClause]]] = {
    JobOrder.PRIORITY_DESC: (
        sa.text("jobs.priority <> 5 AND jobs.priority > 5"),
        sa.text("jobs.priority = 5"),
        sa.text("jobs.priority <> 5 AND jobs.priority < 5"),
    )
}
WHOLE: Final = (sa.text("true"),)
CREATED: Final = frozenset({JobOrder.CREATED, JobOrder.CREATED_DESC})

#: The values of the columns that an order sorts by, the id last, after which a page begins.
Place: TypeAlias = tuple[object, ...]


def get_order_columns(order: JobOrder, table: Columns = jobs.c) -> Sequence[sa.ColumnElement[object]]:
    """Return the columns of jobs, or of a query of jobs, by which an order sorts; the last one is the job's id."""
    return [table[name] for name in (*SORTED_BY[order.value.removeprefix("-")], "id")]


def get_place_columns(order: JobOrder) -> Sequence[sa.ColumnElement[object]]:
    """Return the columns by which an order sorts, and the column that is NULL for jobs without a place in the order."""
    columns = get_order_columns(order)
    return columns if order not in OF_ENDED or jobs.c.duration_s in columns else (*columns, jobs.c.duration_s)


def sort(query: Query, order: JobOrder, table: Columns) -> Query:
    """Return the query sorted in an order, by the columns of `table`."""
    columns = get_order_columns(order, table)
    return query.order_by(*(column.desc() for column in columns) if order.value.startswith("-") else columns)


def sort_and_seek(query: Query, order: JobOrder, after: Place | None, table: Columns = jobs.c) -> Query:
    """Return the query sorted, with only the jobs that have a place in the order, behind the place `after` if given."""
    if order in OF_ENDED:
        query = query.where(table["duration_s"].is_not(None))
    if after is not None:
        columns, place = sa.tuple_(*get_order_columns(order, table)), sa.tuple_(*after)
        query = query.where(columns < place if order.value.startswith("-") else columns > place)
    return sort(query, order, table)


def get_place(row: Row, order: JobOrder) -> Place:
    """Return the place of a job in an order: the values of the columns by which the order sorts."""
    return tuple(row[str(column.key)] for column in get_order_columns(order))


#: How many of the newest jobs that match are sorted: more take long.
SORTED_MAX: Final = 5_000
#: Jobs that are searched for the middle of a word, which no index finds: the newest.
SEARCHED_MAX: Final = 20_000
#: Rows of an order that are looked at for a page: few at first, and more where these hold a part of it.
SKIMMED_MAX, WALKED_MAX = 2_000, 10_000

#: The fields of a filter with an index in the order of creation, the rarest values first: the first that is given is
#: walked along. The bounds of an order's own column bound any walk along it.
_INDEXED: Final = ("codes", "cancelled", "agent_id", "statuses", "tenant")
_RANGES: Final = {each.order: (each.least, each.before or each.highest) for each in FILTERS.values() if each.least}
#: The columns of a job by which it matches, and by which it has a place in an order.
_MATCHED: Final = [jobs.c[name] for name in find_names(jobs, MATCHED)]
#: The fields of a filter that search jobs, emptied.
NO_SEARCH: Final = {"text": None, "id_part": None}


class Found(NamedTuple):
    """The rows of a page, with the columns of its order; `searched`: how many newest jobs were looked at, None: all."""

    rows: Sequence[Row]
    searched: int | None = None


async def find_jobs(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> Found:
    """Return a page of the jobs that match a filter without a search, behind the place `after`."""
    rows, is_certain = await _walk(connection, SKIMMED_MAX, limit, chosen, order, after)
    if is_certain:
        return Found(rows)
    if order in CREATED and chosen.batch_id is None and not has_exclusions(chosen):
        query = where_matching(sa.select(*get_order_columns(order)), chosen)
        return Found(list(await connection.execute(sort_and_seek(query, order, after).limit(limit))))
    if len(rows) * WALKED_MAX >= limit * SKIMMED_MAX:
        rows, is_certain = await _walk(connection, WALKED_MAX, limit, chosen, order, after)
        if is_certain:
            return Found(rows)
    newest, is_all = await _sort_newest(connection, limit, chosen, order, after)
    return Found(newest, None if is_all else SORTED_MAX)


async def _walk(
    connection: Connection, bound: int, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> tuple[list[Row], bool]:
    """Return the rows that match among the next `bound` of an order, and whether they fill a page or no more follow."""
    rows: list[Row] = []
    indexed = _choose_indexed(chosen, order)
    for part in PARTS.get(order, WHOLE):
        matching = where_waiting(where_matching(sa.select(*_MATCHED).where(part), indexed), chosen)
        walked = sort_and_seek(matching, order, after).limit(bound)
        table = walked.subquery("jobs").c
        query = where_matching(sa.select(*get_order_columns(order, table)), chosen, table, by_row=True)
        rows += await connection.execute(sort_and_seek(query, order, None, table).limit(limit - len(rows)))
        if len(rows) == limit:
            return rows, True
        looked_at = sa.select(sa.func.count()).select_from(walked.with_only_columns(jobs.c.id).subquery())
        if await connection.scalar(looked_at) == bound:
            return rows, False
    return rows, True


def _choose_indexed(chosen: JobFilter, order: JobOrder) -> JobFilter:
    """Return those conditions of a filter for which an index has the jobs in this order."""
    names = list(_RANGES.get(order.value.removeprefix("-"), ()))
    if order in CREATED:
        given = {name: getattr(chosen, name) for name in _INDEXED}
        names += [name for name, value in given.items() if value and not (isinstance(value, list) and value[1:])][:1]
    return JobFilter(**{name: getattr(chosen, name) for name in names})


async def _sort_newest(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> tuple[list[Row], bool]:
    """Return a page of the newest SORTED_MAX jobs that match, sorted, and whether no more jobs match."""
    newest = select_newest(get_place_columns(order), chosen, SORTED_MAX).cte("newest")
    number = sa.select(sa.func.count().label("number")).select_from(newest).subquery()
    page = sort_and_seek(sa.select(newest), order, after, newest.c).limit(limit).subquery()
    query = sa.select(number.c.number, page).select_from(number.outerjoin(page, sa.true()))
    rows = list(await connection.execute(sort(query, order, page.c)))
    if has_exclusions(chosen):
        is_all = await _find_bound_of_newest(connection, chosen, SORTED_MAX) is None
    else:
        is_all = not await is_cut(connection, chosen, rows[0].number, SORTED_MAX)
    return [row for row in rows if row.id is not None], is_all


async def is_cut(connection: Connection, chosen: JobFilter, number: int, bound: int) -> bool:
    """Return whether more jobs may match than the `number` found: it is `bound`, or the batch has as many items."""
    if number >= bound or has_more_waiting(chosen) or chosen.batch_id is None:
        return number >= bound or has_more_waiting(chosen)
    last = sa.select(sa.func.max(operation_items.c.item)).where(operation_items.c.operation_id == chosen.batch_id)
    return (await connection.scalar(last) or 0) >= bound


def select_newest(columns: Iterable[sa.ColumnElement[object]], chosen: JobFilter, limit: int) -> Query:
    """Return the query of the newest jobs, or newest items of a large batch, that match a filter without a search.

    Exclusions apply to the `limit` newest jobs that match the rest of the filter, so that fewer jobs may be left.
    """
    asked = list(columns)
    excludes = has_exclusions(chosen)
    looked_at = list({column.key: column for column in (*asked, *_MATCHED)}.values()) if excludes else asked
    rest = chosen.model_copy(update=NO_EXCLUSIONS) if excludes else chosen
    query = where_matching(sa.select(*looked_at), rest, items_max=min(limit, COUNTED_MAX))
    query = sort_and_seek(query, JobOrder.CREATED_DESC, None).limit(limit)
    if not excludes:
        return query
    table = query.subquery("jobs").c
    return where_not_excluded(sa.select(*(table[str(column.key)] for column in asked)), chosen, table)


async def search_jobs(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> Found:
    """Return a page of the jobs that match a search: by the index of texts, or by title or id among the newest jobs."""
    searched = await _find_bound_of_newest(connection, chosen, SEARCHED_MAX)
    if order in CREATED:
        few = await select_few_texts(connection) if searched is None else None
        words = has_words(chosen, await find_rarest_word(connection, chosen) if few is None else None)
        texts = job_texts if few is None else few
        query: Query = sa.select(_search_by_creation(limit, chosen, texts, words, order, after).subquery())
    else:
        query = sa.select((await select_found(connection, get_place_columns(order), chosen)).subquery())
    named = query.subquery().c
    query = sort_and_seek(sa.select(*get_order_columns(order, named)), order, after, named).limit(limit)
    return Found(list(await connection.execute(query)), searched)


async def find_bound(connection: Connection, chosen: JobFilter, number: int) -> int | None:
    """Return among how many of the newest matching jobs the `number` jobs were counted; None if among all of them."""
    if is_search(chosen):
        return await _find_bound_of_newest(connection, chosen, SEARCHED_MAX)
    if has_exclusions(chosen):
        return await _find_bound_of_newest(connection, chosen, COUNTED_MAX)
    return COUNTED_MAX if await is_cut(connection, chosen, number, COUNTED_MAX) else None


async def _find_bound_of_newest(connection: Connection, chosen: JobFilter, bound: int) -> int | None:
    """Return `bound` if more jobs than that match a filter without its search and exclusions; None if not."""
    rest = chosen.model_copy(update={**NO_SEARCH, **NO_EXCLUSIONS})
    limit = bound + 1 if rest.batch_id is None else min(bound + 1, COUNTED_MAX)
    last = select_newest((jobs.c.id,), rest, limit).limit(1).offset(limit - 1)
    number = 0 if await connection.scalar(last) is None else limit
    return bound if await is_cut(connection, rest, number, limit) else None


def _search_by_creation(
    limit: int,
    chosen: JobFilter,
    texts: sa.FromClause,
    words: sa.TextClause,
    order: JobOrder,
    after: Place | None,
) -> sa.CompoundSelect[*tuple[object, ...]]:
    """Return the query of a page of a search in the order of creation, in which frequent words are found soon.

    `texts`: all that are searched, or the few that there are; `words`: the condition that one of them matches.
    """
    rest = chosen.model_copy(update=NO_SEARCH)
    columns = get_order_columns(order)
    newest = _select_searched(columns, rest)
    holding = sa.select(*get_order_columns(order, newest.c)).where(holds(newest.c, chosen))
    found = where_matching(sa.select(*columns), rest, items_max=COUNTED_MAX)
    found = found.join(texts, texts.c.job_id == jobs.c.id).where(words)
    pages = (
        sort_and_seek(query, order, after, table).limit(limit).subquery().select()
        for query, table in ((holding, newest.c), (found, jobs.c))
    )
    return sa.union(*pages)


def _select_searched(columns: Iterable[sa.ColumnElement[object]], rest: JobFilter) -> sa.Subquery:
    """Return the newest SEARCHED_MAX jobs that match `rest`, with `columns` and those that a search looks at."""
    each = {column.key: column for column in (jobs.c.id, jobs.c.title, jobs.c.created_at, *columns)}
    return select_newest(each.values(), rest, SEARCHED_MAX).subquery()


async def select_found(
    connection: Connection, columns: Sequence[sa.ColumnElement[object]], chosen: JobFilter
) -> Query | sa.CompoundSelect[*tuple[object, ...]]:
    """Return the query of the jobs that match a search: by title or id among the newest, or by the index of texts.

    `columns` has the id, since a job may be found in both ways.
    """
    rest = chosen.model_copy(update=NO_SEARCH)
    newest = _select_searched(columns, rest)
    holding = sa.select(*(newest.c[str(column.key)] for column in columns))
    if (job_ids := await find_rare(connection, chosen)) is None:
        return holding.where(
            sa.or_(holds(newest.c, chosen), newest.c.id.in_(select_found_of_newest(chosen, FOUND_MAX)))
        )
    found = where_matching(sa.select(*columns), rest, items_max=COUNTED_MAX)
    found = found.where(jobs.c.id == sa.any_(sa.literal(job_ids, sa.ARRAY(sa.Text))))
    return sa.union(holding.where(holds(newest.c, chosen)), found)
