"""Why a call is answered with an error: stable codes, in the families that the doors translate."""

from servicekit.errors import PermanentError


class NotFoundError(PermanentError):
    """Nothing of that name is known."""

    code = "not_found"


class ConflictError(PermanentError):
    """Something else of that name is known."""

    code = "conflict"


class RefusedError(PermanentError):
    """What is there does not allow it."""

    code = "refused"


class UnknownCursorError(PermanentError):
    """A watch cannot go on behind its cursor."""

    code = "unknown_cursor"


class InvalidError(PermanentError):
    """The request is not well formed."""

    code = "invalid_request"


class UnauthenticatedError(PermanentError):
    """No token, or one that nobody knows."""

    code = "unauthenticated"


class ForbiddenError(PermanentError):
    """The token does not allow it."""

    code = "forbidden"
