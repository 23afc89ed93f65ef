"""Read what a criterion says about the length of the whole result."""

import re
from collections.abc import Iterator
from typing import Final

from contracts.criteria import Criterion
from contracts.lint.words import WORD

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

# What may stand beside a length without asking for more.
_ASIDE_WORDS: Final = (
    "a all altogether an and answer article as be but code contain contains email exactly has have in is it keep kept"
    " length limit limited long must of output overall poem reply report response result shall should stay stays"
    " summary text that the this to total use uses whole with written"
)
_ASIDE: Final = frozenset(_ASIDE_WORDS.split())

#: A bound (max or min), what is counted (words or chars), and how many.
Length = tuple[str, str, int]


def list_lengths(one: Criterion) -> list[Length]:
    """Return what a criterion asks of the length of the result."""
    if one.kind == "check" and (match := _CHECK.fullmatch(one.text)):
        return [(match[1], match[2], int(match[3]))]
    return list(_find_lengths(one.text)) if one.kind == "meets" and not _PART.search(one.text) else []


def asks_for_length_alone(text: str) -> bool:
    """Return whether a text asks for lengths and nothing else, so that checks can stand in its place."""
    for pattern in (_BETWEEN, _AT_MOST, _UNDER, _AT_LEAST):
        text = pattern.sub(" ", text)
    return not re.search(r"\d", text) and {word.casefold() for word in WORD.findall(text)} <= _ASIDE


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
