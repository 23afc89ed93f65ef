"""Tenants as rows: read and add those of a transaction, and list them. No tenant is ever removed."""

import logging
from collections.abc import Collection
from typing import Final

from sqlalchemy import text

from contracts.agents import list_owners
from jobstore.engine.facts import tell
from jobstore.engine.locks import Lock, hold, share
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection, Row, Rows
from jobstore.errors import make_unknown_tenant_error
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.schema import tables
from jobstore.tenants.rules import Tenants, TenantsWish

log = logging.getLogger(__name__)

_READ: Final = text(
    "SELECT name, renamed_from, title FROM tenants "
    "WHERE name = ANY(CAST(:names AS text[])) OR renamed_from = ANY(CAST(:names AS text[]))"
)
#: Read along the primary keys, since a tenant is made seldom, and no index is kept for it.
_IS_USED: Final = text(
    "SELECT EXISTS (SELECT FROM jobs WHERE starts_with(id, :prefix)) "
    "OR EXISTS (SELECT FROM agents WHERE starts_with(id, :prefix)) "
    "OR EXISTS (SELECT FROM judging_versions WHERE starts_with(name, :dotted))"
)
#: Of the values that agents of `default` name.
_REFERENCES: Final = text(
    "SELECT value FROM agents CROSS JOIN LATERAL json_each_text(headers::json) WHERE tenant = 'default' "
    "UNION SELECT signing FROM agents WHERE tenant = 'default' AND signing IS NOT NULL"
)
_INSERT: Final = tell(
    tables.tenants, "INSERT INTO tenants (name, title, actor) VALUES (:name, :title, :actor) RETURNING *"
)
_LIST: Final = text(
    """
    SELECT name, title, actor AS created_by, renamed_from, created_at FROM (
        SELECT * FROM tenants UNION ALL SELECT 'default', NULL, NULL, NULL, NULL WHERE :with_default) AS known
    WHERE name > :after ORDER BY name LIMIT :limit
    """
)
_GET: Final = text("SELECT name, title, actor AS created_by, renamed_from, created_at FROM tenants WHERE name = :name")
_ADOPT: Final = text("SELECT former, chosen FROM signoff_adopt_tenants()")
_COUNT: Final = text("SELECT count(*) FROM tenants")


class TenantsStore(Store):
    """Read tenants, and whether ids begin with names of new ones, and write new tenants with their facts."""

    part, wish = Tenants, TenantsWish

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Read the tenants that are wished, but for those which this process has read before."""
        wish, tenants = asked[TenantsWish], uow[Tenants]
        if wish.made:
            await hold(connection, Lock.TENANTS)
        elif wish.prefixes:
            await share(connection, Lock.TENANTS)
        known = uow.terms.known_tenants
        tenants.names |= {name: known[name] for name in wish.names & known.keys()}
        if missing := {*wish.made, *wish.prefixes, *(wish.names - known.keys())}:
            for row in await connection.execute(_READ, {"names": sorted(missing)}):
                tenants.titles[row.name] = row.title
                tenants.names |= _name(row)
            known.update(tenants.names)
            tenants.unknown |= missing - tenants.names.keys()
        new = wish.made - tenants.names.keys()
        for name in sorted(new):
            if await connection.scalar(_IS_USED, {"prefix": f"{name}:", "dotted": f"{name}."}):
                tenants.used_prefixes.add(name)
        if new:
            references = await connection.scalars(_REFERENCES)
            tenants.named_owners |= new & frozenset().union(*map(list_owners, references))

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write new tenants, each with the fact of it."""
        for tenant in uow[Tenants].new:
            await connection.execute(_INSERT, tenant._asdict())


def _name(row: Row) -> dict[str, str]:
    """Return the name of a tenant by each name that means it."""
    return {name: row.name for name in (row.name, row.renamed_from) if name is not None}


async def list_tenants(connection: Connection, limit: int, after: str, *, with_default: bool) -> Rows:
    """Return up to `limit` tenants by name, after a name; `default`, which is no row, only `with_default`."""
    return await connection.execute(_LIST, {"limit": limit, "after": after, "with_default": with_default})


async def get_tenant(connection: Connection, name: str) -> Row:
    """Return a tenant that is registered, by its name."""
    return (await connection.execute(_GET, {"name": name})).one()


async def resolve_tenants(connection: Connection, names: Collection[str]) -> frozenset[str]:
    """Return the tenants that names mean. InvalidError (`unknown_tenant`): no tenant with one of them is registered."""
    known = {DEFAULT_TENANT: DEFAULT_TENANT}
    for row in await connection.execute(_READ, {"names": sorted(names)}):
        known |= _name(row)
    if missing := sorted({*names} - known.keys()):
        raise make_unknown_tenant_error(missing[0])
    return frozenset(known[name] for name in names)


async def adopt_tenants(connection: Connection) -> None:
    """Register the tenants that jobs and limits are of and that nobody has registered, as the migration does; log it.

    A jobstore of before 0.3.0 makes such jobs and limits, and facts of one name such tenants. What is of a tenant whose
    name does not fit gets the new name of the tenant.
    """
    await hold(connection, Lock.TENANTS)
    before = await connection.scalar(_COUNT)
    renamed = {row.former: row.chosen for row in await connection.execute(_ADOPT)}
    if (added := await connection.scalar(_COUNT) - before) > 0:
        log.info("tenants in use were registered", extra={"count": added, "renamed": renamed})
