"""The error that ends a command with status 1."""


class CommandError(Exception):
    """A command failed; the message says why, and what to do."""

    def __init__(self, message: str, *, code: str = "failed") -> None:
        super().__init__(message)
        self.code = code
