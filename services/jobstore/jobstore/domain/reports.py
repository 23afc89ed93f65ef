"""What a worker's events say, in the words of deciding; pure."""

from typing import Any

from contracts.events import JobStatusReported
from contracts.jsontext import json_text
from contracts.resources import Usage, Verdict
from contracts.status import Outcome, ReportKind
from jobstore.domain.model import TransitionKind

KINDS = {
    ReportKind.CALL_BEGUN: TransitionKind.CALL_BEGUN,
    ReportKind.PROGRESS: TransitionKind.PROGRESS,
    ReportKind.CALL_FAILED: TransitionKind.CALL_FAILED,
    ReportKind.ATTEMPT_FAILED: TransitionKind.ATTEMPT_FAILED,
    ReportKind.FAILED: TransitionKind.FAILED,
    ReportKind.DECLINED: TransitionKind.DECLINED,
}


def spent(usage: Usage | None) -> dict[str, Any]:
    """What a call consumed, as fields of a Report."""
    return {} if usage is None else {"cost_usd": usage.cost_usd or 0.0, "tokens": usage.tokens}


def answered(event: JobStatusReported) -> bool | None:
    """What is said of the agent, see Report."""
    if event.kind is ReportKind.DECLINED:
        return True
    return None if event.retryable is None else not event.retryable


def response(event: JobStatusReported) -> str | None:
    """The response of the entry, as JSON text."""
    if event.verdict is not None:
        return event.verdict.model_dump_json()
    if event.kind is not ReportKind.PROGRESS:
        return None
    said = event.model_dump(include={"progress", "partial"}, exclude_none=True)
    return json_text(said) if said else None


def feedback_of(verdict: Verdict) -> str:
    """What the agent is told of a not-met verdict."""
    lacking = [c for c in verdict.criteria if c.outcome is not Outcome.PASS]
    criteria = [{"text": c.text, "outcome": c.outcome, "comment": c.comment} for c in lacking]
    return json_text({"reason": verdict.reason, "criteria": criteria})
