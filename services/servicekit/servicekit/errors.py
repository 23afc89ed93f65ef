"""Errors, by what may be done about them."""


class SignoffError(Exception):
    """Carries a stable code beside its message."""

    code = "internal"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class TransientError(SignoffError):
    """May go by itself: whoever meets it waits and tries again."""

    code = "unavailable"

    def __init__(self, message: str = "", *, code: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class PermanentError(SignoffError):
    """Can never succeed, however often it is tried."""

    code = "permanent"
