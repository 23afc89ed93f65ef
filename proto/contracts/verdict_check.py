"""Check that a verdict judges these criteria: the validator before it publishes it, the jobstore before it counts."""

from collections.abc import Sequence

from contracts.criteria import Criterion
from contracts.judging.verdict import Verdict
from signoff.judging import CriterionVerdict
from signoff.status import Outcome

_KNOWN_KINDS = frozenset({"meets", "never", "check"})
#: Kinds whose pass has evidence: words that meet it, or what a check found. Of what is absent there may be none.
_KINDS_WITH_EVIDENCE = frozenset({"meets", "check"})


def find_mismatch(criteria: Sequence[Criterion], verdict: Verdict) -> str | None:
    """Return in words why a verdict is none on these criteria, or None if it is one.

    It judges each of them once and in order, has evidence for each pass of a kind that needs some, calls unproven only
    what it cannot assess, and `is_valid` follows from the outcomes. Whether the evidence stands in the result is not
    looked at.
    """
    if len(verdict.criteria) != len(criteria):
        return f"the verdict judges {len(verdict.criteria)} criteria, and the job has {len(criteria)}"
    if not any(criterion.required for criterion in criteria):
        return "no criterion is required, so that any result would be valid"
    for number, (criterion, judged) in enumerate(zip(criteria, verdict.criteria, strict=True), 1):
        if (fault := _find_fault(criterion, judged)) is not None:
            return f"criterion {number} of the verdict {fault}"
    if verdict.is_valid != Verdict.of(verdict.criteria, verdict.reason).is_valid:
        return f"is_valid is {str(verdict.is_valid).lower()}, which does not follow from the outcomes"
    return None


def _find_fault(criterion: Criterion, judged: CriterionVerdict) -> str | None:
    if judged.text != criterion.text:
        return "has another text than the job's"
    if (judged.required, judged.kind) != (criterion.required, criterion.kind):
        return "is not required, or not of the kind, as the job says"
    if judged.outcome is Outcome.PASS:
        if criterion.kind not in _KNOWN_KINDS:
            return f"passed, and nobody knows how to judge the kind {criterion.kind!r}"
        if criterion.kind in _KINDS_WITH_EVIDENCE and not any(map(str.strip, judged.evidence)):
            return "passed without evidence"
    if judged.unproven and judged.outcome is not Outcome.CANNOT_ASSESS:
        return f"is unproven although its outcome is {judged.outcome}"
    return None
