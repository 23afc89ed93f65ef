"""Convert filters of jobs to their gRPC messages, without pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from signoff.status import View
from signoff.v1 import resources_pb2 as pb

if TYPE_CHECKING:
    from contracts.resources import JobFilter


def job_filter_message(job_filter: JobFilter | Mapping[str, Any]) -> pb.JobFilter:
    """Return a filter, or its fields as a mapping, as it is sent."""
    return pb.JobFilter(**_filter_fields(job_filter))


def view_number(view: View) -> pb.View.ValueType:
    """Return the enum value of a view."""
    return pb.View.Value(f"VIEW_{view.name}")


def _filter_fields(job_filter: JobFilter | Mapping[str, Any]) -> dict[str, Any]:
    fields = dict(job_filter)
    statuses = [pb.JobStatus.Value(f"JOB_STATUS_{status}") for status in fields.get("statuses", ())]
    batch_id = fields.get("batch_id")
    not_batch_ids = [str(each) for each in fields.get("not_batch_ids", ())]
    return {**fields, "statuses": statuses, "batch_id": batch_id and str(batch_id), "not_batch_ids": not_batch_ids}
