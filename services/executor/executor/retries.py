"""Decide whether an agent is called again after a call that failed, and when."""

import random

from contracts.resources import Policy
from executor.errors import AgentDeclinedError, AgentError, AgentUnreachableError
from executor.ports import Grant
from signoff.status import Delivery

#: The longest wait in this process. For longer the lease is given back, with the time at which the next call is due.
WAIT_HERE_MAX_S = 30.0


def wait_s(grant: Grant, number: int, error: AgentError) -> float | None:
    """Return the seconds until the next call, after the one with this number failed, or None if there is none."""
    if number >= (grant.policy.max_calls or 1) or not may_retry(grant.policy, error):
        return None
    return max(backoff_s(grant.policy, number), error.retry_after_s or 0.0)


def may_retry(policy: Policy, error: AgentError) -> bool:
    """Decide whether another call may follow this failure.

    Under `at_most_once` none may once a byte has left; then the policy's codes decide, `no_retry_codes` first.
    """
    if isinstance(error, AgentDeclinedError):
        return False
    if policy.delivery is Delivery.AT_MOST_ONCE and not isinstance(error, AgentUnreachableError):
        return False
    codes = {error.code, str(error.status)}
    if codes.intersection(policy.no_retry_codes or ()):
        return False
    return error.retryable or bool(codes.intersection(policy.retry_codes or ()))


def backoff_s(policy: Policy, number: int) -> float:
    """Return a random wait, in seconds, up to a limit that grows from call to call.

    Full jitter keeps the calls that failed together from coming back together.
    """
    first_s, longest_s = policy.backoff_first_s or 0.0, policy.backoff_max_s or 0.0
    limit_s = min(longest_s, first_s * (policy.backoff_factor or 1.0) ** min(number - 1, 100))
    return random.uniform(0.0, limit_s)  # noqa: S311 - no secret
