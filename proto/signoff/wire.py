"""Read and write any message by the names of its fields: enumerations as words, JSON as what it says, times as times.

It needs no pydantic, and checks no value.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from signoff import status

M = TypeVar("M")
#: Ends the name of a field that holds JSON as text.
_JSON: Final = "_json"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_TIMESTAMP: Final = "google.protobuf.Timestamp"
_VALUE: Final = "google.protobuf.Value"
_Read = Callable[[Any], Any]


class _Plan(NamedTuple):
    """How the fields of a kind of message are read: the name of each, and how its value is."""

    readers: Mapping[str, tuple[str, _Read]]
    #: Of the fields that are always there, what is in them if nothing was sent.
    empty: Mapping[str, Callable[[], Any]]


def read_fields(message: Any) -> dict[str, Any]:
    """Return the fields of a message by name, those of messages in it likewise; what is not set is left out."""
    return read_with(message, read_fields)


def read_with(message: Any, nest: _Read) -> dict[str, Any]:
    """Return the fields of a message by name, each message in it as `nest` reads it."""
    plan = _plan_reading(message.DESCRIPTOR, nest)
    values = {name: make() for name, make in plan.empty.items()}
    for field, value in message.ListFields():
        name, read = plan.readers[field.name]
        values[name] = read(value)
    return values


def read_field(message: Any, name: str) -> Any:
    """Return one field of a message; None if it is not set."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not message.HasField(name):
        return None
    return _choose_reader(field, read_fields)(getattr(message, name))


@cache
def _plan_reading(descriptor: Descriptor, nest: _Read) -> _Plan:
    fields = descriptor.fields_by_name
    readers = {
        name: (name.removesuffix(_JSON), json.loads if name.endswith(_JSON) else _choose_reader(field, nest))
        for name, field in fields.items()
    }
    always = [name for name, field in fields.items() if not field.has_presence and not name.endswith(_JSON)]
    empty = {name: _choose_empty(fields[name]) for name in always}
    return _Plan(readers, {name: make for name, make in empty.items() if make is not None})


def _choose_reader(field: FieldDescriptor, nest: _Read) -> _Read:
    read: _Read = _keep
    if field.enum_type is not None:
        words = field.enum_type
        read = lambda number: read_word(words, number)  # noqa: E731 - one of several
    elif field.message_type is not None:
        if field.message_type.GetOptions().map_entry:
            return dict
        read = {_TIMESTAMP: read_time, _VALUE: _read_value}.get(field.message_type.full_name, nest)
    return (lambda values: [read(value) for value in values]) if field.is_repeated else read


def _choose_empty(field: FieldDescriptor) -> Callable[[], Any] | None:
    if field.is_repeated:
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        return dict if is_map else list
    return None if field.enum_type is not None else lambda: field.default_value


def _keep(value: Any) -> Any:
    return value


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


def write_message(kind: type[M], values: Mapping[str, Any]) -> M:
    """Return a message of those of the values that it has fields for. None is not set. ValueError: an unknown word."""
    return kind(**_write_fields(kind.DESCRIPTOR, values))  # type: ignore[attr-defined]


def _write_fields(descriptor: Descriptor, values: Mapping[str, Any]) -> dict[str, Any]:
    fields = descriptor.fields_by_name
    return {
        name: [_write(fields[name], each) for each in value] if isinstance(value, list) else _write(fields[name], value)
        for name, value in values.items()
        if value is not None and name in fields
    }


def _write(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type is not None:
        return write_word(field.enum_type, value)
    if isinstance(value, datetime):
        return write_time(value)
    if field.message_type is None:
        return value if isinstance(value, str | int | float) else str(value)
    if isinstance(value, Mapping) and not field.message_type.GetOptions().map_entry:
        return _write_fields(field.message_type, value)
    return value


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


def write_time(at: datetime) -> Timestamp:
    """Return a time as it is sent."""
    # What gRPC makes of a datetime by itself takes three times as long.
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)
