"""The exit statuses of commands, and the error that ends a command."""

from enum import IntEnum

from signoff.errors import ErrorCode, find_code, find_http_status, is_retryable

_UNAVAILABLE = ErrorCode.UNAVAILABLE.answer.http


class ExitStatus(IntEnum):
    """The exit statuses of all commands; 130 and 143 are an interruption."""

    DONE = 0
    #: A condition does not hold: a job that was waited for did not complete, a check found something wrong.
    NOT_MET = 1
    #: The command, its files or its settings have to be mended.
    USAGE = 2
    #: The server refused.
    REFUSED = 3
    #: Nobody answered, or a part that the answer needs is away.
    OUT_OF_REACH = 4

    @property
    def title(self) -> str:
        """The name of the status in words, such as `Out of reach`."""
        return self.name.capitalize().replace("_", " ")


class CommandError(Exception):
    """An error that ends a command; the message has the reason, and what to do.

    If no exit `status` is given, the exit status follows from the code.
    """

    def __init__(self, message: str, *, code: str = ErrorCode.FAILED, status: ExitStatus | None = None) -> None:
        super().__init__(message)
        self.code = code
        known = find_code(code)
        is_answered = known is None or known.answer.http is not None
        self.status = status or (find_exit_status(code) if is_answered else ExitStatus.USAGE)


def find_exit_status(code: str, grpc_status: str = "") -> ExitStatus:
    """Return the exit status for a server's error code: OUT_OF_REACH if the server is unavailable, else REFUSED."""
    is_away = find_http_status(code, grpc_status) == _UNAVAILABLE
    return ExitStatus.OUT_OF_REACH if is_away else ExitStatus.REFUSED


def build_problem(
    detail: str, code: str, exit_status: ExitStatus, *, grpc_status: str = "", fields: dict[str, str] | None = None
) -> dict[str, object]:
    """Return an error as a problem of RFC 9457, with an HTTP `status` only if a server answers with this code."""
    known = find_code(code)
    is_answered = bool(grpc_status) or (known is not None and known.answer.http is not None)
    problem = {
        "type": "about:blank",
        "title": exit_status.title,
        "status": find_http_status(code, grpc_status) if is_answered else None,
        "detail": detail,
        "code": code,
        "retryable": is_retryable(code, grpc_status),
        "errors": [{"parameter": name, "message": text} for name, text in (fields or {}).items()] or None,
    }
    return {name: value for name, value in problem.items() if value is not None}
