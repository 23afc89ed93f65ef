"""Commands on limits: set or remove one, pause or resume a name, and confirm all. Pure."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Final

from contracts.resources import LimitPatch, NewLimit
from jobstore.access.audited import Entry, audit
from jobstore.agents.rules import Agents, AgentsWish
from jobstore.engine.parts import Command, R_co, UnitOfWork, Wishes, check_version, merge_patch, optional
from jobstore.errors import ForbiddenError, InvalidError, NotFoundError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish, wildcard
from jobstore.tenants.rules import Tenants, TenantsWish
from signoff.errors import ErrorCode
from signoff.types import Agent, Limit

#: What bounds a tenant's money: who administers some tenants does not change it, and who sets a whole limit without it
#: keeps it, since clients of 0.2.0 do not know it.
_MONEY: Final = ("usd_per_day", "judge_policies")
_TENANT_FIELDS: Final = ("weight", "queue_max", *_MONEY)


@dataclass(frozen=True, slots=True)
class _ChangeLimit(Command[R_co]):
    name: str
    #: The entry of the audit for the call that asks for the change, if that is kept.
    entry: Entry | None = field(default=None, kw_only=True)

    @property
    def _agent_id(self) -> str | None:
        kind, _, value = self.name.partition(":")
        return value if kind == "agent" else None

    def locks(self) -> Wishes:
        names = frozenset({self.name, wildcard(self.name)})
        return (LimitsWish(lock=LimitsLock.EXCLUSIVE, named=names), AgentsWish(locked=optional(self._agent_id)))

    def decide(self, uow: UnitOfWork) -> R_co:
        """Change the limit; if that pauses or resumes an agent, raise the agent's version, since its view changes.

        NotFoundError (`unknown_limit`): the caller is of some tenants, and the limit neither of these nor of their
        agents. ForbiddenError: such a caller changes what bounds a tenant's money.
        """
        self._check_owner(uow)
        before, answer = self._is_paused(uow), self._change(uow)
        agent = self._find_agent(uow)
        if agent is not None and self._is_paused(uow) is not before:
            uow[Agents].change(agent, {}, self.actor)
        audit(uow, self.entry)
        return answer

    @abstractmethod
    def _change(self, uow: UnitOfWork) -> R_co: ...

    def _check_owner(self, uow: UnitOfWork) -> None:
        kind, _, value = self.name.partition(":")
        agent = self._find_agent(uow)
        owner = value if kind == "tenant" else agent.tenant if agent is not None else None
        if self.limited_to is not None and owner not in self.limited_to:
            raise make_unknown_limit_error(self.name)

    def _check_money(self, stored: NewLimit | Limit, new: NewLimit | Limit) -> None:
        changed = next((field for field in _MONEY if getattr(new, field) != getattr(stored, field)), None)
        if self.limited_to is not None and changed is not None:
            message = f"{changed}: who administers all tenants says what a tenant may spend, and by which policies"
            raise ForbiddenError(message)

    def _find_agent(self, uow: UnitOfWork) -> Agent | None:
        return uow[Agents].agents.get(self._agent_id or "")

    def _is_paused(self, uow: UnitOfWork) -> bool:
        own, general = uow[Limits].limits.get(self.name), uow[Limits].limits.get(wildcard(self.name))
        given = (limit.paused for limit in (own, general) if limit is not None and limit.paused is not None)
        return next(given, False)


@dataclass(frozen=True, slots=True)
class _PutLimit(_ChangeLimit[Limit]):
    """A change that may add a limit: of a tenant that is registered, so that no rebuild finds others."""

    @property
    def _tenant(self) -> str | None:
        """The tenant that must be registered before anything is set for it."""
        kind, _, value = self.name.partition(":")
        return value if kind == "tenant" and value not in {"*", DEFAULT_TENANT} else None

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (TenantsWish(names=optional(self._tenant)),)

    def check_registered(self, uow: UnitOfWork) -> None:
        """Raise InvalidError (`unknown_tenant`) if the name is of a tenant that is not registered by this name."""
        if self._tenant is not None and (tenant := uow[Tenants].resolve(self._tenant)) != self._tenant:
            message = f"the tenant {self._tenant} is called {tenant} now: name tenant:{tenant}"
            raise InvalidError(message, code=ErrorCode.UNKNOWN_TENANT)


@dataclass(frozen=True, slots=True)
class SetLimit(_PutLimit):
    """Change those fields of a limit that a patch gives, or replace the limit.

    Of a replaced limit `paused`, and what bounds the tenant's money, stays unless it is given. The change applies at
    once, also to executions that wait or were offered before. RefusedError (`version_conflict`): the limit's version is
    not `version`. InvalidError: the limit is not a tenant's, and a field is for tenants only, or the tenant is not
    registered (`unknown_tenant`).
    """

    change: NewLimit | LimitPatch
    version: int | None = None

    def _change(self, uow: UnitOfWork) -> Limit:
        self.check_registered(uow)
        stored = uow[Limits].limits.get(self.name)
        check_version("the limit", stored.version if stored else 0, self.version)
        before: NewLimit | Limit = stored or NewLimit()
        new: NewLimit | LimitPatch | Limit = self.change
        if isinstance(new, LimitPatch):
            new = before.model_copy(update=merge_patch(before, new, NewLimit))
        else:
            kept = {field: getattr(before, field) for field in _MONEY if field not in new.model_fields_set}
            new = new.model_copy(update=kept | ({"paused": before.paused} if new.paused is None else {}))
        self._check_money(before, new)
        misplaced = [field for field in _TENANT_FIELDS if getattr(new, field) is not None]
        if misplaced and not self.name.startswith("tenant:"):
            message = f"{misplaced[0]}: only the limit of a tenant has one, and {self.name[:100]} is no tenant"
            raise InvalidError(message)
        return uow[Limits].put(self.name, new, self.actor)


@dataclass(frozen=True, slots=True)
class RemoveLimit(_ChangeLimit[None]):
    """Remove a limit. NotFoundError (`unknown_limit`). RefusedError (`version_conflict`): it has another version."""

    version: int | None = None

    def _change(self, uow: UnitOfWork) -> None:
        if (stored := uow[Limits].limits.get(self.name)) is not None:
            check_version("the limit", stored.version, self.version)
            self._check_money(stored, NewLimit())
        if not uow[Limits].remove(self.name, self.actor):
            raise make_unknown_limit_error(self.name)


def make_unknown_limit_error(name: str) -> NotFoundError:
    """Return the NotFoundError which says that no limit has this name."""
    return NotFoundError(f"there is no limit {name[:200]}", code=ErrorCode.UNKNOWN_LIMIT)


@dataclass(frozen=True, slots=True)
class PauseLimit(_PutLimit):
    """Pause or resume the executions of a name. The limit's other fields stay; a limit without a setting is removed.

    The answer has the new value of `paused`, even if the limit was removed. RefusedError (`version_conflict`):
    `version` is not that of the agent of this name or, if no agent has the name, of the limit. InvalidError
    (`unknown_tenant`): the name is of a tenant that is not registered.
    """

    paused: bool
    version: int | None = None

    def _change(self, uow: UnitOfWork) -> Limit:
        self.check_registered(uow)
        agent, limit = self._find_agent(uow), uow[Limits].limits.get(self.name)
        if agent is not None:
            check_version("the agent", agent.version, self.version)
        else:
            check_version("the limit", limit.version if limit else 0, self.version)
        paused = uow[Limits].pause(self.name, self.actor, paused=self.paused)
        return paused.model_copy(update={"paused": self.paused})


@dataclass(frozen=True, slots=True)
class ConfirmLimits(Command[None]):
    """Confirm that the present settings are complete: after a rebuild that lost some, nothing is offered before."""

    entry: Entry | None = field(default=None, kw_only=True)

    def locks(self) -> Wishes:
        return (LimitsWish(lock=LimitsLock.EXCLUSIVE),)

    def decide(self, uow: UnitOfWork) -> None:
        uow[Limits].confirmed_by = self.actor
        audit(uow, self.entry)
