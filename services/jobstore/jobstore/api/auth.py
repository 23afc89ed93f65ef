"""Check who may call: each worker's token opens what its own kind of work needs, the administrator's all but that."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from jobstore.errors import ForbiddenError, UnauthenticatedError
from signoff.v1 import work_service_pb2 as work_pb

Metadata = Sequence[tuple[str, str | bytes]]


class Role(Enum):
    """The role that a token gives its caller."""

    ADMINISTRATOR = "administrator"
    EXECUTOR = "executor"
    VALIDATOR = "validator"


_WORK_SERVICE: Final = "/signoff.v1.WorkService/"
#: Who may call the methods of WorkService; nobody may call one that is not named here.
_WORKERS: Final[Mapping[str, frozenset[Role]]] = {
    "BeginExecutions": frozenset({Role.EXECUTOR}),
    "BeginJudgings": frozenset({Role.VALIDATOR}),
    "RenewLeases": frozenset({Role.EXECUTOR, Role.VALIDATOR}),
}
#: The kind of work whose leases a role holds.
_WORK_KINDS: Final = {Role.EXECUTOR: work_pb.WORK_KIND_EXECUTING, Role.VALIDATOR: work_pb.WORK_KIND_JUDGING}


class Tokens:
    """Find the role of a token; tokens are compared in constant time."""

    def __init__(self, tokens: Mapping[Role, Iterable[str]]) -> None:
        self._roles = [(token.encode(), role) for role, values in tokens.items() for token in values]

    def get_role(self, metadata: Metadata | None) -> Role:
        """Return the role of a call's `authorization: Bearer <token>`. UnauthenticatedError: no known token."""
        header = next((value for key, value in metadata or () if key == "authorization"), "")
        scheme, _, presented = (header.encode() if isinstance(header, str) else header).partition(b" ")
        if scheme.lower() == b"bearer":
            for token, role in self._roles:
                if hmac.compare_digest(token, presented):
                    return role
        message = "a known token is needed in the metadata `authorization: Bearer <token>`"
        raise UnauthenticatedError(message)

    def check_method(self, method: str, metadata: Metadata | None) -> Role | None:
        """Let the call of a method go on, and return its caller's role, or raise. Health and reflection need none.

        ForbiddenError: the token is for other methods.
        """
        if method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return None
        role = self.get_role(metadata)
        if method.startswith(_WORK_SERVICE):
            allowed = _WORKERS.get(method.removeprefix(_WORK_SERVICE), frozenset())
        else:
            allowed = frozenset({Role.ADMINISTRATOR})
        if role not in allowed:
            raise ForbiddenError(f"the token of the role {role.value} does not open {method}")
        return role


def check_kind(role: Role | None, request: Any) -> None:
    """Let a worker renew and give back leases of its own kind alone. ForbiddenError: the request is for another."""
    if isinstance(request, work_pb.RenewLeasesRequest) and request.kind != _WORK_KINDS.get(role):  # type: ignore[arg-type]
        raise ForbiddenError("a worker renews and gives back leases of its own kind of work alone: set `kind` to that")
