"""Serve AgentService over gRPC: create, read, change and disable agents."""

from contracts import convert
from contracts.resources import NewAgent
from contracts.status import CALLABLE_PROTOCOLS, Protocol
from jobstore.api.requests import (
    Context,
    make_page_token,
    parse_page_size,
    parse_page_token,
    read_key,
)
from jobstore.commands.unit_of_work import generate_id
from jobstore.domain.ids import IdKey
from jobstore.errors import ConflictError, InvalidError, NotFoundError
from jobstore.reads.agents import get_agent, list_agents
from jobstore.storage.agents import disable_agent, put_agent
from jobstore.storage.database import Database
from signoff.v1 import agent_service_pb2 as agent_pb
from signoff.v1.agent_service_pb2_grpc import AgentServiceServicer


class AgentService(AgentServiceServicer):
    """Serve the agents that jobs are assigned to."""

    def __init__(self, database: Database, ids: IdKey) -> None:
        self._database = database
        self._ids = ids

    async def CreateAgent(self, request: agent_pb.CreateAgentRequest, context: Context) -> agent_pb.CreateAgentResponse:
        del context
        new = convert.new_agent_of(request.agent)
        _check_callable(new.protocol)
        key = read_key(request)
        agent_id = new.id or (str(self._ids.derive("agent", key)) if key else generate_id())
        async with self._database.transaction() as connection:
            created = await put_agent(connection, agent_id, new, create=True)
            agent = await get_agent(connection, agent_id)
        assert agent is not None
        is_same = agent.model_dump(include={*NewAgent.model_fields} - {"id"}) == new.model_dump(exclude={"id"})
        if not created and not is_same:
            raise ConflictError(
                f"another agent has the id {agent_id}: choose another id, or update that agent", code="agent_conflict"
            )
        return agent_pb.CreateAgentResponse(agent=convert.agent_message(agent))

    async def GetAgent(self, request: agent_pb.GetAgentRequest, context: Context) -> agent_pb.GetAgentResponse:
        del context
        async with self._database.session() as session:
            agent = await get_agent(session, request.agent_id)
        if agent is None:
            raise _make_unknown_error(request.agent_id)
        return agent_pb.GetAgentResponse(agent=convert.agent_message(agent))

    async def ListAgents(self, request: agent_pb.ListAgentsRequest, context: Context) -> agent_pb.ListAgentsResponse:
        del context
        limit = parse_page_size(request.page_size, 100)
        after = parse_page_token(request.page_token, lambda name, agent_id: (str(name), str(agent_id)))
        async with self._database.session() as session:
            agents = await list_agents(session, limit=limit, after=after)
        last = (agents[-1].name, agents[-1].id) if len(agents) == limit else None
        messages = [convert.agent_message(agent) for agent in agents]
        return agent_pb.ListAgentsResponse(agents=messages, next_page_token=make_page_token(last))

    async def UpdateAgent(self, request: agent_pb.UpdateAgentRequest, context: Context) -> agent_pb.UpdateAgentResponse:
        del context
        new = convert.new_agent_of(request.agent)
        _check_callable(new.protocol)
        async with self._database.transaction() as connection:
            if not await put_agent(connection, request.agent_id, new, create=False):
                raise _make_unknown_error(request.agent_id)
            agent = await get_agent(connection, request.agent_id)
        assert agent is not None
        return agent_pb.UpdateAgentResponse(agent=convert.agent_message(agent))

    async def DisableAgent(
        self, request: agent_pb.DisableAgentRequest, context: Context
    ) -> agent_pb.DisableAgentResponse:
        del context
        async with self._database.transaction() as connection:
            await disable_agent(connection, request.agent_id)
            agent = await get_agent(connection, request.agent_id)
        if agent is None:
            raise _make_unknown_error(request.agent_id)
        return agent_pb.DisableAgentResponse(agent=convert.agent_message(agent))


def _check_callable(protocol: Protocol) -> None:
    if protocol not in CALLABLE_PROTOCOLS:
        callable_now = ", ".join(sorted(CALLABLE_PROTOCOLS))
        raise InvalidError(
            f"agents of protocol {protocol} cannot be called yet; {callable_now} can", code="unknown_protocol"
        )


def _make_unknown_error(agent_id: str) -> NotFoundError:
    return NotFoundError(f"no agent has the id {agent_id}", code="unknown_agent")
