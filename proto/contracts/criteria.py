"""The criteria of a job: a list, and the one text form in which it is stored, hashed and published."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

#: Criteria of a job at most.
CRITERIA_MAX: Final = 100
#: Characters of a criterion at most, without its prefixes.
CRITERION_MAX_CHARS: Final = 2_000

# White space, and what is as invisible: a byte order mark or a zero-width space before `never:` must not hide it.
_BLANK: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_PREFIXES: Final = re.compile(
    rf"(?:(?:[-*+\u2022]|\d{{1,3}}[.)])(?:[{_BLANK}]+|\Z))?(optional:[{_BLANK}]*)?(never:[{_BLANK}]*)?", re.IGNORECASE
)
_RESERVED: Final = re.compile("check:", re.IGNORECASE)
_MEETS, _NEVER = "meets", "never"


class Criterion(BaseModel):
    """One criterion, as it stands in a job's `criteria`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    text: str
    required: bool = Field(True, description="one that is not is judged and does not decide")
    kind: str = Field(_MEETS, description="`meets`, or `never`: what the result must not have or do; more may follow")


class CriteriaError(ValueError):
    """Criteria that a job cannot have; `code` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def parse_criteria(text: str) -> list[Criterion]:
    """Return the criteria in a text form: one a line, after its bullet, `optional:` and `never:`, in this order.

    Raise CriteriaError if a job cannot have them.
    """
    return _check(_read_lines(text))


def parse_stored_criteria(text: str) -> list[Criterion]:
    """Return the criteria of a job that was stored, perhaps before these bounds were: none are refused."""
    return list(_read_lines(text))


def format_criteria(criteria: Sequence[Criterion]) -> str:
    """Return the text form, which reads back as the same list. Raise CriteriaError if a job cannot have them."""
    return "\n".join(
        ("" if one.required else "optional: ") + ("never: " if one.kind == _NEVER else "") + one.text
        for one in _check(iter(criteria))
    )


def _read_lines(text: str) -> Iterator[Criterion]:
    start = 0
    while start <= len(text):  # line by line, since a text of a million lines is refused at the first too many
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if (criterion := _read_line(text[start:end])).text:
            yield criterion
        start = end + 1


def _read_line(line: str) -> Criterion:
    line = line.strip(_BLANK)
    prefixes = _PREFIXES.match(line)
    assert prefixes is not None  # every part of it may be missing
    return Criterion(
        text=line[prefixes.end() :], required=prefixes[1] is None, kind=_MEETS if prefixes[2] is None else _NEVER
    )


def _check(criteria: Iterator[Criterion]) -> list[Criterion]:
    checked: list[Criterion] = []
    for place, one in enumerate(criteria, 1):
        if place > CRITERIA_MAX:
            raise CriteriaError(
                f"a job has at most {CRITERIA_MAX} criteria: join some, or leave some out", code="criteria_too_many"
            )
        _check_criterion(one, f"criterion {place}")
        checked.append(one)
    if not checked:
        raise CriteriaError("a job needs at least one criterion", code="criteria_empty")
    if not any(one.required for one in checked):
        message = "all criteria are optional, so that any result would do: make at least one required"
        raise CriteriaError(message, code="no_required_criterion")
    return checked


def _check_criterion(one: Criterion, name: str) -> None:
    if not one.text.strip(_BLANK):
        raise CriteriaError(f"{name} has no words", code="criteria_empty")
    if len(one.text) > CRITERION_MAX_CHARS:
        message = f"{name} has {len(one.text)} characters, more than {CRITERION_MAX_CHARS}: shorten or divide it"
        raise CriteriaError(message, code="criterion_too_long")
    if one.kind not in {_MEETS, _NEVER} or _RESERVED.match(one.text):
        message = (
            f"{name} is of a kind that is reserved: a kind is {_MEETS} or {_NEVER}, and no text begins with `check:`"
        )
        raise CriteriaError(message, code="criterion_reserved")
    if "\n" in one.text or _read_line(one.text) != Criterion(text=one.text):
        message = (
            f"{name} would read as another: its text may have no line break, no white space around it, and no bullet, "
            "number, `optional:` or `never:` before it (once before a line, in this order, these are its prefixes)"
        )
        raise CriteriaError(message, code="criterion_ambiguous")
