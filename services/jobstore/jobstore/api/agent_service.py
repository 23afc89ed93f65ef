"""Serve AgentService over gRPC: create, read, change and disable agents."""

from contracts.agents.urls import has_userinfo, hide_userinfo
from contracts.messages import convert
from contracts.resources import Agent, NewAgent
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
from signoff.v1 import resources_pb2 as resources_pb
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
            if created:
                _check_url(new, stored=None)
            agent = await get_agent(connection, agent_id)
        assert agent is not None
        is_same = agent.model_dump(include={*NewAgent.model_fields} - {"id"}) == new.model_dump(exclude={"id"})
        if not created and not is_same:
            raise ConflictError(
                f"another agent has the id {agent_id}: choose another id, or update that agent", code="agent_conflict"
            )
        return agent_pb.CreateAgentResponse(agent=_to_message(agent))

    async def GetAgent(self, request: agent_pb.GetAgentRequest, context: Context) -> agent_pb.GetAgentResponse:
        del context
        async with self._database.session() as session:
            agent = await get_agent(session, request.agent_id)
        if agent is None:
            raise _make_unknown_error(request.agent_id)
        return agent_pb.GetAgentResponse(agent=_to_message(agent))

    async def ListAgents(self, request: agent_pb.ListAgentsRequest, context: Context) -> agent_pb.ListAgentsResponse:
        del context
        limit = parse_page_size(request.page_size, 100)
        after = parse_page_token(request.page_token, lambda name, agent_id: (str(name), str(agent_id)))
        async with self._database.session() as session:
            agents = await list_agents(session, limit=limit, after=after)
        last = (agents[-1].name, agents[-1].id) if len(agents) == limit else None
        messages = [_to_message(agent) for agent in agents]
        return agent_pb.ListAgentsResponse(agents=messages, next_page_token=make_page_token(last))

    async def UpdateAgent(self, request: agent_pb.UpdateAgentRequest, context: Context) -> agent_pb.UpdateAgentResponse:
        del context
        new = convert.new_agent_of(request.agent)
        _check_callable(new.protocol)
        async with self._database.transaction() as connection:
            stored = await get_agent(connection, request.agent_id)
            if stored is None:
                raise _make_unknown_error(request.agent_id)
            if new.url == hide_userinfo(stored.url):  # as it was shown
                new.url = stored.url
            _check_url(new, stored=stored.url)
            await put_agent(connection, request.agent_id, new, create=False)
            agent = await get_agent(connection, request.agent_id)
        assert agent is not None
        return agent_pb.UpdateAgentResponse(agent=_to_message(agent))

    async def DisableAgent(
        self, request: agent_pb.DisableAgentRequest, context: Context
    ) -> agent_pb.DisableAgentResponse:
        del context
        async with self._database.transaction() as connection:
            await disable_agent(connection, request.agent_id)
            agent = await get_agent(connection, request.agent_id)
        if agent is None:
            raise _make_unknown_error(request.agent_id)
        return agent_pb.DisableAgentResponse(agent=_to_message(agent))


def _check_callable(protocol: Protocol) -> None:
    if protocol not in CALLABLE_PROTOCOLS:
        callable_now = ", ".join(sorted(CALLABLE_PROTOCOLS))
        raise InvalidError(
            f"agents of protocol {protocol} cannot be called yet; {callable_now} can", code="unknown_protocol"
        )


def _check_url(new: NewAgent, stored: str | None) -> None:
    """Refuse a user and password in a URL, unless they are stored already and no header says them again."""
    is_said_twice = "authorization" in map(str.lower, new.headers)
    if has_userinfo(new.url) and (new.url != stored or is_said_twice):
        raise InvalidError(
            "a user and password in a URL would be seen by whoever reads facts and backups: leave them out of it, and "
            'give a header instead, such as "Authorization": "env:SIGNOFF_AGENT_<NAME>", a variable of the executors '
            "whose value is `Basic` and the base64 of user:password",
            code="url_has_userinfo",
        )


def _to_message(agent: Agent) -> resources_pb.Agent:
    """Return an agent as it is shown: without a user and password in its URL."""
    return convert.agent_message(agent.model_copy(update={"url": hide_userinfo(agent.url)}))


def _make_unknown_error(agent_id: str) -> NotFoundError:
    return NotFoundError(f"no agent has the id {agent_id}", code="unknown_agent")
