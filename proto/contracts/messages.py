"""Read requests from their gRPC messages, and write jobs as messages, where a rule of its own says how."""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from contracts.criteria import CRITERIA_MAX, Criterion, parse_stored_criteria
from contracts.fields import Patch
from contracts.resources import NewJob
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read_fields, read_patch, write_row

P = TypeVar("P", bound=Patch)


def new_job_of(message: pb.NewJob) -> NewJob:
    """Return a new job as received. Raise ValidationError or ValueError if it is malformed."""
    _cut_criteria(message)
    return NewJob(**read_fields(message))


def criteria_of(message: Any) -> list[Criterion]:
    """Return the list of criteria of a new job, or a set, as received, or one more than a job may have.

    Raise ValidationError if a text is malformed.
    """
    _cut_criteria(message)
    return [Criterion(**{"text": "", **read_fields(one)}) for one in message.criteria]


def patch_of(kind: type[P], message: Message, mask: FieldMask) -> P:
    """Return a patch as received: new values, and a mask of what they change.

    Raise ValidationError or ValueError if it is malformed.
    """
    if is_given := "criteria" in mask.paths:
        criteria = criteria_of(message)
    changes = read_patch(message, mask.paths, kind.model_fields)
    return kind.model_validate(changes | ({"criteria": criteria} if is_given else {}), extra="forbid")


def _cut_criteria(message: Any) -> None:
    """Remove criteria beyond the first that is too many, before a million of them are looked at."""
    del message.criteria[CRITERIA_MAX + 1 :]


def job_message(job: Mapping[str, Any], *, as_text: bool) -> pb.Job:
    """Return a job as it is sent, from its row, with the list of the criteria in its text form."""
    criteria = [dict(one) for one in parse_stored_criteria(job["acceptance_criteria"] or "")]
    return write_row(pb.Job, job, as_text=as_text, criteria=criteria)
