"""Divide errors by what may be done about them: wait, or give up."""

from signoff.errors import ErrorCode


class ServiceError(Exception):
    """An error with a stable code beside its message."""

    code: str = ErrorCode.INTERNAL

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class TransientError(ServiceError):
    """An error that may pass by itself: wait, and try again.

    `retry_after_s` is the least to wait, in seconds, where the other side says so.
    """

    code = ErrorCode.UNAVAILABLE

    def __init__(self, message: str = "", *, code: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class DoubtfulError(TransientError):
    """An error of which nobody knows whether it passes: whoever meets it alone is tried again apart from the others."""


class PermanentError(ServiceError):
    """An error that no repetition mends."""

    code = ErrorCode.PERMANENT


class UnableError(PermanentError):
    """An error of this worker alone: another one, which is newer, may be able to do the work."""

    code = ErrorCode.UNABLE
