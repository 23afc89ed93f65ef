"""REST endpoints of jobs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import CHANGED, READ, VERSIONED, IfMatch, IfNoneMatch, etag, show, version_of
from console.api.json_body import JsonRoute
from console.api.schemas import (
    Cancellation,
    FacetsQuery,
    IdempotencyKey,
    JobAssignment,
    JobCancellation,
    JobPage,
    JobsFilter,
    JobsQuery,
    NewExecution,
    Resubmission,
    replays,
)
from contracts.fields import Strict
from contracts.resources import JobPatch, NewJob
from signoff import UNCHANGED
from signoff.status import View
from signoff.types import Execution, Job, JobCounts, JobFacets, SavedJob, Waiting

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=JsonRoute)
#: Not below /api/jobs, where a job may have that id.
counts_router = APIRouter(prefix="/api/job-counts", tags=["jobs"], route_class=JsonRoute)
facets_router = APIRouter(prefix="/api/job-facets", tags=["jobs"], route_class=JsonRoute)
executions_router = APIRouter(prefix="/api/executions", tags=["jobs"], route_class=JsonRoute)


@router.post("", status_code=201, responses=replays(SavedJob))
async def create_job(
    jobstore: CallersJobStore, job: Strict[NewJob], response: Response, key: IdempotencyKey = None
) -> SavedJob:
    """Create a job: ASSIGNED with an agent, PENDING without. Repeated with its id, it is the same job."""
    created = await jobstore.create_job(job, idempotency_key=key)
    response.headers["Location"] = f"/api/jobs/{created.id}"
    return created


@router.get("")
async def list_jobs(jobstore: CallersJobStore, query: Annotated[JobsQuery, Query()]) -> JobPage:
    """Jobs, newest first unless sorted otherwise, each with the newest entry of its log, and why it waits."""
    page = await jobstore.list_matching(
        query.to_job_filter(query.status),
        page_size=query.page_size or 0,
        page_token=query.page_token,
        order=query.order,
        view=query.view,
    )
    return JobPage(items=page.jobs, next_page_token=page.next_page_token or None, searched=page.searched)


@counts_router.get("")
async def count_jobs(jobstore: CallersJobStore, query: Annotated[JobsFilter, Query()]) -> JobCounts:
    """How many jobs match, by status, each counted up to `capped_at`."""
    return await jobstore.count_jobs(query.to_job_filter())


@facets_router.get("")
async def list_job_facets(jobstore: CallersJobStore, query: Annotated[FacetsQuery, Query()]) -> JobFacets:
    """Count the jobs that match by the values of a field, the most frequent first; a filter by the field is ignored."""
    return await jobstore.list_job_facets(
        query.field,
        query.to_job_filter(query.status),
        page_size=query.page_size or 0,
        page_token=query.page_token,
    )


@router.get(
    "/{job_id}",
    response_model=Job,
    responses=READ,
)
async def get_job(
    jobstore: CallersJobStore,
    job_id: str,
    response: Response,
    view: Annotated[View, Query(description="`basic` leaves out description, criteria and payload")] = View.FULL,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """One job as it stands; its `ETag` is its version."""
    job = await jobstore.get_job(job_id, view=view)
    return show(job, response, if_none_match)


@router.get("/{job_id}/waiting")
async def explain_job(jobstore: CallersJobStore, job_id: str) -> Waiting:
    """Why a job waits: what holds it back, whose move it is, what lifts it. Without reasons where it does not wait."""
    return await jobstore.explain_job(job_id)


@router.patch("/{job_id}", responses=CHANGED)
async def edit_job(
    jobstore: CallersJobStore, job_id: str, patch: Strict[JobPatch], response: Response, if_match: IfMatch = None
) -> SavedJob:
    """Change what is asked for, by a JSON merge patch, while nothing is live and the job is not COMPLETED.

    The same edit again is one edit.
    """
    job = await jobstore.edit_job(job_id, patch, version=version_of(if_match))
    response.headers["ETag"] = etag(job.version)
    return job


@router.post("/{job_id}/assign", responses=VERSIONED)
async def assign_job(
    jobstore: CallersJobStore, job_id: str, assignment: Strict[JobAssignment], if_match: IfMatch = None
) -> Job:
    """Assign an agent."""
    payload = assignment.payload if "payload" in assignment.model_fields_set else UNCHANGED
    return await jobstore.assign_agent(job_id, assignment.agent_id, payload, version=version_of(if_match))


@router.post("/{job_id}/execute", status_code=201, responses=replays(Execution) | VERSIONED)
async def execute_job(
    jobstore: CallersJobStore,
    job_id: str,
    response: Response,
    execution: Strict[NewExecution | None] = None,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Execution:
    """Ask for one execution with the payload of the latest assignment."""
    not_before = execution.not_before if execution else None
    name = execution.execution_id if execution else None
    made = await jobstore.execute_job(
        job_id, name, idempotency_key=key, not_before=not_before, version=version_of(if_match)
    )
    response.headers["Location"] = f"/api/executions/{made.id}"
    return made


@router.post("/{job_id}/cancel", responses=VERSIONED)
async def cancel_job(
    jobstore: CallersJobStore,
    job_id: str,
    cancellation: Strict[JobCancellation | None] = None,
    if_match: IfMatch = None,
) -> Job:
    """Cancel what is asked for or under way. What has ended by itself is a conflict, with or without its id."""
    asked = cancellation or JobCancellation()
    version = version_of(if_match)
    return await jobstore.cancel_job(job_id, asked.reason, execution_id=asked.execution_id, version=version)


@executions_router.get("/{execution_id}")
async def get_execution(jobstore: CallersJobStore, execution_id: UUID) -> Execution:
    """One execution as it stands, and how it ended, whatever ran later."""
    return await jobstore.get_execution(execution_id)


@executions_router.post("/{execution_id}/cancel")
async def cancel_execution(
    jobstore: CallersJobStore, execution_id: UUID, cancellation: Strict[Cancellation | None] = None
) -> Execution:
    """Cancel one execution, also one that nobody has asked for yet. One that has ended by itself is a conflict."""
    asked = cancellation or Cancellation()
    return await jobstore.cancel_execution(execution_id, asked.reason)


@router.post("/{job_id}/resubmit", status_code=201, responses=replays(Execution) | VERSIONED)
async def resubmit_job(
    jobstore: CallersJobStore,
    job_id: str,
    response: Response,
    resubmission: Strict[Resubmission | None] = None,
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Execution:
    """Ask for the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback."""
    comment = resubmission.comment if resubmission else None
    name = resubmission.execution_id if resubmission else None
    made = await jobstore.resubmit_job(job_id, name, idempotency_key=key, comment=comment, version=version_of(if_match))
    response.headers["Location"] = f"/api/executions/{made.id}"
    return made
