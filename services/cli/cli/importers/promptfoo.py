"""Import what promptfoo knows: results (`--output results.json` or `.jsonl`), and tests of a configuration.

| there | here |
|---|---|
| `response.output`; `providerOutput` of a test | the result |
| `llm-rubric`, `model-graded-closedqa`, `factuality`, `g-eval` | a criterion in the same words |
| `contains`, `icontains`, `starts-with`, `regex`, `is-json` with a schema | a check, where that says exactly the same |
| the same elsewhere, `equals`, `contains-any`, .. | a criterion that says so |
| `not-` before any of them | a check that says so, or a criterion of kind `never` |
| `pass` of each assertion; a person's rating (`human`) | the label of the criterion; of the whole |
| weight 0 | an optional criterion |
| scripts, thresholds of similarity, cost, latency, other files | nothing, and it is told |
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cli.importers.base import (
    GRADER,
    HUMAN,
    Draft,
    Fields,
    Imported,
    Skipped,
    as_list,
    as_mapping,
    finish,
    look_up,
    make_criterion,
    read_label,
)
from cli.importers.promptfoo_checks import find_check

_NOT: Final = "not-"
_NEVER: Final = {"kind": "never"}
_ERROR: Final = 2  # promptfoo's `failureReason` of a test that was not judged
_GRADED: Final = {
    "llm-rubric": "{}",
    "g-eval": "{}",
    "model-graded-closedqa": "{}",
    "factuality": "Agrees in fact with this: {}",
    "model-graded-factuality": "Agrees in fact with this: {}",
}
_LITERAL: Final = {
    "contains": "Contains {}",
    "icontains": "Contains {}, in upper or lower case",
    "contains-all": "Contains each of {}",
    "icontains-all": "Contains each of {}, in upper or lower case",
    "contains-any": "Contains one of {}",
    "icontains-any": "Contains one of {}, in upper or lower case",
    "equals": "Is exactly {}",
    "starts-with": "Begins with {}",
    "regex": "Has a part that matches the regular expression {}",
}
_BARE: Final = {"is-json": "Is JSON", "contains-json": "Contains JSON", "is-xml": "Is XML", "is-sql": "Is SQL"}
_VARIABLE: Final = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_TEMPLATE: Final = re.compile(r"\{\{|\{%|\{#")


class Promptfoo:
    """Read values one after another; a configuration says what all its tests have in common."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def read(self, place: str, value: Any) -> Iterator[Imported | Skipped]:
        """Return the cases in a value."""
        record = as_mapping(value)
        results = as_mapping(record.get("results")).get("results", record.get("results"))
        if isinstance(results, list):
            for number, one in enumerate(results, 1):
                yield self._read_result(f"{place}, result {number}", as_mapping(one))
        elif "tests" in record:
            yield from self._read_tests(place, record["tests"], as_mapping(record.get("defaultTest")))
        elif isinstance(value, list):
            yield from self._read_tests(place, value, {})
        elif "testCase" in record or "gradingResult" in record:
            yield self._read_result(place, record)
        elif "vars" in record or "assert" in record or "providerOutput" in record:
            yield self._read_test(place, record, {})
        else:
            yield Skipped(place, "is no result, test or configuration of promptfoo")

    def _read_tests(self, place: str, tests: Any, default: Mapping[str, Any]) -> Iterator[Imported | Skipped]:
        for number, one in enumerate(tests if isinstance(tests, list) else [tests], 1):
            where = f"{place}, test {number}"
            if "gradingResult" in as_mapping(one):
                yield self._read_result(where, one)
            elif isinstance(one, Mapping):
                yield self._read_test(where, one, default)
            else:
                yield Skipped(where, f"its tests are elsewhere: import {one} by itself")

    def _read_test(self, place: str, test: Mapping[str, Any], default: Mapping[str, Any]) -> Imported | Skipped:
        variables = {**as_mapping(default.get("vars")), **as_mapping(test.get("vars"))}
        known = [variables, as_mapping(test.get("metadata"))]
        result = look_up([test, *known], ["providerOutput", self._fields.result])
        if result is None:
            return Skipped(place, "has no output of a model: run promptfoo, and import its results")
        label = read_label(look_up(known, [self._fields.label]))
        draft = Draft(place, result, label=label, labelled_by=HUMAN, payload=dict(variables))
        draft.title = test.get("description")
        for assertion in [*as_list(default.get("assert")), *as_list(test.get("assert"))]:
            self._add(draft, as_mapping(assertion), variables, None)
        if label is None:
            return Skipped(place, "was judged by nobody: run promptfoo and import its results, or name a --label")
        return finish(place, draft, self._fields)

    def _read_result(self, place: str, record: Mapping[str, Any]) -> Imported | Skipped:
        test = as_mapping(record.get("testCase"))
        variables = {**as_mapping(test.get("vars")), **as_mapping(record.get("vars"))}
        result = look_up([as_mapping(record.get("response"))], ["output"])
        if result is None or record.get("failureReason") == _ERROR:
            return Skipped(place, f"ended in an error, and was not judged: {record.get('error') or 'no output'}")
        draft = Draft(str(record.get("id") or place), result, labelled_by=GRADER, payload=dict(variables))
        draft.title = test.get("description")
        grading = as_mapping(record.get("gradingResult"))
        rating: bool | None = None
        for component in map(as_mapping, as_list(grading.get("componentResults"))):
            assertion = as_mapping(component.get("assertion"))
            if assertion.get("type") == HUMAN:
                rating = read_label(component.get("pass"))
            elif assertion:  # a set of assertions has none, and its parts follow it
                self._add(draft, assertion, variables, read_label(component.get("pass")))
        if rating is not None:  # a person is not bound by what graders said
            draft.label, draft.labelled_by, draft.labels = rating, HUMAN, [None] * len(draft.labels)
        elif self._fields.criteria is not None:
            draft.label = read_label(grading.get("pass", record.get("success")))
        return finish(place, draft, self._fields)

    def _add(
        self, draft: Draft, assertion: Mapping[str, Any], variables: Mapping[str, Any], label: bool | None
    ) -> None:
        """Add an assertion as a criterion, or say that it is lost."""
        kind = str(assertion.get("type"))
        if kind == "assert-set":
            for one in as_list(assertion.get("assert")):
                self._add(draft, as_mapping(one), variables, None)
            return
        optional: dict[str, Any] = {"required": False} if assertion.get("weight") == 0 else {}
        value = assertion.get("value")
        try:
            filled_in = value if isinstance(value, Mapping | list | None) else _render(value, variables)
            check = find_check(kind, filled_in, draft.result)
            if check is not None:
                draft.criteria.append({"text": check, "kind": "check", **optional})
            else:
                words = describe(kind.removeprefix(_NOT), value, variables)
                draft.criteria.append(make_criterion(words, **_NEVER if kind.startswith(_NOT) else {}, **optional))
            draft.labels.append(label)
        except ValueError as error:
            draft.lost.append(f"assertion {kind!r}: {error}")


def describe(kind: str, value: Any, variables: Mapping[str, Any]) -> str:
    """Return an assertion in words. Raise ValueError if it cannot be said."""
    if kind in _BARE:
        if value:
            msg = "its schema is not taken over: give it as a check"
            raise ValueError(msg)
        return _BARE[kind]
    if kind in _GRADED:
        return _GRADED[kind].format(_render(value, variables))
    if kind in _LITERAL:
        values = value if isinstance(value, list) else [value]
        return _LITERAL[kind].format(", ".join(f'"{_render(one, variables)}"' for one in values))
    msg = "is not about what a result says, or needs a script or a number that nothing here has"
    raise ValueError(msg)


def _render(value: Any, variables: Mapping[str, Any]) -> str:
    """Return a value with its variables filled in."""
    if not isinstance(value, str | int | float) or not str(value).strip():
        msg = "has no words"
        raise ValueError(msg)
    if str(value).startswith("file://"):
        msg = f"is in another file, {value}"
        raise ValueError(msg)

    known = {found[0]: _walk(variables, found[1].split(".")) for found in _VARIABLE.finditer(str(value))}
    if None in known.values() or _TEMPLATE.search(_VARIABLE.sub("", str(value))):
        msg = f"is a template that is not understood: {str(value)[:80]}"
        raise ValueError(msg)
    return _VARIABLE.sub(lambda found: str(known[found[0]]), str(value))


def _walk(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        value = as_mapping(value).get(name)
    return value if isinstance(value, str | int | float) else None
