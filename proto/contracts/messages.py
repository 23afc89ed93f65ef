"""Read requests from their gRPC messages, and write resources as messages, where a rule of its own says how."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from pydantic import TypeAdapter

from contracts.criteria import CRITERIA_MAX, Criterion, parse_stored_criteria
from contracts.fields import Patch
from contracts.resources import JobFilter, NewJob, NewJudgings, NewOperation, Policy
from signoff.json_fields import get_value, put_json
from signoff.jsontext import parse_json
from signoff.money import usd_text
from signoff.status import JobOrder, JobStatus, Protocol, View
from signoff.types import PastWait
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judging_service_pb2 as judging_pb
from signoff.v1 import resources_pb2 as pb
from signoff.v1 import verdict_pb2
from signoff.wire import parse_words, read_field, read_fields, write_message, write_time, write_word

_PAST_WAITS: Final = TypeAdapter(list[PastWait])
#: What entries of a log have as text in rows.
_LOG_TEXTS: Final = ("request", "payload", "before", "after", "result", "partial", "verdict")


def time_of(message: Any, field: str) -> datetime | None:
    """Return the time in a field; None if it is not set. Raise ValueError if it is out of bounds."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None


def status_of(number: int) -> JobStatus:
    """Return the status of an enum value; ValueError for UNSPECIFIED."""
    return JobStatus(*parse_words(pb.JobStatus.DESCRIPTOR, [number]))


def protocol_of(number: int) -> Protocol:
    """Return the protocol of an enum value; ValueError for UNSPECIFIED."""
    return Protocol(*parse_words(pb.Protocol.DESCRIPTOR, [number]))


def new_policy_of(message: pb.Policy) -> Policy:
    """Return a new policy as received. Raise ValidationError if a value is out of its bounds."""
    return Policy(**read_fields(message))


def new_job_of(message: pb.NewJob) -> NewJob:
    """Return a new job as received. Raise ValidationError or ValueError if it is malformed."""
    del message.criteria[CRITERIA_MAX + 1 :]  # before a million of them are looked at
    return NewJob(**read_fields(message))


def criteria_of(message: Any) -> list[Criterion]:
    """Return the list of criteria of a new job, or a set, as received, or one more than a job may have.

    Raise ValidationError if a text is malformed.
    """
    return [Criterion(**{"text": "", **read_fields(one)}) for one in message.criteria[: CRITERIA_MAX + 1]]


def job_message(job: Mapping[str, Any], *, as_text: bool) -> pb.Job:
    """Return a job as it is sent, from a row: the fields of Job, `payload` as JSON text, `policy` as a Policy."""
    message = pb.Job(
        id=job["id"],
        title=job["title"],
        description=job["description"],
        acceptance_criteria=job["acceptance_criteria"],
        criteria=[pb.Criterion(**dict(one)) for one in parse_stored_criteria(job["acceptance_criteria"] or "")],
        references=job["references"],
        status=write_word(pb.JobStatus.DESCRIPTOR, job["status"]),
        version=job["version"],
        agent_id=job["agent_id"],
        execution_id=_str(job["execution_id"]),
        submission=job["submission"],
        priority=job["priority"],
        tenant=job["tenant"],
        labels=job["labels"],
        policy=write_message(pb.Policy, job["policy"]),
        progress=job["progress"],
        progress_message=job["progress_message"],
        capabilities=job["capabilities"],
        not_before=job["not_before"],
        batch_id=_str(job["batch_id"]),
        cost_usd=usd_text(job["cost_nanos"]),
        tokens=job["tokens"],
        live=job["live"],
        cancelled=job["cancelled"],
        code=job["code"],
        duration_s=job["duration_s"],
        result_version=job.get("result_version"),
        created_at=write_time(job["created_at"]),
        updated_at=write_time(job["updated_at"]),
    )
    put_json(message, "payload", job["payload"], as_text=as_text)
    put_json(message, "result", job.get("result"), as_text=as_text)
    if (verdict := job.get("verdict")) is not None:
        message.verdict.CopyFrom(write_message(verdict_pb2.Verdict, parse_json(verdict)))
    if job.get("last_log"):
        message.last_log.CopyFrom(job_log_message(job["last_log"], as_text=as_text))
    if job.get("waiting"):
        message.waiting.CopyFrom(write_message(pb.Waiting, job["waiting"]))
    return message


def job_log_message(log: Mapping[str, Any], *, as_text: bool) -> pb.JobLog:
    """Return an entry of a job's log as it is sent, from a row: the fields of JobLog, JSON and the verdict as text."""
    texts = {name: text for name in _LOG_TEXTS if (text := log.get(name)) is not None}
    fields = {name: value for name, value in log.items() if name not in _LOG_TEXTS}
    fields["cost_usd"] = _usd(log["cost_nanos"])
    fields["waited"] = _PAST_WAITS.validate_json(log["waited"] or "[]")
    if "verdict" in texts:
        fields["verdict"] = parse_json(texts.pop("verdict"))
    message = write_message(pb.JobLog, fields)
    for name, text in texts.items():
        put_json(message, name, text, as_text=as_text)
    return message


def _usd(nanos: int | None) -> str | None:
    return None if nanos is None else usd_text(nanos)


def _str(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def new_operation_of(message: pb.NewOperation) -> NewOperation:
    """Return what is asked for as received. Raise ValidationError if it is malformed."""
    return NewOperation(**read_fields(message))


def new_judgings_of(message: judging_pb.CreateJudgingsRequest) -> NewJudgings:
    """Return what is asked for as received. ValueError: it is malformed."""
    return NewJudgings(**read_fields(message))


def job_filter_of(message: Any) -> JobFilter:
    """Return a filter as received, ValidationError if malformed."""
    return JobFilter(**read_fields(message))


def order_of(number: int) -> JobOrder:
    """Return the order of an enum value; newest first for UNSPECIFIED."""
    orders: dict[int, JobOrder] = {jobs_pb.JobOrder.Value(f"JOB_ORDER_{order.name}"): order for order in JobOrder}
    return orders.get(number, JobOrder.CREATED_DESC)


def is_full(number: pb.View.ValueType, default: View = View.BASIC) -> bool:
    """Return whether an enum value asks for the full view. ValueError: there is no such view."""
    return (View[pb.View.Name(number).removeprefix("VIEW_")] if number else default) is View.FULL


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
