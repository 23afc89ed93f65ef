"""What is told of an attempt, and what follows from how it ended."""

import random
from datetime import UTC, datetime

from pydantic_core import from_json

from contracts.events import JobStatusReported, ResultProduced
from contracts.jsontext import json_text
from contracts.status import Delivery, ReportKind
from executor.errors import AgentDeclinedError, AgentError, AgentUnreachableError
from executor.ports import Grant

#: Headers of every call of an agent, beside `Idempotency-Key`.
ATTEMPT_HEADER = "Signoff-Attempt"
DECLINED_HEADER = "Signoff-Declined"
MESSAGE_MAX = 2_000


def headers(grant: Grant) -> dict[str, str]:
    """The same key for every call of one execution, so that an agent that knows it does the work once."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Idempotency-Key": str(grant.lease.execution_id),
        ATTEMPT_HEADER: str(grant.attempt),
    }


def begun(grant: Grant) -> JobStatusReported:
    """The call has begun."""
    return _report(grant, ReportKind.CALL_BEGUN, seq=1, message=f"attempt {grant.attempt}: the agent is being called")


def produced(grant: Grant, result: object, duration_s: float) -> ResultProduced:
    """The agent's result, with what is needed to judge it."""
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
        produced_at=datetime.now(UTC),
    )


def failed(grant: Grant, error: AgentError, backoff_s: float, duration_s: float) -> JobStatusReported:
    """How the call failed: for good, or so that another attempt may succeed after `backoff_s`."""
    kind = ReportKind.ATTEMPT_FAILED if _may_retry(grant, error) else ReportKind.FAILED
    if isinstance(error, AgentDeclinedError):
        kind = ReportKind.DECLINED
    retry_after_s = max(backoff_s, error.retry_after_s or 0.0) if kind is ReportKind.ATTEMPT_FAILED else None
    return _report(
        grant,
        kind,
        seq=2,
        code=error.code,
        message=str(error),
        retry_after_s=retry_after_s,
        duration_s=duration_s,
    )


def _may_retry(grant: Grant, error: AgentError) -> bool:
    """An agent that must not be called twice is not, once a byte has left."""
    if grant.policy.delivery is Delivery.AT_MOST_ONCE:
        return isinstance(error, AgentUnreachableError)
    return error.retryable


def backoff_s(attempt: int, first_s: float, longest_s: float) -> float:
    """Seconds before the next attempt: doubling, with full jitter in its upper half."""
    return float(min(longest_s, first_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def result_size(result: object) -> int:
    """Bytes of a result as it is stored."""
    return len(json_text(result).encode())


def _report(grant: Grant, kind: ReportKind, *, seq: int, message: str, **fields: object) -> JobStatusReported:
    return JobStatusReported.model_validate(
        {
            "execution_id": grant.lease.execution_id,
            "job_id": grant.job_id,
            "kind": kind,
            "attempt": grant.attempt,
            "lease": grant.lease.lease,
            "seq": seq,
            "message": storable(message),
            "reported_at": datetime.now(UTC),
            **fields,
        },
    )


def storable(text: str) -> str:
    """A stranger's text, cut, and without what no database or terminal wants."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:MESSAGE_MAX])
