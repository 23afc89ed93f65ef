"""Divide errors by the reaction to them: retry, or give up."""

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
    """An error that may or may not pass: an item that fails so alone is tried again apart from the others."""


class PermanentError(ServiceError):
    """An error that a retry does not mend."""

    code = ErrorCode.PERMANENT


class UnableError(PermanentError):
    """An error of this worker alone: a newer one may be able to do the work."""

    code = ErrorCode.UNABLE
