"""Commands on agents: register, update or disable one. Pure."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from contracts.agent_settings import check_settings
from contracts.agents import check_signed, has_userinfo, hide_userinfo, list_owners, may_name, tell_owners
from contracts.fields import Merged, code_of_problem, find_problem, message_of
from contracts.resources import AgentPatch, NewAgent, Policy
from jobstore.agents.rules import CLOSED, Agents, AgentsWish, Circuits, CircuitsWish
from jobstore.engine.parts import Command, Creation, UnitOfWork, Wishes, check_version, merge_patch
from jobstore.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RefusedError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.judging.commands import check_named, read_named
from jobstore.tasks.rules import Tasks
from jobstore.tenants.rules import Tenants, TenantsWish, read_owner
from signoff.errors import ErrorCode
from signoff.status import Protocol
from signoff.types import Agent

#: The fields of an agent that its creator gives, apart from the id.
_GIVEN: Final = frozenset(NewAgent.model_fields) - {"id"}
#: Those that stay where a whole agent does not give them, since clients of 0.2.0 do not know them.
_KEPT: Final = frozenset({"tenant", "shared"})


@dataclass(frozen=True, slots=True)
class _ChangeAgent(Command[None]):
    agent_id: str

    def locks(self) -> Wishes:
        return (AgentsWish(locked=frozenset({self.agent_id})),)

    @abstractmethod
    def decide(self, uow: UnitOfWork) -> None: ...

    def check_shared(self, fields: Mapping[str, object]) -> None:
        """Raise ForbiddenError if the fields of an agent share the agent, and the caller is not of all tenants."""
        if fields.get("shared") and self.limited_to is not None:
            raise ForbiddenError("an agent is shared with other tenants by who administers all of them")

    def _require_agent(self, uow: UnitOfWork) -> Agent:
        """Return the agent. NotFoundError (`unknown_agent`). ForbiddenError: it is shared by another tenant."""
        if (agent := uow[Agents].agents.get(self.agent_id)) is None:
            raise make_unknown_agent_error(self.agent_id)
        if self.limited_to is not None and agent.tenant not in self.limited_to:
            message = f"the agent {self.agent_id} is shared: who administers all tenants, or its own, changes it"
            raise ForbiddenError(message)
        return agent


@dataclass(frozen=True, slots=True)
class RegisterAgent(_ChangeAgent, Creation[None]):
    """Register an agent; do nothing if an agent with this id and these fields is registered.

    ConflictError (`agent_conflict`): another agent has the id. InvalidError: the URL holds a password
    (`url_has_userinfo`), a value is another tenant's (`agent_value_forbidden`), the policy names an unknown version
    (`unknown_judge_policy`, `unknown_criteria_set`), or the tenant is not registered (`unknown_tenant`), or may not
    choose this id (`id_prefix`).
    """

    new: NewAgent

    def locks(self) -> Wishes:
        agent_ids = frozenset({self.agent_id})
        return (AgentsWish(locked=agent_ids, made=agent_ids),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        owner = read_owner(self.new.tenant, self.agent_id)
        return (owner, _read_owners(self.new, self.new.tenant), read_named(self.new.policy))

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.agent_id in uow[Agents].agents

    def show(self, uow: UnitOfWork) -> None:
        """Return nothing: the caller reads the agent with its circuit."""

    def decide(self, uow: UnitOfWork) -> None:
        stored, given = uow[Agents].agents.get(self.agent_id), self.new.model_dump(include=set(_GIVEN))
        if self.limited_to is not None and "shared" not in self.new.model_fields_set:
            given["shared"] = False
        self.check_shared(given)
        if stored is None:
            given["tenant"] = uow[Tenants].resolve_owner(self.new.tenant, self.agent_id)
            _check_url(self.new, stored=None)
            _check_values(uow, self.new, given["tenant"])
            check_named(uow, self.new.policy, given["tenant"])
            now = uow.clock.now
            agent = Agent(**given, id=self.agent_id, created_at=now, updated_at=now)
            uow[Agents].put(agent, self.actor)
            _read_card(uow, agent)
        elif stored.model_dump(include=set(_GIVEN)) != given | {"tenant": uow[Tenants].find(self.new.tenant)}:
            message = f"another agent has the id {self.agent_id}: choose another id, or update that agent"
            raise ConflictError(message, code=ErrorCode.AGENT_CONFLICT)


@dataclass(frozen=True, slots=True)
class UpdateAgent(_ChangeAgent):
    """Change those fields of an agent that a patch gives, or all fields, and close the agent's circuit.

    NotFoundError (`unknown_agent`). RefusedError (`version_conflict`): the agent's version is not `version`.
    InvalidError (`url_has_userinfo`, `agent_value_forbidden`, `unknown_judge_policy`, `unknown_criteria_set`): as for
    RegisterAgent.
    """

    change: NewAgent | AgentPatch
    version: int | None = None

    def reads(self, uow: UnitOfWork) -> Wishes:
        stored = uow[Agents].agents.get(self.agent_id)
        owners = _read_owners(self.change, DEFAULT_TENANT if stored is None else stored.tenant)
        given = {self.change.tenant} if isinstance(self.change, NewAgent) else ()
        named = TenantsWish(names=frozenset(given) - {DEFAULT_TENANT})
        return (
            owners,
            named,
            read_named(self.change.policy or Policy()),
            CircuitsWish(agents=frozenset({self.agent_id})),
        )

    def decide(self, uow: UnitOfWork) -> None:
        stored = self._require_agent(uow)
        check_version("the agent", stored.version, self.version)
        changes = self._find_changes(stored)
        if changes.get("protocol", stored.protocol) != stored.protocol:
            message = f"the agent is called by {stored.protocol} for good: register another one"
            raise RefusedError(message, code=ErrorCode.AGENT_PROTOCOL_FIXED)
        tenant = changes.pop("tenant", stored.tenant)
        if stored.tenant not in {tenant, uow[Tenants].find(tenant)}:
            message = f"the agent is of the tenant {stored.tenant} for good: register another one"
            raise InvalidError(message, field="agent.tenant")
        if not stored.shared:
            self.check_shared(changes)
        after = stored.model_copy(update=changes)
        _check_protocol(after)
        _check_url(after, stored=stored.url)
        _check_values(uow, after, stored.tenant, stored)
        if self.change.policy is not None and dict(after.policy) != dict(stored.policy):
            check_named(uow, self.change.policy, stored.tenant)
        uow[Agents].change(stored, changes, self.actor)
        _read_card(uow, after)
        if self.agent_id in uow[Circuits].circuits:
            uow[Circuits].circuits[self.agent_id] = CLOSED

    def _find_changes(self, stored: Agent) -> Merged:
        if isinstance(self.change, AgentPatch):
            changes = merge_patch(stored, self.change, NewAgent)
        else:
            names = _GIVEN - (_KEPT - self.change.model_fields_set)
            changes = {name: getattr(self.change, name) for name in names}
        if changes.get("url") == hide_userinfo(stored.url):  # as callers see it
            del changes["url"]
        return changes


@dataclass(frozen=True, slots=True)
class DisableAgent(_ChangeAgent):
    """Disable an agent, so that no new execution is requested of this agent.

    NotFoundError (`unknown_agent`). RefusedError (`version_conflict`): the agent's version is not `version`.
    """

    version: int | None = None

    def decide(self, uow: UnitOfWork) -> None:
        stored = self._require_agent(uow)
        check_version("the agent", stored.version, self.version)
        uow[Agents].change(stored, {"enabled": False}, self.actor)


def _read_card(uow: UnitOfWork, agent: Agent) -> None:
    """Have an executor read the card of an agent that has one."""
    if agent.protocol == Protocol.A2A:
        uow[Tasks].read_card(agent)


def _check_protocol(agent: Agent) -> None:
    """Raise InvalidError if an agent's settings, or its signing, are not those of its protocol."""
    for name, check in (("settings", check_settings), ("signing", check_signed)):
        try:
            check(agent.protocol, getattr(agent, name))
        except ValidationError as error:
            problem = find_problem(error)
            field = ".".join(("agent", name, *map(str, problem["loc"])))
            message = message_of(problem, None, problem["loc"])
            raise InvalidError(message, code=code_of_problem(problem), field=field) from error
        except ValueError as error:
            raise InvalidError(str(error), field=f"agent.{name}") from error


def make_unknown_agent_error(agent_id: str) -> NotFoundError:
    """Return the NotFoundError which says that no agent has this id."""
    return NotFoundError(f"no agent has the id {agent_id}", code=ErrorCode.UNKNOWN_AGENT)


def _check_url(new: NewAgent | Agent, stored: str | None) -> None:
    """Raise InvalidError if a URL holds a user and password, unless the URL is `stored` and no header authenticates."""
    has_header = "authorization" in map(str.lower, new.headers)
    if has_userinfo(new.url) and (new.url != stored or has_header):
        raise InvalidError(
            "a user and password in a URL would be seen by whoever reads facts and backups: leave them out of it, and "
            'give a header instead, such as "Authorization": "env:SIGNOFF_AGENT_<NAME>", a variable of the executors '
            "whose value is `Basic` and the base64 of user:password",
            code=ErrorCode.URL_HAS_USERINFO,
        )


def _list_references(agent: NewAgent | AgentPatch | Agent) -> dict[str, str]:
    """Return the references of an agent's headers and signing, by the names of their fields."""
    references = {f"headers.{name}": reference for name, reference in (agent.headers or {}).items()}
    return {name: each for name, each in {**references, "signing": agent.signing}.items() if each is not None}


def _read_owners(agent: NewAgent | AgentPatch, tenant: str) -> TenantsWish:
    """Return the wish for those tenants to whom values may belong that an agent of `default` refers to."""
    owners = frozenset().union(*map(list_owners, _list_references(agent).values()))
    return TenantsWish(prefixes=owners - {DEFAULT_TENANT} if tenant == DEFAULT_TENANT else frozenset())


def _check_values(uow: UnitOfWork, agent: NewAgent | Agent, tenant: str, stored: Agent | None = None) -> None:
    """Raise InvalidError if an agent refers to a value that its tenant may not name, unless it did before."""
    kept = frozenset(() if stored is None else _list_references(stored).values())
    for name, reference in _list_references(agent).items():
        if reference not in kept and not may_name(reference, tenant, uow[Tenants].registered):
            code, message = ErrorCode.AGENT_VALUE_FORBIDDEN, tell_owners(tenant)
            raise InvalidError(message, code=code, field=f"agent.{name}")
