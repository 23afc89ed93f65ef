"""Make SQL conditions for the jobs that match a filter."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnCollection,
    ColumnElement,
    Integer,
    Select,
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
)
from sqlalchemy.dialects.postgresql import JSONB

from contracts.resources import JobFilter
from jobstore.domain.decisions import cut_criterion
from jobstore.storage.sql import Connection
from jobstore.storage.tables import job_texts, jobs
from signoff.money import to_nanos

#: What holds of jobs whose last execution ended, and nothing was asked for since.
HAS_ENDED: Final = text("jobs.duration_s IS NOT NULL")
#: Jobs of which the words match that are looked at: of more, the newest.
FOUND_MAX: Final = 20_000
#: What a filter leaves out, emptied. No index finds the jobs that are left: where these are few, lists look at the
#: newest that match the rest.
NO_EXCLUSIONS: Final[dict[str, list[str]]] = {
    "not_agent_ids": [],
    "not_tenants": [],
    "not_labels": [],
    "not_batch_ids": [],
    "not_codes": [],
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
    if chosen.statuses:
        query = query.where(table["status"].in_([status.value for status in chosen.statuses]))
    for name in ("agent_id", "tenant"):
        if (value := getattr(chosen, name)) is not None:
            query = query.where(table[name] == value)
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
        table[column].in_(values)
        for column, values in (
            ("agent_id", chosen.not_agent_ids),
            ("tenant", chosen.not_tenants),
            ("code", chosen.not_codes),
        )
        if values
    ]
    for name, _, value in (label.partition(":") for label in chosen.not_labels):
        excluded.append(_has_labels(table, {name: value}))
    excluded += [_is_of_batch(batch_id, None, by_row=True) for batch_id in chosen.not_batch_ids]
    if chosen.not_criteria_not_met:
        criteria = [cut_criterion(each) for each in chosen.not_criteria_not_met]
        excluded.append(table["not_met_criteria"].op("&&")(cast(literal(criteria, ARRAY(Text)), ARRAY(Text))))
    # A job without any value has none of these.
    return query.where(*(not_(func.coalesce(condition, false(), type_=Boolean)) for condition in excluded))


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
    if chosen.codes:
        query = query.where(table["code"].in_(chosen.codes), text("jobs.code IS NOT NULL"))
    if chosen.criterion_not_met is not None:
        wanted = cast(literal([cut_criterion(chosen.criterion_not_met)], ARRAY(Text)), ARRAY(Text))
        query = query.where(table["not_met_criteria"].op("@>")(wanted), text("jobs.not_met_criteria IS NOT NULL"))
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
