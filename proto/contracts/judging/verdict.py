"""Make verdicts of the judgements of criteria, and check those that are reported."""

from typing import Any, Self

from pydantic import model_validator

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
        """Return the verdict. Raise ValueError if an outcome is none that is known: what judges is not that new."""
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
