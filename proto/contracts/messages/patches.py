"""Convert patches to and from what gRPC has of them: a message of the new values, and a mask of what they change.

A path names a field, or a member of one (`policy.max_calls`, `labels.team`; all after the first point is its name).
What a path names and the message does not set is removed, as null does it in a JSON merge patch.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from pydantic import BaseModel

from contracts.fields import Model, Patch
from contracts.messages.convert import criteria_of, time_of
from signoff.json_fields import get_value
from signoff.jsontext import json_text
from signoff.wire import read_field, write_message

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Patch)
#: How fields are read that are no plain ones.
_READERS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "payload": get_value,
    "criteria": lambda message, _: criteria_of(message),
    "not_before": time_of,
}


def patch_message(kind: type[M], patch: Patch, **values: Any) -> tuple[M, FieldMask]:
    """Return a patch as it is sent, with other values of the message besides."""
    changes = patch.model_dump(include=patch.model_fields_set - {"payload"}, exclude_unset=True)
    for name, change in changes.items():
        if isinstance(change, dict):
            changes[name] = {member: value for member, value in change.items() if value is not None}
    message = write_message(kind, changes | values)
    if "payload" in patch.model_fields_set:
        message.payload_json = json_text(patch.payload)  # type: ignore[attr-defined]
    return message, FieldMask(paths=sorted(_list_paths(patch)))


def change_message(kind: type[M], change: Model, **values: Any) -> tuple[M, FieldMask | None]:
    """Return a patch as `patch_message`, or a whole resource and no mask."""
    if isinstance(change, Patch):
        return patch_message(kind, change, **values)
    return write_message(kind, change.model_dump() | values), None


def _list_paths(patch: Patch) -> Iterator[str]:
    for name in patch.model_fields_set:
        change = getattr(patch, name)
        if name == "payload" or not isinstance(change, dict | BaseModel):
            yield name
        else:
            members = change.model_fields_set if isinstance(change, BaseModel) else change
            yield from (f"{name}.{member}" for member in members)


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
