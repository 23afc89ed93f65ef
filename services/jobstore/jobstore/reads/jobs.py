"""Read jobs, one or many, with the last entry of their log."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from pydantic_core import from_json
from sqlalchemy import ARRAY, Text, any_, literal, select, text
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.criteria import read_references
from contracts.resources import Policy
from contracts.sizes import measure
from jobstore.commands.unit_of_work import JobView
from jobstore.reads.job_logs import LOG_COLUMNS, NO_BODIES
from jobstore.reads.page import fetch_page
from jobstore.reads.waiting import explain_jobs
from jobstore.storage.entry_bodies import split
from jobstore.storage.sql import Connection, Row, is_verdict
from jobstore.storage.tables import jobs
from signoff.status import JobStatus

_LEFT_OUT: Final = frozenset(
    [
        "payload",
        "labels",
        "policy",
        "feedback",
        "spec_hash",
        "not_met",
        "not_met_criteria",
        "description",
        "acceptance_criteria",
        "reference_texts",
    ],
)
#: All but the bodies, which a list may leave out, and what only commands read.
JOB_COLUMNS: Final[Sequence[ColumnsClauseRole]] = (
    *(column for column in jobs.c if column.name not in _LEFT_OUT),
    text("greatest(1, not_met + (status NOT IN ('REJECTED', 'RESUBMISSION_REQUIRED'))::int) AS submission"),
    text("jobs.labels::text AS labels_text, jobs.policy::text AS policy_text"),
)
TEXTS: Final[Sequence[ColumnsClauseRole]] = (
    jobs.c.description,
    jobs.c.acceptance_criteria,
    text("jobs.payload::text AS payload"),
    text("jobs.reference_texts::text AS reference_texts"),
)
NO_TEXTS: Final[Sequence[ColumnsClauseRole]] = (
    text("CAST(NULL AS text) AS description"),
    text("CAST(NULL AS text) AS acceptance_criteria"),
    text("NULL AS payload"),
    text("NULL AS reference_texts"),
)
#: Bytes of the payload, the result and the verdict of a job that is read alone: gRPC's clients take 4 MiB.
JUDGED_MAX_BYTES: Final = 3 << 20
#: The version of the entry with the last verdict, and its response.
_JUDGED: Final = text(
    "(SELECT ARRAY[log.version::text, log.response_payload::text] FROM job_logs AS log "  # noqa: S608 - words of our own
    f"WHERE log.job_id = jobs.id AND {is_verdict('log')} ORDER BY log.version DESC LIMIT 1) AS judged"
)
_LAST_LOGS: Final = text(
    f"SELECT {LOG_COLUMNS}, {NO_BODIES} FROM job_logs "  # noqa: S608 - as above
    "JOIN unnest(CAST(:job_ids AS text[]), CAST(:versions AS bigint[])) AS wanted (job_id, version) "
    "USING (job_id, version)",
)


def make_job_view(row: Row) -> JobView:
    """Return a job from its row, as `job_message` takes it."""
    view = dict(row)
    labels, policy = from_json(view.pop("labels_text")), _read_policy(view.pop("policy_text"))
    references = read_references(view.pop("reference_texts"))
    return {**view, "status": JobStatus(row.status), "labels": labels, "policy": policy, "references": references}


@lru_cache(maxsize=1_000)
def _read_policy(text: str) -> Policy:
    return Policy.model_validate_json(text)


async def get_job(connection: Connection, job_id: str, *, texts: bool = True) -> JobView | None:
    """Return a job, with its last verdict beside its texts, or None where there is none of that id."""
    columns = (*JOB_COLUMNS, *((*TEXTS, _JUDGED) if texts else (*NO_TEXTS, text("NULL AS judged"))))
    row = (await connection.execute(select(*columns).where(jobs.c.id == job_id))).one_or_none()
    if row is None:
        return None
    view = make_job_view(row)
    version, response = view.pop("judged") or (None, None)
    if version is None:
        return view
    is_small = measure(row.payload or "") + measure(response or "") <= JUDGED_MAX_BYTES
    judged = split(None, None, response) if is_small else {}
    return {**view, "result_version": int(version), "result": judged.get("result"), "verdict": judged.get("verdict")}


async def add_last_logs(connection: Connection, views: Sequence[JobView]) -> None:
    """Add to each job its last entry of the log as `last_log`: the one of its version, so that both agree."""
    parameters = {"job_ids": [view["id"] for view in views], "versions": [view["version"] for view in views]}
    logs = {row.job_id: dict(row) for row in await connection.execute(_LAST_LOGS, parameters)}
    for view in views:
        view["last_log"] = logs.get(view["id"])


async def add_waiting(connection: Connection, views: Sequence[JobView], alive_s: float) -> None:
    """Add to each job that waits why it does, as `waiting`. Where none may, nothing is read."""
    may_wait = [view["id"] for view in views if view["live"] or view["status"] is JobStatus.PENDING]
    known = await explain_jobs(connection, may_wait, alive_s) if may_wait else {}
    for view in views:
        waiting = known.get(view["id"])
        view["waiting"] = waiting if waiting and waiting.reasons else None


async def list_jobs_after(
    connection: Connection, job_id: str, limit: int, job_ids: Sequence[str] = (), *, texts: bool = True
) -> list[JobView]:
    """Return the next jobs after an id, in the order of ids, of `job_ids` or of all; call within a transaction.

    A page may hold fewer than the limit; it is empty only when there are no more.
    """
    columns = (*JOB_COLUMNS, *(TEXTS if texts else NO_TEXTS))
    query = select(*columns).where(jobs.c.id > job_id).order_by(jobs.c.id).limit(limit)
    rows, _ = await fetch_page(
        connection,
        query.where(jobs.c.id == any_(literal(list(job_ids), ARRAY(Text)))) if job_ids else query,
        bodies=texts,
    )
    return [make_job_view(row) for row in rows]
