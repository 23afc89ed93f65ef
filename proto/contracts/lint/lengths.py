"""Read what a criterion says about the length of the whole result."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.criteria import Criterion

_NUMBER: Final = r"(\d{1,3}(?:,\d{3})+|\d+)"
_UNIT: Final = r"\s+(words?|characters?|chars?)\b"
_AT_MOST: Final = re.compile(
    r"\b(?:at\s+most|no\s+more\s+than|not\s+more\s+than|not\s+exceed(?:ing)?|max(?:imum)?(?:\s+of)?|up\s+to|not\s+longer\s+than"
    rf"|no\s+longer\s+than)\s+{_NUMBER}{_UNIT}",
    re.IGNORECASE,
)
_UNDER: Final = re.compile(
    rf"\b(?:under|below|fewer\s+than|less\s+than|shorter\s+than)\s+{_NUMBER}{_UNIT}", re.IGNORECASE
)
_AT_LEAST: Final = re.compile(
    rf"\b(?:at\s+least|no\s+(?:fewer|less)\s+than|min(?:imum)?(?:\s+of)?)\s+{_NUMBER}{_UNIT}", re.IGNORECASE
)
_BETWEEN: Final = re.compile(rf"\bbetween\s+{_NUMBER}\s+(?:and|to)\s+{_NUMBER}{_UNIT}", re.IGNORECASE)
# Of a part of the result, which no check of the whole can measure.
_PART: Final = re.compile(
    r"\b(?:each|every|per|paragraphs?|sentences?|lines?|headings?|titles?|sections?|subjects?)\b", re.IGNORECASE
)
_CHECK: Final = re.compile(r"(max|min)_(words|chars)\s+(\d{1,9})")

#: A bound (max or min), what is counted (words or chars), and how many.
Length = tuple[str, str, int]


def list_lengths(one: Criterion) -> list[Length]:
    """Return what a criterion asks of the length of the result."""
    if one.kind == "check" and (match := _CHECK.fullmatch(one.text)):
        return [(match[1], match[2], int(match[3]))]
    return list(_find_lengths(one.text)) if one.kind == "meets" and not _PART.search(one.text) else []


def _find_lengths(text: str) -> Iterator[tuple[str, str, int]]:
    for bound, pattern, change in (("max", _AT_MOST, 0), ("max", _UNDER, -1), ("min", _AT_LEAST, 0)):
        for number, unit in pattern.findall(text):
            if (count := _to_int(number) + change) > 0:
                yield bound, _to_unit(unit), count
    for least, most, unit in _BETWEEN.findall(text):
        yield "min", _to_unit(unit), _to_int(least)
        yield "max", _to_unit(unit), _to_int(most)


def _to_int(number: str) -> int:
    return int(number.replace(",", "")[:12])


def _to_unit(unit: str) -> str:
    return "words" if unit.lower().startswith("word") else "chars"
