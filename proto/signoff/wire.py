"""Read messages as models, records or mappings, and write models, mappings and rows as messages, by names of fields.

How a kind of message becomes a kind of model, and back, is compiled once from its descriptor and the model's fields:
enumerations are words without their prefix, `x_json` is the JSON of `x`, times are times, ids are texts, and a field
without presence is never missing. Values are not checked: only words, times and JSON of requests are, and the names of
their fields. This module does without pydantic.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final, NamedTuple, TypeVar, get_args, get_type_hints
from uuid import UUID

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from signoff import status
from signoff.values import to_nanos, usd_text

M = TypeVar("M")
T = TypeVar("T")
#: Ends the name of a field that holds JSON as text; of an amount in USD; and of an amount as rows have it.
_JSON: Final = "_json"
_USD: Final = "_usd"
_NANOS: Final = "_nanos"
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
#: Lists of records that are None where they are empty, as the models declare them, which records do without.
_NOT_SET: Final = frozenset(
    {
        *("Job.criteria", "Job.references", "JobLog.waited", "Policy.retry_codes", "Policy.no_retry_codes"),
        *("Limit.judge_policies", "Verdict.stages"),
    }
)
_Convert = Callable[[Any], Any]


class Record(SimpleNamespace):
    """The fields of a message, None where they are not set. `nulls` names the fields whose JSON was sent as null."""

    __slots__ = ("nulls",)
    nulls: frozenset[str]


def read_fields(message: Any) -> dict[str, Any]:
    """Return the fields of a request as a mapping, and submessages likewise; fields that are not set are left out."""
    fields: dict[str, Any] = read(message, dict)
    return fields


def read_record(message: Any) -> Record:
    """Return a message as a record: the attributes of its model, for a reader that does without pydantic."""
    record: Record = read(message, Record)
    return record


def read(message: Any, target: type) -> Any:
    """Return a message as a model, a Record or, for `dict`, a mapping without fields that are not set."""
    return _compile_reader(message.DESCRIPTOR, target)(message)


def read_dataclass(message: Any, target: Callable[..., T], **given: Any) -> T:
    """Return a message as a dataclass, with the fields in `given`; a field that is not set has its default."""
    return target(**{**_compile_reader(message.DESCRIPTOR, target)(message), **given})


class _Empty(NamedTuple):
    """The values that a target has for an empty message, and makers of those that are mutable."""

    values: Mapping[str, Any]
    makers: Iterable[tuple[str, Callable[[], Any]]]


@cache
def _compile_reader(descriptor: Descriptor, target: type) -> _Convert:
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


def _choose_readers(
    descriptor: Descriptor, target: type
) -> Iterator[tuple[FieldDescriptor, tuple[str, _Convert | None]]]:
    hints = _find_hints(target)
    for field in descriptor.fields:
        name = field.name.removesuffix(_JSON)
        if field.name != _JOINED.get(descriptor.name) and (hints is None or name in hints):
            yield field, (name, _choose_reader(field, target, None if hints is None else hints[name]))


def _choose_reader(field: FieldDescriptor, target: type, hint: Any) -> _Convert | None:
    if field.name.endswith(_JSON):
        is_text = {*(get_args(hint) or [hint])} - {type(None)} == {str}
        return None if is_text else _parse_json if target is dict else json.loads
    if _is_map(field):
        return dict
    one = _choose_one(field, target, hint)
    if not field.is_repeated:
        return one
    return list if one is None else lambda values: [one(value) for value in values]


def _choose_one(field: FieldDescriptor, target: type, hint: Any) -> _Convert | None:
    if (words := field.enum_type) is not None:
        return lambda number: read_word(words, number)
    if (kind := field.message_type) is None:
        return next((each for each in (UUID, Decimal) if each in _find_types(hint)), None)
    if kind.full_name == _TIMESTAMP:
        return _parse_time if target is dict else read_time
    if kind.full_name == _VALUE:
        return _read_value
    nested = next((each for each in _find_types(hint) if hasattr(each, "model_fields")), None)
    return _compile_reader(kind, nested or (dict if hint else target))


def _find_empty(descriptor: Descriptor, target: type) -> _Empty:
    """Return the values for an empty message: for models their defaults, else those of fields without presence."""
    if target is dict:
        return _Empty({}, ())
    inner, by_name = _JOINED.get(descriptor.name), dict[str, FieldDescriptor | None]()
    within = () if inner is None else descriptor.fields_by_name[inner].message_type.fields  # type: ignore[union-attr]
    for each in (*within, *(field for field in descriptor.fields if field.name != inner)):
        name = each.name.removesuffix(_JSON)
        by_name[name] = each if name == each.name or is_dataclass(target) else by_name.get(name)
    values: dict[str, Any] = {}
    makers: dict[str, Callable[[], Any]] = {}
    models, hints = getattr(target, "model_fields", None), _find_hints(target)
    names: Iterable[str] = by_name if hints is None else hints
    if is_dataclass(target):  # its own defaults are taken where it is made
        required = (one.name for one in fields(target) if one.default is MISSING and one.default_factory is MISSING)
        names = [name for name in required if name in by_name]
    for name in names:
        field, model = by_name.get(name), None if models is None else models[name]
        make = None if field is None else _choose_empty(field, target, None if hints is None else hints[name])
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
    if target is dict or is_dataclass(target):
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
    if is_dataclass(target):
        return get_type_hints(target)
    models = getattr(target, "model_fields", None)
    return None if models is None else {name: model.annotation for name, model in models.items()}


def _find_types(hint: Any) -> Iterator[Any]:
    yield hint
    for each in get_args(hint):
        yield from _find_types(each)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _parse_json(text: str) -> Any:
    """Return the value of a JSON text in a request. Raise ValueError if the text is no JSON, or too deep."""
    from signoff.jsontext import parse_json  # noqa: PLC0415 - needs pydantic

    return parse_json(text)


def _read_value(value: Any) -> Any:
    from signoff.json_fields import read_value  # noqa: PLC0415 - heavy, and seldom sent

    return read_value(value)


def _parse_time(stamp: Timestamp) -> datetime:
    """Return the time in a request. Raise ValueError if the time is out of bounds."""
    return stamp.ToDatetime(tzinfo=UTC)


def read_time(stamp: Timestamp) -> datetime:
    """Return the time in an answer of the jobstore."""
    # The jobstore's own is within bounds: ToDatetime, which looks, takes six times as long.
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)


@cache
def read_word(enum: EnumDescriptor, number: int) -> str | None:
    """Return the word for an enumeration's number, a member of its enum in `signoff.status`; None for 0 (not set)."""
    values = enum.values_by_number
    if number not in values:
        return f"UNKNOWN_{number}"
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    word: str | None = getattr(status, enum.name)[values[number].name.removeprefix(prefix)] if number else None
    return word


def parse_words(enum: EnumDescriptor, numbers: Iterable[int]) -> list[str]:
    """Return the words for the numbers of an enumeration in a request. Raise ValueError for 0 or an unknown number."""
    if unknown := [number for number in numbers if not number or number not in enum.values_by_number]:
        raise ValueError(f"{unknown[0]} is not a valid {enum.name}")
    return [str(read_word(enum, number)) for number in numbers]


def read_field(message: Any, name: str) -> Any:
    """Return one field of a request, a submessage as a mapping; None if the field is not set.

    Raise ValueError if the field is no valid JSON, or a time out of bounds.
    """
    by_name = message.DESCRIPTOR.fields_by_name
    field = by_name.get(f"{name}{_JSON}")
    if field is None or not message.HasField(field.name):
        field = by_name[name]
    if field.has_presence and not message.HasField(field.name):
        return None
    value, convert = getattr(message, field.name), _compile_field_reader(field)
    return value if convert is None else convert(value)


@cache
def _compile_field_reader(field: FieldDescriptor) -> _Convert | None:
    return _choose_reader(field, dict, None)


def read_patch(message: Any, paths: Iterable[str], names: Collection[str]) -> dict[str, Any]:
    """Return the JSON merge patch that a message of new values and the paths of its mask stand for.

    A path names a field, or a member of one (`policy.max_calls`, `labels.team`; all after the first point is its name).
    What the message does not set at a path is null, and so removed. Raise ValueError if a path names none of `names`.
    """
    changes: dict[str, Any] = {}
    for path in paths:
        name, point, member = path.partition(".")
        if name not in names or (point and not _has_members(message.DESCRIPTOR.fields_by_name[name])):
            raise ValueError(f"cannot be changed: {path[:200]}")
        value = read_field(message, name)
        if _has_members(message.DESCRIPTOR.fields_by_name[name]):
            value = {str(each): set_ for each, set_ in value.items()} if value else None
        changes[name] = {**(changes.get(name) or {}), member: (value or {}).get(member)} if point else value
    return changes


def split_patch(kind: Any, patch: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the values that a patch (a model or a mapping) sets, and the paths of all that it changes, for a mask.

    Members of messages and maps are changed one by one, and None removes a member.
    """
    values, paths = dict[str, Any](), list[str]()
    for name, change in _list_given(patch):
        field = kind.DESCRIPTOR.fields_by_name.get(name)
        is_object = isinstance(change, Mapping) or hasattr(type(change), "model_fields")
        members = dict(_list_given(change)) if is_object and field is not None and _has_members(field) else None
        paths += [name] if members is None else [f"{name}.{member}" for member in members]
        values[name] = change if members is None else {key: each for key, each in members.items() if each is not None}
    return values, sorted(paths)


def _has_members(field: FieldDescriptor) -> bool:
    """Return whether a patch changes the members of a field one by one: of a map, or of a message of ours."""
    return _is_map(field) or (_is_ours(field) and not field.is_repeated)


def _list_given(change: Any) -> Iterable[tuple[Any, Any]]:
    """Return the names and values that a model or a mapping gives, None included."""
    if isinstance(change, Mapping):
        return change.items()
    return [(name, getattr(change, name)) for name in change.model_fields_set]


class _Writer(NamedTuple):
    """The field that a value is sent in, and its conversion; `takes_null`: null is a value, too, the JSON null."""

    field: str
    convert: _Convert | None
    takes_null: bool = False


def write_message(kind: type[M], values: Any, **given: Any) -> M:
    """Return a message with the fields of a model, a mapping or any other object, without those that are None.

    Fields in `given` take precedence, and are of protobuf's types. Raise ValueError for an unknown word.
    """
    return kind(**_write_fields(kind.DESCRIPTOR, values, given, is_row=False))  # type: ignore[attr-defined]


def write_row(kind: type[M], row: Any, *, as_text: bool = True, **given: Any) -> M:
    """Return a message with the fields of a row, in which JSON is text, and `x_usd` is `x_nanos`, its nano-dollars.

    Models in a row have their JSON as values. Without `as_text` JSON is sent as Values, as far as these hold it.
    """
    message = kind(**_write_fields(kind.DESCRIPTOR, row, given, is_row=True))  # type: ignore[attr-defined]
    if not as_text:
        from signoff.json_fields import send_as_values  # noqa: PLC0415 - heavy, and seldom sent

        send_as_values(message)  # type: ignore[arg-type]
    return message


_NOTHING: Final[Mapping[str, Any]] = {}


def _write_fields(
    descriptor: Descriptor, values: Any, given: Mapping[str, Any] = _NOTHING, *, is_row: bool
) -> dict[str, Any]:
    source: Any = type(values)
    written = _compile_writer(descriptor, source, frozenset(given), is_row)(values)
    return {**written, **given} if given else written


@cache
def _compile_writer(
    descriptor: Descriptor, source: type, given: Collection[str], is_row: bool
) -> Callable[[Any], dict[str, Any]]:
    """Return the function that turns values of a type into the fields of a message, except those named in `given`."""
    is_model, is_mapping = hasattr(source, "model_fields"), hasattr(source, "items")
    writers = _choose_writers(descriptor, is_row and not is_model)
    writers = {name: writer for name, writer in writers.items() if writer.field not in given}
    write = _write_mapping(writers) if is_mapping else _write_object(writers, source)
    inner = _JOINED.get(descriptor.name)
    if inner is None or inner in given:
        return write
    kind: Any = descriptor.fields_by_name[inner].message_type

    def write_joined(values: Any) -> dict[str, Any]:
        written = write(values)
        return written if inner in written else {**written, inner: _write_fields(kind, values, is_row=is_row)}

    return write_joined


def _write_mapping(writers: Mapping[str, _Writer]) -> Callable[[Any], dict[str, Any]]:
    def write(values: Any) -> dict[str, Any]:
        written = {}
        for name, value in values.items():
            if (writer := writers.get(name)) is not None and (value is not None or writer[2]):
                field, convert, _ = writer
                written[field] = value if convert is None else convert(value)
        return written

    return write


def _write_object(writers: Mapping[str, _Writer], source: Any) -> Callable[[Any], dict[str, Any]]:
    """Return a writer of objects by their attributes; a None that was set in a model's JSON field is sent as null.

    Fields that a model lists as OF_CALLER are sent if they were set: else the jobstore sets them by who calls.
    """
    of_caller = getattr(source, "OF_CALLER", ())
    models = getattr(source, "model_fields", {})
    names = {**source.model_computed_fields, **models} if models else getattr(source, "__dataclass_fields__", ())
    chosen = [
        (name, *writer[:2], name in models and models[name].annotation is Any)
        for name, writer in writers.items()
        if (name in names or hasattr(source, name)) and not (name in models and models[name].exclude)
    ]

    def write(values: Any) -> dict[str, Any]:
        written = {}
        for name, field, convert, may_be_null in chosen:
            value = getattr(values, name)
            if name in of_caller and name not in values.model_fields_set:
                continue
            if value is not None or (may_be_null and name in values.model_fields_set):
                written[field] = value if convert is None else convert(value)
        return written

    return write


def find_unknown(kind: Any, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the members of a mapping, and of mappings within it, for which a kind of message has no field."""
    yield from _find_unknown(kind.DESCRIPTOR, values, "")


def _find_unknown(descriptor: Descriptor, values: Mapping[str, Any], within: str) -> Iterator[str]:
    writers, by_name = _choose_writers(descriptor, False), descriptor.fields_by_name
    for name, value in values.items():
        if name not in writers:
            yield f"{within}{name}"
        elif (kind := by_name[writers[name].field].message_type) is not None and not kind.GetOptions().map_entry:
            for each in value if isinstance(value, list | tuple) else [value]:
                if isinstance(each, Mapping):
                    yield from _find_unknown(kind, each, f"{within}{name}.")


@cache
def _choose_writers(descriptor: Descriptor, is_row: bool) -> Mapping[str, _Writer]:
    """Return, by the name of each value, the field that the value is sent in, and the conversion."""
    writers = {
        name: _Writer(name, _choose_writer(field, is_row=is_row)) for name, field in descriptor.fields_by_name.items()
    }
    as_json = _Writer("", None) if is_row else _Writer("", _write_json, takes_null=True)
    texts = {name.removesuffix(_JSON): as_json._replace(field=name) for name in writers if name.endswith(_JSON)}
    nanos = {f"{name.removesuffix(_USD)}{_NANOS}": _Writer(name, usd_text) for name in writers if name.endswith(_USD)}
    return {**writers, **texts, **(nanos if is_row else {})}


def _choose_writer(field: FieldDescriptor, *, is_row: bool) -> _Convert | None:
    if _is_map(field):
        return dict
    write: _Convert | None = _choose_plain_writer(field, is_row=is_row)
    if write is None or not is_row or not _is_ours(field):
        return write
    write_parsed = _choose_plain_writer(field, is_row=False)
    return lambda value: write_parsed(json.loads(value)) if isinstance(value, str) else write(value)


def _choose_plain_writer(field: FieldDescriptor, *, is_row: bool) -> Any:
    one: _Convert | None = None
    kind: Any = field.message_type
    if (words := field.enum_type) is not None:
        one = partial(write_word, words)
    elif field.type == FieldDescriptor.TYPE_STRING:
        one = _write_text
    elif _is_ours(field):
        one = lambda value: value if isinstance(value, Message) else _write_fields(kind, value, is_row=is_row)  # noqa: E731 - one of several
    elif kind is not None and kind.full_name == _TIMESTAMP:
        one = write_time
    if not field.is_repeated:
        return one
    return list if one is None else lambda values: [one(value) for value in values]


def _is_ours(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name.startswith("signoff.")


def _write_text(value: Any) -> Any:
    if isinstance(value, str | int | float):  # a number is refused by protobuf
        return value
    return usd_text(to_nanos(value)) if isinstance(value, Decimal) else str(value)


def _write_json(value: Any) -> str:
    from signoff.jsontext import check_json_value, json_text  # noqa: PLC0415 - needs pydantic

    return json_text(check_json_value(value))


@cache
def write_word(enum: EnumDescriptor, word: str) -> Any:
    """Return the number for a word of an enumeration. Raise ValueError if the enumeration has no such word."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    if (value := enum.values_by_name.get(f"{prefix}{word.upper()}")) is None:
        raise ValueError(f"{word!r} is no {enum.name}")
    return value.number


def write_time(at: datetime | str) -> Timestamp:
    """Return a time, or the text of a time (RFC 3339), as a Timestamp."""
    # What gRPC makes of a datetime by itself takes three times as long.
    since = (datetime.fromisoformat(at) if isinstance(at, str) else at) - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)
