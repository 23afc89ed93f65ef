"""Errors of services, and the codes of a database that is out of reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from signoff.errors import ErrorCode


class ServiceError(Exception):
    """An error with a stable code beside its message."""

    code: str = ErrorCode.INTERNAL

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class TransientError(ServiceError):
    """An error that may pass by itself, so that the operation is tried again.

    `retry_after_s` is the shortest wait in seconds, if the other side asked for one.
    """

    code = ErrorCode.UNAVAILABLE

    def __init__(self, message: str = "", *, code: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class DoubtfulError(TransientError):
    """An error that may or may not pass: an item that alone causes it is tried again separately from the others."""


class PostponedError(DoubtfulError):
    """An error that passes for all items of a kind at once, such as new work: others are handled meanwhile."""


class RefusedError(TransientError):
    """A refusal by another part, for what this process is or may: it passes only if somebody changes that.

    It is tried again for a few seconds (servicekit.retry.Patience), since rules that are changed reach brokers one by
    one; then it ends the operation, and a service.
    """


class PermanentError(ServiceError):
    """An error that a retry does not mend."""

    code = ErrorCode.PERMANENT


class UnableError(PermanentError):
    """An error of this version of a worker: a newer worker may be able to do the work."""

    code = ErrorCode.UNABLE


@dataclass(frozen=True, slots=True)
class Outage:
    """The fault of a database, and its remedy."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"Signoff cannot write to its database: {self.what}"


#: By the code of a call's error, or of a health check that answers NOT_SERVING (trailer `signoff-code`).
DATABASE_OUTAGES: Final[Mapping[str, Outage]] = {
    ErrorCode.DATABASE_UNAVAILABLE: Outage(
        "it is out of reach", "start PostgreSQL, or correct SIGNOFF_DATABASE_URL; the jobstore's log has the reason"
    ),
    ErrorCode.DATABASE_IN_RECOVERY: Outage(
        "it is in recovery: a standby, or a server that starts",
        "wait until it has recovered, promote it, or let SIGNOFF_DATABASE_URL name the primary",
    ),
    ErrorCode.DATABASE_READ_ONLY: Outage(
        "it is read-only",
        "find who set default_transaction_read_only (of the server, database or role) and why, and reset it",
    ),
    ErrorCode.DATABASE_OUT_OF_SPACE: Outage(
        "its disk is full", "free space for PostgreSQL's data and WAL, or enlarge the disk; nothing needs a restart"
    ),
    ErrorCode.DATABASE_OUT_OF_CONNECTIONS: Outage(
        "it takes no more connections",
        "end connections that nobody needs, or raise max_connections or the limit of the role or database; "
        "each jobstore needs SIGNOFF_DATABASE_POOL and two more",
    ),
    ErrorCode.DATABASE_FORBIDDEN: Outage(
        "the jobstore's role lacks a privilege",
        "let the role log in, and GRANT it SELECT, INSERT, UPDATE and DELETE on all tables of the jobstore",
    ),
    ErrorCode.DATABASE_NOT_MIGRATED: Outage(
        "the jobstore's tables are missing, or of another version",
        "let SIGNOFF_DATABASE_URL name the right database, and start a jobstore of this version, which migrates it",
    ),
}
