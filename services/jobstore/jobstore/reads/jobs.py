"""What people and programs read: jobs, logs and agents; and agents as they are written."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Policy
from contracts.status import JobStatus
from jobstore.reads.job_logs import LOG_COLUMNS, NO_PAYLOADS
from jobstore.reads.page import fetch_page
from jobstore.storage.tables import jobs

JOB_COLUMNS: Final[Sequence[Any]] = (
    *(
        column
        for column in jobs.c
        if column.name
        not in {"payload", "policy", "feedback", "spec_hash", "not_met"} | {"description", "acceptance_criteria"}
    ),
    text("greatest(1, not_met + (status NOT IN ('REJECTED', 'RESUBMISSION_REQUIRED'))::int) AS submission"),
    text("jobs.policy::text AS policy_text"),
)
TEXTS: Final[Sequence[Any]] = (
    jobs.c.description,
    jobs.c.acceptance_criteria,
    text("jobs.payload::text AS payload"),
)
NO_TEXTS: Final[Sequence[Any]] = (
    text("'' AS description"),
    text("'' AS acceptance_criteria"),
    text("NULL AS payload"),
)
_LAST_LOGS: Final = text(
    f"SELECT {LOG_COLUMNS}, {NO_PAYLOADS} FROM job_logs "  # noqa: S608 - as above
    "JOIN unnest(CAST(:job_ids AS text[]), CAST(:versions AS bigint[])) AS wanted (job_id, version) "
    "USING (job_id, version)",
)


def job_view(row: Row[Any]) -> dict[str, Any]:
    """A job from its row, as `job_message` takes it."""
    view = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name
    return {**view, "status": JobStatus(row.status), "policy": Policy.model_validate_json(view.pop("policy_text"))}


async def get_job(connection: AsyncConnection, job_id: str) -> dict[str, Any] | None:
    """One job, as `job_message` takes it."""
    row = (await connection.execute(select(*JOB_COLUMNS, *TEXTS).where(jobs.c.id == job_id))).one_or_none()
    return None if row is None else job_view(row)


async def add_last_logs(connection: AsyncConnection, views: Sequence[dict[str, Any]]) -> None:
    """Add to each job, as `last_log`, the entry that its version is of; an entry never changes."""
    versions = {"job_ids": [view["id"] for view in views], "versions": [view["version"] for view in views]}
    logs = {row.job_id: dict(row._mapping) for row in await connection.execute(_LAST_LOGS, versions)}  # noqa: SLF001
    for view in views:
        view["last_log"] = logs.get(view["id"])


async def list_jobs_after(
    connection: AsyncConnection, job_id: str, limit: int, job_ids: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The next jobs in the order of their ids, of these or of all; none when there are no more. In a transaction."""
    query = select(*JOB_COLUMNS, *TEXTS).where(jobs.c.id > job_id).order_by(jobs.c.id).limit(limit)
    rows, _ = await fetch_page(connection, query.where(jobs.c.id.in_(job_ids)) if job_ids else query, bodies=True)
    return [job_view(row) for row in rows]
