"""Serve IdentityService over gRPC: who callers are, their tokens and their sessions."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from google.protobuf.message import Message
from pydantic import TypeAdapter

from contracts.fields import TokenName
from contracts.resources import NewTenant, NewToken
from jobstore.access.audit import add_own, list_audit
from jobstore.access.audited import ENTRY
from jobstore.access.callers import CALLER, Caller, find_actor
from jobstore.access.id_tokens import IdTokens
from jobstore.access.token_store import (
    TokenFollower,
    add_token,
    begin_session,
    end_session,
    end_tokens,
    list_tokens,
)
from jobstore.api.requests import Context, make_page, parse_page, parse_uuid, read_session_s
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Row
from jobstore.errors import ForbiddenError, InvalidError
from jobstore.jobs.model import DEFAULT_TENANT, Actor
from jobstore.tenants.commands import CreateTenant
from jobstore.tenants.store import get_tenant, list_tenants, resolve_tenants
from signoff.connection import PAGE_MAX
from signoff.status import Role
from signoff.v1 import identity_service_pb2 as pb
from signoff.v1.identity_service_pb2_grpc import IdentityServiceServicer
from signoff.wire import parse_words, read_field, read_fields, write_message, write_row

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Message)

#: Seconds for which a token that is rotated goes on unless it is said.
OVERLAP_S: Final = 86_400.0
CLIENT_MAX: Final = 60
_NAME: Final[TypeAdapter[str]] = TypeAdapter(TokenName)


class IdentityService(IdentityServiceServicer):
    """Serve who the caller is, tenants, tokens and sessions."""

    def __init__(
        self, database: Database, followed: TokenFollower, runner: CommandRunner, id_tokens: IdTokens | None = None
    ) -> None:
        self._database, self._callers = database.for_callers(), Callers(database)
        self._followed, self._runner = followed, runner
        self._sign_in = pb.GetSignInResponse()
        if id_tokens is not None:
            self._sign_in = pb.GetSignInResponse(issuer=id_tokens.issuer, client_id=id_tokens.device_client_id)

    async def GetCaller(self, _request: pb.GetCallerRequest, _: Context) -> pb.GetCallerResponse:
        return pb.GetCallerResponse(caller=_caller_message(CALLER.get()))

    async def WatchCaller(self, _request: pb.WatchCallerRequest, _: Context) -> AsyncIterator[pb.WatchCallerResponse]:
        yield pb.WatchCallerResponse(caller=_caller_message(CALLER.get()))
        await asyncio.Event().wait()  # the server ends each stream with the token of its caller

    async def GetSignIn(self, _request: pb.GetSignInRequest, _: Context) -> pb.GetSignInResponse:
        return self._sign_in

    async def CreateTenant(self, request: pb.CreateTenantRequest, _: Context) -> pb.CreateTenantResponse:
        new = NewTenant(**read_fields(request.tenant))
        await self._runner.administer.run_one(CreateTenant(new, actor=find_actor(), entry=ENTRY.get()))
        async with self._callers.answering.session() as session:
            tenant = await get_tenant(session, new.name)
        return pb.CreateTenantResponse(tenant=write_row(pb.Tenant, tenant))

    async def ListTenants(self, request: pb.ListTenantsRequest, _: Context) -> pb.ListTenantsResponse:
        limit, after = parse_page(request, 100, str)
        with_default = CALLER.get().may_see(DEFAULT_TENANT)
        async with self._callers.session() as session:
            rows = await list_tenants(session, limit, after or "", with_default=with_default)
        tenants = [write_row(pb.Tenant, row) for row in rows]
        return make_page(pb.ListTenantsResponse, request, limit, "tenants", tenants, lambda last: (last.name,))

    async def CreateToken(self, request: pb.CreateTokenRequest, _: Context) -> pb.CreateTokenResponse:
        new, caller = NewToken(**read_fields(request.token)), CALLER.get()
        tenants = None if new.all_tenants else frozenset(new.tenants)
        _check_grant(caller, tenants)
        actor = Actor(f"token:{new.name}")
        async with self._followed.changing() as connection:
            if tenants is not None:
                tenants = await resolve_tenants(connection, tenants)
            row, secret = await add_token(
                connection, "token", new.name, actor, new.role, tenants, created_by=caller.actor, lasts_s=new.lasts_s
            )
            await add_own(connection)
        log.info("a token was made", extra={"actor": caller.actor, "token": new.name, "role": new.role.value})
        return pb.CreateTokenResponse(token=_made_message(pb.AccessToken, row), secret=secret)

    async def ListTokens(self, request: pb.ListTokensRequest, _: Context) -> pb.ListTokensResponse:
        limit, after = parse_page(request, 100, _parse_place)
        tenants, include_ended = CALLER.get().tenants, request.include_ended
        async with self._database.session() as session:
            rows = await list_tokens(session, "token", tenants, limit, after, include_ended=include_ended)
        messages = [_made_message(pb.AccessToken, row) for row in rows]
        return make_page(pb.ListTokensResponse, request, limit, "tokens", messages, lambda _: _place(rows[-1]))

    async def RotateToken(self, request: pb.RotateTokenRequest, _: Context) -> pb.RotateTokenResponse:
        name, caller, overlap_s = _NAME.validate_python(request.name), CALLER.get(), read_field(request, "overlap_s")
        if overlap_s is not None and overlap_s < 0:
            raise InvalidError("must not be negative", field="overlap_s")
        async with self._followed.changing() as connection:
            before, *_rest = await end_tokens(
                connection, name, caller.tenants, overlap_s=OVERLAP_S if overlap_s is None else overlap_s
            )
            role, tenants = Role(before.role), _tenants_of(before)
            _check_grant(caller, tenants)
            row, secret = await add_token(
                *(connection, "token", name, Actor(before.actor), role, tenants),
                created_by=caller.actor,
                takes_over=True,
            )
            await add_own(connection, tenants=tenants)
        log.info("a token was rotated", extra={"actor": caller.actor, "token": name})
        return pb.RotateTokenResponse(token=_made_message(pb.AccessToken, row), secret=secret)

    async def RevokeToken(self, request: pb.RevokeTokenRequest, _: Context) -> pb.RevokeTokenResponse:
        name, caller = _NAME.validate_python(request.name), CALLER.get()
        async with self._followed.changing() as connection:
            ended = await end_tokens(connection, name, caller.tenants)
            await add_own(connection, tenants=_tenants_of(ended[0]), count=len(ended))
        log.info("a token was revoked", extra={"actor": caller.actor, "token": name})
        return pb.RevokeTokenResponse()

    async def CreateSession(self, request: pb.CreateSessionRequest, _: Context) -> pb.CreateSessionResponse:
        caller, lasts_s = CALLER.get(), read_session_s(request)
        if len(request.client) > CLIENT_MAX:
            raise InvalidError(f"has more than {CLIENT_MAX} characters", field="client")
        async with self._followed.changing() as connection:
            row, secret = await begin_session(connection, caller, request.client, lasts_s)
            await add_own(connection)
        return pb.CreateSessionResponse(session=_made_message(pb.Session, row), secret=secret)

    async def ListSessions(self, request: pb.ListSessionsRequest, _: Context) -> pb.ListSessionsResponse:
        (limit, after), caller = parse_page(request, 100, _parse_place), CALLER.get()
        is_administrator = caller.role is Role.ADMINISTRATOR
        async with self._database.session() as session:
            rows = await list_tokens(
                *(session, "session", caller.tenants if is_administrator else None, limit, after),
                actor=None if is_administrator else caller.actor,
            )
        messages = [_made_message(pb.Session, row) for row in rows]
        return make_page(pb.ListSessionsResponse, request, limit, "sessions", messages, lambda _: _place(rows[-1]))

    async def EndSession(self, request: pb.EndSessionRequest, _: Context) -> pb.EndSessionResponse:
        caller = CALLER.get()
        session_id = parse_uuid(request.session_id, "session_id") if request.session_id else caller.session_id
        if session_id is None:
            raise InvalidError("is needed: the credential of this call is no session", field="session_id")
        async with self._followed.changing() as connection:
            await end_session(connection, session_id, caller)
            await add_own(connection, name=str(session_id))
        log.info("a session was ended", extra={"actor": caller.actor, "session": str(session_id)})
        return pb.EndSessionResponse()

    async def ListAudit(self, request: pb.ListAuditRequest, _: Context) -> pb.ListAuditResponse:
        limit, after = parse_page(request, 100, _parse_place)
        async with self._callers.session() as session:
            rows = await list_audit(session, limit, after, **_read_filter(request.filter))
        messages = [_entry_message(row) for row in rows]
        return make_page(pb.ListAuditResponse, request, limit, "entries", messages, lambda _: _place(rows[-1], "at"))

    async def ExportAudit(self, request: pb.ExportAuditRequest, _: Context) -> AsyncIterator[pb.ExportAuditResponse]:
        wanted, after = _read_filter(request.filter), None
        while True:
            async with self._callers.session() as session:  # a page at a time: who reads slowly holds no connection
                rows = await list_audit(session, PAGE_MAX, after, **wanted)
            if rows:
                yield pb.ExportAuditResponse(entries=[_entry_message(row) for row in rows])
            if len(rows) < PAGE_MAX:
                return
            after = rows[-1].at, rows[-1].id


def _check_grant(caller: Caller, tenants: frozenset[str] | None) -> None:
    """Raise ForbiddenError if a caller may not give tokens of tenants: nobody gives what they do not have."""
    if caller.tenants is None:
        return
    if tenants is None or not tenants <= caller.tenants:
        message = f"{caller.name} is not of all of these tenants: name those that `signoff whoami` shows"
        raise ForbiddenError(message, reason="tenant")


def _caller_message(caller: Caller) -> pb.Caller:
    is_all = caller.tenants is None
    return write_message(
        pb.Caller,
        {
            "name": caller.name,
            "actor": caller.actor,
            "role": caller.role,
            "tenants": sorted(caller.tenants or ()),
            "all_tenants": is_all,
            "ends_at": caller.ends_at,
            "session_id": None if caller.session_id is None else str(caller.session_id),
        },
    )


def _made_message(kind: type[M], row: Row) -> M:
    """Return the message of a token or a session by its row."""
    return write_row(kind, row, tenants=row.tenants or [], all_tenants=row.tenants is None)


def _entry_message(row: Row) -> pb.AuditEntry:
    return write_row(pb.AuditEntry, row, tenants=row.tenants or [], all_tenants=row.tenants is None)


def _read_filter(wanted: pb.AuditFilter) -> dict[str, Any]:
    outcomes = parse_words(pb.AuditOutcome.DESCRIPTOR, wanted.outcomes)
    return {**read_fields(wanted), "outcomes": outcomes}


def _tenants_of(row: Row) -> frozenset[str] | None:
    return None if row.tenants is None else frozenset(row.tenants)


def _parse_place(created_at: str, id_: str) -> tuple[datetime, UUID]:
    return datetime.fromisoformat(created_at), UUID(id_)


def _place(row: Row, at: str = "created_at") -> tuple[str, str]:
    return row[at].isoformat(), str(row.id)
