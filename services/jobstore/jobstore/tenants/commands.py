"""Commands on tenants: create one. Pure."""

from dataclasses import dataclass, field

from contracts.resources import NewTenant as Given
from jobstore.access.audited import Entry, audit
from jobstore.engine.parts import NOTHING, Creation, UnitOfWork, Wishes
from jobstore.errors import ConflictError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.tenants.rules import NewTenant, Tenants, TenantsWish
from signoff.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class CreateTenant(Creation[None]):
    """Register a tenant; do nothing if it is registered with this title.

    ConflictError (`tenant_conflict`): it is registered otherwise, or ids of others begin with its name, or agents of
    `default` name what would be its values.
    """

    given: Given
    entry: Entry | None = field(default=None, kw_only=True)

    def locks(self) -> Wishes:
        return NOTHING

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (TenantsWish(made=frozenset({self.given.name})),)

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.given.name in uow[Tenants].titles

    def show(self, uow: UnitOfWork) -> None:
        """Return nothing: the caller reads the tenant."""

    def decide(self, uow: UnitOfWork) -> None:
        tenants, name = uow[Tenants], self.given.name
        if name == DEFAULT_TENANT or tenants.titles.get(name, self.given.title) != self.given.title:
            raise ConflictError(f"another tenant has the name {name}", code=ErrorCode.TENANT_CONFLICT)
        if self.is_made(uow):
            audit(uow, self.entry)
            return
        if name in tenants.names:  # by which one is called that has got another
            message = f"{name} is a former name of the tenant {tenants.names[name]}: choose another name"
            raise ConflictError(message, code=ErrorCode.TENANT_CONFLICT)
        if name in tenants.used_prefixes:
            message = f"ids of other tenants' jobs or agents begin with `{name}:`: choose another name"
            raise ConflictError(message, code=ErrorCode.TENANT_CONFLICT)
        if name in tenants.named_owners:
            message = f"agents of default name values of {name} as headers, or to sign: put these elsewhere first"
            raise ConflictError(message, code=ErrorCode.TENANT_CONFLICT)
        tenants.new.append(NewTenant(name, self.given.title, self.actor))
        tenants.names[name], tenants.titles[name] = name, self.given.title
        audit(uow, self.entry)
