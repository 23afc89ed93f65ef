"""Read a check from its text: the name of a form, and what it asks for."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contracts.checks.base import Check, CheckError, Finding, Subject
from contracts.checks.expressions import read_expression
from contracts.checks.holding import Within, read_valid, read_within
from contracts.checks.paths import Each, Equals, read_json_path
from contracts.checks.schema import read_json_schema
from contracts.checks.texts import Url, read_contains, read_length, read_matches
from signoff.errors import ErrorCode
from signoff.status import Outcome

#: Characters of a check at most.
CHECK_MAX_CHARS: Final = 10_000


@dataclass(frozen=True)
class Differs:
    """`differs`: whether the result is another than that of the submission before."""

    needs_context = True

    def find(self, subject: Subject) -> Finding:
        """Compare their hashes."""
        if subject.is_repeated is None:
            return Finding(Outcome.CANNOT_ASSESS, None, "the result of the submission before is not known")
        comment = "it is the same as that of the submission before" if subject.is_repeated else "it is a new result"
        return Finding.of(
            not subject.is_repeated, "the same result" if subject.is_repeated else "another result", comment
        )


def _read_url(name: str, words: str) -> Check:
    _refuse_words(name, words)
    return Url()


def _read_differs(name: str, words: str) -> Check:
    _refuse_words(name, words)
    return Differs()


def _refuse_words(name: str, words: str) -> None:
    if words:
        raise CheckError(f"nothing stands after `{name}`")


def _look_within(read: Callable[[str, str], Check]) -> Callable[[str, str], Check]:
    """Return a reader of checks that look at the JSON in a text, too; at a text's `$` stands the text."""

    def read_looking(name: str, words: str) -> Check:
        check = read(name, words)
        return check if isinstance(check, Each | Equals) and not check.path.steps else Within(check, is_named=False)

    return read_looking


#: What may be asked of one text, also of each that a JSON path leads to.
_TEXT_FORMS: Final[dict[str, Callable[[str, str], Check]]] = {
    "max_words": read_length,
    "min_words": read_length,
    "max_chars": read_length,
    "min_chars": read_length,
    "contains": read_contains,
    "not_contains": read_contains,
    "matches": read_matches,
    "not_matches": read_matches,
    "url": _read_url,
    "valid": read_valid,
}
#: What may be asked of data, also where a text holds it.
_DATA_FORMS: Final[dict[str, Callable[[str, str], Check]]] = {
    "json_path": lambda _, words: read_json_path(words, lambda inner: _read(inner, _TEXT_FORMS)),
    "json_schema": read_json_schema,
    "cel": read_expression,
}
_FORMS: Final[dict[str, Callable[[str, str], Check]]] = {
    **_TEXT_FORMS,
    **{name: _look_within(read) for name, read in _DATA_FORMS.items()},
    "in": lambda _, words: read_within(words, lambda inner: _read(inner, _DATA_FORMS)),
    "differs": _read_differs,
}
_NAME: Final = re.compile(r"(\S*)\s*")


def read_check(text: str) -> Check:
    """Return the check that a text asks for. Raise CheckError, which says where it is wrong."""
    return _read(text, _FORMS)


def _read(text: str, forms: dict[str, Callable[[str, str], Check]]) -> Check:
    match = _NAME.match(text)
    assert match is not None  # each part of it may be empty
    name = match[1]
    if (read := forms.get(name)) is None:
        near = difflib.get_close_matches(name, forms)
        hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(forms)}"
        raise CheckError(f"there is no check `{name[:50]}`: {hint}", code=ErrorCode.CHECK_UNKNOWN)
    try:
        return read(name, text[match.end() :])
    except CheckError as error:
        raise CheckError(str(error), match.end() + error.at, error.code) from error
