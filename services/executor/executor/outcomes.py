"""Decide what follows a call of an agent, and build the events that report it. Pure."""

import random
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from contracts.events import JobStatusReported, ResultProduced, to_call_begun
from contracts.resources import Policy, Usage
from contracts.topics import measure
from executor.errors import AgentDeclinedError, AgentError, AgentUnreachableError, ExecutorError
from executor.ports import Grant, Progress
from servicekit import clock
from signoff.errors import ErrorCode
from signoff.status import Delivery, ReportKind

#: Characters of an agent's text in a report; a longer one is cut.
MESSAGE_MAX = 2_000
#: Characters and bytes of progress, which stays in the job's log for ever: a longer message is cut, a larger partial
#: result left out.
PROGRESS_MESSAGE_MAX = 500
PARTIAL_MAX_BYTES = 16 << 10


def to_result_event(
    grant: Grant, result: object, duration_s: float, usage: Usage | None = None, began_at: datetime | None = None
) -> ResultProduced:
    """Return the event that publishes an agent's result, with all that validators need."""
    request = from_json(grant.request)
    return ResultProduced(
        execution_id=grant.lease.execution_id,
        job_id=grant.job_id,
        attempt=grant.attempt,
        lease=grant.lease.lease,
        submission=grant.submission,
        acceptance_criteria=request["acceptance_criteria"],
        title=request["title"],
        result=result,
        duration_s=duration_s,
        usage=usage,
        began_at=began_at,
        produced_at=clock.now(),
    )


def to_printable(text: str) -> str:
    """Return an untrusted text, cut to MESSAGE_MAX characters, with U+FFFD in place of unprintable characters."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:MESSAGE_MAX])


def read_progress(fraction: float | None, message: str | None, partial: Any) -> Progress:
    """Return an agent's progress with message and partial result bounded; the message says what was cut or left out."""
    words = [] if message is None else [to_printable(message[:PROGRESS_MESSAGE_MAX])]
    if message is not None and len(message) > PROGRESS_MESSAGE_MAX:
        words.append(f"(cut, of {len(message)} characters)")
    if (size := measure(partial)) > PARTIAL_MAX_BYTES:
        partial = None
        words.append(f"(a partial result of {size} bytes, more than {PARTIAL_MAX_BYTES}, is left out)")
    return Progress(fraction, " ".join(words) or None, partial)


class AttemptReports:
    """Build the reports of one attempt, numbered in order; the first says that the agent is being called."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self._seq = 1
        #: When the agent was first called.
        self.began_at = clock.now()

    def describe_begin(self, handle: str | None = None) -> JobStatusReported:
        """Return the report that the agent is being called, with its name for the work, if it has given one."""
        lease = self._grant.lease
        begun = to_call_begun(lease.execution_id, self._grant.job_id, self._grant.attempt, lease.lease, self.began_at)
        return begun if handle is None else begun.model_copy(update={"handle": handle})

    def describe_handle(self, handle: str) -> JobStatusReported:
        """Return the report of the agent's name for the work, once the begin of the call was reported."""
        return self._report(ReportKind.PROGRESS, None, handle=handle)

    def describe_progress(self, progress: Progress) -> JobStatusReported:
        """Return the report of the agent's progress."""
        return self._report(ReportKind.PROGRESS, progress.message, progress=progress.fraction, partial=progress.partial)

    def describe_failure(
        self, number: int, error: AgentError, wait_s: float | None, *, here: bool, **fields: Any
    ) -> JobStatusReported:
        """Return the report that call `number` failed; with `wait_s` another follows, in this attempt if `here`."""
        kind = ReportKind.CALL_FAILED if here else ReportKind.ATTEMPT_FAILED
        if wait_s is None:
            kind = ReportKind.DECLINED if isinstance(error, AgentDeclinedError) else ReportKind.FAILED
        return self._report(
            kind,
            f"{to_printable(str(error))}{self._describe_next(number, error, wait_s)}",
            code=error.code,
            call=number,
            retryable=None if isinstance(error, ExecutorError) else error.retryable,
            retry_after_s=wait_s,
            began_at=self.began_at,
            **fields,
        )

    def describe_exhaustion(self, number: int, error: AgentError, used_up: str, **fields: Any) -> JobStatusReported:
        """Return the report that call `number` failed, and that no other follows, as the budget is used up."""
        return self._report(
            ReportKind.FAILED,
            f"{used_up}, and the agent is not called again; call {number} failed: {to_printable(str(error))}",
            code=ErrorCode.BUDGET_EXHAUSTED,
            call=number,
            retryable=error.retryable,
            began_at=self.began_at,
            **fields,
        )

    def _describe_next(self, number: int, error: AgentError, wait_s: float | None) -> str:
        limit = self._grant.policy.max_calls
        if wait_s is not None:
            return f"; call {number + 1} of {limit} follows in {wait_s:.3g} s"
        return f"; it was call {number} of {limit}" if error.retryable else ""

    def _report(self, kind: ReportKind, message: str | None, **fields: object) -> JobStatusReported:
        self._seq += 1
        common = {
            "execution_id": self._grant.lease.execution_id,
            "job_id": self._grant.job_id,
            "kind": kind,
            "attempt": self._grant.attempt,
            "lease": self._grant.lease.lease,
            "seq": self._seq,
            "message": message,
            "reported_at": clock.now(),
        }
        return JobStatusReported.model_validate(common | fields)


#: The longest wait in this process. For a longer one the lease is given back, with the time of the next call.
WAIT_HERE_MAX_S = 30.0


def wait_s(grant: Grant, number: int, error: AgentError) -> float | None:
    """Return the seconds from the failure of call `number` to the next call, or None if no other call may follow."""
    if number >= (grant.policy.max_calls or 1) or not may_retry(grant.policy, error, sends=not grant.follows_only):
        return None
    return max(backoff_s(grant.policy, number), error.retry_after_s or 0.0)


def may_retry(policy: Policy, error: AgentError, *, sends: bool = True) -> bool:
    """Return whether, by the policy, another call may follow one that failed with `error`; never after a decline.

    `at_most_once`: only if unreachable, or if the call `sends` nothing. `no_retry_codes` forbid it; else
    `error.retryable` allows it, and `retry_codes` do, unless nothing is sent: the end of work stays as it is.
    """
    if isinstance(error, AgentDeclinedError):
        return False
    if sends and policy.delivery is Delivery.AT_MOST_ONCE and not isinstance(error, AgentUnreachableError):
        return False
    codes = {error.code, str(error.status)}
    if codes.intersection(policy.no_retry_codes or ()):
        return False
    return error.retryable or (sends and bool(codes.intersection(policy.retry_codes or ())))


def backoff_s(policy: Policy, number: int) -> float:
    """Return a random wait in seconds after call `number` failed, up to a limit that grows from call to call.

    Full jitter keeps calls that failed together from being repeated together.
    """
    first_s, longest_s = policy.backoff_first_s or 0.0, policy.backoff_max_s or 0.0
    limit_s = min(longest_s, first_s * (policy.backoff_factor or 1.0) ** min(number - 1, 100))
    return random.uniform(0.0, limit_s)  # noqa: S311 - no secret
