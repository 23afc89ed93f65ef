"""Read a message of the jobstore as a record: the attributes of its resource, without pydantic, which checks it."""

import json
from collections.abc import Mapping
from datetime import UTC
from types import SimpleNamespace
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from contracts import status
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judge_service_pb2 as judges_pb
from signoff.v1 import resources_pb2 as pb

#: What follows the name of a field in the name of the field beside it that holds the same JSON as text.
_JSON: Final = "_json"


def read_record(message: Any) -> SimpleNamespace:
    """Return the fields of a message, with None for what is not set; in JSON they look as those of its resource.

    For whoever shows what the jobstore answers and trusts it: no value is checked. JSON must have been sent as text.
    """
    match message:
        case jobs_pb.Batch():
            return _join(message.operation, items=message.items)
        case jobs_pb.CreateJobResponse() | jobs_pb.UpdateJobResponse():
            return _join(message.job, warnings=message.warnings)
        case judges_pb.PutJudgePolicyResponse():
            return _join(message.policy, version=message.version, warnings=message.warnings)
        case judges_pb.PutCriteriaSetResponse():
            return _join(message.set, version=message.version, warnings=message.warnings)
    fields = message.DESCRIPTOR.fields_by_name
    values = {
        name: _read_json(message, name) if f"{name}{_JSON}" in fields else _read_field(message, field)
        for name, field in fields.items()
        if not name.endswith(_JSON)
    }
    if isinstance(message, pb.Policy | pb.JobLog):  # whose lists are not empty unless they are not set
        values = {name: None if value == [] and fields[name].is_repeated else value for name, value in values.items()}
    return SimpleNamespace(**values)


def _join(message: Any, **others: Any) -> SimpleNamespace:
    """Return the record of a message with what was sent beside it: numbers, and the records of lists."""
    beside = {name: each if isinstance(each, int) else _read_all(each) for name, each in others.items()}
    return SimpleNamespace(**vars(read_record(message)), **beside)


def _read_all(messages: Any) -> list[SimpleNamespace]:
    return [read_record(message) for message in messages]


def _read_json(message: Any, name: str) -> Any:
    return json.loads(getattr(message, f"{name}{_JSON}")) if message.HasField(f"{name}{_JSON}") else None


def _read_field(message: Any, field: FieldDescriptor) -> Any:
    if field.has_presence and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    if field.enum_type is not None:
        words = [_read_word(field.enum_type, each) for each in (value if field.is_repeated else [value])]
        return words if field.is_repeated else words[0]
    if field.message_type is None:
        return list(value) if field.is_repeated else value
    if field.message_type.full_name == "google.protobuf.Timestamp":
        return value.ToDatetime(tzinfo=UTC)
    if isinstance(value, Mapping):
        return dict(value)
    return _read_all(value) if field.is_repeated else read_record(value)


def _read_word(enum: EnumDescriptor, number: int) -> Any:
    """Return the member of the enum in `contracts.status`; None if not set; its number as text if it is not known."""
    values = enum.values_by_number
    if number not in values:
        return str(number)
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    return getattr(status, enum.name)[values[number].name.removeprefix(prefix)] if number else None
