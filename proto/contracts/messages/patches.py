"""Read patches of what gRPC has of them: a message of the new values, and a mask of what they change.

A path names a field, or a member of one (`policy.max_calls`, `labels.team`; all after the first point is its name).
What a path names and the message does not set is removed, as null does it in a JSON merge patch.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from contracts.fields import Patch
from contracts.messages.convert import criteria_of, time_of
from signoff.json_fields import get_value
from signoff.wire import read_field

P = TypeVar("P", bound=Patch)
#: How fields are read that are no plain ones.
_READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "payload": get_value,
    "criteria": lambda message, _: criteria_of(message),
    "not_before": time_of,
}


def patch_of(kind: type[P], message: Message, mask: FieldMask) -> P:
    """Return a patch as received. Raise ValidationError or ValueError if it is malformed."""
    changes: dict[str, Any] = {}
    for path in mask.paths:
        name, point, member = path.partition(".")
        if name not in kind.model_fields or (point and not _has_members(message, name)):
            msg = f"cannot be changed: {path[:200]}"
            raise ValueError(msg)
        value = _READERS.get(name, read_field)(message, name)
        if isinstance(value, dict) and name not in _READERS:
            value = {str(each): set_ for each, set_ in value.items() if set_ != []} or None
        if point:
            changes[name] = {**(changes.get(name) or {}), member: (value or {}).get(member)}
        else:
            changes[name] = value
    return kind.model_validate(changes, extra="forbid")


def _has_members(message: Message, name: str) -> bool:
    return name not in _READERS and message.DESCRIPTOR.fields_by_name[name].message_type is not None
