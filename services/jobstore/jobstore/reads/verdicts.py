"""Read one verdict out of a job's log, with what it was about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.events import hash_result
from contracts.judging.verdict import Verdict
from jobstore.domain.reports import read_verdict
from jobstore.errors import NotFoundError, RefusedError
from jobstore.json_members import members
from jobstore.storage.sql import Connection, is_verdict
from signoff.errors import ErrorCode
from signoff.status import JobStatus

_VERDICT: Final = text(
    f"""
    SELECT job.id AS job_id, job.tenant, entry.version, entry.job_status, entry.execution_id, entry.submission,
        entry.code, entry.created_at, entry.response, execution.created_at AS requested_at, execution.task_hash,
        entry.execution_id = job.execution_id AND entry.job_status = job.status AND NOT job.live AS has_ended_it
    FROM jobs AS job
    LEFT JOIN LATERAL (
        SELECT version, job_status, execution_id, submission, code, created_at, response_payload::text AS response
        FROM job_logs AS log WHERE job_id = job.id AND {is_verdict("log")}
            AND version = coalesce(CAST(:version AS bigint), version)
            AND submission = coalesce(CAST(:submission AS int), submission)
        ORDER BY version DESC LIMIT 1
    ) AS entry ON true
    LEFT JOIN executions AS execution ON execution.execution_id = entry.execution_id
    WHERE job.id = :job_id
    """  # noqa: S608 - words of our own
)


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """A verdict in the log of a job, and the hashes of the result that it judges and of what its agent was asked."""

    job_id: str
    tenant: str
    version: int
    status: JobStatus
    execution_id: UUID
    submission: int
    code: str | None
    requested_at: datetime | None
    judged_at: datetime
    verdict: Verdict
    result_hash: bytes
    task_hash: bytes | None


async def get_verdict(
    connection: Connection, job_id: str, *, version: int | None = None, submission: int | None = None
) -> RecordedVerdict:
    """Return the verdict at a version, the last one on a submission, or without either the one that ended the job.

    NotFoundError: there is no such job or verdict, or no result beside it. RefusedError: nobody judged the result.
    """
    parameters = {"job_id": job_id, "version": version, "submission": submission}
    row = (await connection.execute(_VERDICT, parameters)).one_or_none()
    if row is None:
        raise NotFoundError(f"no job has the id {job_id}", code=ErrorCode.UNKNOWN_JOB)
    is_chosen = version is not None or submission is not None
    if row.version is None and is_chosen:
        raise NotFoundError(
            f"the job {job_id} has no verdict there: its log says where it has one", code=ErrorCode.NO_VERDICT
        )
    if row.version is None or not (is_chosen or row.has_ended_it):
        message = f"the job {job_id} did not end with a verdict; an earlier one is chosen by its version or submission"
        raise NotFoundError(message, code=ErrorCode.NO_VERDICT)
    told = members(row.response or "{}")
    if "verdict" not in told or "result" not in told:
        message = f"version {row.version} of the job {job_id} does not hold what was judged"
        raise NotFoundError(message, code=ErrorCode.NO_RESULT)
    verdict = Verdict.model_validate_json(told["verdict"])
    _, failed = read_verdict(verdict)
    if failed is not None:
        raise RefusedError(
            f"the judge did not judge the result of the job {job_id} ({failed})", code=ErrorCode.UNJUDGED
        )
    return RecordedVerdict(
        job_id=row.job_id,
        tenant=row.tenant,
        version=row.version,
        status=JobStatus(row.job_status),
        execution_id=row.execution_id,
        submission=row.submission,
        code=row.code,
        requested_at=row.requested_at,
        judged_at=row.created_at,
        verdict=verdict,
        result_hash=hash_result(told["result"]),
        task_hash=row.task_hash,
    )
