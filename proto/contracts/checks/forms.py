"""Read a check from its text, which begins with the check's name, and find checks that every result meets."""

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from contracts.checks.base import (
    COMMENT_MAX_CHARS,
    Check,
    CheckError,
    Finding,
    Subject,
    count_of,
    describe,
    panics_as_errors,
    show,
)
from contracts.checks.data import FORMS, DataError, NoDataError, find_data, find_json, list_data
from contracts.checks.languages import (
    NO_VALUE,
    Expression,
    JsonSchema,
    asks_for_something,
    asks_for_text,
    read_expression,
    read_json_schema,
)
from contracts.checks.paths import Count, Each, Equals, Exists, read_json_path
from contracts.checks.texts import Matches, Url, compile_pattern, read_contains, read_length, read_matches
from signoff.errors import ErrorCode
from signoff.status import Outcome


@dataclass(frozen=True)
class Valid:
    """`valid csv`: whether a text, or each fence in it that is of the form, is valid data of the form."""

    form: str
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Return whether the subject's text is valid in the form, with the fault if it is not."""
        if not isinstance(subject.result, str):
            is_json = self.form == "json"
            comment = "the result itself is JSON" if is_json else f"the result must be a text with {self.form} in it"
            return Finding.of(is_json, describe(subject.result), comment)
        try:
            first, *others = list_data(subject.result, self.form)
        except DataError as error:
            return Finding.of(False, f"no valid {self.form}", str(error))
        evidence = count_of(first.value, "line") if self.form == "python" else describe(first.value)
        more = f", and {len(others):,} more" if others else ""
        return Finding.of(True, evidence, f"valid {self.form}: {first.where}{more}")


@dataclass(frozen=True)
class Within:
    """`in csv json_path $[*].price exists`: a check of the only data of a form in a text.

    Without `in`, the checks `json_path`, `json_schema` and `cel` look at the JSON in a text; they look at the text
    itself if the text holds no JSON, or if the check asks for a text.
    """

    check: Check
    form: str = "json"
    is_named: bool = True

    @property
    def needs_context(self) -> bool:
        """Whether the inner check, of the data, depends on more than the result."""
        return self.check.needs_context

    def find(self, subject: Subject) -> Finding:
        """Find the data in the result, and return what the inner check finds in the data."""
        if not isinstance(subject.result, str):
            if self.form != "json":
                return Finding.of(False, f"no {self.form}", f"the result must be a text with {self.form} in it")
            return self.check.find(subject)
        if not self.is_named and (found := self._find_of_text(subject)) is not None:
            return found
        try:
            value, where = find_data(subject.result, self.form) if self.is_named else find_json(subject.result)
        except DataError as error:
            if self.is_named or not isinstance(error, NoDataError):
                return Finding.of(False, f"no {self.form}", str(error))
            return self.check.find(subject)
        found = self.check.find(replace(subject, result=value))
        return found._replace(comment=show(f"in {where}: {found.comment}", COMMENT_MAX_CHARS))

    def _find_of_text(self, subject: Subject) -> Finding | None:
        """Return what the inner check finds in the text itself, or None if that check is about data in the text."""
        if isinstance(self.check, JsonSchema):
            return self.check.find(subject) if asks_for_text(self.check.schema) else None
        if isinstance(self.check, Expression):
            found = self.check.find(subject)
            return None if found.evidence == NO_VALUE else found
        return None


def read_valid(name: str, words: str) -> Valid:
    """Return the check `valid` of the form that `words` names. Raise CheckError if there is no such form."""
    if words not in FORMS:
        raise CheckError(f"`{name}` takes one of {', '.join(FORMS)}: `{name} json`")
    return Valid(words)


def read_within(words: str, read_inner: Callable[[str], Check]) -> Within:
    """Return the check in `words`: a form, and a check of data of the form. Raise CheckError if either is malformed."""
    form, _, rest = words.partition(" ")
    if form not in FORMS or form == "python":
        known = ", ".join(one for one in FORMS if one != "python")
        raise CheckError(f"`in` takes one of {known}, and a check of it: `in csv json_path $[*].price exists`")
    inner = rest.lstrip()
    at = len(words) - len(inner)
    if not inner:
        raise CheckError(f"say what is checked of the {form}: `in {form} json_path $[*].price exists`", at)
    try:
        return Within(read_inner(inner), form)
    except CheckError as error:
        raise CheckError(str(error), at + error.at, error.code) from error


#: Characters of a check at most.
CHECK_MAX_CHARS: Final = 10_000


@dataclass(frozen=True)
class Differs:
    """`differs`: whether the result differs from the result of the previous submission."""

    needs_context = True

    def find(self, subject: Subject) -> Finding:
        """Compare the result with the result of the previous submission."""
        if subject.is_repeated is None:
            return Finding(Outcome.CANNOT_ASSESS, None, "the result of the submission before is not known")
        if subject.is_repeated:
            return Finding.of(False, "the same result", "it is the same as that of the submission before")
        return Finding.of(True, "another result", "it is a new result")


def _read_alone(check: Check, name: str, words: str) -> Check:
    """Return the check, which takes no words. Raise CheckError if there are words after its name."""
    if words:
        raise CheckError(f"nothing stands after `{name}`")
    return check


def _look_within(read: Callable[[str, str], Check]) -> Callable[[str, str], Check]:
    """Return a reader whose checks look at JSON in a text, too; only `equals` or a check at `$` looks at the text."""

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
    "url": partial(_read_alone, Url()),
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
    "differs": partial(_read_alone, Differs()),
}
_NAME: Final = re.compile(r"(\S*)\s*")


def read_check(text: str) -> Check:
    """Return the check that a text describes. Raise CheckError, which says where the text is wrong."""
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


#: Results that have nothing in common. What is true of each, and of all that it names itself, is taken to be always so.
_PROBES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -7.5, "", "Two words.\nAnd a line"),
    *([], ["a", 1], {}, {"a": {"b": [None]}}),
)
# What is run here is short, repeats nothing and compiles no pattern, so that it ends at once.
_PROBED_MAX_CHARS: Final = 200
_NOT_PROBED: Final = re.compile(r"[\\\[{]|\b(?:all|exists|exists_one|filter|map|matches)\s*\(")
_LITERAL: Final = re.compile(r"""(?P<text>"[^"]*"|'[^']*')|-?\d+(?:\.\d+)?""")
#: What may come after the begin of a text, or before its end: a word, none, another line.
_NEIGHBOURS: Final = ("a", "-", "\n")


def find_vacuity(check: Check) -> CheckError | None:
    """Return why a check is met by every result, with its place in the words after the name; None if it is not."""
    if isinstance(check, Within):
        return find_vacuity(check.check)
    if isinstance(check, Exists | Count | Each) and not check.path.steps:
        if isinstance(check, Each):
            return find_vacuity(check.check)
        return CheckError("`$` is the result itself, of which there is always one: say where in it to look")
    is_vacuous = (
        (isinstance(check, JsonSchema) and not asks_for_something(check.schema))
        or (isinstance(check, Matches) and check.is_wanted and _matches_anything(check.pattern))
        or (isinstance(check, Expression) and _is_always_true(check))
    )
    return CheckError("any result meets this: ask for something that one may lack") if is_vacuous else None


def _matches_anything(pattern: str) -> bool:
    """Return whether a pattern matches the empty text at the beginning or at the end of every text."""
    if compile_pattern(pattern).search("") is None:
        return False
    try:
        first, last = (compile_pattern(one) for one in (rf"\A(?:{pattern})(?s:.)\z", rf"\A(?s:.)(?:{pattern})\z"))
    except ValueError:  # too large with that, or it begins a quotation that it does not end
        return False
    return any(all(one.search(text) for text in _NEIGHBOURS) for one in (first, last))


def _is_always_true(check: Expression) -> bool:
    source = check.source
    if len(source) > _PROBED_MAX_CHARS or _NOT_PROBED.search(source) or check.variables != {"result"}:
        return False
    named: list[Any] = [one[0][1:-1] if one["text"] else float(one[0]) for one in _LITERAL.finditer(source)]
    try:
        with panics_as_errors():
            return all(check.find(Subject(probe, {})).outcome is Outcome.PASS for probe in (*_PROBES, *named))
    except ValueError:
        return False
