"""The registered tenants of one transaction, and what ids say of whose they are. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from jobstore.engine.parts import Part, Wish, optional
from jobstore.errors import InvalidError, make_unknown_tenant_error
from jobstore.jobs.model import DEFAULT_TENANT, Actor
from signoff.errors import ErrorCode

#: Ids that nobody guesses: these are free of prefixes.
_UUID: Final = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE)
_PREFIX: Final = re.compile(r"([a-z0-9-]{1,40}):")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantsWish(Wish):
    """Tenants to be read by their `names`, and tenants to be `made`.

    Tenants with names in `prefixes`, with which new ids of `default` begin, or to whom values belong that its agents
    name, are read, and none is made until the commit.
    """

    names: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()


class NewTenant(NamedTuple):
    """A tenant to be stored, by `actor`."""

    name: str
    title: str | None
    actor: Actor


def find_prefix(new_id: str) -> str | None:
    """Return the name before the first colon of an id, if a tenant may have that name."""
    found = _PREFIX.match(new_id)
    return found and found[1]


def read_owner(tenant: str, new_id: str) -> TenantsWish:
    """Return the wish to check that a tenant is registered, and that a new id may be one of this tenant."""
    if tenant != DEFAULT_TENANT:
        return TenantsWish(names=frozenset({tenant}))
    return TenantsWish(prefixes=optional(find_prefix(new_id)) - {DEFAULT_TENANT})


def read_name_owner(name: str) -> TenantsWish:
    """Return the wish to find whose a new name of a policy or a set is (`find_name_owner`)."""
    prefix, dot, _ = name.partition(".")
    return TenantsWish(prefixes=frozenset({prefix}) if dot else frozenset())


@dataclass(eq=False, slots=True)
class Tenants(Part):
    """The tenants that were read, those to be stored, and names with which ids of others begin."""

    #: The names of tenants by the names that mean them: those of before 0.3.0 may have had another one.
    names: dict[str, str] = field(default_factory=dict)
    #: Names that were read, and that mean none.
    unknown: set[str] = field(default_factory=set)
    titles: dict[str, str | None] = field(default_factory=dict)
    used_prefixes: set[str] = field(default_factory=set)
    #: Names of tenants whose values agents of `default` name.
    named_owners: set[str] = field(default_factory=set)
    new: list[NewTenant] = field(default_factory=list)

    def find(self, name: str) -> str | None:
        """Return the tenant that a name means; None if none is registered. `default` always is."""
        return DEFAULT_TENANT if name == DEFAULT_TENANT else self.names.get(name)

    @property
    def registered(self) -> frozenset[str]:
        """The names of those tenants that were read, without former ones."""
        return frozenset(self.names.values())

    def resolve(self, name: str) -> str:
        """Return the tenant that a name means. InvalidError (`unknown_tenant`): no tenant with it is registered."""
        if (tenant := self.find(name)) is None:
            raise make_unknown_tenant_error(name)
        return tenant

    def resolve_owner(self, name: str, new_id: str) -> str:
        """Return the tenant of a new id by the tenant's name.

        InvalidError: no such tenant (`unknown_tenant`), or the id is not one that this tenant may choose (`id_prefix`).
        """
        tenant = self.resolve(name)
        if (message := self._find_wrong_prefix(tenant, new_id)) is not None:
            raise InvalidError(message, code=ErrorCode.ID_PREFIX, field="id")
        return tenant

    def find_name_owner(self, name: str, limited_to: frozenset[str] | None) -> str:
        """Return the tenant of a new name of a judge policy or a set: that with whose name and a dot it begins.

        One that begins with none is of `default`. InvalidError (`id_prefix`): it is not of the caller's tenants.
        """
        prefix, dot, _ = name.partition(".")
        tenant = prefix if dot and self.names.get(prefix) == prefix else DEFAULT_TENANT
        if limited_to is not None and tenant not in limited_to:
            begins = " or ".join(f"`{own}.`" for own in sorted(limited_to))
            message = f"a name that is chosen in {', '.join(sorted(limited_to))} begins with {begins}"
            raise InvalidError(message, code=ErrorCode.ID_PREFIX, field="name")
        return tenant

    def refuses(self, name: str, new_id: str) -> bool:
        """Return whether `resolve_owner` is known to raise an error, as far as tenants were read."""
        if (tenant := self.find(name)) is None:
            return name in self.unknown
        return self._find_wrong_prefix(tenant, new_id) is not None

    def _find_wrong_prefix(self, tenant: str, new_id: str) -> str | None:
        """Return what is wrong with an id that is new in a tenant; None if nothing is."""
        if _UUID.fullmatch(new_id):
            return None
        if tenant != DEFAULT_TENANT:
            is_own = new_id.startswith(f"{tenant}:")
            return None if is_own else f"an id that is chosen in the tenant {tenant} begins with `{tenant}:`"
        prefix = find_prefix(new_id)
        is_foreign = prefix is not None and self.names.get(prefix) == prefix
        return f"an id that begins with `{prefix}:` is of another tenant: choose another id" if is_foreign else None
