"""Serve AgentService over gRPC: create, read, change and disable agents."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID, uuid4

from pydantic_core import from_json

from contracts.agents import hide_userinfo
from contracts.resources import AgentPatch, NewAgent, NewAgentTry
from jobstore.access.callers import choose_tenant, find_actor, name_key_tenant
from jobstore.agents.commands import DisableAgent, RegisterAgent, UpdateAgent, make_unknown_agent_error
from jobstore.agents.store import get_agent, list_agents
from jobstore.api.requests import (
    Context,
    make_page,
    mark_replay,
    parse_page,
    parse_uuid,
    read_change,
    read_key,
    read_version,
)
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Row
from jobstore.errors import NotFoundError
from jobstore.jobs.commands import Once
from jobstore.jobs.model import DEFAULT_TENANT, RequestKey
from jobstore.jobs.rows import generate_id
from jobstore.tasks import store as tasks
from jobstore.tasks.commands import TryAgent
from signoff.errors import ErrorCode, find_code
from signoff.types import Agent, AgentTry
from signoff.v1 import agent_service_pb2 as agent_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.agent_service_pb2_grpc import AgentServiceServicer
from signoff.values import to_usd
from signoff.wire import read_fields, write_message


class AgentService(AgentServiceServicer):
    """Serve the agents that jobs are assigned to."""

    def __init__(self, database: Callers, runner: CommandRunner) -> None:
        self._database, self._answering = database, database.answering
        self._runner = runner

    async def CreateAgent(self, request: agent_pb.CreateAgentRequest, context: Context) -> agent_pb.CreateAgentResponse:
        fields, key = read_fields(request.agent), None
        new = NewAgent(**{**fields, "tenant": choose_tenant(fields.get("tenant"))})
        agent_id = new.id or generate_id()
        if given := read_key(request):
            body = new.model_dump(mode="json", exclude_defaults=True)
            key = RequestKey.of("CreateAgent", given, body, tenant=new.tenant)
            of_tenant = () if new.tenant == DEFAULT_TENANT else (new.tenant,)
            agent_id = new.id or str(self._runner.terms.ids.derive("agent", *of_tenant, given))
        command = RegisterAgent(agent_id, new, actor=find_actor())
        mark_replay(context, await self._runner.administer.run_one(Once(command, key, actor=command.actor)))
        return agent_pb.CreateAgentResponse(agent=await self._show(agent_id))

    async def GetAgent(self, request: agent_pb.GetAgentRequest, _: Context) -> agent_pb.GetAgentResponse:
        return agent_pb.GetAgentResponse(agent=await self._show(request.agent_id))

    async def ListAgents(self, request: agent_pb.ListAgentsRequest, _: Context) -> agent_pb.ListAgentsResponse:
        limit, after = parse_page(request, 100, lambda name, agent_id: (str(name), str(agent_id)))
        async with self._database.transaction() as connection:
            found, is_cut = await list_agents(connection, limit=limit, after=after)
        agents, limit = [_hide_userinfo(each) for each in found], len(found) if is_cut else limit
        return make_page(
            agent_pb.ListAgentsResponse, request, limit, "agents", agents, lambda last: (last.name, last.id)
        )

    async def UpdateAgent(self, request: agent_pb.UpdateAgentRequest, _: Context) -> agent_pb.UpdateAgentResponse:
        change = read_change(request, request.agent, AgentPatch, NewAgent)
        command = UpdateAgent(request.agent_id, change, read_version(request), actor=find_actor())
        await self._runner.administer.run_one(command)
        return agent_pb.UpdateAgentResponse(agent=await self._show(request.agent_id))

    async def DisableAgent(self, request: agent_pb.DisableAgentRequest, _: Context) -> agent_pb.DisableAgentResponse:
        await self._runner.administer.run_one(DisableAgent(request.agent_id, read_version(request), actor=find_actor()))
        return agent_pb.DisableAgentResponse(agent=await self._show(request.agent_id))

    async def CreateAgentTry(
        self, request: agent_pb.CreateAgentTryRequest, context: Context
    ) -> agent_pb.CreateAgentTryResponse:
        new, given, key = NewAgentTry(**read_fields(request.agent_try)), read_key(request), None
        try_id = self._runner.terms.ids.derive("try", request.agent_id, given or str(uuid4()))
        if given:
            body = [request.agent_id, new.model_dump(mode="json", exclude_defaults=True)]
            key = RequestKey.of("CreateAgentTry", given, body, tenant=name_key_tenant())
        command = TryAgent(try_id, request.agent_id, new, actor=find_actor())
        mark_replay(context, await self._runner.administer.run_one(Once(command, key, actor=command.actor)))
        return agent_pb.CreateAgentTryResponse(agent_try=await self._show_try(request.agent_id, try_id))

    async def GetAgentTry(self, request: agent_pb.GetAgentTryRequest, _: Context) -> agent_pb.GetAgentTryResponse:
        try_id = parse_uuid(request.try_id, "try_id")
        return agent_pb.GetAgentTryResponse(agent_try=await self._show_try(request.agent_id, try_id))

    async def ListAgentTries(
        self, request: agent_pb.ListAgentTriesRequest, _: Context
    ) -> agent_pb.ListAgentTriesResponse:
        limit, before = parse_page(request, 50, lambda at, try_id: (datetime.fromisoformat(at), UUID(try_id)))
        await self._show(request.agent_id)
        async with self._database.session() as session:
            rows = await tasks.list_tries(session, request.agent_id, limit, before)
        tries = [_make_try(row) for row in rows]
        return make_page(
            agent_pb.ListAgentTriesResponse,
            request,
            limit,
            "tries",
            tries,
            lambda last: (last.created_at.isoformat(), str(last.id)),
        )

    async def _show_try(self, agent_id: str, try_id: UUID) -> agent_pb.AgentTry:
        """Return a try of an agent. NotFoundError (`unknown_try`)."""
        async with self._answering.session() as session:
            row = await tasks.get_try(session, agent_id, try_id)
        if row is None:
            message = f"no try of the agent {agent_id} has the id {try_id}: tries are kept for a day"
            raise NotFoundError(message, code=ErrorCode.UNKNOWN_TRY)
        return write_message(agent_pb.AgentTry, _make_try(row, from_json(row.answer or "{}")))

    async def _show(self, agent_id: str) -> resources_pb.Agent:
        """Return an agent with the state of its circuit. NotFoundError (`unknown_agent`)."""
        async with self._answering.session() as session:
            agent = await get_agent(session, agent_id)
        if agent is None:
            raise make_unknown_agent_error(agent_id)
        return write_message(resources_pb.Agent, _hide_userinfo(agent))


def _make_try(row: Row, answer: Mapping[str, object] | None = None) -> AgentTry:
    """Return a try as callers see it, with what to do about its failure."""
    code = find_code(row.code or "")
    fields = {**row, "cost_usd": to_usd(row.cost_nanos or 0), "tokens": row.tokens or 0}
    return AgentTry.model_validate({**fields, **(answer or {}), "advice": code.sentence if code else None})


def _hide_userinfo(agent: Agent) -> Agent:
    """Return an agent as callers see it: without a user and password in its URL."""
    return agent.model_copy(update={"url": hide_userinfo(agent.url)})
