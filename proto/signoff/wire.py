"""Read messages as models, records or mappings, and write models and mappings as messages, by the names of fields.

How a kind of message becomes a kind of model, and back, is compiled once from its descriptor and the model's fields:
enumerations are words without their prefix, `x_json` is the JSON of `x`, times are times, and what has no presence is
never missing. No value is checked, but that words and fields of requests are known. It needs no pydantic.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeVar, get_args
from uuid import UUID

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from signoff import status
from signoff.money import to_nanos, usd_text

M = TypeVar("M")
#: Ends the name of a field that holds JSON as text.
_JSON: Final = "_json"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_TIMESTAMP: Final = "google.protobuf.Timestamp"
_VALUE: Final = "google.protobuf.Value"
#: Messages of which one field is the resource itself, and the others stand beside its fields.
_JOINED: Final = {
    "CreateJobResponse": "job",
    "UpdateJobResponse": "job",
    "PutJudgePolicyResponse": "policy",
    "PutCriteriaSetResponse": "set",
}
#: Lists that are not set where they are empty: of a record, which has no model to say so.
_NOT_SET: Final = frozenset(
    {
        *("Job.criteria", "Job.references", "JobLog.waited", "Policy.retry_codes", "Policy.no_retry_codes"),
        "Verdict.stages",
    }
)
_Read = Callable[[Any], Any]


class Record(SimpleNamespace):
    """The fields of a message, None where they are not set. `nulls`: JSON that was sent as null, which is a value."""

    __slots__ = ("nulls",)
    nulls: frozenset[str]


def read_fields(message: Any) -> dict[str, Any]:
    """Return the fields of a message by name, those of messages in it likewise; what is not set is left out."""
    fields: dict[str, Any] = read(message, dict)
    return fields


def read_record(message: Any) -> Record:
    """Return a message as a record: the attributes of its model, for a reader that does without pydantic."""
    record: Record = read(message, Record)
    return record


def read(message: Any, target: type) -> Any:
    """Return what a message holds: a model, a Record or, for `dict`, a mapping without what is not set."""
    return _compile_reader(message.DESCRIPTOR, target)(message)


class _Empty(NamedTuple):
    """What a target has of a message without any field: values, and makers of those that can be changed."""

    values: Mapping[str, Any]
    makers: Iterable[tuple[str, Callable[[], Any]]]


@cache
def _compile_reader(descriptor: Descriptor, target: type) -> _Read:
    readers = dict(_choose_readers(descriptor, target))
    inner = descriptor.fields_by_name.get(_JOINED.get(descriptor.name, ""))
    empty = _find_empty(descriptor, target)
    build = _choose_builder(target)
    defaults, makers = dict(empty.values), tuple(empty.makers)

    of_inner = None if inner is None else _compile_reader(inner.message_type, target).collect  # type: ignore[attr-defined]

    def collect(message: Any, values: dict[str, Any], given: set[str]) -> None:
        for field, value in message.ListFields():
            if (reader := readers.get(field)) is not None:
                name, read_value = reader
                values[name] = value if read_value is None else read_value(value)
                given.add(name)

    def read_whole(message: Any) -> Any:
        values, given = defaults.copy(), set[str]()
        for name, make in makers:
            values[name] = make()
        if inner is not None and of_inner is not None:
            of_inner(getattr(message, inner.name), values, given)
        collect(message, values, given)
        return build(values, given)

    read_whole.collect = collect  # type: ignore[attr-defined]
    return read_whole


def _choose_readers(descriptor: Descriptor, target: type) -> Iterator[tuple[FieldDescriptor, tuple[str, _Read | None]]]:
    hints = _find_hints(target)
    for field in descriptor.fields:
        name = field.name.removesuffix(_JSON)
        if field.name != _JOINED.get(descriptor.name) and (hints is None or name in hints):
            yield field, (name, _choose_reader(field, target, None if hints is None else hints[name]))


def _choose_reader(field: FieldDescriptor, target: type, hint: Any) -> _Read | None:
    if field.name.endswith(_JSON):
        return _parse_json if target is dict else json.loads
    if _is_map(field):
        return dict
    one = _choose_one(field, target, hint)
    if not field.is_repeated:
        return one
    return list if one is None else lambda values: [one(value) for value in values]


def _choose_one(field: FieldDescriptor, target: type, hint: Any) -> _Read | None:
    if (words := field.enum_type) is not None:
        return lambda number: read_word(words, number)
    if (kind := field.message_type) is None:
        return next((each for each in (UUID, Decimal) if each in _find_types(hint)), None)
    if kind.full_name == _TIMESTAMP:
        return read_time
    if kind.full_name == _VALUE:
        return _read_value
    nested = next((each for each in _find_types(hint) if hasattr(each, "model_fields")), None)
    return _compile_reader(kind, nested or (dict if hint else target))


def _find_empty(descriptor: Descriptor, target: type) -> _Empty:
    """Find what a message without any field holds: of models their defaults, of records what has no presence."""
    if target is dict:
        return _Empty({}, ())
    inner, fields = _JOINED.get(descriptor.name), dict[str, FieldDescriptor | None]()
    within = () if inner is None else descriptor.fields_by_name[inner].message_type.fields  # type: ignore[union-attr]
    for each in (*within, *(field for field in descriptor.fields if field.name != inner)):
        name = each.name.removesuffix(_JSON)
        fields[name] = each if name == each.name else fields.get(name)
    values: dict[str, Any] = {}
    makers: dict[str, Callable[[], Any]] = {}
    models = getattr(target, "model_fields", None)
    for name in fields if models is None else models:
        field, model = fields.get(name), None if models is None else models[name]
        make = None if field is None else _choose_empty(field, target, None if model is None else model.annotation)
        if make is None and model is not None:
            make = None if model.is_required() else partial(model.get_default, call_default_factory=True)
        values[name] = None
        if make is not None:
            values[name] = make()
            if isinstance(values[name], list | dict) or hasattr(type(values[name]), "model_fields"):
                makers[name] = make
    return _Empty(values, makers.items())


def _choose_empty(field: FieldDescriptor, target: type, hint: Any) -> Callable[[], Any] | None:
    if hint is not None and type(None) in get_args(hint):
        return None
    if field.is_repeated:
        not_set = target is Record and field.full_name.removeprefix("signoff.v1.") in _NOT_SET
        return None if not_set else dict if _is_map(field) else list
    if (kind := field.message_type) is not None and hasattr(hint, "model_fields"):
        return lambda: _compile_reader(kind, hint)(GetMessageClass(kind)())
    is_missing = field.has_presence or field.enum_type is not None
    if not is_missing and Decimal in _find_types(hint):
        return Decimal
    return None if is_missing else lambda: field.default_value


def _choose_builder(target: type) -> Callable[[dict[str, Any], set[str]], Any]:
    if target is dict:
        return lambda values, _: values
    if issubclass(target, Record):
        return _build_record
    new, put = target.__new__, object.__setattr__

    def build(values: dict[str, Any], given: set[str]) -> Any:  # what model_construct does, and no more
        made = new(target)
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", given)
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made

    return build


def _build_record(values: dict[str, Any], given: set[str]) -> Record:
    record = Record(**values)
    record.nulls = frozenset(name for name in given if values[name] is None)
    return record


def _find_hints(target: type) -> Mapping[str, Any] | None:
    models = getattr(target, "model_fields", None)
    return None if models is None else {name: model.annotation for name, model in models.items()}


def _find_types(hint: Any) -> Iterator[Any]:
    yield hint
    for each in get_args(hint):
        yield from _find_types(each)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _parse_json(text: str) -> Any:
    """Return the JSON in a request, which is a stranger's: ValueError for what is none, or too deep."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - needs pydantic

    return parse_json(text)


def _read_value(value: Any) -> Any:
    from signoff.json_fields import read_value  # noqa: PLC0415 - heavy, and seldom sent

    return read_value(value)


def read_time(stamp: Timestamp) -> datetime:
    """Return a time that the jobstore sent."""
    # The jobstore's own is within bounds: ToDatetime, which looks, takes six times as long.
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)


@cache
def read_word(enum: EnumDescriptor, number: int) -> str | None:
    """Return the member of the enum in `signoff.status`; None if it is not set."""
    values = enum.values_by_number
    if number not in values:
        return f"UNKNOWN_{number}"
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    word: str | None = getattr(status, enum.name)[values[number].name.removeprefix(prefix)] if number else None
    return word


def parse_words(enum: EnumDescriptor, numbers: Iterable[int]) -> list[str]:
    """Return the words that a request has in a field. ValueError: one of them is not set, or not known."""
    if unknown := [number for number in numbers if not number or number not in enum.values_by_number]:
        msg = f"{unknown[0]} is not a valid {enum.name}"
        raise ValueError(msg)
    return [str(read_word(enum, number)) for number in numbers]


def write_message(kind: type[M], values: Any) -> M:
    """Return a message of those fields of a model or a mapping that it has, without those that are None.

    ValueError: an unknown word.
    """
    return kind(**_write_fields(kind.DESCRIPTOR, values))  # type: ignore[attr-defined]


def _write_fields(descriptor: Descriptor, values: Any) -> dict[str, Any]:
    writers = _compile_writers(descriptor)
    given = values.items() if isinstance(values, Mapping) else _list_fields(values)
    written = {
        writer[0]: writer[1](value)
        for name, value in given
        if (writer := writers.get(name)) is not None and (value is not None or writer[1] is _write_json)
    }
    if (inner := _JOINED.get(descriptor.name)) is not None and inner not in written:
        kind: Any = descriptor.fields_by_name[inner].message_type
        written[inner] = _write_fields(kind, values)
    return written


def read_field(message: Any, name: str) -> Any:
    """Return one field of a message, those of messages in it by name; None if it is not set."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not message.HasField(name):
        return None
    value, read_value = getattr(message, name), _choose_reader(field, dict, None)
    return value if read_value is None else read_value(value)


def split_patch(kind: Any, patch: Any) -> tuple[dict[str, Any], list[str]]:
    """Return what a patch sets, a model or a mapping, and the paths of all that it changes, as an update mask has them.

    Members of messages and maps are changed one by one, and None removes one.
    """
    values, paths = dict[str, Any](), list[str]()
    for name, change in _list_given(patch):
        field = kind.DESCRIPTOR.fields_by_name.get(name)
        has_members = isinstance(change, Mapping) or hasattr(type(change), "model_fields")
        is_plain = field is None or field.message_type is None or f"{name}{_JSON}" in kind.DESCRIPTOR.fields_by_name
        members = dict(_list_given(change)) if has_members and not is_plain else None
        paths += [name] if members is None else [f"{name}.{member}" for member in members]
        values[name] = change if members is None else {key: each for key, each in members.items() if each is not None}
    return values, sorted(paths)


def _list_given(change: Any) -> Iterable[tuple[Any, Any]]:
    """Return what a model or a mapping gives, null included."""
    if isinstance(change, Mapping):
        return change.items()
    return [(name, getattr(change, name)) for name in change.model_fields_set]


def find_unknown(kind: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Find the members of a mapping, and of those within it, that a kind of message has no field for."""
    yield from _find_unknown(kind.DESCRIPTOR, values, "")


def _find_unknown(descriptor: Descriptor, values: Mapping[str, Any], within: str) -> Iterator[str]:
    writers, fields = _compile_writers(descriptor), descriptor.fields_by_name
    for name, value in values.items():
        if name not in writers:
            yield f"{within}{name}"
        elif (kind := fields[writers[name][0]].message_type) is not None and not kind.GetOptions().map_entry:
            for each in value if isinstance(value, list | tuple) else [value]:
                if isinstance(each, Mapping):
                    yield from _find_unknown(kind, each, f"{within}{name}.")


def _list_fields(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a model as they are sent: of what may be any JSON, null only where it was given."""
    kind, given = type(model), model.model_fields_set
    for name, field in kind.model_fields.items():
        value = getattr(model, name)
        if not field.exclude and (value is not None or (field.annotation is Any and name in given)):
            yield name, value
    for name in kind.model_computed_fields:
        yield name, getattr(model, name)


@cache
def _compile_writers(descriptor: Descriptor) -> Mapping[str, tuple[str, _Read]]:
    """Choose by the name of each value the field that it is sent in, and how it is written there."""
    writers = {name: (name, _choose_writer(field)) for name, field in descriptor.fields_by_name.items()}
    texts = [name for name in writers if name.endswith(_JSON)]
    return {**writers, **{name.removesuffix(_JSON): (name, _write_json) for name in texts}}


def _choose_writer(field: FieldDescriptor) -> _Read:
    one: _Read = _write_scalar
    kind = field.message_type
    if _is_map(field):
        return dict
    if (words := field.enum_type) is not None:
        one = lambda word: write_word(words, word)  # noqa: E731 - one of several
    elif kind is not None and kind.full_name == _TIMESTAMP:
        one = write_time
    elif kind is not None and kind.full_name.startswith("signoff."):
        one = lambda value: _write_fields(kind, value)  # noqa: E731
    elif kind is not None:
        one = _keep
    return (lambda values: [one(value) for value in values]) if field.is_repeated else one


def _keep(value: Any) -> Any:
    return value


def _write_scalar(value: Any) -> Any:
    if isinstance(value, Decimal):
        return usd_text(to_nanos(value))
    return value if isinstance(value, str | int | float) else str(value)


def _write_json(value: Any) -> str:
    from signoff.jsontext import check_json_value, json_text  # noqa: PLC0415 - needs pydantic

    return json_text(check_json_value(value))


@cache
def write_word(enum: EnumDescriptor, word: str) -> Any:
    """Return the number of a word of an enumeration. ValueError: it has no such word."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    if (value := enum.values_by_name.get(f"{prefix}{word.upper()}")) is None:
        msg = f"{word!r} is no {enum.name}"
        raise ValueError(msg)
    return value.number


def write_words(enum: EnumDescriptor, words: Iterable[str]) -> list[Any]:
    """Return the numbers of words of an enumeration. ValueError: it has no such word."""
    return [write_word(enum, word) for word in words]


def write_time(at: datetime | str) -> Timestamp:
    """Return a time as it is sent; as text, it is one of RFC 3339."""
    # What gRPC makes of a datetime by itself takes three times as long.
    since = (datetime.fromisoformat(at) if isinstance(at, str) else at) - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)
