"""Check who may call: a worker's token opens WorkService, the administrator's all others."""

import hmac
from collections.abc import Sequence
from enum import Enum

from jobstore.errors import ForbiddenError, UnauthenticatedError


class Role(Enum):
    """The role that a token gives its caller."""

    ADMINISTRATOR = "administrator"
    WORKER = "worker"


class Tokens:
    """Find the role of a token; tokens are compared in constant time."""

    def __init__(self, administrator: str, worker: str) -> None:
        self._roles = [(administrator.encode(), Role.ADMINISTRATOR), (worker.encode(), Role.WORKER)]

    def get_role(self, metadata: Sequence[tuple[str, str | bytes]] | None) -> Role:
        """Return the role of a call's `authorization: Bearer <token>`. UnauthenticatedError: no known token."""
        header = next((value for key, value in metadata or () if key == "authorization"), "")
        presented = (header.encode() if isinstance(header, str) else header).removeprefix(b"Bearer ")
        for token, role in self._roles:
            if hmac.compare_digest(token, presented):
                return role
        message = "a known token is needed in the metadata `authorization: Bearer <token>`"
        raise UnauthenticatedError(message)

    def check(self, method: str, metadata: Sequence[tuple[str, str | bytes]] | None) -> None:
        """Let the call of a method go on, or raise. ForbiddenError: the token is for other methods."""
        if method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return
        role = self.get_role(metadata)
        needed = Role.WORKER if method.startswith("/signoff.v1.WorkService/") else Role.ADMINISTRATOR
        if role is not needed:
            raise ForbiddenError(f"a {role.value}'s token does not open {method}")
