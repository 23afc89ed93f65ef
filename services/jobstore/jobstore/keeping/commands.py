"""Commands on retentions: set or delete one. Pure."""

from abc import abstractmethod
from dataclasses import dataclass, field

from contracts.resources import NewRetention, RetentionPatch
from jobstore.access.audited import Entry, audit
from jobstore.engine.parts import Command, R_co, UnitOfWork, Wishes, check_version, merge_patch
from jobstore.errors import InvalidError, NotFoundError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.keeping.rules import Retentions, RetentionsWish, find_tenant
from jobstore.tenants.rules import Tenants, TenantsWish
from signoff.errors import ErrorCode
from signoff.keeping import Retention


@dataclass(frozen=True, slots=True)
class _ChangeRetention(Command[R_co]):
    name: str
    #: The version that the caller knows, 0 if it knows of none; None: any.
    version: int | None = None
    #: The entry of the audit for the call that asks for the change, if that is kept.
    entry: Entry | None = field(default=None, kw_only=True)

    def locks(self) -> Wishes:
        return (RetentionsWish(named=frozenset({self.name})),)

    def decide(self, uow: UnitOfWork) -> R_co:
        """Change the retention. NotFoundError (`unknown_retention`): it is of none of the caller's tenants."""
        if self.limited_to is not None and find_tenant(self.name) not in self.limited_to:
            raise make_unknown_retention_error(self.name)
        stored = uow[Retentions].retentions.get(self.name)
        check_version("the retention", stored.version if stored else 0, self.version)
        answer = self._change(uow, stored)
        audit(uow, self.entry)
        return answer

    @abstractmethod
    def _change(self, uow: UnitOfWork, stored: Retention | None) -> R_co: ...


@dataclass(frozen=True, slots=True)
class SetRetention(_ChangeRetention[Retention]):
    """Change those fields of a retention that a patch gives, or replace it.

    RefusedError (`version_conflict`): its version is not `version`. InvalidError (`unknown_tenant`): it is of a tenant
    that is not registered.
    """

    change: NewRetention | RetentionPatch = field(kw_only=True)

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        tenant = find_tenant(self.name)
        return (TenantsWish(names=frozenset({tenant} if tenant else ()) - {DEFAULT_TENANT}),)

    def _change(self, uow: UnitOfWork, stored: Retention | None) -> Retention:
        tenant = find_tenant(self.name)
        if tenant is not None and (registered := uow[Tenants].resolve(tenant)) != tenant:
            message = f"the tenant {tenant} is called {registered} now: name tenant:{registered}"
            raise InvalidError(message, code=ErrorCode.UNKNOWN_TENANT)
        return uow[Retentions].put(self.name, apply_change(stored, self.change), self.actor)


@dataclass(frozen=True, slots=True)
class DeleteRetention(_ChangeRetention[None]):
    """Delete a retention: what it was of is kept as that of each tenant says, or for ever."""

    def _change(self, uow: UnitOfWork, stored: Retention | None) -> None:
        del stored
        if not uow[Retentions].delete(self.name, self.actor):
            raise make_unknown_retention_error(self.name)


def apply_change(stored: Retention | None, change: NewRetention | RetentionPatch) -> NewRetention:
    """Return what a retention says after a change. InvalidError: the change is one that no retention may have."""
    if not isinstance(change, RetentionPatch):
        return change
    before = (
        NewRetention() if stored is None else NewRetention(**stored.model_dump(include=set(NewRetention.model_fields)))
    )
    return before.model_copy(update=merge_patch(before, change, NewRetention))


def make_unknown_retention_error(name: str) -> NotFoundError:
    """Return the NotFoundError which says that no retention has this name."""
    return NotFoundError(f"there is no retention {name[:200]}", code=ErrorCode.UNKNOWN_RETENTION)
