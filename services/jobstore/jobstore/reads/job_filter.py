"""Make SQL conditions for the jobs that match a filter."""

from typing import Final, TypeAlias

from pydantic_core import to_json
from sqlalchemy import ColumnCollection, ColumnElement, Select, Text, Uuid, bindparam, cast, literal, or_, text
from sqlalchemy.dialects.postgresql import JSONB

from contracts.resources import JobFilter
from jobstore.storage.tables import jobs

#: A query of whatever columns.
Query: TypeAlias = Select[*tuple[object, ...]]


#: The items of an operation; where it is not known any more, as after a rebuild, the jobs that it executed last. An
#: array, so that the planner looks these up by their ids, and never walks all jobs in their order to find them.
_ITEMS: Final = text(
    """
    jobs.id = ANY (ARRAY(
        SELECT job_id FROM operation_items WHERE operation_id = :batch_id
        UNION ALL SELECT id FROM jobs AS known
        WHERE known.batch_id = :batch_id AND NOT EXISTS (SELECT FROM operations WHERE id = :batch_id)
    ))
    """
)


def holds_text(columns: ColumnCollection[str, ColumnElement[str]], wanted: str | None) -> ColumnElement[bool]:
    """Return the condition that a title or an id contains a text, in whatever case."""
    return or_(*(columns[name].icontains(wanted, autoescape=True) for name in ("title", "id")))


def where_matching(query: Query, chosen: JobFilter) -> Query:
    """Restrict a query to the jobs that match a filter."""
    if chosen.statuses:
        query = query.where(jobs.c.status.in_([status.value for status in chosen.statuses]))
    for name in ("agent_id", "tenant"):
        if (value := getattr(chosen, name)) is not None:
            query = query.where(jobs.c[name] == value)
    if chosen.batch_id is not None:
        query = query.where(_ITEMS.bindparams(bindparam("batch_id", chosen.batch_id, Uuid, unique=True)))
    if chosen.labels:  # the index has only jobs with labels
        labels = cast(literal(to_json(chosen.labels).decode(), Text), JSONB)
        query = query.where(jobs.c.labels.contains(labels), text("jobs.labels <> '{}'"))
    if chosen.created_after is not None:
        query = query.where(jobs.c.created_at >= chosen.created_after)
    if chosen.created_before is not None:
        query = query.where(jobs.c.created_at < chosen.created_before)
    if chosen.text is not None:
        query = query.where(holds_text(jobs.c, chosen.text))
    return query
