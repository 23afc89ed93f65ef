"""Find the jobs that match a filter, in any order, and look at few rows to do so, whatever the statistics say.

The planner cannot know how the values of a filter lie along an order: a walk that it takes for short may end nowhere.
So walks are short, and where they find no whole page, the newest jobs that match are sorted.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Subquery,
    Text,
    TextClause,
    any_,
    func,
    literal,
    or_,
    select,
    true,
    union,
)

from contracts.resources import JobFilter
from jobstore.reads.job_filter import (
    FOUND_MAX,
    NO_EXCLUSIONS,
    Query,
    find_rare,
    find_rarest_word,
    has_exclusions,
    has_words,
    holds,
    is_search,
    select_found_of_newest,
    where_matching,
    where_not_excluded,
)
from jobstore.reads.job_order import (
    CREATED,
    PARTS,
    WHOLE,
    Place,
    get_order_columns,
    get_place_columns,
    sort,
    sort_and_seek,
)
from jobstore.storage.sql import Connection, Row
from jobstore.storage.tables import job_texts, jobs, operation_items
from signoff.status import JobOrder

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
_MATCHED: Final = [
    jobs.c[name]
    for name in (
        *("id", "status", "agent_id", "tenant", "labels", "batch_id", "created_at", "updated_at", "priority"),
        *("cancelled", "code", "not_met_criteria", "cost_nanos", "duration_s"),
    )
]
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
