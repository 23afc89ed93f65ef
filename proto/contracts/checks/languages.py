"""Check a result by what libraries evaluate: a JSON Schema, or an expression of CEL.

Nothing is fetched, and patterns take linear time.
"""

import difflib
import json
import re
import sys
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Final

from contracts.checks.base import CheckError, Finding, Subject, describe, panics_as_errors, refuse_constant
from contracts.checks.paths import name_pointer
from contracts.checks.texts import escape_name
from signoff.status import Outcome

#: Bytes of what one pattern of a schema is compiled to, and of what is kept while it is searched for.
PATTERN_MAX_BYTES: Final = 1 << 16
PATTERN_CACHE_MAX_BYTES: Final = 1 << 20
#: Levels of a schema at most.
LEVELS_MAX: Final = 100
#: Faults of a result that a comment lists.
FAULTS_MAX: Final = 3
#: What the library says of a `$ref` that leads elsewhere.
_FETCHED: Final = re.compile(r"cannot fetch [^\s()]+")

# By what stands under them: one schema or several, schemas by name, anything else.
_OF_SCHEMAS_WORDS: Final = (
    "additionalItems additionalProperties allOf anyOf contains contentSchema else if items not oneOf prefixItems"
    " propertyNames then unevaluatedItems unevaluatedProperties"
)
_OF_NAMED_WORDS: Final = "$defs definitions dependentSchemas dependencies patternProperties properties"
_OTHER_WORDS: Final = (
    "$anchor $comment $dynamicAnchor $dynamicRef $id $recursiveAnchor $recursiveRef $ref $schema $vocabulary const"
    " contentEncoding contentMediaType default dependentRequired deprecated description enum examples exclusiveMaximum"
    " exclusiveMinimum format id maxContains maxItems maxLength maxProperties maximum minContains minItems minLength"
    " minProperties minimum multipleOf pattern readOnly required title type uniqueItems writeOnly"
)
_OF_SCHEMAS, _OF_NAMED, _OTHER = (
    frozenset(words.split()) for words in (_OF_SCHEMAS_WORDS, _OF_NAMED_WORDS, _OTHER_WORDS)
)
_KEYWORDS: Final = _OF_SCHEMAS | _OF_NAMED | _OTHER
_NOTES_WORDS: Final = (
    "$anchor $comment $defs $dynamicAnchor $id $recursiveAnchor $schema $vocabulary contentEncoding contentMediaType"
    " contentSchema default definitions deprecated description examples if maxContains minContains readOnly title"
    " writeOnly"
)
#: What asks for nothing by itself.
_NOTES: Final = frozenset(_NOTES_WORDS.split())
#: What asks for nothing at its least value.
_AT_LEAST: Final = frozenset({"dependentRequired", "minItems", "minLength", "minProperties", "required", "uniqueItems"})
_TYPES: Final = frozenset({"array", "boolean", "null", "number", "object", "string"})
_OF_TEXT: Final = frozenset({"format", "maxLength", "minLength", "pattern"})
#: What asks for something whatever stands under it, though that is a schema.
_ALWAYS: Final = frozenset({"contains", "not", "oneOf"})


@dataclass(frozen=True)
class JsonSchema:
    """`json_schema {..}`: whether the result is valid by a schema: draft 2020-12 unless its `$schema` says another."""

    schema: Any
    needs_context = False

    @cached_property
    def _validator(self) -> Any:
        return compile_schema(self.schema)

    def find(self, subject: Subject) -> Finding:
        """Validate the result against the schema, and report FAULTS_MAX faults at most."""
        faults: list[str] = []
        evidence = describe(subject.result)
        for error in self._validator.iter_errors(subject.result):
            where = _to_pointer(error.instance_path)
            faults.append(f"{name_pointer(where)}: {error.message}")
            if len(faults) == FAULTS_MAX:
                break
        return Finding.of(not faults, evidence, "; ".join(faults) or "it is valid by the schema")


def read_json_schema(name: str, words: str) -> JsonSchema:
    """Return the check of the JSON Schema in `words`. Raise CheckError if `words` is no schema that can be used."""
    try:
        schema = json.loads(words, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise CheckError(f"`{name}` takes a JSON Schema on one line, and this is no JSON: {error}", at) from error
    if not isinstance(schema, dict) or not schema:
        raise CheckError(f'`{name}` takes a JSON object that asks for something: `{name} {{"type": "object"}}`')
    _refuse_unknown(schema, "", LEVELS_MAX)
    try:
        compile_schema(schema)
    except ValueError as error:
        unread = _FETCHED.search(str(error))
        why = f"{unread[0]}, as nothing is: `$ref` leads into the schema itself, as `#/$defs/name`" if unread else error
        raise CheckError(f"this is no JSON Schema that can be used: {why}") from error
    return JsonSchema(schema)


def _refuse_unknown(schema: Any, pointer: str, levels: int) -> None:
    """Raise CheckError if a schema has an unknown keyword: validators ignore it, so a typo would accept any result."""
    if levels == 0:
        raise CheckError(f"the schema has more than {LEVELS_MAX} levels")
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        here = f"{pointer}/{escape_name(keyword)}"
        if keyword not in _KEYWORDS and not keyword.startswith("x-"):
            near = difflib.get_close_matches(keyword, _KEYWORDS)
            hint = f": did you mean `{near[0]}`?" if near else ""
            raise CheckError(f"the schema has an unknown keyword at `{here}`{hint}")
        if keyword in _OF_NAMED and isinstance(value, dict):
            for name, one in value.items():
                _refuse_unknown(one, f"{here}/{escape_name(name)}", levels - 1)
        elif keyword in _OF_SCHEMAS:
            for one in value if isinstance(value, list) else [value]:
                _refuse_unknown(one, here, levels - 1)


def asks_for_something(schema: Any) -> bool:
    """Return whether a valid schema has a keyword that some value violates, as far as the schema shows."""
    if not isinstance(schema, dict):
        return schema is not True
    return any(_asks(keyword, value, schema) for keyword, value in schema.items())


def asks_for_text(schema: dict[str, Any]) -> bool:
    """Return whether a schema is about a text: by its type or, without a type, by its keywords for texts."""
    if "type" in schema:
        return "string" in schema["type"]
    return not _OF_TEXT.isdisjoint(schema)


def _asks(keyword: str, value: Any, schema: dict[str, Any]) -> bool:
    if keyword in _NOTES or keyword not in _KEYWORDS or (keyword in {"then", "else"} and "if" not in schema):
        return False
    if keyword in _AT_LEAST:
        return bool(value)
    if keyword == "type":
        return not (isinstance(value, list) and set(value) >= _TYPES)
    if keyword in _OF_NAMED:
        return any(map(asks_for_something, value.values()))  # or lists of names, as `dependencies` has
    if keyword not in _OF_SCHEMAS or keyword in _ALWAYS:
        return True
    below = value if isinstance(value, list) else [value]
    return (all if keyword == "anyOf" else any)(map(asks_for_something, below))


def compile_schema(schema: dict[str, Any]) -> Any:
    """Return a validator. Raise ValueError if the schema is invalid, refers to another, or has an unusable pattern."""
    import jsonschema_rs  # noqa: PLC0415 - only where there is a schema

    patterns = jsonschema_rs.RegexOptions(size_limit=PATTERN_MAX_BYTES, dfa_size_limit=PATTERN_CACHE_MAX_BYTES)
    try:
        with panics_as_errors():
            return jsonschema_rs.validator_for(
                schema,
                pattern_options=patterns,
                offline=True,
                validate_formats=True,
                ignore_unknown_formats=False,
                mask="the value",
            )
    except jsonschema_rs.ValidationError as error:
        raise ValueError(f"{error.message} (at `{_to_pointer(error.instance_path)}`)") from error


def _to_pointer(path: list[str | int]) -> str:
    return "".join(f"/{escape_name(str(part))}" for part in path)


#: Characters of an expression at most: the parser's stack grows with them.
EXPRESSION_MAX_CHARS: Final = 2_000
#: What an expression may look at.
VARIABLES: Final = frozenset({"result", "payload", "submission"})

#: Evidence of an expression that has none, as where a member is missing.
NO_VALUE: Final = "no value"

_TYPE_NAMES: Final = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
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
        """Whether the expression uses other variables than `result`."""
        return bool(self.variables - {"result"})

    @cached_property
    def _program(self) -> Any:
        return compile_expression(self.source)

    def find(self, subject: Subject) -> Finding:
        """Evaluate the expression. If it has no value, as for a missing member, the check is not met."""
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
    """Return the check of the CEL expression in `words`. Raise CheckError if `words` is no expression."""
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
    _refuse_unknown_names(words, "function", named - _FUNCTIONS, _FUNCTIONS)
    variables = frozenset(references["variables"]) - set(_BOUND.findall(words)) - _TYPE_NAMES
    _refuse_unknown_names(words, "variable", variables - VARIABLES, VARIABLES)
    if "result" not in variables:
        raise CheckError("the expression does not look at `result`, so that it says nothing of it")
    return Expression(words, variables)


def _refuse_unknown_names(words: str, what: str, unknown: frozenset[str] | set[str], known: frozenset[str]) -> None:
    for name in sorted(unknown):
        at = re.search(rf"(?<!\w){re.escape(name)}\b", words)
        raise CheckError(f"there is no {what} `{name}`; there are {', '.join(sorted(known))}", at.start() if at else 0)


def compile_expression(source: str) -> Any:
    """Return CEL's program of an expression. Raise ValueError if the source is no expression."""
    # The package's own command line would bring in three others.
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel  # noqa: PLC0415 - only where there is an expression

    with panics_as_errors():
        return cel.compile(source)
