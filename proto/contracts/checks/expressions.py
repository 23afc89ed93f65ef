"""Check a result by an expression of CEL, the Common Expression Language, over what is known."""

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Final

from contracts.checks.base import CheckError, Finding, Subject, describe, panics_as_errors
from signoff.status import Outcome

#: Characters of an expression at most: the parser's stack grows with them.
EXPRESSION_MAX_CHARS: Final = 2_000
#: What an expression may look at.
VARIABLES: Final = frozenset({"result", "payload", "submission"})

#: Evidence of an expression that has none, as where a member is missing.
NO_VALUE: Final = "no value"

_TYPES: Final = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_FUNCTION_NAMES: Final = (
    "bytes contains double duration dyn endsWith getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours"
    " getMilliseconds getMinutes getMonth getSeconds int matches size startsWith string timestamp type uint"
)
_FUNCTIONS: Final = frozenset(_FUNCTION_NAMES.split())
_BOUND: Final = re.compile(r"\b(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_PLACE: Final = re.compile(r"<input>:\d+:(\d+): (.*)")


@dataclass(frozen=True)
class Expression:
    """`cel size(result.items) > 2`: whether an expression is true."""

    source: str
    variables: frozenset[str]

    @property
    def needs_context(self) -> bool:
        """Whether it looks at more than the result."""
        return bool(self.variables - {"result"})

    @cached_property
    def _program(self) -> Any:
        return compile_expression(self.source)

    def find(self, subject: Subject) -> Finding:
        """Evaluate. What has no value, as for a member that is missing, is not true."""
        known = {**subject.known, "result": subject.result}
        if missing := sorted(self.variables - known.keys()):
            return Finding(Outcome.CANNOT_ASSESS, None, f"the {missing[0]} is not known here")
        try:
            value = self._program.execute({name: known[name] for name in self.variables})
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            words = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            return Finding.of(False, NO_VALUE, f"the expression has no value: {words}")
        evidence = describe(value) if value is None or isinstance(value, bool | dict | list | str) else repr(value)
        return Finding.of(value is True, evidence, f"the value of the expression is {evidence}")


def read_expression(name: str, words: str) -> Expression:
    """Read an expression. Raise CheckError."""
    if len(words) > EXPRESSION_MAX_CHARS:
        raise CheckError(f"an expression has at most {EXPRESSION_MAX_CHARS} characters, not {len(words)}")
    if not words:
        raise CheckError(f"`{name}` takes an expression that is true or false: `{name} size(result.items) > 2`")
    try:
        references = compile_expression(words).references()
    except ValueError as error:
        place = _PLACE.search(str(error))
        raise CheckError(
            f"this is no expression: {place[2] if place else error}", int(place[1]) - 1 if place else 0
        ) from error
    named = {function for function in references["functions"] if function[0].isalpha()}
    _refuse_unknown(words, "function", named - _FUNCTIONS, _FUNCTIONS)
    variables = frozenset(references["variables"]) - set(_BOUND.findall(words)) - _TYPES
    _refuse_unknown(words, "variable", variables - VARIABLES, VARIABLES)
    if "result" not in variables:
        raise CheckError("the expression does not look at `result`, so that it says nothing of it")
    return Expression(words, variables)


def _refuse_unknown(words: str, what: str, unknown: frozenset[str] | set[str], known: frozenset[str]) -> None:
    for name in sorted(unknown):
        at = re.search(rf"(?<!\w){re.escape(name)}\b", words)
        message = f"there is no {what} `{name}`; there are {', '.join(sorted(known))}"
        raise CheckError(message, at.start() if at else 0)


def compile_expression(source: str) -> Any:
    """Return CEL's program of an expression. Raise ValueError if it is none."""
    # The package's own command line would bring in three others.
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel  # noqa: PLC0415 - only where there is an expression

    with panics_as_errors():
        return cel.compile(source)
