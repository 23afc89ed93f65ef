"""Who calls the jobstore in memory: tokens that open everything, and sessions of them."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import grpc

from contracts.access import ACCESS, name_roles
from signoff.identity import Caller, Session
from signoff.status import Role
from signoff.v1 import identity_service_pb2 as pb
from signoff.v1.identity_service_pb2_grpc import IdentityServiceServicer
from signoff.wire import write_message
from support.fake_operations import Refusal

BOOTSTRAP = Caller(name="bootstrap", actor="token:bootstrap", role=Role.ADMINISTRATOR, tenants=[], all_tenants=True)


class FakeIdentity(IdentityServiceServicer):
    """`callers` by their tokens."""

    changed: asyncio.Condition

    def __init__(self) -> None:
        super().__init__()
        self.callers: dict[str, Caller] = {}
        self.watched_callers: list[str] = []

    def add_caller(self, token: str, role: Role = Role.VIEWER, tenants: list[str] | None = None, **fields) -> Caller:
        all_tenants = tenants is None
        caller = Caller(
            name=token, actor=f"token:{token}", role=role, tenants=tenants or [], all_tenants=all_tenants, **fields
        )
        self.callers[token] = caller
        return caller

    async def end_token(self, token: str) -> None:
        del self.callers[token]
        async with self.changed:
            self.changed.notify_all()

    def token_of(self, context) -> str:
        """The token of a call. Refusal: nobody has it."""
        token = dict(context.invocation_metadata()).get("authorization", "").removeprefix("Bearer ")
        if token not in self.callers:
            raise Refusal(grpc.StatusCode.UNAUTHENTICATED, "unauthenticated", "the token is not known")
        return token

    def check_caller(self, context, method: str) -> None:
        """Raise Refusal if the caller may not call a method."""
        caller, access = self.callers[self.token_of(context)], ACCESS[method]
        if caller.role not in access.roles:
            needs = f"{method} needs {name_roles(access.roles)}"
            raise Refusal(grpc.StatusCode.PERMISSION_DENIED, "forbidden", needs)

    async def GetCaller(self, request, context):
        return write_message(pb.GetCallerResponse, {"caller": self.callers[self.token_of(context)]})

    async def WatchCaller(self, request, context):
        token = self.token_of(context)
        self.watched_callers.append(token)
        try:
            yield write_message(pb.WatchCallerResponse, {"caller": self.callers[token]})
            async with self.changed:
                await self.changed.wait_for(lambda: token not in self.callers)
            self.token_of(context)
        finally:
            self.watched_callers.remove(token)

    async def CreateSession(self, request, context):
        return self.begin_session(self.token_of(context), request.client)

    def begin_session(self, token: str, client: str = "console") -> pb.CreateSessionResponse:
        caller = self.callers[token]
        session_id, secret = str(uuid4()), f"session-{uuid4()}"
        self.callers[secret] = caller.model_copy(update={"session_id": session_id})
        made = {name: getattr(caller, name) for name in ("name", "actor", "role", "tenants", "all_tenants")}
        session = Session(id=session_id, client=client, created_at=datetime.now(UTC), **made)
        return write_message(pb.CreateSessionResponse, {"session": session, "secret": secret})

    async def EndSession(self, request, context):
        token = self.token_of(context)
        if self.callers[token].session_id is None:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "invalid_request", "is needed", "session_id")
        await self.end_token(token)
        return pb.EndSessionResponse()
