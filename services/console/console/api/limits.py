"""REST endpoints of limits, and of pausing tenants."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import CHANGED, READ, VERSIONED, IfMatch, IfNoneMatch, show, version_of
from console.api.json_body import JsonRoute
from console.api.schemas import Page, PageQuery
from contracts.fields import LimitName, Strict, Tenant
from contracts.resources import LimitPatch, NewLimit
from signoff.types import Limit

router = APIRouter(prefix="/api/limits", tags=["limits"], route_class=JsonRoute)
tenants_router = APIRouter(prefix="/api/tenants", tags=["limits"], route_class=JsonRoute)


@router.get("")
async def list_limits(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[Limit]:
    """Limits by name."""
    return Page[Limit].of(await jobstore.list_limits(**query.page))


@router.post("/confirm")
async def confirm_limits(jobstore: CallersJobStore) -> Page[Limit]:
    """Confirm that these are all, after a rebuild that did not find what was set (`limits_lost`): work begins again."""
    await jobstore.confirm_limits()
    return Page[Limit].of(await jobstore.list_limits())


@router.get("/{name:path}", response_model=Limit, responses=READ)
async def get_limit(
    jobstore: CallersJobStore, name: LimitName, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One limit; its `ETag` is its version."""
    return show(await jobstore.get_limit(name), response, if_none_match)


@router.put("/{name:path}", response_model=Limit, responses=CHANGED)
async def set_limit(
    jobstore: CallersJobStore, name: LimitName, limit: Strict[NewLimit], response: Response, if_match: IfMatch = None
) -> Any:
    """Set or replace a limit: of `agent:<id>`, `tenant:<name>` or `label:<key>=<value>`; `*`: each without its own."""
    return show(await jobstore.set_limit(name, limit, version=version_of(if_match)), response)


@router.patch("/{name:path}", response_model=Limit, responses=CHANGED)
async def patch_limit(
    jobstore: CallersJobStore, name: LimitName, patch: Strict[LimitPatch], response: Response, if_match: IfMatch = None
) -> Any:
    """Change the fields of a limit that are given, by a JSON merge patch; where there is none, it is set."""
    return show(await jobstore.set_limit(name, patch, version=version_of(if_match)), response)


@router.delete("/{name:path}", status_code=204, responses=VERSIONED)
async def remove_limit(jobstore: CallersJobStore, name: LimitName, if_match: IfMatch = None) -> None:
    """Remove a limit."""
    await jobstore.remove_limit(name, version=version_of(if_match))


@tenants_router.post("/{tenant:path}/pause", response_model=Limit, responses=CHANGED)
async def pause_tenant(jobstore: CallersJobStore, tenant: Tenant, response: Response, if_match: IfMatch = None) -> Any:
    """Let nothing of a tenant begin; what is with an agent goes on. The `ETag` is that of its limit."""
    return show(await jobstore.pause(f"tenant:{tenant}", version=version_of(if_match)), response)


@tenants_router.post("/{tenant:path}/resume", response_model=Limit, responses=CHANGED)
async def resume_tenant(jobstore: CallersJobStore, tenant: Tenant, response: Response, if_match: IfMatch = None) -> Any:
    """Let it go on. The `ETag` is that of its limit."""
    return show(await jobstore.resume(f"tenant:{tenant}", version=version_of(if_match)), response)
