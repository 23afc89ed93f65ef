"""The criteria of a job: a list, and the one text form in which it is stored, hashed and published."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field
from pydantic_core import from_json

from contracts.checks import CHECK_MAX_CHARS, find_fault
from contracts.fields import StrictModel, Text
from signoff import judging
from signoff.errors import ErrorCode
from signoff.jsontext import json_text

#: Criteria of a job at most.
CRITERIA_MAX: Final = 100
#: Lines of a text form at most, blank ones included, so that no text takes long to read.
LINES_MAX: Final = 10_000
#: Characters of a criterion at most, without its prefixes; a check may have CHECK_MAX_CHARS.
CRITERION_MAX_CHARS: Final = 2_000
#: Characters of all checks of a job together at most, so that no list takes long to be read.
CHECKS_MAX_CHARS: Final = 20_000
#: Characters of a reference at most, and of all references of a job together.
REFERENCE_MAX_CHARS: Final = 20_000
REFERENCES_MAX_CHARS: Final = 50_000
#: Characters of a text whose criteria are kept in memory, once read: with a thousand of them, some MiB.
KEPT_MAX_CHARS: Final = 2_000

# White space, and what is as invisible: a byte order mark or a zero-width space before `never:` must not hide it.
_BLANK: Final = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"
)
_LINE: Final = re.compile(r"[^\n]+")
_PREFIXES: Final = re.compile(
    rf"(?:(?:[-*+\u2022]|\d{{1,3}}[.)])(?:[{_BLANK}]+|\Z))?(optional:[{_BLANK}]*)?(?:(never|check):[{_BLANK}]*)?",
    re.IGNORECASE,
)
_MEETS, _NEVER, _CHECK = "meets", "never", "check"
_KINDS: Final = (_MEETS, _NEVER, _CHECK)


class NewCriterion(StrictModel, judging.Criterion):
    """One criterion of a job. Its string is its line of the text form."""

    model_config = ConfigDict(frozen=True)

    text: Text

    def __str__(self) -> str:
        return format_line(self.text, self.kind, required=self.required)


Criterion = NewCriterion


def format_line(text: str, kind: str = _MEETS, *, required: bool = True) -> str:
    """Return the line of a criterion in the text form: `optional: ` unless required, kind unless `meets`, and text."""
    return ("" if required else "optional: ") + ("" if kind == _MEETS else f"{kind}: ") + text


class CriteriaError(ValueError):
    """Criteria that a job cannot have; `code` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def parse_criteria(text: str) -> list[Criterion]:
    """Return the criteria in a text, one a line; a line may begin with a bullet, `optional:`, and `never:` or `check:`.

    Raise CriteriaError if a job cannot have these criteria.
    """
    if text.count("\n") >= LINES_MAX:
        raise CriteriaError(f"a text of criteria has at most {LINES_MAX} lines", code=ErrorCode.CRITERIA_TOO_MANY)
    return list(_check_kept(text)) if len(text) <= KEPT_MAX_CHARS else _check(_read_lines(text))


def parse_stored_criteria(text: str) -> list[Criterion]:
    """Return the criteria in the text of a stored job, which may be older than the bounds: none are checked."""
    return list(_read_kept(text) if len(text) <= KEPT_MAX_CHARS else _read_lines(text))


def format_criteria(criteria: Sequence[Criterion]) -> str:
    """Return the text form, which parses to the same criteria. Raise CriteriaError if a job cannot have them."""
    return "\n".join(map(str, _check(criteria)))


def join_forms(text: str | None, criteria: Sequence[Criterion] | None) -> tuple[str, list[Criterion]]:
    """Return criteria as a text and as a list; the caller gives either form, or both.

    A given text is returned unchanged. Raise CriteriaError if the forms differ, or if a job cannot have the criteria.
    """
    if text is None:
        return format_criteria(criteria or ()), list(criteria or ())
    parsed = parse_criteria(text)
    if criteria is not None and parsed != list(criteria):
        message = "acceptance_criteria and criteria say different things: give one of them, or the same in both"
        raise CriteriaError(message, code=ErrorCode.CRITERIA_CONFLICT)
    return text, parsed


def check_numbers(references: Mapping[int, str | None], criteria: Sequence[Criterion]) -> None:
    """Raise CriteriaError (`reference_unknown`) where a reference is given for a number that no criterion has."""
    if unknown := sorted(number for number in references if not 1 <= number <= len(criteria)):
        message = f"a reference is given for criterion {unknown[0]}, and the job has {len(criteria)} of its own"
        raise CriteriaError(message, code=ErrorCode.REFERENCE_UNKNOWN)


def format_references(references: Mapping[int, str]) -> str | None:
    """Return references as JSON text, in the order of the criteria's numbers; None if there are no references."""
    return json_text(dict(sorted(references.items()))) if references else None


def read_references(text: str | None) -> dict[int, str]:
    """Return the references in a JSON text of `format_references`."""
    return {int(number): reference for number, reference in from_json(text).items()} if text else {}


def hash_references(text: str | None) -> str | None:
    """Return the hexadecimal SHA-256 of a text of `format_references`; None if the text is None or empty."""
    return hashlib.sha256(text.encode()).hexdigest() if text else None


@lru_cache(maxsize=1_000)
def _read_kept(text: str) -> Sequence[Criterion]:
    """Return the criteria in a short text, cached for all steps of a job's life and all jobs with the same criteria."""
    return tuple(_read_lines(text))


@lru_cache(maxsize=1_000)
def _check_kept(text: str) -> Sequence[Criterion]:
    return _check(_read_kept(text))


def _read_lines(text: str) -> Iterator[Criterion]:
    for match in _LINE.finditer(text):  # one by one, since a text of a million lines is refused at the first too many
        line = match[0].strip(_BLANK)
        prefixes = _PREFIXES.match(line)
        assert prefixes is not None  # each part of it may be missing
        if words := line[prefixes.end() :]:
            kind = _MEETS if prefixes[2] is None else prefixes[2].lower()
            yield Criterion.model_construct(text=words, required=prefixes[1] is None, kind=kind)


def _check(criteria: Iterable[Criterion]) -> list[Criterion]:
    checked: list[Criterion] = []
    chars = 0
    for place, one in enumerate(criteria, 1):
        _check_count(place)
        _check_criterion(one, f"criterion {place}")
        if one.kind == _CHECK and (chars := chars + len(one.text)) > CHECKS_MAX_CHARS:
            message = f"the checks have more than {CHECKS_MAX_CHARS} characters together, up to criterion {place}"
            raise CriteriaError(message, code=ErrorCode.CRITERION_TOO_LONG)
        checked.append(one)
    if not checked:
        raise CriteriaError("a job needs at least one criterion", code=ErrorCode.CRITERIA_EMPTY)
    if not any(one.required for one in checked):
        message = "all criteria are optional, so that any result would do: make at least one required"
        raise CriteriaError(message, code=ErrorCode.NO_REQUIRED_CRITERION)
    return checked


def _check_count(count: int) -> None:
    if count > CRITERIA_MAX:
        message = f"a job has at most {CRITERIA_MAX} criteria: join some, or leave some out"
        raise CriteriaError(message, code=ErrorCode.CRITERIA_TOO_MANY)


def _check_criterion(one: Criterion, name: str) -> None:
    text, bare = one.text, one.text.strip(_BLANK)
    if not bare:
        raise CriteriaError(f"{name} has no words", code=ErrorCode.CRITERIA_EMPTY)
    most = CHECK_MAX_CHARS if one.kind == _CHECK else CRITERION_MAX_CHARS
    if len(text) > most:
        message = f"{name} has {len(text)} characters, more than {most}: shorten or divide it"
        raise CriteriaError(message, code=ErrorCode.CRITERION_TOO_LONG)
    if one.kind not in _KINDS:
        message = f"{name} is of a kind that nobody knows: a kind is {_MEETS}, {_NEVER} or {_CHECK}"
        raise CriteriaError(message, code=ErrorCode.CRITERION_RESERVED)
    prefixes = _PREFIXES.match(text)
    if text != bare or "\n" in text or (prefixes is not None and prefixes.end()):
        message = (
            f"{name} would read as another: its text may have no line break, no white space around it, and no bullet, "
            "number, `optional:`, `never:` or `check:` before it (these, once and in this order, are its prefixes)"
        )
        raise CriteriaError(message, code=ErrorCode.CRITERION_AMBIGUOUS)
    if one.kind == _CHECK and (fault := find_fault(text)) is not None:
        raise CriteriaError(f"{name}, at character {fault.at + 1} of its check: {fault}", code=fault.code)


def _check_text(text: str) -> str:
    if text:  # none are given, which a job with a criteria set may do
        parse_criteria(text)
    return text


def _check_length(criteria: Any) -> Any:
    if isinstance(criteria, list):
        _check_count(len(criteria))
    return criteria


def _check_list(criteria: list[Criterion]) -> list[Criterion]:
    format_criteria(criteria)
    return criteria


def _check_references(references: dict[int, str]) -> dict[int, str]:
    chars = 0
    for number, text in references.items():
        if not text.strip(_BLANK):
            raise CriteriaError(f"the reference for criterion {number} has no words", code=ErrorCode.REFERENCE_EMPTY)
        chars += len(text)
        if len(text) > REFERENCE_MAX_CHARS or chars > REFERENCES_MAX_CHARS:
            message = (
                f"a reference has at most {REFERENCE_MAX_CHARS} characters, and those of a job have at most "
                f"{REFERENCES_MAX_CHARS} together: that for criterion {number} is too long"
            )
            raise CriteriaError(message, code=ErrorCode.REFERENCE_TOO_LONG)
    return dict(sorted(references.items()))


def _check_reference_changes(references: dict[int, str | None]) -> dict[int, str | None]:
    _check_references({number: text for number, text in references.items() if text is not None})
    return dict(sorted(references.items()))


References = Annotated[
    dict[int, Text],
    AfterValidator(_check_references),
    Field(
        description="model answers and rubrics, by the number of their criterion in `criteria`, from 1: for judges "
        "alone, and never for an agent; given by gRPC and REST alone"
    ),
]
ReferenceChanges = Annotated[
    dict[int, Text | None],
    AfterValidator(_check_reference_changes),
    Field(description="by the number of their criterion, from 1; null drops one"),
]
CriteriaText = Annotated[
    Text,
    AfterValidator(_check_text),
    Field(
        description="the text form of `criteria`: one a line, `optional:` and then `never:` or `check:` before its text"
    ),
]
CriteriaList = Annotated[
    list[Criterion],
    BeforeValidator(_check_length),  # before a million of them are looked at
    AfterValidator(_check_list),
    Field(description="give these, `acceptance_criteria`, or the same in both"),
]
