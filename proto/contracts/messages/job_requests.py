"""Convert filters, orders and warnings of jobs to and from their gRPC messages."""

from typing import Any, Final

from contracts.criteria import CriterionWarning
from contracts.messages.convert import (
    fields_of,
    job_of,
    time_of,
)
from contracts.resources import JobCounts, JobFacet, JobFacets, JobFilter, SavedJob
from signoff.status import JobOrder, View
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as pb
from signoff.wire import parse_words

_FILTER_FIELDS: Final = {
    *("agent_id", "tenant", "batch_id", "text", "cancelled", "criterion_not_met", "cost_usd_min", "cost_usd_max"),
    *("duration_s_min", "duration_s_max", "id_part"),
}
_FILTER_LISTS: Final = (
    "codes",
    *("not_agent_ids", "not_tenants", "not_labels", "not_batch_ids", "not_codes", "not_criteria_not_met"),
)


def job_filter_of(message: Any) -> JobFilter:
    """Return a filter as received, ValidationError if malformed."""
    return JobFilter(
        **fields_of(message, _FILTER_FIELDS),
        statuses=parse_words(pb.JobStatus.DESCRIPTOR, message.statuses),
        labels=dict(message.labels),
        **{name: list(getattr(message, name)) for name in _FILTER_LISTS},
        created_after=time_of(message, "created_after"),
        created_before=time_of(message, "created_before"),
    )


def order_of(number: int) -> JobOrder:
    """Return the order of an enum value; newest first for UNSPECIFIED."""
    orders: dict[int, JobOrder] = {jobs_pb.JobOrder.Value(f"JOB_ORDER_{order.name}"): order for order in JobOrder}
    return orders.get(number, JobOrder.CREATED_DESC)


def is_full(number: pb.View.ValueType, default: View = View.BASIC) -> bool:
    """Return whether an enum value asks for the full view. ValueError: there is no such view."""
    return (View[pb.View.Name(number).removeprefix("VIEW_")] if number else default) is View.FULL


def warning_message(warning: CriterionWarning) -> pb.CriterionWarning:
    """Return a warning as it is sent."""
    return pb.CriterionWarning(**warning.model_dump())


def warning_of(message: pb.CriterionWarning) -> CriterionWarning:
    """Return a warning as received."""
    suggestion = message.suggestion if message.HasField("suggestion") else None
    return CriterionWarning(
        code=message.code, criterion=message.criterion, message=message.message, suggestion=suggestion
    )


def saved_job_of(message: jobs_pb.CreateJobResponse | jobs_pb.UpdateJobResponse) -> SavedJob:
    """Return a job with the warnings of its criteria, as received."""
    job = job_of(message.job)
    given = {name: value for name, value in job if name in job.model_fields_set}
    return SavedJob(**given, warnings=[warning_of(one) for one in message.warnings])


def job_counts_of(message: jobs_pb.CountJobsResponse) -> JobCounts:
    """Return counts of jobs as received."""
    searched = message.searched if message.HasField("searched") else None
    return JobCounts(
        counts=dict(message.counts), capped_at=message.capped_at, searched=searched, cancelled=message.cancelled
    )


def job_facets_of(message: jobs_pb.ListJobFacetsResponse) -> JobFacets:
    """Return the values of a field with their counts, as received."""
    facets = [JobFacet(value=one.value, count=one.count, **fields_of(one, {"name"})) for one in message.facets]
    return JobFacets(
        facets=facets,
        capped_at=message.capped_at,
        next_page_token=message.next_page_token or None,
        **fields_of(message, {"searched"}),
    )
