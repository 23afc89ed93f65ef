"""Between what is asked of jobs (filters, orders, edits) and its gRPC messages."""

from typing import Any, Final

from google.protobuf.field_mask_pb2 import FieldMask

from contracts.convert import fields_of, get_json, policy_message, policy_of, status_message, status_of, time_of
from contracts.jsontext import json_text, parse_json
from contracts.resources import JobEdit, JobFilter, JobOrder
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as pb

_FILTER: Final = {"agent_id", "tenant", "batch_id", "text"}


def job_filter_message(chosen: JobFilter) -> pb.JobFilter:
    """A filter as sent."""
    return pb.JobFilter(**filter_fields(chosen))


def filter_fields(chosen: JobFilter) -> dict[str, Any]:
    """A filter as sent, or as part of a request of the same fields."""
    fields = chosen.model_dump(exclude={"statuses", "batch_id"})
    return {
        **fields,
        "statuses": [status_message(s) for s in chosen.statuses],
        "batch_id": chosen.batch_id and str(chosen.batch_id),
    }


def job_filter_of(message: Any) -> JobFilter:
    """A filter as received, by itself or in a request of the same fields. ValidationError: it is not well formed."""
    return JobFilter(
        **fields_of(message, _FILTER),
        statuses=[status_of(status) for status in message.statuses],
        labels=dict(message.labels),
        created_after=time_of(message, "created_after"),
        created_before=time_of(message, "created_before"),
    )


_ORDERS: Final = {
    JobOrder.CREATED_DESC: jobs_pb.JOB_ORDER_CREATED_DESC,
    JobOrder.CREATED: jobs_pb.JOB_ORDER_CREATED,
    JobOrder.UPDATED_DESC: jobs_pb.JOB_ORDER_UPDATED_DESC,
    JobOrder.UPDATED: jobs_pb.JOB_ORDER_UPDATED,
}


def order_message(order: JobOrder) -> jobs_pb.JobOrder.ValueType:
    """The enum value of an order."""
    return _ORDERS[order]


def order_of(number: int) -> JobOrder:
    """The order of an enum value; the newest first where none is said."""
    return next((order for order, value in _ORDERS.items() if value == number), JobOrder.CREATED_DESC)


def edit_message(edit: JobEdit) -> tuple[pb.NewJob, FieldMask]:
    """An edit as sent: the values, and which of them are meant."""
    names = edit.model_fields_set
    message = pb.NewJob(**edit.model_dump(include=names - {"payload", "policy"}))
    if "payload" in names:
        message.payload_json = json_text(edit.payload)
    if "policy" in names:
        message.policy.CopyFrom(policy_message(edit.policy))
    return message, FieldMask(paths=sorted(names))


def edit_of(message: pb.NewJob, mask: FieldMask) -> JobEdit:
    """An edit as received. ValidationError or ValueError: it is not well formed."""
    if unknown := sorted(set(mask.paths) - JobEdit.model_fields.keys()):
        msg = f"cannot be edited: {', '.join(unknown)[:200]}"
        raise ValueError(msg)
    text = get_json(message, "payload")
    values = {
        **{name: getattr(message, name) for name in ("title", "description", "acceptance_criteria", "priority")},
        "payload": None if text is None else parse_json(text),
        "capabilities": list(message.capabilities),
        "not_before": time_of(message, "not_before"),
        "labels": dict(message.labels),
        "policy": policy_of(message.policy),
    }
    return JobEdit(**{name: values[name] for name in mask.paths})
