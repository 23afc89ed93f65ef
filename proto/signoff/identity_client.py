"""The part of the client for who callers are: tenants, tokens and sessions."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from signoff.connection import Call, Connection, Page, Request, iterate, join_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from signoff.identity import AccessToken, AuditEntry, Caller, Session, Tenant


class MadeToken(NamedTuple):
    """A new token, and its text, which the jobstore does not keep."""

    token: AccessToken
    secret: str


class SignIn(NamedTuple):
    """The provider at which people sign in, and the client there of the command line; empty without a provider."""

    issuer: str
    client_id: str


class BegunSession(NamedTuple):
    """A new session, and the text of its token, which the jobstore does not keep."""

    session: Session
    secret: str


class IdentityClient(Connection):
    """Call the jobstore about tenants, tokens and sessions; a base of AsyncClient."""

    async def get_caller(self, **call: Unpack[Call]) -> Caller:
        """Return who this client calls as."""
        caller: Caller = await self._ask("GetCaller", "caller", **call)
        return caller

    async def watch_caller(self) -> AsyncGenerator[Caller]:
        """Yield who this client calls as, whenever the stream is opened. UnauthenticatedError: the credential ended."""
        async with aclosing(self._watch("WatchCaller", {})) as responses:
            async for response in responses:
                yield self._read(response.caller)

    async def get_sign_in(self, **call: Unpack[Call]) -> SignIn:
        """Return where people sign in; it needs no token."""
        answer = await self._call("GetSignIn", **call)
        return SignIn(answer.issuer, answer.client_id)

    async def create_tenant(
        self, tenant: Request = None, /, *, timeout_s: float | None = None, **fields: Any
    ) -> Tenant:
        """Register a tenant, such as `name="press"`."""
        made: Tenant = await self._ask(
            "CreateTenant", "tenant", tenant=join_request(tenant, fields), timeout_s=timeout_s
        )
        return made

    async def list_tenants(self, **page: Unpack[Page]) -> tuple[list[Tenant], str]:
        """Return a page of the caller's tenants, by name, and the next page's token or ""."""
        return await self._ask_page("ListTenants", "tenants", **page)

    iter_tenants = iterate(list_tenants)

    async def create_token(
        self, token: Request = None, /, *, timeout_s: float | None = None, **fields: Any
    ) -> MadeToken:
        """Make a token, such as `name="eve", role="viewer", tenants=["press"]`, or with `all_tenants=True`."""
        made = await self._call("CreateToken", token=join_request(token, fields), timeout_s=timeout_s)
        return MadeToken(self._read(made.token), made.secret)

    async def list_tokens(self, *, include_ended: bool = False, **page: Unpack[Page]) -> tuple[list[AccessToken], str]:
        """Return a page of tokens, newest first, and the next page's token or ""."""
        return await self._ask_page("ListTokens", "tokens", include_ended=include_ended, **page)

    iter_tokens = iterate(list_tokens)

    async def rotate_token(self, name: str, *, overlap_s: float | None = None, **call: Unpack[Call]) -> MadeToken:
        """Make another token of a name; those before go on for `overlap_s`, a day unless it is given."""
        made = await self._call("RotateToken", name=name, overlap_s=overlap_s, **call)
        return MadeToken(self._read(made.token), made.secret)

    async def revoke_token(self, name: str, **call: Unpack[Call]) -> None:
        """End all tokens of a name, and the sessions that came of them."""
        await self._call("RevokeToken", name=name, **call)

    async def create_session(self, client: str, *, lasts_s: float | None = None, **call: Unpack[Call]) -> BegunSession:
        """Begin a session of the caller; `client` says where, such as `cli`."""
        begun = await self._call("CreateSession", client=client, lasts_s=lasts_s, **call)
        return BegunSession(self._read(begun.session), begun.secret)

    async def list_sessions(self, **page: Unpack[Page]) -> tuple[list[Session], str]:
        """Return a page of open sessions, newest first, and the next page's token or ""."""
        return await self._ask_page("ListSessions", "sessions", **page)

    iter_sessions = iterate(list_sessions)

    async def list_audit(
        self,
        *,
        filter: Request = None,  # noqa: A002 - the word of the contract
        **page: Unpack[Page],
    ) -> tuple[list[AuditEntry], str]:
        """Return a page of what callers did and were refused, newest first, and the next page's token or "".

        `filter` has `actors`, `actions`, `outcomes` and `tenants`, `since` and `until`.
        """
        return await self._ask_page("ListAudit", "entries", filter=filter, **page)

    iter_audit = iterate(list_audit)

    async def export_audit(self, *, filter: Request = None) -> AsyncGenerator[AuditEntry]:  # noqa: A002 - as above
        """Yield all that a filter finds, newest first; the export is an entry of the audit itself."""
        async with aclosing(self._stream("ExportAudit", {"filter": filter})) as responses:
            async for response in responses:
                for entry in response.entries:
                    yield self._read(entry)

    async def end_session(self, session_id: str = "", **call: Unpack[Call]) -> None:
        """End a session by its id, or the caller's own."""
        await self._call("EndSession", session_id=session_id, **call)
