"""The rule of the lint that looks at criteria together."""

import math
import re
from collections.abc import Iterator, Sequence

from contracts.criteria import Criterion
from contracts.lint.lengths import list_lengths
from contracts.lint.words import SUBJECT
from signoff.errors import ErrorCode
from signoff.judging import CriterionWarning


def find_contradictions(criteria: Sequence[Criterion]) -> Iterator[CriterionWarning]:
    """Yield a warning for each required criterion that no result meets together with one before it."""
    lengths: dict[str, tuple[int, float]] = {}  # the largest minimum, the smallest maximum, of each unit
    said: dict[str, int] = {}
    for place, one in enumerate(criteria):
        if not one.required:
            continue
        for bound, unit, number in list_lengths(one):
            least, most = lengths.get(unit, (0, math.inf))
            if bound == "max" and number < least:
                yield _contradict(place, one, f"allows at most {number} {unit}, and another asks for at least {least}")
            elif bound == "min" and number > most:
                yield _contradict(place, one, f"asks for at least {number} {unit}, and another allows at most {most}")
            lengths[unit] = (max(least, number), most) if bound == "min" else (least, min(most, number))
        meaning, opposite = _normalize(one)
        if (other := said.get(opposite)) is not None:
            yield _contradict(place, one, f"asks for the opposite of criterion {other + 1}")
        said.setdefault(meaning, place)


def _normalize(one: Criterion) -> tuple[str, str]:
    """Return what a criterion asks for, and its opposite, in words that are the same however they are spelled."""
    text = " ".join(one.text.casefold().strip(" .").split())
    if one.kind != "check":
        subject = re.match(rf"{SUBJECT}\s+", text)
        text = text[subject.end() :] if subject else text
        return f"{one.kind} {text}", f"{'never' if one.kind == 'meets' else 'meets'} {text}"
    text = " ".join(one.text.split())
    for name, other in (("contains", "not_contains"), ("matches", "not_matches")):
        if text.startswith(f"{name} "):
            return text, f"{other}{text[len(name) :]}"
        if text.startswith(f"{other} "):
            return text, f"{name}{text[len(other) :]}"
    for name, other in ((" exists", " absent"), (" absent", " exists")):
        if text.startswith("json_path ") and text.endswith(name):
            return text, text.removesuffix(name) + other
    return text, ""


def _contradict(place: int, one: Criterion, words: str) -> CriterionWarning:
    message = f"criterion {place + 1} {words}: no result meets both, so take one away or make it optional"
    return CriterionWarning(
        code=ErrorCode.CRITERION_CONTRADICTS, criterion=place, message=message, suggestion=f"optional: {one}"
    )
