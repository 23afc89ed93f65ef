"""Errors that a call is answered with. Each has a stable code; gRPC translates each class to a status."""

from servicekit.errors import PermanentError, TransientError


class NotFoundError(PermanentError):
    """Nothing has the id or name that was given."""

    code = "not_found"


class ConflictError(PermanentError):
    """Something else has the id that was given."""

    code = "conflict"


class RefusedError(PermanentError):
    """The state of the job, batch or limit does not allow it."""

    code = "refused"


class UnknownCursorError(PermanentError):
    """A watch cannot be resumed after its cursor; the caller begins a new one."""

    code = "unknown_cursor"


class InvalidError(PermanentError):
    """The request is not well formed."""

    code = "invalid_request"


class DatabaseFaultError(PermanentError):
    """The database failed at one command alone, for too long, while it could be written."""

    code = "database_error"


def check_size(size: int, limit: int) -> None:
    """Raise an InvalidError if what was given has more bytes than the limit allows."""
    if size > limit:
        raise InvalidError(f"{size} bytes of JSON exceed the limit of {limit}", code="payload_too_large")


class UnauthenticatedError(PermanentError):
    """The call has no token, or an unknown one."""

    code = "unauthenticated"


class ForbiddenError(PermanentError):
    """The token does not allow the call."""

    code = "forbidden"


class TooManyCallsError(TransientError):
    """The caller's role has as many calls under way as it may have, or as much is read as may be at once."""

    code = "too_many_calls"


class TooSlowError(TransientError):
    """The caller sends its request too slowly, or does not take what it is sent."""

    code = "too_slow"
