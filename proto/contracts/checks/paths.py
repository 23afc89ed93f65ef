"""Check values in a result that a JSON path selects. JSON paths are a part of RFC 9535, without filters."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from contracts.checks.base import Check, CheckError, Finding, Subject, count_of, describe, refuse_constant
from contracts.checks.texts import escape_name
from signoff.status import Outcome

#: Steps of a path at most, and values that are looked at on the way.
STEPS_MAX: Final = 20
VALUES_MAX: Final = 1_000_000

_STEP: Final = re.compile(
    r"""(?P<deep>\.\.)?(?:
        (?P<any>(?(deep)\*|\.\*)|\[\*\])
        |(?(deep)|\.)(?P<name>[^\W\d][\w-]*)
        |\[(?P<index>-?(?:0|[1-9][0-9]{0,8}))\]
        |\[(?P<quoted>"(?:[^"\\]|\\.)*")\]
        |\['(?P<single>[^'\\]*)'\]
    )""",
    re.VERBOSE,
)
_COUNT: Final = re.compile(r"(==|>=|<=|>|<)?\s*([0-9]{1,9})")
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq, ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_IN_WORDS: Final = {"==": "", ">=": "at least ", "<=": "at most ", ">": "more than ", "<": "fewer than "}
_HELP: Final = "`json_path $.items[*] count >= 3`, or `exists`, `absent`, `equals <JSON>` or a check of its text"

#: A value, and the JSON pointer to it.
Node = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a path: to the member or item `key`, or to all if None; with `is_deep` also of each value below."""

    key: str | int | None
    is_deep: bool

    def walk(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """Yield the values, with their pointers, to which this step leads from the given ones."""
        for node in nodes:
            for pointer, value in _descend(node) if self.is_deep else (node,):
                if self.key is None:
                    yield from _list_children(pointer, value)
                elif isinstance(self.key, str) and isinstance(value, dict) and self.key in value:
                    yield f"{pointer}/{escape_name(self.key)}", value[self.key]
                elif isinstance(self.key, int) and isinstance(value, list) and -len(value) <= self.key < len(value):
                    yield f"{pointer}/{self.key % len(value)}", value[self.key]


def _list_children(pointer: str, value: Any) -> Iterator[Node]:
    if isinstance(value, dict):
        yield from ((f"{pointer}/{escape_name(name)}", member) for name, member in value.items())
    elif isinstance(value, list):
        yield from ((f"{pointer}/{at}", item) for at, item in enumerate(value))


def _descend(node: Node) -> Iterator[Node]:
    yield node
    for child in _list_children(*node):
        yield from _descend(child)


class TooManyValuesError(ValueError):
    """A path or a table has more values than a check looks at."""


@dataclass(frozen=True)
class Path:
    """A JSON path, such as `$.items[*].price`."""

    text: str
    steps: tuple[Step, ...]

    def select(self, value: Any) -> list[Node]:
        """Return the values that the path leads to, in order. Raise TooManyValuesError if its steps find too many."""
        nodes: list[Node] = [("", value)]
        left = VALUES_MAX
        for step in self.steps:
            found: list[Node] = []
            for node in step.walk(nodes):
                if (left := left - 1) < 0:
                    raise TooManyValuesError(f"`{self.text}` leads to more than {VALUES_MAX:,} values")
                found.append(node)
            nodes = found
        return nodes


def read_path(text: str) -> tuple[Path, int]:
    """Return the path at the beginning of a text, and the index of its end. Raise CheckError if there is no path."""
    if not text.startswith("$"):
        raise CheckError(f"a JSON path begins with `$`: {_HELP}")
    steps: list[Step] = []
    at = 1
    while match := _STEP.match(text, at):
        steps.append(_read_step(match))
        at = match.end()
    if at < len(text) and not text[at].isspace():
        raise CheckError(
            "here the JSON path has a step that is none: `.name`, `['name']`, `[0]`, `[*]`, `.*`, `..name`", at
        )
    if len(steps) > STEPS_MAX:
        raise CheckError(f"a JSON path has at most {STEPS_MAX} steps, not {len(steps)}")
    return Path(text[:at], tuple(steps)), at


def _read_step(match: re.Match[str]) -> Step:
    if match["any"]:
        key: str | int | None = None
    elif match["index"]:
        key = int(match["index"])
    elif match["quoted"]:
        try:
            key = str(json.loads(match["quoted"]))
        except ValueError as error:
            raise CheckError("the name in the JSON path is no JSON string", match.start("quoted")) from error
    else:
        key = match["name"] or match["single"]
    return Step(key, is_deep=match["deep"] is not None)


@dataclass(frozen=True)
class Exists:
    """`json_path $.a exists`, or `absent`: whether the path leads to a value, or to none."""

    path: Path
    is_wanted: bool
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Look for the first value at the path."""
        nodes = self.path.select(subject.result)
        if not nodes:
            return Finding.of(not self.is_wanted, "not found", f"nothing stands at `{self.path.text}`")
        return Finding.of(self.is_wanted, describe(nodes[0][1]), f"it stands at {name_pointer(nodes[0][0])}")


@dataclass(frozen=True)
class Count:
    """`json_path $.a[*] count >= 3`: how many values the path leads to."""

    path: Path
    comparison: str
    number: int
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Count the values at the path."""
        count = len(self.path.select(subject.result))
        has, asked = count_of(count, "value"), f"{_IN_WORDS[self.comparison]}{self.number:,}"
        return Finding.of(
            _COMPARE[self.comparison](count, self.number), has, f"`{self.path.text}` has {has}, of {asked} asked for"
        )


@dataclass(frozen=True)
class Equals:
    """`json_path $.a equals 5`: whether the path leads to at least one value, and all these values equal this one."""

    path: Path
    wanted: Any
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Compare the values at the path with the wanted one, up to the first that differs."""
        wanted = json.dumps(self.wanted, ensure_ascii=False)
        for pointer, value in (nodes := self.path.select(subject.result)):
            if not is_equal(value, self.wanted):
                is_other = f"{name_pointer(pointer)} is {_shorten(value)}"
                return Finding.of(False, _shorten(value), f"{is_other}, and must be {wanted}")
        if not nodes:
            return Finding.of(False, "not found", f"nothing stands at `{self.path.text}`, which must be {wanted}")
        return Finding.of(True, _shorten(nodes[0][1]), f"so it stands at {name_pointer(nodes[0][0])}")


@dataclass(frozen=True)
class Each:
    """`json_path $.a max_words 9`: whether the path leads to at least one value, and all these values meet a check."""

    path: Path
    check: Check
    needs_context = False

    def find(self, subject: Subject) -> Finding:
        """Check the values at the path, up to the first that does not pass."""
        finding: Finding | None = None
        for pointer, value in self.path.select(subject.result):
            finding = self.check.find(replace(subject, result=value))
            finding = finding._replace(comment=f"at {name_pointer(pointer)}: {finding.comment}")
            if finding.outcome is not Outcome.PASS:
                return finding
        return finding or Finding.of(False, "not found", f"nothing stands at `{self.path.text}`")


def read_json_path(words: str, read_inner: Callable[[str], Check]) -> Check:
    """Return the check in `words`: a path, and a check of the values there. Raise CheckError if either is malformed."""
    path, end = read_path(words)
    asked = words[end:].strip()
    at = len(words) - len(words[end:].lstrip())
    name, _, rest = asked.partition(" ")
    rest = rest.strip()
    if asked in {"exists", "absent"}:
        return Exists(path, is_wanted=asked == "exists")
    if name == "count":
        if (parts := _COUNT.fullmatch(rest)) is None:
            raise CheckError("`count` takes a number, perhaps after ==, >=, <=, > or <", at)
        comparison, number = parts[1] or "==", int(parts[2])
        if (comparison, number) in {(">=", 0), ("<", 0)}:
            raise CheckError("this count is met by any result, or by none", at)
        return Count(path, comparison, number)
    if name == "equals":
        try:
            return Equals(path, json.loads(rest, parse_constant=refuse_constant))
        except (ValueError, RecursionError) as error:
            raise CheckError('`equals` takes one JSON value: 5, "text", true, null, [1, 2]', at) from error
    if not asked:
        raise CheckError(f"say what is asked of the values at `{path.text}`: {_HELP}", at)
    try:
        return Each(path, read_inner(asked))
    except CheckError as error:
        raise CheckError(str(error), at + error.at, error.code) from error


def is_equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: 1 equals 1.0, and true does not equal 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return bool(one == other)


def name_pointer(pointer: str) -> str:
    """Return a JSON pointer in backticks, or `the result` for the empty pointer."""
    return f"`{pointer}`" if pointer else "the result"


def _shorten(value: Any) -> str:
    return describe(value) if isinstance(value, dict | list) else json.dumps(value, ensure_ascii=False)
