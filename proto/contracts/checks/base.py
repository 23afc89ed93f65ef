"""Declare what a check is, what it looks at, and what it finds."""

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
    """A text that is no check. `code` says why: check_unknown or check_invalid; `at` is where, in its characters."""

    def __init__(self, message: str, at: int = 0, code: str = ErrorCode.CHECK_INVALID) -> None:
        super().__init__(message)
        self.at = at
        self.code = code


class Finding(NamedTuple):
    """What a check found (`evidence`: words of the result, or what was measured) and where, or why (`comment`)."""

    outcome: Outcome
    evidence: str | None
    comment: str

    @classmethod
    def of(cls, is_met: bool, evidence: str, comment: str) -> Self:
        """Make the finding of a check that is met or not."""
        return cls(
            Outcome.PASS if is_met else Outcome.FAIL,
            show(evidence, EVIDENCE_MAX_CHARS),
            show(comment, COMMENT_MAX_CHARS),
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """A result to check, and the variables known with it.

    `known` has the variables that an expression may use: result, and payload and submission where they were given.
    `is_repeated` says whether the submission before had the same result; None if there was none.
    """

    result: Any
    known: Mapping[str, Any]
    is_repeated: bool | None = None


class Check(Protocol):
    """One check, read from its text. Whatever the subject, `find` is called where time and memory are bounded."""

    @property
    def needs_context(self) -> bool:
        """Whether the outcome depends on more than the result, so that it holds for this submission alone."""
        ...

    def find(self, subject: Subject) -> Finding:
        """Check the subject."""
        ...


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Raise a ValueError where a library written in Rust panics, which is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(str(error)) from error


def show(text: str, max_chars: int) -> str:
    """Return a text so that it can be stored and shown: on one line, and cut to so many characters."""
    shown = _UNSHOWN.sub(" ", text[: max_chars + 1])
    return shown if len(shown) <= max_chars else f"{shown[: max_chars - 1]}\N{HORIZONTAL ELLIPSIS}"


def refuse_constant(name: str) -> Any:
    """Raise ValueError for NaN and Infinity, which are no JSON, for `json.loads`."""
    raise ValueError(f"{name} is no JSON")


def count_of(number: int, unit: str) -> str:
    """Return a number with its unit, in the plural where it needs one: 1 word, 1,200 words."""
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
