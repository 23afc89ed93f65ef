"""See whether a check asks for anything: what any result would meet is no check, as far as that can be seen quickly."""

import re
from typing import Any, Final

from contracts.checks.base import Check, CheckError, Subject, panics_as_errors
from contracts.checks.expressions import Expression
from contracts.checks.holding import Within
from contracts.checks.paths import Count, Each, Exists
from contracts.checks.schema import JsonSchema, asks_for_something
from contracts.checks.texts import Matches, compile_pattern
from signoff.status import Outcome

#: Results that have nothing in common. What is true of each, and of all that it names itself, is taken to be always so.
_PROBES: Final[tuple[Any, ...]] = (
    None,
    True,
    False,
    0,
    -7.5,
    "",
    "Two words.\nAnd a line",
    [],
    ["a", 1],
    {},
    {"a": {"b": [None]}},
)
# What is run here is short, repeats nothing and compiles no pattern, so that it ends at once.
_PROBED_MAX_CHARS: Final = 200
_NOT_PROBED: Final = re.compile(r"[\\\[{]|\b(?:all|exists|exists_one|filter|map|matches)\s*\(")
_LITERAL: Final = re.compile(r"""(?P<text>"[^"]*"|'[^']*')|-?\d+(?:\.\d+)?""")
#: What may come after the begin of a text, or before its end: a word, none, another line.
_NEIGHBOURS: Final = ("a", "-", "\n")


def find_vacuity(check: Check) -> CheckError | None:
    """Return why a check says nothing of a result, with its place among the words after the name, or None."""
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
    """Return whether a pattern matches nothing at the begin or the end of any text."""
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
