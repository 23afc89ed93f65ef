"""Declare the ways in which a call of an agent fails, with a stable code each."""

from servicekit.errors import SignoffError


class AgentError(SignoffError):
    """A call failed. `retryable` says that another call may succeed.

    `status` is the HTTP status, or the agent's own code where it has one; `retry_after_s` is the wait it asked for.
    """

    code = "agent_error"
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
    """The executor itself failed unexpectedly; the agent may have been called, and is not to blame."""

    code = "executor_error"
    retryable = True


class AgentUnreachableError(AgentError):
    """No connection was made: not one byte of the request has left."""

    code = "agent_unreachable"
    retryable = True


class AgentConnectTimeoutError(AgentUnreachableError):
    """No connection was made within its timeout."""

    code = "agent_connect_timeout"


class AgentHeaderError(AgentUnreachableError):
    """A header's value cannot be read: whoever runs the executors can mend it, and another one may have it."""

    code = "agent_header_unresolved"


class AgentBrokenOffError(AgentError):
    """The connection ended within the call."""

    code = "agent_connection_lost"
    retryable = True


class AgentTimeoutError(AgentError):
    """The whole call took longer than it may."""

    code = "agent_timeout"
    retryable = True


class AgentHeartbeatTimeoutError(AgentError):
    """The agent took the work, and was silent for longer than it may be."""

    code = "agent_heartbeat_timeout"
    retryable = True


class AgentWorkLostError(AgentError):
    """The agent took the work, and knows it no more."""

    code = "agent_work_lost"
    retryable = True


class AgentFailedError(AgentError):
    """The agent took the work, and says that it failed."""

    code = "agent_failed"

    def __init__(self, message: str, *, status: str | None, retryable: bool) -> None:
        super().__init__(message, status=status)
        self.retryable = retryable


class AgentBusyError(AgentError):
    """The agent answered with a status that asks to come again later (408, 425, 429, 5xx)."""

    code = "agent_status"
    retryable = True


class AgentStatusError(AgentError):
    """The agent answered with any other status that is not 2xx."""

    code = "agent_status"


class AgentForbiddenError(AgentError):
    """The agent's address is in a network that is not allowed."""

    code = "agent_address_forbidden"


class AgentDeclinedError(AgentError):
    """The agent will not do this job: it answered 4xx with the header `Signoff-Declined: <why>`."""

    code = "agent_declined"


class AgentAnswerError(AgentError):
    """The agent answered 2xx with what is no result: no JSON, or too large."""

    code = "agent_invalid_json"
