"""Declare the ways in which a call of an agent fails, with a stable code each."""

from servicekit.errors import ServiceError
from signoff.errors import ErrorCode


class AgentError(ServiceError):
    """A call of an agent failed. `retryable` says whether another call may succeed.

    `status` is the HTTP status, or the agent's own code if there is one; the agent asks to wait `retry_after_s`.
    """

    code: str = ErrorCode.AGENT_ERROR
    retryable = False

    def __init_subclass__(cls, *, code: str, retryable: bool | None = None) -> None:
        """Give a class of errors its code and, unless None, `retryable`: whether another call may succeed."""
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
    """No connection to the agent was made, so that no byte of the request was sent."""


class AgentConnectTimeoutError(AgentUnreachableError, code=ErrorCode.AGENT_CONNECT_TIMEOUT):
    """No connection to the agent was made within the timeout for connecting."""


class AgentHeaderError(AgentUnreachableError, code=ErrorCode.AGENT_HEADER_UNRESOLVED):
    """A header's value cannot be read; an operator can correct that, and another executor may have the value."""


class AgentValueForbiddenError(AgentError, code=ErrorCode.AGENT_VALUE_FORBIDDEN):
    """A header's value, or a secret that signs, is not of the agent's tenant; nothing was sent."""


class AgentBrokenOffError(AgentError, code=ErrorCode.AGENT_CONNECTION_LOST, retryable=True):
    """The connection to the agent was lost before the response had been read to its end."""


class AgentTimeoutError(AgentError, code=ErrorCode.AGENT_TIMEOUT, retryable=True):
    """The whole call took longer than the policy's `attempt_timeout_s`."""


class AgentHeartbeatTimeoutError(AgentError, code=ErrorCode.AGENT_HEARTBEAT_TIMEOUT, retryable=True):
    """The agent accepted the work, and then showed no life for longer than its heartbeat timeout."""


class AgentWorkLostError(AgentError, code=ErrorCode.AGENT_WORK_LOST, retryable=True):
    """The agent accepted the work, and later answered that it does not know the work."""


class AgentWorkUnknownError(AgentError, code=ErrorCode.AGENT_WORK_UNKNOWN):
    """The agent may have been called, does not show the work, and must not be called again (`at_most_once`)."""


class AgentCardError(AgentUnreachableError, code=ErrorCode.AGENT_CARD_UNREADABLE):
    """The card that says where the agent is called cannot be read, so that nothing was sent."""


class AgentVersionError(AgentError, code=ErrorCode.AGENT_PROTOCOL_VERSION):
    """The agent does not speak the version of its protocol that is spoken here."""


class AgentFailedError(AgentError, code=ErrorCode.AGENT_FAILED):
    """The agent accepted the work, and reports that the work failed."""

    def __init__(self, message: str, *, status: str | None, retryable: bool) -> None:
        super().__init__(message, status=status)
        self.retryable = retryable


class AgentBusyError(AgentError, code=ErrorCode.AGENT_STATUS, retryable=True):
    """The agent answered with a status that allows a retry (408, 425, 429, 5xx)."""


class AgentStatusError(AgentError, code=ErrorCode.AGENT_STATUS):
    """The agent answered neither 2xx nor a status that allows a retry, nor declined; or its URL cannot be called."""


class AgentForbiddenError(AgentError, code=ErrorCode.AGENT_ADDRESS_FORBIDDEN):
    """The agent's address is in a network that is not allowed."""


class AgentDeclinedError(AgentError, code=ErrorCode.AGENT_DECLINED):
    """The agent declined the job, by 4xx with the header `Signoff-Declined: <why>` or by the state of its work."""


class AgentAnswerError(AgentError, code=ErrorCode.AGENT_INVALID_JSON):
    """The agent answered 2xx without a usable result, for example without JSON or with a too large result."""


class AgentProtocolError(AgentAnswerError, code=ErrorCode.AGENT_INVALID_STATUS):
    """The agent's answer is not what its protocol has."""


class AgentTruncatedError(AgentError, code=ErrorCode.AGENT_TRUNCATED):
    """The model's answer reached its bound of tokens, and would again."""


class AgentFilteredError(AgentError, code=ErrorCode.AGENT_CONTENT_FILTERED):
    """A content filter stopped the model's answer, or refused the request."""


class AgentOutputError(AgentError, code=ErrorCode.AGENT_OUTPUT_INVALID, retryable=True):
    """The model's answer has no text, or not the form that was asked for; another answer may have it."""
