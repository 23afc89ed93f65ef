"""Know who calls, by the credential of the call, and whether its role may call a method."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.access import ACCESS, Of, name_roles
from jobstore.errors import ForbiddenError, InvalidError, make_unknown_tenant_error
from jobstore.jobs.model import DEFAULT_TENANT, Actor
from signoff.errors import ErrorCode
from signoff.status import Role


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a credential. `tenants`: whose things it may read and change; None: those of all tenants."""

    name: str
    actor: Actor
    role: Role
    tenants: frozenset[str] | None = None
    #: SHA-256 of the credential, and of the token with which the credential ends.
    token_hash: bytes = b""
    maker_hash: bytes | None = None
    ends_at: datetime | None = None
    #: Of the session, if the credential is one.
    session_id: UUID | None = None
    #: Of who signs in by a provider: what makes one session, once.
    spends: bytes | None = None

    def may_see(self, tenant: str) -> bool:
        """Return whether what belongs to a tenant exists for this caller."""
        return self.tenants is None or tenant in self.tenants


#: The caller of the call that is under way. Without a default: what is read outside of calls says of which tenants.
CALLER: Final[ContextVar[Caller]] = ContextVar("caller")


def find_actor() -> Actor:
    """Return the actor of the changes that the call makes which is under way."""
    return CALLER.get().actor


def find_tenants() -> frozenset[str] | None:
    """Return the tenants whose things the call may read and change which is under way; None: those of all tenants."""
    return CALLER.get().tenants


def narrow_tenants(tenant: str) -> frozenset[str] | None:
    """Return the tenants whose things a read shows that asks for those of one; empty: for all that its caller may see.

    InvalidError (`unknown_tenant`): the tenant is not the caller's.
    """
    if not tenant:
        return find_tenants()
    return frozenset({_require_own(tenant)})


def choose_tenant(given: str | None) -> str:
    """Return the tenant of what a call makes: the one that is given, or else its caller's own, or else `default`.

    InvalidError: it is not the caller's (`unknown_tenant`), or the caller has several and names none (`tenant_needed`).
    """
    tenants = find_tenants()
    if given is None and tenants is not None and len(tenants) > 1:
        raise InvalidError(f"name one of {', '.join(sorted(tenants))}", code=ErrorCode.TENANT_NEEDED, field="tenant")
    return _require_own(given or next(iter(tenants or ()), DEFAULT_TENANT))


def _require_own(tenant: str) -> str:
    """Return a tenant of the caller's. Another's is answered as one that is not there."""
    if not CALLER.get().may_see(tenant):
        raise make_unknown_tenant_error(tenant, "tenant")
    return tenant


def name_key_tenant() -> str:
    """Return the name under which the keys of a caller's requests are known, where these are of no one tenant.

    That of a caller of all tenants is `default`, and that of several has all their names.
    """
    return "+".join(sorted(find_tenants() or {DEFAULT_TENANT}))


def check_access(caller: Caller, method: str) -> None:
    """Raise ForbiddenError, which names the roles that may, if a caller may not call a method."""
    access = ACCESS.get(method)
    if access is None:
        raise ForbiddenError(f"no role may call {method}", reason="method")
    if caller.role not in access.roles:
        needed = name_roles(access.roles)
        raise ForbiddenError(f"{caller.name} has the role {caller.role.value}; {method} needs {needed}")
    if access.of is Of.ALL and caller.tenants is not None:
        raise ForbiddenError(
            f"{caller.name} is of some tenants; {method} is for a token of all tenants", reason="tenant"
        )
