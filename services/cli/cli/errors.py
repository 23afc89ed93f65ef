"""The error that ends a command with status 1."""

from contracts.errors import ErrorCode


class CommandError(Exception):
    """A command failed; the message says why, and what to do."""

    def __init__(self, message: str, *, code: str = ErrorCode.FAILED) -> None:
        super().__init__(message)
        self.code = code
