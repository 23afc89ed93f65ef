"""Convert filters and orders of jobs from their gRPC messages."""

from typing import Any

from contracts.resources import JobFilter
from signoff.status import JobOrder, View
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as pb
from signoff.wire import read_fields


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
