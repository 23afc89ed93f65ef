"""Check who may call: each worker's token opens what its own kind of work needs, the administrator's all but that."""

import hmac
from collections.abc import Collection, Iterable, Mapping
from contextvars import ContextVar
from enum import Enum
from typing import Final

from jobstore.errors import ForbiddenError, UnauthenticatedError
from jobstore.jobs.model import ADMINISTRATOR, EXECUTOR, SIGNOFF, VALIDATOR, Actor
from signoff.worker.v1 import work_service_pb2 as work_pb

Metadata = Iterable[tuple[str, str | bytes]]


class Role(Enum):
    """The role that a token gives its caller, who is named by it in what the call changes."""

    ADMINISTRATOR = ADMINISTRATOR
    EXECUTOR = EXECUTOR
    VALIDATOR = VALIDATOR


#: Who makes the call that is under way, by the token alone. Outside of calls Signoff itself acts.
CALLER: Final[ContextVar[Actor]] = ContextVar("caller", default=SIGNOFF)


_WORK_SERVICE: Final = "/signoff.worker.v1.WorkService/"
#: Who may call the methods of WorkService; nobody may call one that is not named here.
_WORKERS: Final[Mapping[str, Collection[Role]]] = {
    "BeginExecutions": (Role.EXECUTOR,),
    "BeginJudgings": (Role.VALIDATOR,),
    "FinishJudgings": (Role.VALIDATOR,),
    "RenewLeases": (Role.EXECUTOR, Role.VALIDATOR),
    "ReportJudge": (Role.VALIDATOR,),
    "WatchWaitingJudgings": (Role.VALIDATOR,),
}
#: The kind of work whose leases a role holds.
_WORK_KINDS: Final = {Role.EXECUTOR: work_pb.WORK_KIND_EXECUTING, Role.VALIDATOR: work_pb.WORK_KIND_JUDGING}


class Tokens:
    """Find the role of a token; tokens are compared in constant time."""

    def __init__(self, tokens: Mapping[Role, Iterable[str]]) -> None:
        self._roles = [(token.encode(), role) for role, values in tokens.items() for token in values]

    def get_role(self, metadata: Metadata | None) -> Role:
        """Return the role of a call's `authorization: Bearer <token>`. UnauthenticatedError: no known token."""
        presented = read_token(metadata)
        for token, role in self._roles if presented is not None else ():
            if hmac.compare_digest(token, presented or b""):
                return role
        message = "a known token is needed in the metadata `authorization: Bearer <token>`"
        raise UnauthenticatedError(message)

    def check_method(self, method: str, metadata: Metadata | None) -> Role:
        """Return the role of a call's caller. UnauthenticatedError; ForbiddenError: its token is for other methods."""
        role = self.get_role(metadata)
        if role not in _find_roles(method):
            raise ForbiddenError(f"the token of the role {role.value} does not open {method}")
        return role


def read_token(metadata: Metadata | None) -> bytes | None:
    """Return the token of a call's `authorization: Bearer <token>`, if it has one."""
    header = next((value for key, value in metadata or () if key == "authorization"), "")
    scheme, _, presented = (header.encode() if isinstance(header, str) else header).partition(b" ")
    return presented if scheme.lower() == b"bearer" else None


def _find_roles(method: str) -> Collection[Role]:
    """Return the roles that may call a method."""
    if method.startswith(_WORK_SERVICE):
        return _WORKERS.get(method.removeprefix(_WORK_SERVICE), ())
    return tuple(Role) if method.startswith(("/grpc.health.", "/grpc.reflection.")) else (Role.ADMINISTRATOR,)


def check_kind(role: Role, request: object) -> None:
    """Let a worker renew and give back leases of its own kind alone. ForbiddenError: the request is for another."""
    if isinstance(request, work_pb.RenewLeasesRequest) and request.kind != _WORK_KINDS.get(role):
        raise ForbiddenError("a worker renews and gives back leases of its own kind of work alone: set `kind` to that")
