"""Send JSON in messages as google.protobuf.Value, and read it: for callers that do without the exact text."""

import contextlib
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value

from signoff.jsontext import parse_json

#: A Value with more levels exceeds the recursion limit of gRPC's readers, so it is sent as text.
_VALUE_LEVELS_MAX = 30


def send_as_values(message: Message) -> None:
    """Move each `x_json` beside a field `x`, in a message and its submessages, to `x` as a Value that can hold it."""
    for field, value in message.ListFields():
        name = field.name.removesuffix("_json")
        if name != field.name and name in message.DESCRIPTOR.fields_by_name:
            _move(message, name, value)
        elif isinstance(value, Message):
            send_as_values(value)


def _move(message: Any, name: str, text: str) -> None:
    value = parse_json(text)
    if _count_levels(value) <= _VALUE_LEVELS_MAX:
        with contextlib.suppress(OverflowError):  # an integer beyond all doubles
            ParseDict(value, getattr(message, name))
            message.ClearField(f"{name}_json")
            return
        message.ClearField(name)


def read_value(value: Value) -> Any:
    """Return the JSON value that a Value holds, with whole numbers as integers."""
    return _with_integers(MessageToDict(value))


def _count_levels(value: Any, level: int = 0) -> int:
    if level > _VALUE_LEVELS_MAX:
        return level
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return max((_count_levels(child, level + 1) for child in children), default=level)


def _with_integers(value: Any) -> Any:
    """Turn whole doubles into integers: a Value holds every number as a double, also what was sent as an integer."""
    if isinstance(value, dict):
        return {key: _with_integers(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_integers(child) for child in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
