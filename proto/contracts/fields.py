"""The types of the fields of resources and requests, and the models that these are made of."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        msg = "must not contain the character U+0000"
        raise ValueError(msg)
    return text


def _check_limit_name(text: str) -> str:
    if re.fullmatch(r"(agent|tenant|batch):.+|label:[^=]+=.*", text, re.DOTALL) is None:
        msg = "a limit is named agent:<id>, tenant:<name> or label:<key>=<value>, with * for each value"
        raise ValueError(msg)
    return text


Text = Annotated[str, AfterValidator(_refuse_nul)]
JobId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
AgentId = JobId
#: An error code of a call, or the HTTP status that the agent answered with.
FailureCode = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]{0,63}|[1-5][0-9]{2})$")]
FailureCodes = Annotated[list[FailureCode], Field(min_length=1, max_length=64)]
Label = Annotated[Text, StringConstraints(max_length=200)]
Tenant = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Title = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
OperationName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_refuse_nul)
]
Capabilities = Annotated[
    list[Label],
    Field(max_length=64, description="that an agent must have; without an agent_id, one is matched"),
]
Labels = Annotated[dict[Label, Label], Field(max_length=64)]
Priority = Annotated[int, Field(ge=0, le=9)]
#: `agent:<id>`, `tenant:<name>`, `label:<key>=<value>` or `batch:<id>`; `*`: each value without a limit of its own.
LimitName = Annotated[Text, StringConstraints(max_length=500), AfterValidator(_check_limit_name)]


def code_of(problem: Mapping[str, Any]) -> str | None:
    """Return the stable code of a problem in a ValidationError, where the error that it was made of has one."""
    return getattr(problem.get("ctx", {}).get("error"), "code", None)


def message_of(problem: Mapping[str, Any]) -> str:
    """Return what a problem in a ValidationError is, in words for whoever sent it."""
    return str(problem["msg"]).removeprefix("Value error, ")


def describe_problem(problem: Mapping[str, Any]) -> str:
    """Return where a problem in a ValidationError is, and what it is."""
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {message_of(problem)}" if where else message_of(problem)


def explain(error: ValidationError) -> tuple[str | None, str]:
    """Return the stable code of the first problem, where it has one, and its words."""
    first = error.errors(include_url=False, include_input=False)[0]
    code = "malformed_json" if first["type"] == "json_invalid" else code_of(first)
    return code, describe_problem(first)


class Model(BaseModel):
    """A model of the contracts. Contracts grow: a reader ignores fields that it does not know."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


_RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]")


def _is_moment(value: Any) -> bool:
    return isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.match(value) is not None)


def _check_moment(value: Any) -> Any:
    if not _is_moment(value):
        msg = "must be a time of RFC 3339"
        raise ValueError(msg)
    return value


#: A time of RFC 3339; a number is refused, since pydantic would take it for seconds since 1970.
Moment = Annotated[AwareDatetime, BeforeValidator(_check_moment)]
#: By type, whether a JSON value may stand for it: JSON tells numbers, texts and booleans apart.
_MAY_STAND_FOR: dict[Any, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: not isinstance(value, bool | str),
    float: lambda value: not isinstance(value, bool | str),
    AwareDatetime: _is_moment,
}


class StrictModel(Model):
    """A model of requests, which refuses values of another JSON type: "5" is no number, true is not 1."""

    @field_validator("*", mode="before")
    @classmethod
    def _check_type(cls, value: Any, info: ValidationInfo) -> Any:
        may_stand = None if value is None else _find_check(cls, info.field_name or "")
        if may_stand is not None and not may_stand(value):
            msg = "is of another type"
            raise ValueError(msg)
        return value


@cache
def _find_check(model: type[StrictModel], name: str) -> Callable[[Any], bool] | None:
    """Return how to tell whether a JSON value may stand for that of a field; None if any may."""
    annotation = model.model_fields[name].annotation
    types = (type_ for type_ in get_args(annotation) or (annotation,) if type_ in _MAY_STAND_FOR)
    return next((_MAY_STAND_FOR[type_] for type_ in types), None)
