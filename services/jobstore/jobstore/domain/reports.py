"""Translate the events of workers into the fields of a Report. Pure."""

from contracts.criteria import hash_references
from contracts.events import JobStatusReported
from contracts.judging.verdict import Verdict
from contracts.resources import Usage
from jobstore.domain.model import UNPROVEN, Report, TransitionKind, replace
from signoff.jsontext import json_text
from signoff.money import to_nanos, usd_text
from signoff.status import Outcome, ReportKind

#: The transition that each kind of worker's report asks for; a verdict's depends on `is_valid`.
TRANSITION_KINDS = {
    ReportKind.CALL_BEGUN: TransitionKind.CALL_BEGUN,
    ReportKind.PROGRESS: TransitionKind.PROGRESS,
    ReportKind.CALL_FAILED: TransitionKind.CALL_FAILED,
    ReportKind.ATTEMPT_FAILED: TransitionKind.ATTEMPT_FAILED,
    ReportKind.FAILED: TransitionKind.FAILED,
    ReportKind.DECLINED: TransitionKind.DECLINED,
    ReportKind.MISJUDGED: TransitionKind.MISJUDGED,
    ReportKind.SPENT: TransitionKind.SPENT,
}


def read_verdict(verdict: Verdict) -> tuple[TransitionKind, str | None]:
    """Return what a verdict asks for, and the code of one that says nothing of the result, as the judge has failed.

    No submission makes that good: neither that the judge did not answer, nor that it proved nothing.
    """
    if verdict.is_valid:
        return TransitionKind.MET, None
    if verdict.is_unproven:
        return TransitionKind.FAILED, UNPROVEN
    return TransitionKind.NOT_MET, verdict.judge_error


def with_cost(report: Report, usage: Usage | None) -> Report:
    """Return a report with the cost of the call that it is about; its message says where the agent claimed more."""
    if usage is None:
        return report
    cost_nanos, message = to_nanos(usage.cost_usd or 0), report.message
    if usage.claimed_usd is not None:
        claim = f"the agent claimed {usage.claimed_usd:f} USD for the call, of which {usd_text(cost_nanos)} count"
        message = f"{message}; {claim}" if message else claim
    return replace(report, cost_nanos=cost_nanos, tokens=usage.tokens, message=message)


def has_answered(event: JobStatusReported) -> bool | None:
    """Return whether the agent answered, as in `Report.answered`."""
    if event.kind is ReportKind.DECLINED:
        return True
    return None if event.retryable is None else not event.retryable


def name_references(verdict: Verdict, references: str | None) -> Verdict:
    """Return a verdict with the hash of the references that it was judged by, whatever its validator says of them."""
    said, known = verdict.references_sha256, hash_references(references)
    return verdict if said == known else verdict.model_copy(update={"references_sha256": known})


def format_response(event: JobStatusReported, verdict: Verdict | None = None) -> str | None:
    """Return what a report adds to the response of the log's entry: a verdict, or what the agent has so far."""
    if verdict is not None:
        return verdict.model_dump_json(exclude_none=True)
    if event.kind is not ReportKind.PROGRESS or event.partial is None:
        return None
    return json_text({"partial": event.partial})


def format_feedback(verdict: Verdict) -> str:
    """Return the JSON text that the agent is sent of a not-met verdict: its reason and the criteria not passed.

    What is unproven is the judge's to make good. Words that disclose a reference are left out.
    """
    not_passed = [c for c in verdict.criteria if c.outcome is not Outcome.PASS and not c.unproven]
    criteria = [{"text": c.text, "outcome": c.outcome, "comment": "" if c.discloses else c.comment} for c in not_passed]
    return json_text({"reason": "" if verdict.discloses else verdict.reason, "criteria": criteria})
