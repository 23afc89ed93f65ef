"""REST endpoints of how long things are kept, how much is kept, and jobs that were removed."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response

from console.api.auth import CallersJobStore
from console.api.requests import CHANGED, READ, Change, IfNoneMatch, JsonRoute, show
from console.api.schemas import OfTenant, Page, RemovedJobQuery, RetentionDraft
from contracts.fields import RetentionName, Strict
from contracts.resources import NewHold, NewRetention, RetentionPatch
from signoff.keeping import Hold, Kept, RemovedJob, Retention, RetentionPreview

retentions_router = APIRouter(prefix="/api/retentions", tags=["keeping"], route_class=JsonRoute)
kept_router = APIRouter(prefix="/api", tags=["keeping"], route_class=JsonRoute)

NameInPath = Annotated[RetentionName, Path()]


@retentions_router.get("")
async def list_retentions(jobstore: CallersJobStore, query: OfTenant) -> Page[Retention]:
    """Retentions by name: for how long jobs and operations are kept. Without any, all is kept for ever."""
    return Page[Retention].of(await jobstore.list_retentions(**query.page))


@retentions_router.post("/preview")
async def preview_retention(jobstore: CallersJobStore, draft: Strict[RetentionDraft]) -> RetentionPreview:
    """What a change of a retention would let go, at once and within 30 days; nothing is changed."""
    return await jobstore.preview_retention(draft.name, draft.change)


@retentions_router.api_route("/preview", methods=["GET", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def refuse_method() -> None:
    """Refuse other methods of this address, which is none of a retention."""
    raise HTTPException(405, headers={"Allow": "POST"})


@retentions_router.get("/{name}", response_model=Retention, responses=READ)
async def get_retention(
    jobstore: CallersJobStore, name: NameInPath, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One retention; its `ETag` is its version."""
    return show(await jobstore.get_retention(name), response, if_none_match)


@retentions_router.put("/{name}", responses=CHANGED)
async def set_retention(
    jobstore: CallersJobStore, name: NameInPath, retention: Strict[NewRetention], change: Change
) -> Retention:
    """Set or replace a retention, of `tenant:<name>` or `tenant:*`. What it lets go is removed soon after."""
    return change.tag(await jobstore.set_retention(name, retention, version=change.version))


@retentions_router.patch("/{name}", responses=CHANGED)
async def patch_retention(
    jobstore: CallersJobStore, name: NameInPath, patch: Strict[RetentionPatch], change: Change
) -> Retention:
    """Change the fields of a retention that are given, by a JSON merge patch; where there is none, it is set."""
    return change.tag(await jobstore.set_retention(name, patch, version=change.version))


@retentions_router.delete("/{name}", status_code=204)
async def delete_retention(jobstore: CallersJobStore, name: NameInPath, change: Change) -> None:
    """Delete a retention: what it was of is kept as `tenant:*` says, or for ever."""
    await jobstore.delete_retention(name, version=change.version)


@kept_router.get("/kept")
async def get_kept(jobstore: CallersJobStore) -> Kept:
    """What is kept, how much it is, how it grows, what goes next and when, and what keeps removal back."""
    return await jobstore.get_kept()


@kept_router.get("/holds")
async def list_holds(jobstore: CallersJobStore, query: OfTenant) -> Page[Hold]:
    """Jobs that are held, by their ids: nothing removes them until they are released."""
    return Page[Hold].of(await jobstore.list_holds(**query.page))


@kept_router.put("/jobs/{job_id}/hold")
async def hold_job(jobstore: CallersJobStore, job_id: str, hold: Strict[NewHold]) -> Hold:
    """Keep a job from being removed until it is released; one that is held already keeps its hold."""
    return await jobstore.hold_job(job_id, hold.reason)


@kept_router.delete("/jobs/{job_id}/hold", status_code=204)
async def release_job(jobstore: CallersJobStore, job_id: str) -> None:
    """Let a job be removed again; one that is not held is no error."""
    await jobstore.release_job(job_id)


@kept_router.get("/removed-jobs/{job_id}")
async def get_removed_job(
    jobstore: CallersJobStore, job_id: str, query: Annotated[RemovedJobQuery, Query()]
) -> RemovedJob:
    """A job that was removed, with its log and its receipt, as the archive has it; that takes a while."""
    return await jobstore.get_removed_job(job_id, view=query.view, **query.page)
