"""Read criteria as a careful colleague would, by rule and at once: what might be meant otherwise, and what to write."""

from collections.abc import Iterator, Sequence

from contracts.criteria import Criterion
from contracts.lint.contradictions import find_contradictions
from contracts.lint.rules import RULES
from contracts.lint.whole import is_about_the_whole
from signoff.errors import ErrorCode
from signoff.judging import CriterionWarning

__all__ = ["find_notes", "find_warnings", "is_about_the_whole"]


def find_warnings(criteria: Sequence[Criterion]) -> list[CriterionWarning]:
    """Return what might be meant otherwise in criteria, which are accepted as they are, in their order."""
    warnings = [*_apply_rules(criteria), *find_contradictions(criteria)]
    return sorted(warnings, key=lambda warning: warning.criterion)


def find_notes(criteria: Sequence[Criterion]) -> list[CriterionWarning]:
    """Return which criteria without a warning no single section of a long result decides."""
    warned = {warning.criterion for warning in find_warnings(criteria)}
    return [
        CriterionWarning(
            code=ErrorCode.CRITERION_ABOUT_THE_WHOLE,
            criterion=place,
            message=f"criterion {place + 1} is about the whole: of a result longer than a section its head, its "
            "tail and a sample are judged, or the policy refuses (`whole`)",
        )
        for place, one in enumerate(criteria)
        if one.kind != "check" and place not in warned and is_about_the_whole(one.text)
    ]


def _apply_rules(criteria: Sequence[Criterion]) -> Iterator[CriterionWarning]:
    """Yield a warning for each criterion, by the first rule that has something to say."""
    for place, one in enumerate(criteria):
        found = None if one.kind == "check" else next(filter(None, (rule(one) for rule in RULES)), None)
        if found is not None:
            code, message, suggestion = found
            yield CriterionWarning(
                code=code, criterion=place, message=f"criterion {place + 1} {message}", suggestion=suggestion
            )
