"""The models of answers, and the types of their fields."""

import operator
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import core_schema

from signoff.values import USD_MAX, time_text, to_nanos, to_usd, usd_text

T = TypeVar("T")


class _Open:
    """Marks an enumeration as open: an unknown word, as of a newer server, is taken as text."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        words = {"type": "string", "x-extensible-enum": [word.value for word in source]}
        return core_schema.union_schema(
            [handler(source), core_schema.str_schema()],
            mode="left_to_right",
            metadata={"pydantic_js_functions": [lambda _schema, _handler: dict(words)]},
        )


#: An enumeration of answers: a word of it, or a text that is not known yet.
Open = Annotated[T, _Open()]


#: A time. Any that RFC 3339 knows is read; JSON has it as `time_text` writes it.
Time = Annotated[
    AwareDatetime,
    PlainSerializer(time_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


#: The pattern of amounts from 0 to `USD_MAX`.
_TO_THE_MOST: Final = r"^([0-9]{1,6}(\.[0-9]{1,9})?|1000000(\.0{1,9})?)$"


def _declare_money(pattern: str, **bounds: Any) -> tuple[Any, ...]:
    return (
        PlainValidator(lambda usd: to_usd(to_nanos(usd, **bounds))),
        PlainSerializer(lambda usd: usd_text(to_nanos(usd)), return_type=str),
        WithJsonSchema({"type": "string", "pattern": pattern, "examples": ["0.0123"]}),
    )


#: USD in a request: a decimal text or a number, with nine digits after the point at most.
Money = Annotated[Decimal, *_declare_money(_TO_THE_MOST, usd_max=USD_MAX, rounds=False)]
#: USD in a report of a worker, who may have computed it: rounded to a nano-dollar.
ReportedMoney = Annotated[Decimal, *_declare_money(_TO_THE_MOST, usd_max=USD_MAX)]
#: A sum of USD, as Signoff answers it.
SumOfMoney = Annotated[Decimal, *_declare_money(r"^[0-9]{1,16}(\.[0-9]{1,9})?$")]


#: Leads to the next page of a list; absent on the last one.
NextPageToken = Annotated[str | None, Field(exclude_if=operator.not_, description="of the next page, if there is one")]


def optional(description: str) -> Any:
    """Declare an optional field, whose default is None."""
    return Field(None, description=description)


class Model(BaseModel):
    """A model of the contracts. Contracts grow: a reader ignores fields that it does not know."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class JsonModel(Model):
    """A model with JSON of users, in which null is a value: where nothing that is None is shown, what was given is."""

    @model_serializer(mode="wrap")
    def _keep_nulls(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):  # type: ignore[no-untyped-def] # noqa: ANN202 - the schema is that of the fields
        shown = handler(self)
        if info.exclude_none and info.include is None:
            given = find_json_fields(type(self)) & self.model_fields_set - set(info.exclude or ())
            shown |= {name: None for name in given if getattr(self, name) is None}
        return shown


@cache
def find_json_fields(model: type[Model]) -> frozenset[str]:
    """Return the names of a model's fields that hold any JSON."""
    return frozenset(name for name, field in model.model_fields.items() if field.annotation is Any)
