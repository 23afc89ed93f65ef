"""Errors that a call is answered with. Each has a stable code; signoff.errors says by which status it is answered."""

from typing import NamedTuple

from servicekit.errors import PermanentError, TransientError
from signoff.errors import ErrorCode


class NotFoundError(PermanentError):
    """Nothing has the id or name that was given."""

    code = ErrorCode.NOT_FOUND


class ConflictError(PermanentError):
    """Another resource has the id that was given."""

    code = ErrorCode.CONFLICT


class RefusedError(PermanentError):
    """The state of the job, batch or limit does not allow the request."""

    code = ErrorCode.REFUSED


class UnknownCursorError(PermanentError):
    """No watch can be resumed after the cursor that was given; the caller begins a new watch."""

    code = ErrorCode.UNKNOWN_CURSOR


class Violation(NamedTuple):
    """The error of one field. `field` is its name in the request; `message` does not name the field."""

    field: str
    message: str


class InvalidError(PermanentError):
    """The request is not well formed. If one field is at fault, `violations` names that field."""

    code = ErrorCode.INVALID_REQUEST

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message if field is None else f"{field}: {message}", code=code)
        self.violations = [] if field is None else [Violation(field, message)]


def make_removed_error(job_id: str, how: str = "") -> NotFoundError:
    """Return the NotFoundError of a job that was removed: its id stays taken. `how`: when, by whom, with which end."""
    return NotFoundError(f"the job {job_id} was removed{how}", code=ErrorCode.JOB_REMOVED)


def make_unknown_tenant_error(name: str, field: str | None = None) -> InvalidError:
    """Return the InvalidError of a tenant that is not registered, or not the caller's: nobody tells them apart."""
    return InvalidError(f"no tenant has the name {name}", code=ErrorCode.UNKNOWN_TENANT, field=field)


class DatabaseFaultError(PermanentError):
    """The database failed at one command alone for too long, although the database could be written."""

    code = ErrorCode.DATABASE_ERROR


class UnauthenticatedError(PermanentError):
    """The call has no credential that opens anything. All are answered alike: `reason` is for the log and the audit."""

    code = ErrorCode.UNAUTHENTICATED

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or message


class ForbiddenError(PermanentError):
    """The token does not allow the call. `reason`: whether a role is needed, or a tenant, as the audit keeps it."""

    code = ErrorCode.FORBIDDEN

    def __init__(self, message: str, *, reason: str = "role") -> None:
        super().__init__(message)
        self.reason = reason


class UnimplementedError(PermanentError):
    """The server has no such method."""

    code = ErrorCode.UNIMPLEMENTED


class TooManyCallsError(TransientError):
    """The caller's role has as many calls under way as are allowed, or as many reads are under way as are allowed."""

    code = ErrorCode.TOO_MANY_CALLS


class TooSlowError(TransientError):
    """The caller sends its request, or takes its answer, too slowly."""

    code = ErrorCode.TOO_SLOW
