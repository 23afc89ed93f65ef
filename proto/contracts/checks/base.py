"""Declare a check, the subject that a check looks at, and the finding that a check returns."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, Self

from signoff.errors import ErrorCode
from signoff.status import Outcome

#: Characters of a quotation of a result, and of a comment on it; what is longer is cut.
EVIDENCE_MAX_CHARS: Final = 200
COMMENT_MAX_CHARS: Final = 500
# Lone surrogates cannot be sent; control and direction characters steer terminals.
_UNSHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class CheckError(ValueError):
    """A text is no check. `code` says why: check_unknown or check_invalid; `at` is the index of the wrong character."""

    def __init__(self, message: str, at: int = 0, code: str = ErrorCode.CHECK_INVALID) -> None:
        super().__init__(message)
        self.at = at
        self.code = code


class Finding(NamedTuple):
    """The outcome of a check; `evidence`: words of the result, or a measurement; `comment`: the place or the reason."""

    outcome: Outcome
    evidence: str | None
    comment: str

    @classmethod
    def of(cls, is_met: bool, evidence: str, comment: str) -> Self:
        """Make the finding of a check that is met or not, with evidence and comment cut to their bounds."""
        return cls(
            Outcome.PASS if is_met else Outcome.FAIL,
            show(evidence, EVIDENCE_MAX_CHARS),
            show(comment, COMMENT_MAX_CHARS),
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """A result to check, and the variables known with the result.

    `known` has the variables that an expression may use: result, and payload and submission if these were given.
    `is_repeated` says whether the previous submission had the same result; None if there was no previous submission.
    """

    result: Any
    known: Mapping[str, Any]
    is_repeated: bool | None = None


class Check(Protocol):
    """A check, read from its text. `find` is called on results only in a process whose time and memory are bounded."""

    @property
    def needs_context(self) -> bool:
        """Whether the outcome depends on more than the result, and therefore holds for this submission alone."""
        ...

    def find(self, subject: Subject) -> Finding:
        """Return what this check finds in the subject."""
        ...


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise ValueError if a library written in Rust panics in the block: its panic is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from error


def show(text: str, max_chars: int) -> str:
    """Return a text on one line and cut to `max_chars` characters, so that the text can be stored and shown."""
    shown = _UNSHOWN.sub(" ", text[: max_chars + 1])
    return shown if len(shown) <= max_chars else f"{shown[: max_chars - 1]}\N{HORIZONTAL ELLIPSIS}"


def refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and Infinity, which are no JSON: the `parse_constant` of `json.loads`."""
    raise ValueError(f"{name} is no JSON")


def count_of(number: int, unit: str) -> str:
    """Return a number with its unit, which is in the plural unless the number is 1: 1 word, 1,200 words."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def describe(value: Any) -> str:
    """Return the kind of a JSON value in a few words."""
    if isinstance(value, dict):
        return f"an object with {count_of(len(value), 'member')}"
    if isinstance(value, list):
        return f"an array of {count_of(len(value), 'item')}"
    if isinstance(value, str):
        return f"a text of {count_of(len(value), 'character')}"
    return json.dumps(value)
