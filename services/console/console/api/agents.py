"""REST endpoints of agents."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import CHANGED, READ, IfMatch, IfNoneMatch, show, version_of
from console.api.json_body import JsonRoute
from console.api.schemas import IdempotencyKey, Page, PageQuery, replays
from contracts.fields import Strict
from contracts.resources import AgentPatch, NewAgent
from signoff.types import Agent, AgentStats

router = APIRouter(prefix="/api/agents", tags=["agents"], route_class=JsonRoute)
stats_router = APIRouter(prefix="/api/agent-stats", tags=["agents"], route_class=JsonRoute)


@router.post("", status_code=201, responses=replays(Agent))
async def create_agent(
    jobstore: CallersJobStore, agent: Strict[NewAgent], response: Response, key: IdempotencyKey = None
) -> Agent:
    """Register an agent."""
    created = await jobstore.create_agent(agent, idempotency_key=key)
    response.headers["Location"] = f"/api/agents/{created.id}"
    return created


@router.get("")
async def list_agents(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[Agent]:
    """Agents by name."""
    return Page[Agent].of(await jobstore.list_agents(**query.page))


@stats_router.get("")
async def get_agent_stats(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[AgentStats]:
    """How agents do: now, and over the last 24 hours; those that had nothing to do are left out."""
    page = await jobstore.get_agent_stats(**query.page)
    return Page[AgentStats].of(page)


@router.get("/{agent_id}", response_model=Agent, responses=READ)
async def get_agent(
    jobstore: CallersJobStore, agent_id: str, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One agent; its `ETag` is its version."""
    return show(await jobstore.get_agent(agent_id), response, if_none_match)


@router.put("/{agent_id}", response_model=Agent, responses=CHANGED)
async def update_agent(
    jobstore: CallersJobStore, agent_id: str, agent: Strict[NewAgent], response: Response, if_match: IfMatch = None
) -> Any:
    """Replace all fields of an agent."""
    version = version_of(if_match)
    return show(await jobstore.update_agent(agent_id, agent, version=version), response)


@router.patch("/{agent_id}", response_model=Agent, responses=CHANGED)
async def patch_agent(
    jobstore: CallersJobStore, agent_id: str, patch: Strict[AgentPatch], response: Response, if_match: IfMatch = None
) -> Any:
    """Change the fields of an agent that are given, by a JSON merge patch."""
    return show(await jobstore.update_agent(agent_id, patch, version=version_of(if_match)), response)


@router.post("/{agent_id}/disable", response_model=Agent, responses=CHANGED)
async def disable_agent(jobstore: CallersJobStore, agent_id: str, response: Response, if_match: IfMatch = None) -> Any:
    """Disable an agent: it gets no more work."""
    return show(await jobstore.disable_agent(agent_id, version=version_of(if_match)), response)


@router.post("/{agent_id}/pause", response_model=Agent, responses=CHANGED)
async def pause_agent(jobstore: CallersJobStore, agent_id: str, response: Response, if_match: IfMatch = None) -> Any:
    """Let an agent be given nothing; what it is doing goes on."""
    await jobstore.get_agent(agent_id)
    await jobstore.pause(f"agent:{agent_id}", version=version_of(if_match))
    return show(await jobstore.get_agent(agent_id), response)


@router.post("/{agent_id}/resume", response_model=Agent, responses=CHANGED)
async def resume_agent(jobstore: CallersJobStore, agent_id: str, response: Response, if_match: IfMatch = None) -> Any:
    """Resume an agent: it is given work again."""
    await jobstore.get_agent(agent_id)
    await jobstore.resume(f"agent:{agent_id}", version=version_of(if_match))
    return show(await jobstore.get_agent(agent_id), response)
