"""REST endpoints of who callers are: the caller itself, tokens, and sessions."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from console.api.access import find_access
from console.api.auth import CallersJobStore
from console.api.requests import JsonRoute
from console.api.schemas import MadeToken, Me, Page, Paging, TokenRotation, TokensQuery
from contracts.fields import Strict, TokenName
from contracts.resources import NewToken
from signoff.identity import AccessToken, Session

me_router = APIRouter(prefix="/api/me", tags=["access"], route_class=JsonRoute)
tokens_router = APIRouter(prefix="/api/tokens", tags=["access"], route_class=JsonRoute)
sessions_router = APIRouter(prefix="/api/sessions", tags=["access"], route_class=JsonRoute)

NameInPath = Annotated[TokenName, Path()]


@me_router.get("")
async def get_caller(request: Request, jobstore: CallersJobStore) -> Me:
    """Who calls: by what name and role, of which tenants, until when; and which operations of this API it may use."""
    caller = await jobstore.get_caller()
    document = await asyncio.to_thread(request.app.openapi)  # it is made at the first call, and takes a while
    operations = (operation["operationId"] for methods in document["paths"].values() for operation in methods.values())
    return Me(**caller.model_dump(), may=sorted(each for each in operations if find_access(each).allows(caller)))


@tokens_router.post("")
async def create_token(jobstore: CallersJobStore, token: Strict[NewToken]) -> MadeToken:
    """Make a token, of a role and of tenants that the caller has itself. Its `secret` is answered this once.

    A name is one holder's: the same request again is a conflict (`token_conflict`), since the secret is not kept.
    """
    made = await jobstore.create_token(token)
    return MadeToken(token=made.token, secret=made.secret)


@tokens_router.get("")
async def list_tokens(jobstore: CallersJobStore, query: Annotated[TokensQuery, Query()]) -> Page[AccessToken]:
    """Tokens of the caller's tenants, newest first, without their secrets."""
    return Page[AccessToken].of(await jobstore.list_tokens(**query.page, include_ended=query.include_ended))


@tokens_router.post("/{name}/rotate")
async def rotate_token(
    jobstore: CallersJobStore, name: NameInPath, rotation: Strict[TokenRotation | None] = None
) -> MadeToken:
    """Make another token of a name; those before it go on for a while. Its `secret` is answered this once."""
    made = await jobstore.rotate_token(name, **dict(rotation or TokenRotation()))
    return MadeToken(token=made.token, secret=made.secret)


@tokens_router.delete("/{name}", status_code=204)
async def revoke_token(jobstore: CallersJobStore, name: NameInPath) -> None:
    """End all tokens of a name within a second, and the sessions that came of them, with their streams."""
    await jobstore.revoke_token(name)


@sessions_router.get("")
async def list_sessions(jobstore: CallersJobStore, query: Paging) -> Page[Session]:
    """Open sessions, newest first: the caller's own, or for administrators those of tenants that they have."""
    return Page[Session].of(await jobstore.list_sessions(**query.page))


@sessions_router.delete("/{session_id}", status_code=204)
async def end_session(jobstore: CallersJobStore, session_id: UUID) -> None:
    """End a session within a second, wherever it is used, with its streams."""
    await jobstore.end_session(str(session_id))
