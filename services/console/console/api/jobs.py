"""Jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from console.api.bodies import JsonRoute
from console.api.caller import CallersJobStore
from console.api.shapes import (
    Assignment,
    Cancellation,
    Execution,
    IdempotencyKey,
    JobsQuery,
    Named,
    Page,
    PageQuery,
    Resubmission,
)
from contracts.client import UNCHANGED
from contracts.identity import execution_id_of_key
from contracts.resources import Job, JobLog, NewJob

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=JsonRoute)


@router.post("", status_code=201)
async def create_job(jobstore: CallersJobStore, job: NewJob, response: Response, key: IdempotencyKey = None) -> Job:
    """Create a job: ASSIGNED with an agent, PENDING without. Repeated with its id or key, it is the same job."""
    if job.id is None and key is not None:
        job.id = str(execution_id_of_key(key, f"new/{job.tenant}"))
    created = await jobstore.create_job(job)
    response.headers["Location"] = f"/api/jobs/{created.id}"
    return created


@router.get("")
async def list_jobs(jobstore: CallersJobStore, query: Annotated[JobsQuery, Query()]) -> Page[Job]:
    """Jobs, newest first."""
    page = await jobstore.list_jobs(
        limit=query.limit or 0,
        page_token=query.cursor,
        statuses=query.status,
        agent_id=query.agent_id,
        tenant=query.tenant,
        labels=query.labels,
        batch_id=query.batch_id,
    )
    return Page[Job].of(page)


@router.get("/{job_id}")
async def get_job(jobstore: CallersJobStore, job_id: str) -> Job:
    """One job as it stands."""
    return await jobstore.get_job(job_id)


@router.get("/{job_id}/logs")
async def list_job_logs(jobstore: CallersJobStore, job_id: str, query: Annotated[PageQuery, Query()]) -> Page[JobLog]:
    """The recorded transitions of a job, oldest first."""
    page = await jobstore.list_job_logs(job_id, limit=query.limit or 0, page_token=query.cursor)
    return Page[JobLog].of(page)


@router.post("/{job_id}/assign")
async def assign_job(jobstore: CallersJobStore, job_id: str, assignment: Assignment) -> Job:
    """Assign an agent."""
    payload = assignment.payload if "payload" in assignment.model_fields_set else UNCHANGED
    return await jobstore.assign_agent(job_id, assignment.agent_id, payload)


@router.post("/{job_id}/execute")
async def execute_job(
    jobstore: CallersJobStore, job_id: str, execution: Execution | None = None, key: IdempotencyKey = None
) -> Job:
    """Ask for one execution with the payload of the latest assignment. The same key is the same execution."""
    not_before = execution.not_before if execution else None
    return await jobstore.execute_job(job_id, _execution_id(execution, key, job_id), not_before=not_before)


@router.post("/{job_id}/cancel")
async def cancel_job(jobstore: CallersJobStore, job_id: str, cancellation: Cancellation | None = None) -> Job:
    """Cancel what is asked for or under way."""
    said = cancellation or Cancellation()
    return await jobstore.cancel_job(job_id, said.reason, requested_by=said.requested_by)


@router.post("/{job_id}/resubmit")
async def resubmit_job(
    jobstore: CallersJobStore, job_id: str, resubmission: Resubmission | None = None, key: IdempotencyKey = None
) -> Job:
    """Ask for the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback."""
    comment = resubmission.comment if resubmission else None
    return await jobstore.resubmit_job(job_id, _execution_id(resubmission, key, job_id), comment=comment)


def _execution_id(execution: Named | None, key: str | None, job_id: str) -> str | None:
    if execution is not None and execution.execution_id is not None:
        return str(execution.execution_id)
    return None if key is None else str(execution_id_of_key(key, job_id))
