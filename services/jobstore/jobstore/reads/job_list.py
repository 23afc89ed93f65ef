"""Lists: jobs by what they are, in any order, and how many there are; the log of a job, from either end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, ColumnElement, Select, Text, cast, func, literal, or_, select, text, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.jsontext import members
from contracts.resources import JobFilter, JobOrder
from contracts.status import JobStatus
from jobstore.reads import jobs as job_reads
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
    query = matching(select(*_columns(texts=texts)), chosen).limit(limit)
    rows, is_cut = await job_reads.page(connection, _in_order(query, order, behind), bodies=texts)
    has_next = is_cut or len(rows) == limit
    return JobPage([job_reads.job_view(row) for row in rows], _place(rows[-1], order) if has_next else None)


def _columns(*, texts: bool) -> Sequence[Any]:
    return (*job_reads.JOB_COLUMNS, *(job_reads.TEXTS if texts else job_reads.NO_TEXTS))


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
    among = _in_order(matching(select(*columns), rest), order, behind)
    searched = among.limit(SEARCHED_MAX).subquery()
    found = (await connection.execute(select(searched).where(_holds(searched.c, chosen.text)).limit(limit))).all()
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
    rows, is_cut = await job_reads.page(connection, query.order_by(place), bodies=texts)
    return [job_reads.job_view(row) for row in rows], is_cut


def _holds(columns: Any, wanted: str | None) -> ColumnElement[bool]:
    return or_(*(columns[name].icontains(wanted, autoescape=True) for name in ("title", "id")))


async def count_jobs(connection: AsyncConnection, chosen: JobFilter) -> tuple[dict[str, int], int | None]:
    """Jobs that match, by status, whatever the filter's statuses; and how many were searched for a text at most."""
    await connection.execute(_PLAN_ANEW)
    rest = chosen.model_copy(update={"text": None, "statuses": []})
    if chosen.text is not None:
        newest = _in_order(matching(select(jobs.c.id, jobs.c.title, jobs.c.status), rest), JobOrder.CREATED_DESC, None)
        searched = newest.limit(SEARCHED_MAX).subquery()
        query = select(searched.c.status, func.count()).where(_holds(searched.c, chosen.text))
        rows = await connection.execute(query.group_by(searched.c.status))
        return dict(sorted((status, count) for status, count in rows)), SEARCHED_MAX
    counts = [_counted(rest, status) for status in JobStatus]
    rows = await connection.execute(union_all(*counts))
    return {status: count for status, count in rows if count}, None


def _counted(chosen: JobFilter, status: JobStatus) -> Select[str, int]:
    of_status = matching(select(literal(1)), chosen.model_copy(update={"statuses": [status]}))
    return select(cast(literal(status.value), Text), func.count()).select_from(of_status.limit(COUNTED_MAX).subquery())


def matching(query: Select[Any], chosen: JobFilter) -> Select[Any]:
    """The query, of the jobs that match."""
    if chosen.statuses:
        query = query.where(jobs.c.status.in_([status.value for status in chosen.statuses]))
    for name in ("agent_id", "tenant", "batch_id"):
        if (value := getattr(chosen, name)) is not None:
            query = query.where(jobs.c[name] == value)
    if chosen.labels:
        query = query.where(jobs.c.labels.contains(chosen.labels))
    if chosen.created_after is not None:
        query = query.where(jobs.c.created_at >= chosen.created_after)
    if chosen.created_before is not None:
        query = query.where(jobs.c.created_at < chosen.created_before)
    if chosen.text is not None:
        query = query.where(_holds(jobs.c, chosen.text))
    return query


@dataclass(frozen=True, slots=True)
class Entries:
    """Which entries of a log: of a submission, of some kinds, from a version on in the order in which it is read."""

    submission: int | None = None
    from_version: int | None = None
    kinds: Sequence[str] = ()


ALL_ENTRIES: Final = Entries()


async def list_job_logs(
    connection: AsyncConnection,
    job_id: str,
    behind: int | None,
    limit: int,
    *,
    newest_first: bool = False,
    chosen: Entries = ALL_ENTRIES,
    payloads: bool = True,
) -> tuple[list[dict[str, Any]], int | None]:
    """A job's log behind a version, oldest first unless asked for otherwise, as `job_log_message` takes it.

    And the version behind which the next page begins, if there may be one. Within a transaction.
    """
    order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
    conditions = {
        "behind": (behind, f"version {beyond} :behind"),
        "submission": (chosen.submission, "submission = :submission"),
        "from": (chosen.from_version, f"version {beyond}= :from"),
        "kinds": (list(chosen.kinds) or None, "kind = ANY(:kinds)"),
    }
    about = {name: value for name, (value, _) in conditions.items() if value is not None}
    wheres = ["job_id = :job_id", *(conditions[name][1] for name in about)]
    query = text(
        f"SELECT {job_reads.LOG_COLUMNS}, {job_reads.PAYLOADS if payloads else job_reads.NO_PAYLOADS} "  # noqa: S608 - names of our own
        f"FROM job_logs WHERE {' AND '.join(wheres)} ORDER BY version {order} LIMIT :limit",
    )
    rows, is_cut = await job_reads.page(connection, query, {"job_id": job_id, "limit": limit, **about}, bodies=payloads)
    logs = [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name
    return logs, logs[-1]["version"] if is_cut or len(logs) == limit else None


_RESPONSE: Final = text("SELECT response_payload::text FROM job_logs WHERE job_id = :job_id AND version = :version")


async def result(connection: AsyncConnection, job_id: str, version: int) -> str | None:
    """The result that an entry of a log holds, as JSON text; None where it holds none, or there is no such entry."""
    response = await connection.scalar(_RESPONSE, {"job_id": job_id, "version": version})
    return None if response is None else members(response).get("result")
