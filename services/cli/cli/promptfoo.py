"""Import cases that promptfoo wrote: results (`--output results.json` or `.jsonl`), and tests of a configuration.

| in promptfoo | in a case of Signoff |
|---|---|
| `response.output`; `providerOutput` of a test | the result |
| `llm-rubric`, `model-graded-closedqa`, `factuality`, `g-eval` | a criterion in the same words |
| `contains`, `icontains`, `starts-with`, `regex`, `is-json` with a schema | a check, if a check says exactly the same |
| these if no check does, `equals`, `contains-any`, .. | a criterion that says the same |
| `not-` before any of these | a check that says so, or a criterion of kind `never` |
| `pass` of each assertion; a person's rating (`human`) | the label of the criterion; the label of the whole |
| weight 0 | an optional criterion |
| scripts, thresholds of similarity, cost, latency, other files | nothing; the command lists them as not imported |
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from contracts.checks import find_fault
from contracts.criteria import CRITERION_MAX_CHARS
from contracts.judging.cases import LINE_MAX_BYTES, Case, make_case
from signoff.jsontext import json_text

#: Who gave a label.
HUMAN, GRADER = "human", "grader"
#: Bytes of a file that is one document, and is read at once.
DOCUMENT_MAX_BYTES: Final = 256 << 20

_WORDS: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "pass", "passed", "correct", "good", "met"), True),
    **dict.fromkeys(("false", "no", "n", "0", "fail", "failed", "incorrect", "bad", "not_met"), False),
}
_PREFIX: Final = re.compile(r"[-*+\u2022]|\d{1,3}[.)]|(?:optional|never|check):", re.IGNORECASE)

Criteria = list[dict[str, Any]]


class Imported(NamedTuple):
    """An imported case, its place in the file, and those parts that could not be imported, each with the reason."""

    place: str
    case: Case
    lost: Sequence[str] = ()


class Skipped(NamedTuple):
    """A part of a file that could not be imported as a case, and the reason."""

    place: str
    reason: str


@dataclass(frozen=True)
class Fields:
    """The names of a file's fields that hold results and labels; `criteria` are used in place of those in the file."""

    result: str | None = None
    label: str | None = None
    criteria: str | None = None


@dataclass
class Draft:
    """A case while it is being made of one test or result of promptfoo."""

    id: str
    result: Any
    criteria: Criteria = field(default_factory=list)
    labels: list[bool | None] = field(default_factory=list)
    label: bool | None = None
    labelled_by: str | None = None
    title: str | None = None
    payload: Any = None
    lost: list[str] = field(default_factory=list)


def finish(place: str, draft: Draft, fields: Fields) -> Imported | Skipped:
    """Return the case of a draft, with the criteria of `fields`, if any, in place of its own; or why it has no case."""
    own: dict[str, Any] = {"criteria": draft.criteria, "labels": draft.labels or None}
    if fields.criteria is not None:
        known = [label for label in draft.labels if label is not None]
        draft.label = all(known) if draft.label is None and known and len(known) == len(draft.labels) else draft.label
        own = {"acceptance_criteria": fields.criteria}
    elif not draft.criteria:
        return Skipped(place, "; ".join([*draft.lost, "nothing says by what it is judged: give --criteria"]))
    value = {
        "id": draft.id[:200],
        "title": (draft.title or "").strip()[:500] or None,
        "result": draft.result,
        "payload": draft.payload,
        "label": draft.label,
        "labelled_by": draft.labelled_by,
        **own,
    }
    case = make_case(value)
    if isinstance(case, str):
        return Skipped(place, "; ".join([*draft.lost, case]))
    return Imported(place, case, draft.lost)


def make_criterion(text: str, **more: Any) -> dict[str, Any]:
    """Return a criterion of `text`, made one line without a prefix, and of `more`. Raise ValueError for its length."""
    line = " ".join(text.split())
    line = f"Meets this: {line}" if _PREFIX.match(line) else line
    if not line or len(line) > CRITERION_MAX_CHARS:
        raise ValueError(f"a criterion of {len(line)} characters, and one has 1 to {CRITERION_MAX_CHARS}")
    return {"text": line, **more}


def read_label(value: Any) -> bool | None:
    """Return the label that a value stands for (a boolean, 1 or 0, or a word such as `pass`); None for other values."""
    return _WORDS.get(str(value).strip().lower())


def look_up(sources: Sequence[Mapping[str, Any]], names: Sequence[str | None]) -> Any:
    """Return the value of the first of the `names` that a source has, from the first such source; None without one."""
    for name in names:
        for source in sources:
            if name is not None and source.get(name) is not None:
                return source[name]
    return None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty mapping."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """Return `value` if it is a list, else an empty list."""
    return value if isinstance(value, list) else []


#: The largest YAML document in bytes, and in values, each alias counted as the values for which it stands.
YAML_MAX_BYTES: Final = 8 << 20
VALUES_MAX: Final = 1_000_000


def import_cases(path: Path, fields: Fields) -> Iterator[Imported | Skipped]:
    """Yield the cases in a file of promptfoo, and the parts that are skipped, such as a case with an earlier id."""
    seen: dict[str, str] = {}
    for item in _read_file(path, fields):
        if isinstance(item, Imported) and (first := seen.setdefault(item.case.id, item.place)) != item.place:
            yield Skipped(item.place, f"id {item.case.id!r} is that of {first}")
        else:
            yield item


def _read_file(path: Path, fields: Fields) -> Iterator[Imported | Skipped]:
    importer = Promptfoo(fields)
    for place, value in _read_values(path):
        if isinstance(value, _Unread):
            yield Skipped(place, value.reason)
        else:
            yield from importer.read(place, value)


class _Unread(NamedTuple):
    reason: str


def _read_values(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix.lower() in {".yaml", ".yml"}:
        yield from _read_yaml(path)
        return
    with path.open("rb") as file:
        is_document = path.suffix.lower() != ".jsonl" and isinstance(_parse(file.readline(LINE_MAX_BYTES + 1)), _Unread)
        file.seek(0)
        if is_document:
            text = file.read(DOCUMENT_MAX_BYTES + 1)
            too_long = len(text) > DOCUMENT_MAX_BYTES
            yield "the file", _Unread(f"is longer than {DOCUMENT_MAX_BYTES} bytes") if too_long else _parse(text)
        else:
            yield from _read_lines(file)


def _read_lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    while line := file.readline(LINE_MAX_BYTES + 1):
        number += 1
        if len(line) > LINE_MAX_BYTES:
            yield f"line {number}", _Unread(f"is longer than {LINE_MAX_BYTES} bytes")
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_MAX_BYTES)
        elif line.strip():
            yield f"line {number}", _parse(line)


def _parse(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return _Unread(f"is no JSON: {error}")


def _read_yaml(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each test of a YAML configuration after its line; or, after `the file`, why it cannot be read."""
    import yaml  # noqa: PLC0415 - only needed here

    with path.open("rb") as file:
        text = file.read(YAML_MAX_BYTES + 1)
    if len(text) > YAML_MAX_BYTES:
        yield "the file", _Unread(f"is longer than {YAML_MAX_BYTES} bytes")
        return
    try:
        loader = yaml.CSafeLoader(text)
        root = loader.get_single_node()
        _check_size(root)
        value = None if root is None else loader.construct_document(root)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        yield "the file", _Unread(f"is no YAML that can be read: {' '.join(str(error).split())}")
        return
    yield from _place_tests(root, value)


def _place_tests(root: Any, value: Any) -> Iterator[tuple[str, Any]]:
    shared, tests, nodes = {}, value, root
    if isinstance(value, dict):
        shared, tests = {"defaultTest": value.get("defaultTest")}, value.get("tests")
        nodes = {key.value: node for key, node in root.value}.get("tests")  # the last of several, as in `value`
    if not isinstance(tests, list) or nodes is None:
        yield "the file", value
        return
    for node, test in zip(nodes.value, tests, strict=True):
        yield f"line {node.start_mark.line + 1}", {**shared, "tests": [test]}


def _check_size(root: Any) -> None:
    """Raise ValueError if a YAML document with its aliases has over VALUES_MAX values, or one that contains itself."""
    sizes: dict[int, int] = {}
    under_way: set[int] = set()

    def measure(node: Any) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in under_way:
            raise ValueError("something in it contains itself")
        under_way.add(id(node))
        parts = [] if node is None or isinstance(node.value, str) else node.value
        size = 1 + sum(measure(one) for part in parts for one in (part if isinstance(part, tuple) else (part,)))
        under_way.discard(id(node))
        if size > VALUES_MAX:
            raise ValueError(f"it stands for more than {VALUES_MAX} values")
        sizes[id(node)] = size
        return size

    measure(root)


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
    """Makes cases of the values in a file of promptfoo, one value after another."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def read(self, place: str, value: Any) -> Iterator[Imported | Skipped]:
        """Yield the cases in a value, which is a result, a test, or many of them, and the parts that make no case."""
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
        result = as_mapping(record.get("response")).get("output")
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
        if rating is not None:  # a person's rating counts more than those of graders
            draft.label, draft.labelled_by, draft.labels = rating, HUMAN, [None] * len(draft.labels)
        elif self._fields.criteria is not None:
            draft.label = read_label(grading.get("pass", record.get("success")))
        return finish(place, draft, self._fields)

    def _add(
        self, draft: Draft, assertion: Mapping[str, Any], variables: Mapping[str, Any], label: bool | None
    ) -> None:
        """Add an assertion and its label to a draft as a criterion, or add to `lost` why that is not possible."""
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
    """Return what an assertion demands, as the text of a criterion. Raise ValueError if words cannot say that."""
    if kind in _BARE:
        if value:
            raise ValueError("its schema is not taken over: give it as a check")
        return _BARE[kind]
    if kind in _GRADED:
        return _GRADED[kind].format(_render(value, variables))
    if kind in _LITERAL:
        values = value if isinstance(value, list) else [value]
        return _LITERAL[kind].format(", ".join(f'"{_render(one, variables)}"' for one in values))
    raise ValueError("is not about what a result says, or needs a script or a number that nothing here has")


def _render(value: Any, variables: Mapping[str, Any]) -> str:
    """Return a value as text, with variables filled in. Raise ValueError if it is empty, a file or another template."""
    if not isinstance(value, str | int | float) or not str(value).strip():
        raise ValueError("has no words")
    if str(value).startswith("file://"):
        raise ValueError(f"is in another file, {value}")

    known = {found[0]: _walk(variables, found[1].split(".")) for found in _VARIABLE.finditer(str(value))}
    if None in known.values() or _TEMPLATE.search(_VARIABLE.sub("", str(value))):
        raise ValueError(f"is a template that is not understood: {str(value)[:80]}")
    return _VARIABLE.sub(lambda found: str(known[found[0]]), str(value))


def _walk(value: Any, names: Sequence[str]) -> Any:
    for name in names:
        value = as_mapping(value).get(name)
    return value if isinstance(value, str | int | float) else None


#: What means the same in JavaScript and in RE2.
_COMMON: Final = re.compile(
    r"(?:[A-Za-z0-9 _,:;!@#%&=<>~`'\"/-]|\\[dwb]|\\[^A-Za-z0-9\s]|[\^$|()*+]|(?<!\()\?|\(\?:|\{\d+(?:,\d*)?\}"
    r"|\[(?:[A-Za-z0-9 _-]|\\[dw])+\])+",
    re.ASCII,
)
#: What of JSON Schema every validator reads alike.
_KEYWORDS: Final = {"type", "enum", "const", "required", "minimum", "maximum", "minLength", "maxLength"}
_SIZES: Final = {"minItems", "maxItems"}


def find_check(kind: str, value: Any, result: Any) -> str | None:
    """Return the check that decides as an assertion does on results of the type of `result`; None without such a check.

    `kind` and `value` are the assertion's, with the variables in `value` filled in.
    """
    says_not, name = kind.startswith(_NOT), kind.removeprefix(_NOT)
    check = None
    if name == "is-json" and not says_not and isinstance(result, dict | list) and _is_common(value):
        check = f"json_schema {json_text(value)}"
    elif isinstance(result, str) and isinstance(value, str):
        if name == "contains":
            check = f"{'not_' if says_not else ''}contains {json_text(value)}"
        elif (make := _PATTERNS.get(name)) and (pattern := make(value)) is not None:
            check = f"{'not_' if says_not else ''}matches /{pattern}/"
    return None if check is None or find_fault(check) is not None else check


def _fold(text: str) -> str | None:
    """Return a pattern for a text in either case, as JavaScript's `toLowerCase` compares texts; None if not ASCII."""
    if not text.isascii():
        return None
    # Beside their capitals: the Kelvin sign, and at the end a capital i with a dot, of which a dot is left over.
    more = [
        "\u212a" if c in "kK" else "\u0130" if c in "iI" and at == len(text) else "" for at, c in enumerate(text, 1)
    ]
    return "".join(
        f"[{c.lower()}{c.upper()}{other}]" if c.isalpha() else _quote(c) for c, other in zip(text, more, strict=True)
    )


def _quote(text: str) -> str:
    """Return a pattern, written on one line, that matches exactly this text."""
    return "".join(c if c.isalnum() or not c.isascii() else f"\\x{ord(c):02x}" for c in text)


_PATTERNS: Final[Mapping[str, Callable[[str], str | None]]] = {
    "icontains": _fold,
    "starts-with": lambda text: f"^{_quote(text)}",
    "regex": lambda text: text if _COMMON.fullmatch(text) else None,
}


def _is_common(schema: Any) -> bool:
    """Return whether a JSON Schema has only keywords that all validators read alike."""
    if not isinstance(schema, dict) or not schema.keys() <= _KEYWORDS | _SIZES | {"properties", "items"}:
        return False
    below = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return all(map(_is_common, below))
