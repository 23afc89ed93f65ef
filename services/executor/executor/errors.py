"""Declare the ways in which a call of an agent fails, with a stable code each."""

from servicekit.errors import ServiceError
from signoff.errors import ErrorCode


class AgentError(ServiceError):
    """A call failed. `retryable` says that another call may succeed.

    `status` is the HTTP status, or the agent's own code where it has one; `retry_after_s` is the wait it asked for.
    """

    code: str = ErrorCode.AGENT_ERROR
    retryable = False

    def __init_subclass__(cls, *, code: str, retryable: bool | None = None) -> None:
        """Declare a way to fail by its code, and by whether another call may succeed."""
        cls.code = code
        if retryable is not None:
            cls.retryable = retryable

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


class ExecutorError(AgentError, code=ErrorCode.EXECUTOR_ERROR, retryable=True):
    """The executor itself failed unexpectedly; the agent may have been called."""


class AgentUnreachableError(AgentError, code=ErrorCode.AGENT_UNREACHABLE, retryable=True):
    """No connection was made: not one byte of the request has left."""


class AgentConnectTimeoutError(AgentUnreachableError, code=ErrorCode.AGENT_CONNECT_TIMEOUT):
    """No connection was made within its timeout."""


class AgentHeaderError(AgentUnreachableError, code=ErrorCode.AGENT_HEADER_UNRESOLVED):
    """A header's value cannot be read: an operator can correct that, and another executor may have it."""


class AgentBrokenOffError(AgentError, code=ErrorCode.AGENT_CONNECTION_LOST, retryable=True):
    """The connection ended within the call."""


class AgentTimeoutError(AgentError, code=ErrorCode.AGENT_TIMEOUT, retryable=True):
    """The whole call took longer than it may."""


class AgentHeartbeatTimeoutError(AgentError, code=ErrorCode.AGENT_HEARTBEAT_TIMEOUT, retryable=True):
    """The agent took the work, and was silent for longer than its heartbeat timeout."""


class AgentWorkLostError(AgentError, code=ErrorCode.AGENT_WORK_LOST, retryable=True):
    """The agent took the work, and no longer knows it."""


class AgentFailedError(AgentError, code=ErrorCode.AGENT_FAILED):
    """The agent took the work, and reports that it failed."""

    def __init__(self, message: str, *, status: str | None, retryable: bool) -> None:
        super().__init__(message, status=status)
        self.retryable = retryable


class AgentBusyError(AgentError, code=ErrorCode.AGENT_STATUS, retryable=True):
    """The agent answered with a status that allows a retry (408, 425, 429, 5xx)."""


class AgentStatusError(AgentError, code=ErrorCode.AGENT_STATUS):
    """The agent answered with any other status that is not 2xx."""


class AgentForbiddenError(AgentError, code=ErrorCode.AGENT_ADDRESS_FORBIDDEN):
    """The agent's address is in a network that is not allowed."""


class AgentDeclinedError(AgentError, code=ErrorCode.AGENT_DECLINED):
    """The agent will not do this job: it answered 4xx with the header `Signoff-Declined: <why>`."""


class AgentAnswerError(AgentError, code=ErrorCode.AGENT_INVALID_JSON):
    """The agent answered 2xx without a result: no JSON, or too large."""
