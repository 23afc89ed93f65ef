"""Put JSON into fields of messages, and read it from them: as a Value, or exact as text."""

import contextlib
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Value

from signoff.jsontext import json_text, parse_json

#: A Value with more levels exceeds the recursion limit of gRPC's readers, so it is sent as text.
_VALUE_LEVELS_MAX = 30


def put_json(message: Any, field: str, text: str | None, *, as_text: bool) -> None:
    """Put a JSON text into `field` as a Value, or into `field`_json as it is."""
    if text is None:
        return
    value: Any = None if as_text else parse_json(text)
    if not as_text and _count_levels(value) <= _VALUE_LEVELS_MAX:
        with contextlib.suppress(OverflowError):  # an integer beyond all doubles
            ParseDict(value, getattr(message, field))
            return
        message.ClearField(field)
    setattr(message, f"{field}_json", text)


def get_json(message: Any, field: str) -> str | None:
    """Return the JSON text of `field`, sent as a Value or as text; None if not set; ValueError if it is no JSON."""
    is_set = message.HasField(f"{field}_json") or message.HasField(field)
    return json_text(get_value(message, field)) if is_set else None


def get_value(message: Any, field: str) -> Any:
    """Return what `field` holds as JSON, sent as a Value or as text; None, too, if not set; ValueError if no JSON."""
    if message.HasField(f"{field}_json"):
        return parse_json(getattr(message, f"{field}_json"))
    return read_value(getattr(message, field)) if message.HasField(field) else None


def read_value(value: Value) -> Any:
    """Return what a Value holds, whole numbers as integers."""
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
