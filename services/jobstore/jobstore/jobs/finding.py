"""Find the jobs that match a filter, in any order, and look at few rows to do so, whatever the statistics say.

The planner cannot know how the values of a filter lie along an order: a walk that it takes for short may end nowhere.
So walks are short, and where they find no whole page, the newest jobs that match are sorted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnCollection,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Subquery,
    Text,
    TextClause,
    Uuid,
    and_,
    any_,
    bindparam,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    tuple_,
    union,
)
from sqlalchemy.dialects.postgresql import JSONB

from contracts.resources import JobFilter
from jobstore.engine.sql import Connection, Row
from jobstore.jobs.transitions import cut_criterion
from jobstore.schema.columns import MATCHED, Filter, find_names
from jobstore.schema.tables import job_texts, jobs, operation_items
from signoff.status import JobOrder
from signoff.values import to_nanos

#: What holds of jobs whose last execution ended, and nothing was asked for since.
HAS_ENDED: Final = text("jobs.duration_s IS NOT NULL")
#: Jobs of which the words match that are looked at: of more, the newest.
FOUND_MAX: Final = 20_000
#: The columns whose values a filter takes as they are, each with the fields of a JobFilter that are about it.
FILTERS: Final[Mapping[str, Filter]] = {
    column.name: column.info["filter"] for column in jobs.c if "filter" in column.info
}
#: What a filter leaves out, emptied. No index finds the jobs that are left: where these are few, lists look at the
#: newest that match the rest.
NO_EXCLUSIONS: Final[Mapping[str, list[str]]] = {
    **{each.excluded: [] for each in FILTERS.values() if each.excluded},
    "not_labels": [],
    "not_batch_ids": [],
    "not_criteria_not_met": [],
}
#: Words that so many of the newest jobs have, of so many that are asked, are frequent.
FREQUENT, ASKED_MAX = 400, 4_000
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
#: The word of a text that is the rarest among the newest texts, as a condition. It is said twice, since the planner
#: takes any word that may go on for a frequent one, for which it would read jobs in turn.
_RAREST: Final = text(
    """
    WITH newest AS MATERIALIZED (SELECT words FROM job_texts ORDER BY created_at DESC, job_id DESC LIMIT :most)
    SELECT word || ' & ' || word FROM unnest(to_tsvector('simple', :text)) AS asked,
        LATERAL (SELECT array_to_tsvector(ARRAY[lexeme])::text || ':*' AS word) AS quoted
    ORDER BY (SELECT count(*) FROM newest WHERE words @@ CAST(word AS tsquery)) LIMIT 1
    """
)
_ID_PART: Final = "(job_id LIKE :beginning OR reverse(job_id) LIKE :end)"
#: A query of whatever columns.
Query: TypeAlias = Select[*tuple[object, ...]]
#: The columns of jobs, or of a query of them.
Columns: TypeAlias = ColumnCollection[str, ColumnElement[object]]


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
_ALL_ITEMS: Final = text(_ITEMS.format(newest="", limit=""))
_NEWEST_ITEMS: Final = text(
    _ITEMS.format(
        newest=" AND item > (SELECT max(item) FROM operation_items WHERE operation_id = :batch_id) - :items_max",
        limit=" ORDER BY created_at DESC, id DESC LIMIT :items_max",
    )
)
#: The same of a row that is at hand: it is looked up among the items, which are not read (OFFSET).
_IS_ITEM: Final = text(
    """
    (EXISTS (SELECT FROM operation_items WHERE job_id = jobs.id AND operation_id = :batch_id OFFSET 0)
        OR jobs.batch_id = :batch_id AND NOT EXISTS (SELECT FROM operations WHERE id = :batch_id))
    """
)


def holds_text(columns: ColumnCollection[str, ColumnElement[str]], wanted: str | None) -> ColumnElement[bool]:
    """Return the condition that a title or an id contains a text, in whatever case: ILIKE takes three times as long."""
    sought = func.lower(literal(wanted, Text))
    return or_(*(func.strpos(func.lower(columns[name]), sought) > 0 for name in ("title", "id")))


def holds_id_part(columns: ColumnCollection[str, ColumnElement[str]], part: str) -> ColumnElement[bool]:
    """Return the condition that an id begins or ends so."""
    return or_(columns["id"].startswith(part, autoescape=True), columns["id"].endswith(part, autoescape=True))


def is_search(chosen: JobFilter) -> bool:
    """Return whether a filter searches what jobs say."""
    return chosen.text is not None or chosen.id_part is not None


def has_exclusions(chosen: JobFilter) -> bool:
    """Return whether a filter leaves out jobs that have a value."""
    return any(getattr(chosen, name) for name in NO_EXCLUSIONS)


def is_found(chosen: JobFilter) -> ColumnElement[bool]:
    """Return the condition that a job is among the newest FOUND_MAX that the index of texts has for a search."""
    found = select(job_texts.c.job_id).where(has_words(chosen))
    newest = found.order_by(*_NEWEST_TEXTS).limit(FOUND_MAX)
    # An array, so that the planner looks the jobs up by their ids.
    return jobs.c.id == any_(func.ARRAY(newest.scalar_subquery()))


def select_found_of_newest(chosen: JobFilter, most: int) -> Select[str]:
    """Return the ids of those of the `most` newest jobs whose texts have what is searched."""
    newest = select(job_texts.c.job_id, job_texts.c.words).order_by(*_NEWEST_TEXTS).limit(most).subquery()
    return select(newest.c.job_id).where(has_words(chosen))


async def find_rare(connection: Connection, chosen: JobFilter) -> list[str] | None:
    """Return the ids of all jobs whose texts have what is searched; None if so many do that the newest are searched.

    Sorting all that have a word takes as long as there are many. It is known at once of what many of the newest have.
    """
    among_newest = select(func.count()).select_from(select_found_of_newest(chosen, ASKED_MAX).subquery())
    if await connection.scalar(among_newest) >= FREQUENT:
        return None
    words = has_words(chosen, await find_rarest_word(connection, chosen))
    among_all = select(job_texts.c.job_id).where(words).limit(FOUND_MAX + 1)
    found = [row.job_id for row in await connection.execute(among_all)]
    return None if len(found) > FOUND_MAX else found


async def find_rarest_word(connection: Connection, chosen: JobFilter) -> str | None:
    """Return the condition of the word, of several that are searched, that the fewest of the newest texts have."""
    if chosen.text is None or len(chosen.text.split()) == 1:
        return None
    found: str | None = await connection.scalar(_RAREST, {"text": chosen.text, "most": COMPARED_MAX})
    return found


def has_words(chosen: JobFilter, rarest: str | None = None) -> TextClause:
    """Return the condition that a row of `job_texts` has what is searched; `rarest`: the word to look up first."""
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
    found = text(" AND ".join(conditions))
    return found.bindparams(*(bindparam(name, value, Text, unique=True) for name, value in values.items()))


def _escape_like(words: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", words)


def holds(columns: ColumnCollection[str, ColumnElement[str]], chosen: JobFilter) -> ColumnElement[bool]:
    """Return the condition that a job itself holds what is searched."""
    conditions = []
    if chosen.text is not None:
        conditions.append(holds_text(columns, chosen.text))
    if chosen.id_part is not None:
        conditions.append(holds_id_part(columns, chosen.id_part))
    return and_(*conditions)


def where_matching(
    query: Query, chosen: JobFilter, table: Columns = jobs.c, *, items_max: int | None = None, by_row: bool = False
) -> Query:
    """Restrict a query to the jobs that match a filter.

    `table`: jobs, or a query of them that is named so; `items_max`: so many of a batch's items are looked at, the
    newest; `by_row`: few rows are looked at, each of which is looked up in the batch.
    """
    for name, each in FILTERS.items():
        if (value := getattr(chosen, each.one, None)) is not None:
            query = query.where(table[name] == value)
        if values := getattr(chosen, each.many, None):
            query = query.where(table[name].in_(values), *([_is_known(name)] if each.partial else []))
    if chosen.batch_id is not None:
        query = query.where(_is_of_batch(chosen.batch_id, items_max, by_row=by_row))
    if chosen.labels:  # the index has only jobs with labels
        query = query.where(_has_labels(table, chosen.labels), text("jobs.labels <> '{}'"))
    if chosen.created_after is not None:
        query = query.where(table["created_at"] >= chosen.created_after)
    if chosen.created_before is not None:
        query = query.where(table["created_at"] < chosen.created_before)
    if is_search(chosen):
        query = query.where(or_(holds(jobs.c, chosen), is_found(chosen)))
    return where_not_excluded(_where_ended(query, chosen, table), chosen, table)


def where_not_excluded(query: Query, chosen: JobFilter, table: Columns) -> Query:
    """Restrict a query to the jobs that have none of the values that a filter leaves out."""
    excluded: list[ColumnElement[bool] | TextClause] = [
        table[name].in_(values) for name, each in FILTERS.items() if (values := getattr(chosen, each.excluded, None))
    ]
    for name, _, value in (label.partition(":") for label in chosen.not_labels):
        excluded.append(_has_labels(table, {name: value}))
    excluded += [_is_of_batch(batch_id, None, by_row=True) for batch_id in chosen.not_batch_ids]
    if chosen.not_criteria_not_met:
        criteria = [cut_criterion(each) for each in chosen.not_criteria_not_met]
        excluded.append(table["not_met_criteria"].op("&&")(cast(literal(criteria, ARRAY(Text)), ARRAY(Text))))
    # A job without any value has none of these.
    return query.where(*(not_(func.coalesce(condition, false(), type_=Boolean)) for condition in excluded))


def _is_known(name: str) -> TextClause:
    """Return the condition that a column is not NULL, as its index has it."""
    return text(f"jobs.{name} IS NOT NULL")


def _has_labels(table: Columns, labels: Mapping[str, str]) -> ColumnElement[bool]:
    return table["labels"].op("@>")(cast(literal(to_json(labels).decode(), Text), JSONB))


def _is_of_batch(batch_id: UUID, items_max: int | None, *, by_row: bool) -> TextClause:
    which = _IS_ITEM if by_row else _ALL_ITEMS if items_max is None else _NEWEST_ITEMS
    values = [bindparam("batch_id", batch_id, Uuid, unique=True)]
    if which is _NEWEST_ITEMS:
        values.append(bindparam("items_max", items_max, Integer, unique=True))
    return which.bindparams(*values)


def _where_ended(query: Query, chosen: JobFilter, table: Columns) -> Query:
    """Restrict a query by how the last execution ended. Each condition names the part that an index is of."""
    if chosen.cancelled is not None:
        query = query.where(text("jobs.cancelled" if chosen.cancelled else "NOT jobs.cancelled"))
    if chosen.criterion_not_met is not None:
        wanted = cast(literal([cut_criterion(chosen.criterion_not_met)], ARRAY(Text)), ARRAY(Text))
        query = query.where(table["not_met_criteria"].op("@>")(wanted), _is_known("not_met_criteria"))
    costs = [None if usd is None else to_nanos(usd) for usd in (chosen.cost_usd_min, chosen.cost_usd_max)]
    for name, (least, most) in {
        "cost_nanos": costs,
        "duration_s": (chosen.duration_s_min, chosen.duration_s_max),
    }.items():
        if least is not None:
            query = query.where(table[name] >= least, HAS_ENDED)
        if most is not None:
            query = query.where(table[name] <= most, HAS_ENDED)
    return query


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


#: Jobs that match are counted up to this number, and sorted up to that, the newest: more cost time and tell little.
COUNTED_MAX: Final = 10_000
SORTED_MAX: Final = 5_000
#: Jobs that are searched for the middle of a word, which no index finds: the newest.
SEARCHED_MAX: Final = 20_000
#: Rows of an order that are looked at for a page: few at first, and more where these hold a part of it.
SKIMMED_MAX, WALKED_MAX = 2_000, 10_000

#: What of a filter an index has in the order of creation, the rarest first: that with it is walked along. The ranges of
#: an order's own column bound any walk along it.
_INDEXED: Final = ("codes", "cancelled", "agent_id", "statuses", "tenant")
_RANGES: Final = {name: (f"{name}_min", f"{name}_max") for name in ("cost_usd", "duration_s")} | {
    "created_at": ("created_after", "created_before")
}
#: What is asked of a job to see whether it matches, and where it stands in an order.
_MATCHED: Final = [jobs.c[name] for name in find_names(jobs, MATCHED)]
#: The conditions for which jobs are searched, left out.
NO_SEARCH: Final = {"text": None, "id_part": None}


class Found(NamedTuple):
    """Jobs that were found, by what they are sorted by; `searched`: of more that match, so many of the newest."""

    rows: Sequence[Row]
    searched: int | None = None


async def find_jobs(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> Found:
    """Return the jobs of a page."""
    rows, is_certain = await _walk(connection, SKIMMED_MAX, limit, chosen, order, after)
    if is_certain:
        return Found(rows)
    if order in CREATED and chosen.batch_id is None and not has_exclusions(chosen):
        query = where_matching(select(*get_order_columns(order)), chosen)
        return Found(list(await connection.execute(sort_and_seek(query, order, after).limit(limit))))
    if len(rows) * WALKED_MAX >= limit * SKIMMED_MAX:
        rows, is_certain = await _walk(connection, WALKED_MAX, limit, chosen, order, after)
        if is_certain:
            return Found(rows)
    newest, is_all = await _sort_newest(connection, limit, chosen, order, after)
    return Found(newest, None if is_all else SORTED_MAX)


async def _walk(
    connection: Connection, most: int, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> tuple[list[Row], bool]:
    """Return what matches among the next rows of an order, and whether that is a whole page, or the last."""
    rows: list[Row] = []
    bounds = _choose_bounds(chosen, order)
    for part in PARTS.get(order, WHOLE):
        walked = sort_and_seek(where_matching(select(*_MATCHED).where(part), bounds), order, after).limit(most)
        table = walked.subquery("jobs").c
        query = where_matching(select(*get_order_columns(order, table)), chosen, table, by_row=True)
        rows += await connection.execute(sort_and_seek(query, order, None, table).limit(limit - len(rows)))
        if len(rows) == limit:
            return rows, True
        looked_at = select(func.count()).select_from(walked.with_only_columns(jobs.c.id).subquery())
        if await connection.scalar(looked_at) == most:
            return rows, False
    return rows, True


def _choose_bounds(chosen: JobFilter, order: JobOrder) -> JobFilter:
    """Return what of a filter an index has in this order."""
    names = list(_RANGES.get(order.value.removeprefix("-"), ()))
    if order in CREATED:
        indexed = (name for name in _INDEXED if getattr(chosen, name) and _is_one(getattr(chosen, name)))
        names += [name for name in (next(indexed, None),) if name]
    return JobFilter(**{name: getattr(chosen, name) for name in names})


def _is_one(value: object) -> bool:
    return not isinstance(value, list) or len(value) == 1


async def _sort_newest(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> tuple[list[Row], bool]:
    """Return a page of the newest SORTED_MAX jobs that match, sorted, and whether these are all."""
    newest = select_newest(get_place_columns(order), chosen, SORTED_MAX).cte("newest")
    number = select(func.count().label("number")).select_from(newest).subquery()
    page = sort_and_seek(select(newest), order, after, newest.c).limit(limit).subquery()
    query = select(number.c.number, page).select_from(number.outerjoin(page, true()))
    rows = list(await connection.execute(sort(query, order, page.c)))
    if has_exclusions(chosen):
        is_all = await _find_bound_of_newest(connection, chosen, SORTED_MAX) is None
    else:
        is_all = not await is_cut(connection, chosen, rows[0].number, SORTED_MAX)
    return [row for row in rows if row.id is not None], is_all


async def is_cut(connection: Connection, chosen: JobFilter, number: int, most: int) -> bool:
    """Return whether more may match than the `number` that was found of `most`: also of a larger batch."""
    if number >= most or chosen.batch_id is None:
        return number >= most
    last = select(func.max(operation_items.c.item)).where(operation_items.c.operation_id == chosen.batch_id)
    return (await connection.scalar(last) or 0) >= most


def select_newest(columns: Iterable[ColumnElement[object]], chosen: JobFilter, limit: int) -> Query:
    """Return the newest jobs that match, without a search; of a large batch those of its newest items.

    With exclusions: what these leave of the newest that match the rest.
    """
    asked = list(columns)
    excludes = has_exclusions(chosen)
    looked_at = list({column.key: column for column in (*asked, *_MATCHED)}.values()) if excludes else asked
    rest = chosen.model_copy(update=NO_EXCLUSIONS) if excludes else chosen
    query = where_matching(select(*looked_at), rest, items_max=min(limit, COUNTED_MAX))
    query = sort_and_seek(query, JobOrder.CREATED_DESC, None).limit(limit)
    if not excludes:
        return query
    table = query.subquery("jobs").c
    return where_not_excluded(select(*(table[str(column.key)] for column in asked)), chosen, table)


async def search_jobs(
    connection: Connection, limit: int, chosen: JobFilter, order: JobOrder, after: Place | None
) -> Found:
    """Return the jobs of a page that hold what is searched: by the index of texts, and whatever the newest hold."""
    if order in CREATED:
        words = has_words(chosen, await find_rarest_word(connection, chosen))
        query: Query = select(_search_by_creation(limit, chosen, words, order, after).subquery())
    else:
        query = select((await select_found(connection, get_place_columns(order), chosen)).subquery())
    named = query.subquery().c
    query = sort_and_seek(select(*get_order_columns(order, named)), order, after, named).limit(limit)
    return Found(list(await connection.execute(query)), await _find_bound_of_newest(connection, chosen, SEARCHED_MAX))


async def find_bound(connection: Connection, chosen: JobFilter, number: int) -> int | None:
    """Return among how many of the newest that match `number` were counted; None if none of them was left out."""
    if is_search(chosen):
        return await _find_bound_of_newest(connection, chosen, SEARCHED_MAX)
    if has_exclusions(chosen):
        return await _find_bound_of_newest(connection, chosen, COUNTED_MAX)
    return COUNTED_MAX if await is_cut(connection, chosen, number, COUNTED_MAX) else None


async def _find_bound_of_newest(connection: Connection, chosen: JobFilter, bound: int) -> int | None:
    """Return the bound if more match than so many, of what is looked at for a search or for exclusions; None if not."""
    rest = chosen.model_copy(update={**NO_SEARCH, **NO_EXCLUSIONS})
    most = bound + 1 if rest.batch_id is None else min(bound + 1, COUNTED_MAX)
    last = select_newest((jobs.c.id,), rest, most).limit(1).offset(most - 1)
    number = 0 if await connection.scalar(last) is None else most
    return bound if await is_cut(connection, rest, number, most) else None


def _search_by_creation(
    limit: int, chosen: JobFilter, words: TextClause, order: JobOrder, after: Place | None
) -> CompoundSelect[*tuple[object, ...]]:
    """Return what a search finds in the order of creation, along which frequent words are found soon."""
    rest = chosen.model_copy(update=NO_SEARCH)
    columns = get_order_columns(order)
    newest = _select_searched(columns, rest)
    holding = select(*get_order_columns(order, newest.c)).where(holds(newest.c, chosen))
    found = where_matching(select(*columns), rest, items_max=COUNTED_MAX)
    found = found.join(job_texts, job_texts.c.job_id == jobs.c.id).where(words)
    pages = (
        sort_and_seek(query, order, after, table).limit(limit).subquery().select()
        for query, table in ((holding, newest.c), (found, jobs.c))
    )
    return union(*pages)


def _select_searched(columns: Iterable[ColumnElement[object]], rest: JobFilter) -> Subquery:
    """Return the newest SEARCHED_MAX jobs that match, with what is searched and more columns."""
    each = {column.key: column for column in (jobs.c.id, jobs.c.title, jobs.c.created_at, *columns)}
    return select_newest(each.values(), rest, SEARCHED_MAX).subquery()


async def select_found(
    connection: Connection, columns: Sequence[ColumnElement[object]], chosen: JobFilter
) -> Query | CompoundSelect[*tuple[object, ...]]:
    """Return the query of what a search finds: the newest that hold it themselves, and what the index of texts has.

    The id is among the columns, since a job may be found by both.
    """
    rest = chosen.model_copy(update=NO_SEARCH)
    newest = _select_searched(columns, rest)
    holding = select(*(newest.c[str(column.key)] for column in columns))
    if (job_ids := await find_rare(connection, chosen)) is None:
        return holding.where(or_(holds(newest.c, chosen), newest.c.id.in_(select_found_of_newest(chosen, FOUND_MAX))))
    found = where_matching(select(*columns), rest, items_max=COUNTED_MAX)
    found = found.where(jobs.c.id == any_(literal(job_ids, ARRAY(Text))))
    return union(holding.where(holds(newest.c, chosen)), found)
