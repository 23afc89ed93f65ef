"""The types of the fields of resources and requests, and the models that these are made of."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from signoff.errors import ErrorCode
from signoff.fields import Model, Time, find_json_fields

T = TypeVar("T")


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    return text


def _check_limit_name(text: str) -> str:
    if re.fullmatch(r"(agent|tenant|batch):.+|label:[^=]+=.*", text, re.DOTALL) is None:
        raise ValueError("a limit is named agent:<id>, tenant:<name> or label:<key>=<value>, with * for each value")
    return text


#: By pattern, the message for a text that does not match it.
_WORDS_OF_PATTERNS: Final[dict[str, str]] = {}


def matches(pattern: str, words: str) -> str:
    """Return the pattern, and register `words` for the error message of a text that does not match the pattern."""
    _WORDS_OF_PATTERNS[pattern] = words
    return pattern


_ID_PATTERN = matches(
    r"^[A-Za-z0-9][A-Za-z0-9._:-]*$",
    "must begin with a letter or digit, and have only letters, digits and . _ : - in it",
)
_FAILURE_CODE_PATTERN = matches(
    r"^([a-z][a-z0-9_]{0,63}|[1-5][0-9]{2})$", "must be an error code, such as agent_timeout, or an HTTP status"
)
_TOKEN_NAME_PATTERN = matches(
    r"^[a-z0-9][a-z0-9._-]{0,59}$",
    "must be up to 60 small letters, digits and . _ -, and begin with a letter or digit",
)
_TENANT_NAME_PATTERN = matches(r"^[a-z0-9-]{1,40}$", "must be up to 40 small letters, digits and -")
_RETENTION_NAME_PATTERN = matches(
    r"^tenant:(\*|[a-z0-9-]{1,40})$", "must be tenant:<name>, or tenant:* for each tenant without one of its own"
)
_LABEL_PATTERN = matches(r"^[^:\x00]+:[^\x00]*$", "must be name:value")
Text = Annotated[str, AfterValidator(_refuse_nul)]
JobId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=_ID_PATTERN)]
AgentId = JobId
#: An error code of a call, or the HTTP status that the agent answered with.
FailureCode = Annotated[str, StringConstraints(pattern=_FAILURE_CODE_PATTERN)]
FailureCodes = Annotated[list[FailureCode], Field(min_length=1, max_length=64)]
Label = Annotated[Text, StringConstraints(max_length=200)]
#: A label of a filter, `name:value`.
LabelPair = Annotated[str, StringConstraints(pattern=_LABEL_PATTERN)]
Tenant = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Title = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
OperationName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_refuse_nul)
]
Capabilities = Annotated[
    list[Label], Field(max_length=64, description="that an agent must have; without an agent_id, one is matched")
]
Labels = Annotated[dict[Label, Label], Field(max_length=64)]
Priority = Annotated[int, Field(ge=0, le=9)]
TokenName = Annotated[str, StringConstraints(pattern=_TOKEN_NAME_PATTERN)]
TenantName = Annotated[str, StringConstraints(pattern=_TENANT_NAME_PATTERN)]
RetentionName = Annotated[str, StringConstraints(pattern=_RETENTION_NAME_PATTERN)]
#: `agent:<id>`, `tenant:<name>`, `label:<key>=<value>` or `batch:<id>`; `*` is for values without a limit of their own.
LimitName = Annotated[Text, StringConstraints(max_length=500), AfterValidator(_check_limit_name)]


def code_of(problem: Mapping[str, Any]) -> str | None:
    """Return the stable code of the cause of a problem in a ValidationError; None if the cause has none."""
    return getattr(problem.get("ctx", {}).get("error"), "code", None)


_A_TIME: Final = "must be a date and time with its zone, such as 2026-05-01T12:00:00Z"
_A_NUMBER: Final = "must be a number"
_A_WHOLE_NUMBER: Final = "must be a whole number"
_TRUE_OR_FALSE: Final = "must be true or false"
#: By the type of a problem that pydantic finds, or the first word of the type: the message in place of pydantic's.
_WORDS: Final = {
    "missing": "must be given",
    "extra_forbidden": "cannot be given here: leave it out",
    "finite_number": "must be a finite number",
    "too_short": "must have at least {min_length} {unit}",
    "too_long": "must have at most {max_length} {unit}, not {actual_length}",
    "string_too_short": "must have at least {min_length} {unit}",
    "string_too_long": "must have at most {max_length} {unit}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string": "must be a text",
    "int": _A_WHOLE_NUMBER,
    "float": _A_NUMBER,
    "bool": _TRUE_OR_FALSE,
    "uuid": "must be a UUID",
    "url": "must be a URL that begins with http:// or https://",
    "datetime": _A_TIME,
    "timezone": _A_TIME,
    "enum": "must be {expected}",
    "literal": "must be {expected}",
    "list": "must be a list",
    "dict": "must be an object of names and values",
    "model": "must be an object of names and values",
    "json": "must be JSON: {error}",
}


def message_of(problem: Mapping[str, Any], model: Any = None, path: Sequence[str | int] = ()) -> str:
    """Return the message of a problem in a ValidationError: what is wrong, and what the sender of the value can do.

    With the expected type (`model`) and the path in it, the message for an unknown member proposes the nearest name.
    """
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden" and model is not None:
        names = (name for each in _find_models(model, path[:-1]) for name in each.model_fields)
        nearest = difflib.get_close_matches(str(path[-1]), names, 1)
        return f"is not known here: did you mean {nearest[0]}?" if nearest else "is not known here: leave it out"
    if kind == "string_pattern_mismatch":
        return _WORDS_OF_PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if context.get("min_length") == 1:
        return "must not be empty"
    words = _WORDS.get(kind) or _WORDS.get(kind.partition("_")[0])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    is_text = kind.startswith("string_") or context.get("field_type") == "Value"
    known = {"unit": "characters" if is_text else "items", **{name: _plain(value) for name, value in context.items()}}
    return words.format(**known)


def _plain(value: Any) -> Any:
    """Return a bound as people write it: 1 instead of 1.0, and names without quotes."""
    return int(value) if isinstance(value, float) and value.is_integer() else str(value).replace("'", "")


def _find_models(kind: Any, path: Sequence[str | int]) -> Iterator[type[BaseModel]]:
    """Yield the pydantic models that may stand at a path within the type `kind`."""
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        rest = path[1:] if get_origin(kind) in {list, dict} else path
        for part in get_args(kind):
            yield from _find_models(part, rest)
    elif not path:
        yield kind
    elif field := kind.model_fields.get(str(path[0])):
        yield from _find_models(field.annotation, path[1:])


def describe_problem(problem: Mapping[str, Any], model: Any = None) -> str:
    """Return the place and the message of a problem in a ValidationError; `model` is as in `message_of`."""
    where = ".".join(str(part) for part in problem["loc"])
    message = message_of(problem, model, problem["loc"])
    return f"{where}: {message}" if where else message


def explain(error: ValidationError) -> tuple[str | None, str]:
    """Return the stable code (or None) of an error's first problem, and the place and message of that problem."""
    first = find_problem(error)
    return code_of_problem(first), describe_problem(first)


def find_problem(error: ValidationError) -> Mapping[str, Any]:
    """Return the first problem of a ValidationError."""
    return error.errors(include_url=False, include_input=False)[0]


def code_of_problem(problem: Mapping[str, Any]) -> str | None:
    """Return the stable code of a problem in a ValidationError, also of malformed JSON; None if there is none."""
    return ErrorCode.MALFORMED_JSON if problem["type"] == "json_invalid" else code_of(problem)


class _RefuseUnknown:
    """Mark a type so that unknown members are refused at every level."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        adapter: TypeAdapter[Any] = TypeAdapter(source)
        return core_schema.no_info_wrap_validator_function(
            lambda value, _: adapter.validate_python(value, extra="forbid"), handler(source)
        )


#: The body of a request, in which unknown fields are refused. Records of topics are read as the bare types.
Strict = Annotated[T, _RefuseUnknown()]


_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.match(value) is not None)


def _check_moment(value: Any) -> Any:
    if not _is_moment(value):
        raise ValueError(_A_TIME)
    return value


#: A time of RFC 3339; a number is refused, since pydantic would take it for seconds since 1970.
Moment = Annotated[Time, BeforeValidator(_check_moment)]
#: By type, whether a JSON value may stand for it, and the message if not: JSON distinguishes numbers, texts, booleans.
_MAY_STAND_FOR: dict[Any, tuple[Callable[[Any], bool], str]] = {
    bool: (lambda value: isinstance(value, bool), _TRUE_OR_FALSE),
    int: (lambda value: not isinstance(value, bool | str), _A_WHOLE_NUMBER),
    float: (lambda value: not isinstance(value, bool | str), _A_NUMBER),
    AwareDatetime: (_is_moment, _A_TIME),
    Time: (_is_moment, _A_TIME),
}


class _Narrowed(dict[str, Any]):
    """The checks that a field of a request adds to those of the answer's field."""


def narrow(**checks: Any) -> Any:
    """Declare a request's field with default and description of the answer's field of that name, and with `checks`."""
    return _Narrowed(checks)


class StrictModel(Model):
    """A model of requests, which refuses values of another JSON type: "5" is no number, true is not 1."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give narrowed fields the default and the description that the base class declares."""
        super().__init_subclass__(**options)
        narrowed = {name: checks for name, checks in vars(cls).items() if isinstance(checks, _Narrowed)}
        for name, checks in narrowed.items():
            declared: Any = next(base for base in cls.__bases__ if name in getattr(base, "model_fields", ()))
            field, own = declared.model_fields[name], dict[str, Any](checks)
            own |= {"default_factory": field.default_factory, "description": field.description}
            setattr(cls, name, Field(field.default, **own))

    @field_validator("*", mode="before")
    @classmethod
    def _check_type(cls, value: Any, info: ValidationInfo) -> Any:
        check = None if value is None else _find_check(cls, info.field_name or "")
        if check is not None:
            may_stand, words = check
            if not may_stand(value):
                raise ValueError(words)
        return value


@cache
def _find_check(model: type[StrictModel], name: str) -> tuple[Callable[[Any], bool], str] | None:
    """Return a test of JSON values for a field, and the message if it fails; None if the field takes any value."""
    annotation = model.model_fields[name].annotation
    types = (type_ for type_ in get_args(annotation) or (annotation,) if type_ in _MAY_STAND_FOR)
    return next((_MAY_STAND_FOR[type_] for type_ in types), None)


class Patch(StrictModel):
    """A JSON merge patch (RFC 7396): what is given changes, and null makes a field what it is in a new resource.

    The members of an object, such as a policy or labels, change one by one, and null removes one. A list is replaced,
    and so is JSON of users.
    """

    IS_PATCH: ClassVar = True


#: Fields by name, as they are after a patch.
Merged: TypeAlias = dict[str, Any]


def merge(stored: object, patch: Patch, new: type[Model]) -> Merged:
    """Return the fields that a patch of a stored resource changes, with their values after the change.

    Raise ValidationError if a changed map is one that a new resource (`new`) may not have.
    """
    return {name: _merge(new, name, getattr(stored, name), getattr(patch, name)) for name in patch.model_fields_set}


def _merge(new: type[Model], name: str, before: Any, change: Any) -> Any:
    if change is None:
        return new.model_fields[name].get_default(call_default_factory=True)
    if isinstance(change, BaseModel):
        return before.model_copy(update={member: getattr(change, member) for member in change.model_fields_set})
    if isinstance(change, dict) and name not in find_json_fields(new):
        merged = {member: value for member, value in {**before, **change}.items() if value is not None}
        return _make_map_adapter(new, name).validate_python({name: merged})[name]
    return change


@cache
def _make_map_adapter(model: type[Model], name: str) -> TypeAdapter[dict[str, Any]]:
    """Return an adapter that checks a model's field, and names the field in the problems that it reports."""
    field = model.model_fields[name]
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(dict[str, kind])
