"""Declare the ways in which a call of an agent fails, with a stable code each."""

from servicekit.errors import ServiceError
from signoff.errors import ErrorCode


class AgentError(ServiceError):
    """A call failed. `retryable` says that another call may succeed.

    `status` is the HTTP status, or the agent's own code where it has one; `retry_after_s` is the wait it asked for.
    """

    code = ErrorCode.AGENT_ERROR
    retryable = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after_s = retry_after_s


class ExecutorError(AgentError):
    """The executor itself failed unexpectedly; the agent may have been called."""

    code = ErrorCode.EXECUTOR_ERROR
    retryable = True


class AgentUnreachableError(AgentError):
    """No connection was made: not one byte of the request has left."""

    code = ErrorCode.AGENT_UNREACHABLE
    retryable = True


class AgentConnectTimeoutError(AgentUnreachableError):
    """No connection was made within its timeout."""

    code = ErrorCode.AGENT_CONNECT_TIMEOUT


class AgentHeaderError(AgentUnreachableError):
    """A header's value cannot be read: an operator can correct that, and another executor may have it."""

    code = ErrorCode.AGENT_HEADER_UNRESOLVED


class AgentBrokenOffError(AgentError):
    """The connection ended within the call."""

    code = ErrorCode.AGENT_CONNECTION_LOST
    retryable = True


class AgentTimeoutError(AgentError):
    """The whole call took longer than it may."""

    code = ErrorCode.AGENT_TIMEOUT
    retryable = True


class AgentHeartbeatTimeoutError(AgentError):
    """The agent took the work, and was silent for longer than its heartbeat timeout."""

    code = ErrorCode.AGENT_HEARTBEAT_TIMEOUT
    retryable = True


class AgentWorkLostError(AgentError):
    """The agent took the work, and no longer knows it."""

    code = ErrorCode.AGENT_WORK_LOST
    retryable = True


class AgentFailedError(AgentError):
    """The agent took the work, and reports that it failed."""

    code = ErrorCode.AGENT_FAILED

    def __init__(self, message: str, *, status: str | None, retryable: bool) -> None:
        super().__init__(message, status=status)
        self.retryable = retryable


class AgentBusyError(AgentError):
    """The agent answered with a status that allows a retry (408, 425, 429, 5xx)."""

    code = ErrorCode.AGENT_STATUS
    retryable = True


class AgentStatusError(AgentError):
    """The agent answered with any other status that is not 2xx."""

    code = ErrorCode.AGENT_STATUS


class AgentForbiddenError(AgentError):
    """The agent's address is in a network that is not allowed."""

    code = ErrorCode.AGENT_ADDRESS_FORBIDDEN


class AgentDeclinedError(AgentError):
    """The agent will not do this job: it answered 4xx with the header `Signoff-Declined: <why>`."""

    code = ErrorCode.AGENT_DECLINED


class AgentAnswerError(AgentError):
    """The agent answered 2xx without a result: no JSON, or too large."""

    code = ErrorCode.AGENT_INVALID_JSON
