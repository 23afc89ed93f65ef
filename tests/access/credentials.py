"""The credentials that walk: each role of all tenants, of the tenant that owns the things, and of another; and none."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from contracts.access import SERVICES
from signoff import AsyncClient
from signoff.identity_client import MadeToken
from signoff.status import Role

OWN, FOREIGN = "press", "radio"


@dataclass(frozen=True)
class Credential:
    """A credential, as it is named in the table. `tenants`: None of all. `role`: None of one that opens nothing."""

    name: str
    secret: str | None
    role: Role | None = None
    tenants: frozenset[str] | None = None

    @property
    def is_foreign(self) -> bool:
        return self.tenants is not None and OWN not in self.tenants


@asynccontextmanager
async def make_credentials(bootstrap: AsyncClient, console: AsyncClient) -> AsyncIterator[list[Credential]]:
    """Make one of each kind; those that open nothing have ended before they are yielded."""
    made = [Credential("none", None), Credential("unknown", "sgn_" + "0" * 49), Credential("malformed", "no token")]
    for role in Role:
        for tenants in (None,) if role in SERVICES else (None, frozenset({OWN}), frozenset({FOREIGN})):
            name = "-".join((role.value, *sorted(tenants or {"all"})))
            secret = (await _make(bootstrap, name, role, tenants)).secret
            made.append(Credential(name, secret, role, tenants))
    for name in ("revoked", "ended", "session of a revoked", "ended session"):
        lasts_s = 0.001 if name == "ended" else None
        token = await _make(bootstrap, name.replace(" ", "-"), Role.ADMINISTRATOR, None, lasts_s)
        secret = token.secret
        if "session" in name:
            secret = (await bootstrap.with_token(token.secret).create_session("cli")).secret
        if name == "ended session":
            await bootstrap.with_token(secret).end_session()
        elif "revoked" in name:
            await bootstrap.revoke_token(name.replace(" ", "-"))
        made.append(Credential(name, secret))
    spent = await bootstrap.create_login_code()
    await console.spend_login_code(spent)
    made.append(Credential("spent code", spent))
    yield made


async def _make(
    bootstrap: AsyncClient, name: str, role: Role, tenants: frozenset[str] | None, lasts_s: float | None = None
) -> MadeToken:
    of: dict[str, Any] = {"all_tenants": True} if tenants is None else {"tenants": sorted(tenants)}
    return await bootstrap.create_token(name=name, role=role.value, lasts_s=lasts_s, **of)
