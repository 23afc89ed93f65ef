"""Who may call: the administrator's token opens every door, a worker's token those of workers."""

import hmac
from collections.abc import Sequence
from enum import Enum

from jobstore.errors import ForbiddenError, UnauthenticatedError


class Role(Enum):
    """What a token is for."""

    ADMINISTRATOR = "administrator"
    WORKER = "worker"


class Tokens:
    """Knows tokens, and compares them in constant time."""

    def __init__(self, administrator: str, worker: str) -> None:
        self._roles = [(administrator.encode(), Role.ADMINISTRATOR), (worker.encode(), Role.WORKER)]

    def role(self, metadata: Sequence[tuple[str, str | bytes]] | None) -> Role:
        """The role of a call's `authorization: Bearer <token>`. UnauthenticatedError: none that is known."""
        header = next((value for key, value in metadata or () if key == "authorization"), "")
        given = (header.encode() if isinstance(header, str) else header).removeprefix(b"Bearer ")
        for token, role in self._roles:
            if hmac.compare_digest(token, given):
                return role
        message = "a known token is needed in the metadata `authorization: Bearer <token>`"
        raise UnauthenticatedError(message)

    def check(self, method: str, metadata: Sequence[tuple[str, str | bytes]] | None) -> None:
        """Whether the call may go on. ForbiddenError: the token is for something else."""
        if method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return
        role = self.role(metadata)
        needed = Role.WORKER if method.startswith("/signoff.v1.WorkService/") else Role.ADMINISTRATOR
        if role is not needed:
            raise ForbiddenError(f"a {role.value}'s token does not open {method}")
