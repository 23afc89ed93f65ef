"""Convert filters of jobs to their gRPC messages, without pydantic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from signoff.v1 import resources_pb2 as pb

if TYPE_CHECKING:
    from contracts.resources import JobFilter


def job_filter_message(job_filter: JobFilter) -> pb.JobFilter:
    """Return a filter as it is sent."""
    return pb.JobFilter(**filter_fields(job_filter))


def filter_fields(job_filter: JobFilter | Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a filter as they are sent, for a JobFilter or a request that has them too."""
    fields = dict(job_filter)
    statuses = [pb.JobStatus.Value(f"JOB_STATUS_{status}") for status in fields.get("statuses", ())]
    batch_id = fields.get("batch_id")
    return {**fields, "statuses": statuses, "batch_id": batch_id and str(batch_id)}
