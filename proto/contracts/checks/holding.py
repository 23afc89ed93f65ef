"""Check that a text holds data of a form, or what this data is."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from contracts.checks.base import COMMENT_MAX_CHARS, Check, CheckError, Finding, Subject, count_of, describe, show
from contracts.checks.data import FORMS, DataError, NoDataError, find_data, find_json, list_data
from contracts.checks.expressions import NO_VALUE, Expression
from contracts.checks.schema import JsonSchema, asks_for_text


@dataclass(frozen=True)
class Valid:
    """`valid csv`: whether a text is of a form or has it in fences, each without a fault."""

    form: str
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Read it."""
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
    """`in csv json_path $[*].price exists`: a check of the one data of a form that a text holds.

    Without `in`, `json_path`, `json_schema` and `cel` look at the JSON that a text holds; and at the text itself where
    it holds none, or the check asks for a text.
    """

    check: Check
    form: str = "json"
    is_named: bool = True

    @property
    def needs_context(self) -> bool:
        """Whether the check does."""
        return self.check.needs_context

    def find(self, subject: Subject) -> Finding:
        """Look for the data, and make the check of it."""
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
        """Return what the check finds of the text as it is, or None if it asks for something else."""
        if isinstance(self.check, JsonSchema):
            return self.check.find(subject) if asks_for_text(self.check.schema) else None
        if isinstance(self.check, Expression):
            found = self.check.find(subject)
            return None if found.evidence == NO_VALUE else found
        return None


def read_valid(name: str, words: str) -> Valid:
    """Read the form that `valid` asks for. Raise CheckError."""
    if words not in FORMS:
        raise CheckError(f"`{name}` takes one of {', '.join(FORMS)}: `{name} json`")
    return Valid(words)


def read_within(words: str, read_inner: Callable[[str], Check]) -> Within:
    """Read the form that `in` names, and the check of its data. Raise CheckError."""
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
