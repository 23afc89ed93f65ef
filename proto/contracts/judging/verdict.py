"""Make verdicts of the judgements of criteria, and check those that are reported."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import model_validator

from contracts.criteria import Criterion
from signoff import judging
from signoff.judging import CriterionVerdict
from signoff.status import Outcome


class Verdict(judging.Verdict):
    """The judgement of one result. `is_valid` is computed from the criteria, never taken from a model."""

    @classmethod
    def of(
        cls,
        criteria: list[CriterionVerdict],
        reason: str,
        model: str | None = None,
        judge_error: str | None = None,
        **terms: Any,
    ) -> Self:
        """Make a verdict; the result is valid if every required criterion passed. `terms` are its other fields."""
        is_valid = all(c.outcome is Outcome.PASS for c in criteria if c.required)
        return cls(is_valid=is_valid, reason=reason, criteria=criteria, model=model, judge_error=judge_error, **terms)

    def check_words(self) -> Self:
        """Return the verdict. Raise ValueError if an outcome is not known: no validator is newer than the jobstore."""
        for criterion in self.criteria:
            Outcome(criterion.outcome)
        return self

    @property
    def is_unproven(self) -> bool:
        """Whether nothing but the judge's failure to prove a pass stands between the result and its being valid."""
        open_ones = [c for c in self.criteria if c.required and c.outcome is not Outcome.PASS]
        return self.judge_error is None and bool(open_ones) and all(c.unproven for c in open_ones)

    @model_validator(mode="after")
    def _check_is_valid(self) -> Self:
        if self.is_valid and any(c.outcome is not Outcome.PASS for c in self.criteria if c.required):
            msg = "is_valid although a required criterion did not pass"
            raise ValueError(msg)
        return self


_KNOWN_KINDS = frozenset({"meets", "never", "check"})
#: Kinds whose pass has evidence: words that meet it, or what a check found. Of what is absent there may be none.
_KINDS_WITH_EVIDENCE = frozenset({"meets", "check"})


def find_mismatch(criteria: Sequence[Criterion], verdict: Verdict) -> str | None:
    """Return why a verdict does not judge these criteria, as a message, or None if it does.

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
