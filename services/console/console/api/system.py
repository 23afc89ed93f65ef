"""REST endpoints of what executes jobs, and how it does: agents, limits, the overview and dead letters."""

from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from console.api.auth import CallersJobStore
from console.api.requests import CHANGED, READ, Change, IfNoneMatch, JsonRoute, Make, replays, show
from console.api.schemas import (
    AgentStatsQuery,
    DeadLettersQuery,
    InboxQuery,
    InboxVisit,
    OfTenant,
    OverviewQuery,
    Page,
    Paging,
    QualityQuery,
)
from console.errors import document_problem
from contracts.fields import LimitName, Strict, Tenant
from contracts.resources import AgentPatch, LimitPatch, NewAgent, NewAgentTry, NewLimit, NewResolution, NewTenant
from signoff.identity import Tenant as RegisteredTenant
from signoff.types import Agent, AgentStats, AgentTry, DeadLetters, Inbox, Limit, Overview, Quality, Resolved, Workers

agents_router = APIRouter(prefix="/api/agents", tags=["agents"], route_class=JsonRoute)
stats_router = APIRouter(prefix="/api/agent-stats", tags=["agents"], route_class=JsonRoute)


@agents_router.post("", status_code=201, responses=replays(Agent))
async def create_agent(jobstore: CallersJobStore, agent: Strict[NewAgent], make: Make) -> Agent:
    """Register an agent."""
    return make.at("/api/agents", await jobstore.create_agent(agent, idempotency_key=make.key))


@agents_router.get("")
async def list_agents(jobstore: CallersJobStore, query: Paging) -> Page[Agent]:
    """Agents by name."""
    return Page[Agent].of(await jobstore.list_agents(**query.page))


@stats_router.get("")
async def get_agent_stats(jobstore: CallersJobStore, query: Annotated[AgentStatsQuery, Query()]) -> Page[AgentStats]:
    """How agents do: now, and over the last 24 hours; those that had nothing to do are left out."""
    return Page[AgentStats].of(await jobstore.get_agent_stats(**query.page))


@agents_router.get("/{agent_id}", response_model=Agent, responses=READ)
async def get_agent(
    jobstore: CallersJobStore, agent_id: str, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One agent; its `ETag` is its version."""
    return show(await jobstore.get_agent(agent_id), response, if_none_match)


@agents_router.put("/{agent_id}", responses=CHANGED)
async def update_agent(jobstore: CallersJobStore, agent_id: str, agent: Strict[NewAgent], change: Change) -> Agent:
    """Replace all fields of an agent."""
    return change.tag(await jobstore.update_agent(agent_id, agent, version=change.version))


@agents_router.patch("/{agent_id}", responses=CHANGED)
async def patch_agent(jobstore: CallersJobStore, agent_id: str, patch: Strict[AgentPatch], change: Change) -> Agent:
    """Change the fields of an agent that are given, by a JSON merge patch."""
    return change.tag(await jobstore.update_agent(agent_id, patch, version=change.version))


@agents_router.post("/{agent_id}/disable", responses=CHANGED)
async def disable_agent(jobstore: CallersJobStore, agent_id: str, change: Change) -> Agent:
    """Disable an agent: it gets no more work."""
    return change.tag(await jobstore.disable_agent(agent_id, version=change.version))


@agents_router.post("/{agent_id}/tries", status_code=201, responses=replays(AgentTry))
async def create_agent_try(jobstore: CallersJobStore, agent_id: str, new: Strict[NewAgentTry], make: Make) -> AgentTry:
    """Have an executor call an agent once, or check how it keeps to its protocol. It is no job, and kept for a day."""
    made = await jobstore.create_agent_try(agent_id, new, idempotency_key=make.key)
    return make.at(f"/api/agents/{agent_id}/tries", made)


@agents_router.get("/{agent_id}/tries")
async def list_agent_tries(jobstore: CallersJobStore, agent_id: str, query: Paging) -> Page[AgentTry]:
    """Tries of an agent, newest first, without their exchanges and checks."""
    return Page[AgentTry].of(await jobstore.list_agent_tries(agent_id, **query.page))


@agents_router.get("/{agent_id}/tries/{try_id}")
async def get_agent_try(jobstore: CallersJobStore, agent_id: str, try_id: UUID) -> AgentTry:
    """One try of an agent, with each request and answer once it has ended."""
    return await jobstore.get_agent_try(agent_id, try_id)


@agents_router.post("/{agent_id}/pause", responses=CHANGED)
async def pause_agent(jobstore: CallersJobStore, agent_id: str, change: Change) -> Agent:
    """Let an agent be given nothing; what it is doing goes on."""
    await jobstore.get_agent(agent_id)
    await jobstore.pause(f"agent:{agent_id}", version=change.version)
    return change.tag(await jobstore.get_agent(agent_id))


@agents_router.post("/{agent_id}/resume", responses=CHANGED)
async def resume_agent(jobstore: CallersJobStore, agent_id: str, change: Change) -> Agent:
    """Resume an agent: it is given work again."""
    await jobstore.get_agent(agent_id)
    await jobstore.resume(f"agent:{agent_id}", version=change.version)
    return change.tag(await jobstore.get_agent(agent_id))


limits_router = APIRouter(prefix="/api/limits", tags=["limits"], route_class=JsonRoute)
tenants_router = APIRouter(prefix="/api/tenants", tags=["limits"], route_class=JsonRoute)


@limits_router.get("")
async def list_limits(jobstore: CallersJobStore, query: OfTenant) -> Page[Limit]:
    """Limits by name."""
    return Page[Limit].of(await jobstore.list_limits(**query.page))


@limits_router.post("/confirm")
async def confirm_limits(jobstore: CallersJobStore) -> Page[Limit]:
    """Confirm that these are all, after a rebuild that did not find what was set (`limits_lost`): work begins again."""
    await jobstore.confirm_limits()
    return Page[Limit].of(await jobstore.list_limits())


@limits_router.get("/{name:path}", response_model=Limit, responses=READ)
async def get_limit(
    jobstore: CallersJobStore, name: LimitName, response: Response, if_none_match: IfNoneMatch = None
) -> Any:
    """One limit; its `ETag` is its version, whatever its tenant has spent meanwhile."""
    return show(await jobstore.get_limit(name), response, if_none_match)


@limits_router.put("/{name:path}", responses=CHANGED)
async def set_limit(jobstore: CallersJobStore, name: LimitName, limit: Strict[NewLimit], change: Change) -> Limit:
    """Set or replace a limit: of `agent:<id>`, `tenant:<name>` or `label:<key>=<value>`; `*`: each without its own.

    What a tenant may spend, and by which judge policies, stays unless it is given: a PATCH removes it.
    """
    return change.tag(await jobstore.set_limit(name, limit, version=change.version))


@limits_router.patch("/{name:path}", responses=CHANGED)
async def patch_limit(jobstore: CallersJobStore, name: LimitName, patch: Strict[LimitPatch], change: Change) -> Limit:
    """Change the fields of a limit that are given, by a JSON merge patch; where there is none, it is set."""
    return change.tag(await jobstore.set_limit(name, patch, version=change.version))


@limits_router.delete("/{name:path}", status_code=204)
async def remove_limit(jobstore: CallersJobStore, name: LimitName, change: Change) -> None:
    """Remove a limit."""
    await jobstore.remove_limit(name, version=change.version)


@tenants_router.post("")
async def create_tenant(jobstore: CallersJobStore, tenant: Strict[NewTenant]) -> RegisteredTenant:
    """Register a tenant; one that is registered so already is answered as it is."""
    return await jobstore.create_tenant(tenant)


@tenants_router.get("")
async def list_tenants(jobstore: CallersJobStore, query: Paging) -> Page[RegisteredTenant]:
    """The caller's tenants by name."""
    return Page[RegisteredTenant].of(await jobstore.list_tenants(**query.page))


@tenants_router.post("/{tenant:path}/pause", responses=CHANGED)
async def pause_tenant(jobstore: CallersJobStore, tenant: Tenant, change: Change) -> Limit:
    """Let nothing of a tenant begin; what is with an agent goes on. The `ETag` is that of its limit."""
    return change.tag(await jobstore.pause(f"tenant:{tenant}", version=change.version))


@tenants_router.post("/{tenant:path}/resume", responses=CHANGED)
async def resume_tenant(jobstore: CallersJobStore, tenant: Tenant, change: Change) -> Limit:
    """Let it go on. The `ETag` is that of its limit."""
    return change.tag(await jobstore.resume(f"tenant:{tenant}", version=change.version))


overview_router = APIRouter(prefix="/api", tags=["overview"], route_class=JsonRoute)


@overview_router.get("/overview")
async def get_overview(jobstore: CallersJobStore, query: Annotated[OverviewQuery, Query()]) -> Overview:
    """What happened within the range, in about 60 points and in all, and how much is there now."""
    return await jobstore.get_overview(query.range.seconds, tenant=query.tenant)


@overview_router.get("/quality")
async def get_quality(jobstore: CallersJobStore, query: Annotated[QualityQuery, Query()]) -> Quality:
    """How much was accepted within the range: over time, by agent, by judge and by criterion, and what flipped."""
    return await jobstore.get_quality(query.range.seconds, **query.model_dump(exclude={"range"}))


@overview_router.get("/inbox", response_model=Inbox, responses=READ)
async def get_inbox(
    jobstore: CallersJobStore,
    query: Annotated[InboxQuery, Query()],
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """What needs somebody, the urgent first, and what happened since the caller's last visit; counted every 10 s.

    The `ETag` is of what it says: ask again with it, and nothing is sent until that changes.
    """
    inbox = await jobstore.get_inbox(tenant=query.tenant)
    return show(inbox, response, if_none_match, version=sha256(inbox.model_dump_json().encode()).hexdigest()[:16])


@overview_router.put("/inbox")
async def update_inbox(
    jobstore: CallersJobStore, query: Annotated[InboxQuery, Query()], visit: Strict[InboxVisit]
) -> Inbox:
    """Say that the caller looks at it, and put groups off; both are kept by the caller's name."""
    return await jobstore.update_inbox(**dict(visit), tenant=query.tenant)


@overview_router.get("/workers")
async def get_workers(jobstore: CallersJobStore) -> Workers:
    """The processes that serve: what each takes, how much room it has, and what is wrong with it, that first."""
    return Workers(workers=await jobstore.get_workers())


@overview_router.get("/dead-letters")
async def list_dead_letters(jobstore: CallersJobStore, query: Annotated[DeadLettersQuery, Query()]) -> DeadLetters:
    """What could not be processed, newest first: how many are open, by topic, and why, and where they came from."""
    return await jobstore.list_dead_letters(**query.page, include_done=query.include_done)


@overview_router.post("/dead-letters/resolve", responses={404: document_problem("The topic has no dead letters")})
async def resolve_dead_letters(jobstore: CallersJobStore, new: Strict[NewResolution]) -> Resolved:
    """Redrive or discard open dead letters, 500 at most; ask again from `next_offset` to `to_offset` for the rest."""
    return await jobstore.resolve_dead_letters(new)
