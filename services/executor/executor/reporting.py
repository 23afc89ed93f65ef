"""What an agent is told with a call, and what is told of an attempt."""

from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from contracts.events import JobStatusReported, ResultProduced
from contracts.jsontext import json_text
from contracts.resources import Usage
from contracts.status import ReportKind
from executor.errors import AgentDeclinedError, AgentError
from executor.ports import Call, Grant, Progress

#: Headers of every call of an agent, beside `Idempotency-Key`.
ATTEMPT_HEADER = "Signoff-Attempt"
CALL_HEADER = "Signoff-Call"
DECLINED_HEADER = "Signoff-Declined"
USAGE_HEADER = "Signoff-Usage"
BUDGET_EXHAUSTED = "budget_exhausted"
MESSAGE_MAX = 2_000
#: Progress stays in the log for ever; of what is larger only the result does.
PROGRESS_MESSAGE_MAX = 500
PARTIAL_MAX_BYTES = 16 << 10


def headers(call: Call) -> dict[str, str]:
    """The same key for every call of one execution, so that an agent that knows it does the work once."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Idempotency-Key": str(call.grant.lease.execution_id),
        ATTEMPT_HEADER: str(call.grant.attempt),
        CALL_HEADER: str(call.number),
    }


def produced(grant: Grant, result: object, duration_s: float, usage: Usage | None = None) -> ResultProduced:
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
        usage=usage,
        produced_at=datetime.now(UTC),
    )


def result_size(result: object) -> int:
    """Bytes of a result as it is stored."""
    return len(json_text(result).encode())


def storable(text: str) -> str:
    """A stranger's text, cut, and without what no database or terminal wants."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text[:MESSAGE_MAX])


def progress_of(fraction: float | None, message: str | None, partial: Any) -> Progress:
    """What a stranger says of its progress, made harmless; what is too large is left out, and that is said."""
    words = [] if message is None else [storable(message[:PROGRESS_MESSAGE_MAX])]
    if message is not None and len(message) > PROGRESS_MESSAGE_MAX:
        words.append(f"(cut, of {len(message)} characters)")
    if (size := result_size(partial)) > PARTIAL_MAX_BYTES:
        partial = None
        words.append(f"(a partial result of {size} bytes, more than {PARTIAL_MAX_BYTES}, is left out)")
    return Progress(fraction, " ".join(words) or None, partial)


class AttemptReports:
    """What is told under one grant, in order."""

    def __init__(self, grant: Grant) -> None:
        self._grant = grant
        self._seq = 0

    def begun(self) -> JobStatusReported:
        """The agent is being called."""
        return self._report(ReportKind.CALL_BEGUN, f"attempt {self._grant.attempt}: the agent is being called")

    def progress(self, progress: Progress) -> JobStatusReported:
        """The agent works, and has come so far."""
        return self._report(ReportKind.PROGRESS, progress.message, progress=progress.fraction, partial=progress.partial)

    def failed(
        self, number: int, error: AgentError, wait_s: float | None, *, here: bool, **about: Any
    ) -> JobStatusReported:
        """A call failed: for good, or another one follows after `wait_s`, `here` or under the next grant."""
        kind = ReportKind.CALL_FAILED if here else ReportKind.ATTEMPT_FAILED
        if wait_s is None:
            kind = ReportKind.DECLINED if isinstance(error, AgentDeclinedError) else ReportKind.FAILED
        return self._report(
            kind,
            f"{storable(str(error))}{self._what_follows(number, error, wait_s)}",
            code=error.code,
            call=number,
            retryable=error.retryable,
            retry_after_s=wait_s,
            **about,
        )

    def stopped(self, number: int, error: AgentError, used_up: str, **about: Any) -> JobStatusReported:
        """A call failed, and another one might have followed, but the budget is used up."""
        return self._report(
            ReportKind.FAILED,
            f"{used_up}, and the agent is not called again; call {number} failed: {storable(str(error))}",
            code=BUDGET_EXHAUSTED,
            call=number,
            retryable=error.retryable,
            **about,
        )

    def _what_follows(self, number: int, error: AgentError, wait_s: float | None) -> str:
        most = self._grant.policy.max_attempts
        if wait_s is not None:
            return f"; call {number + 1} of {most} follows in {wait_s:.3g} s"
        return f"; it was call {number} of {most}" if error.retryable else ""

    def _report(self, kind: ReportKind, message: str | None, **fields: object) -> JobStatusReported:
        self._seq += 1
        whole = {
            "execution_id": self._grant.lease.execution_id,
            "job_id": self._grant.job_id,
            "kind": kind,
            "attempt": self._grant.attempt,
            "lease": self._grant.lease.lease,
            "seq": self._seq,
            "message": message,
            "reported_at": datetime.now(UTC),
        }
        return JobStatusReported.model_validate(whole | fields)
