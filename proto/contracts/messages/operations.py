"""Convert operations, batches and their items to and from their gRPC messages."""

from typing import Any

from contracts.messages.convert import fields_of, job_of, time_of
from contracts.messages.filters import job_filter_message
from contracts.messages.job_requests import job_filter_of
from contracts.messages.views import Batch, BatchItem
from contracts.operations import NewOperation, OperationItem, OperationPreview
from contracts.resources import Operation
from contracts.status import OperationState
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2 as pb

_STATE = "OPERATION_STATE_"


def operation_message(operation: Operation) -> pb.Operation:
    """Return an operation as it is sent."""
    fields = operation.model_dump(include=Operation.model_fields.keys() - {"id", "state", "retry_of", "filter"})
    return pb.Operation(
        **fields,
        id=str(operation.id),
        state=pb.OperationState.Value(_STATE + operation.state),
        retry_of=operation.retry_of and str(operation.retry_of),
        filter=operation.filter and job_filter_message(operation.filter),
    )


def operation_of(message: pb.Operation) -> Operation:
    """Return an operation as received."""
    return Operation(
        **fields_of(message, {"id", "kind", "retry_of", "name", "agent_id", "actor"}),
        state=OperationState(pb.OperationState.Name(message.state).removeprefix(_STATE)),
        total=message.total,
        counts=dict(message.counts),
        rate_per_s=message.rate_per_s,
        ends_at=time_of(message, "ends_at"),
        created_at=time_of(message, "created_at"),
        finished_at=time_of(message, "finished_at"),
        filter=job_filter_of(message.filter) if message.HasField("filter") else None,
    )


def batch_of(message: jobs_pb.Batch) -> Batch:
    """Return a batch as received."""
    items = [BatchItem(**{"job_id": "", "accepted": False, **_set_fields(item)}) for item in message.items]
    return Batch(**dict(operation_of(message.operation)), items=items)


def batch_message(batch: Batch) -> jobs_pb.Batch:
    """Return a batch as it is sent."""
    message = jobs_pb.Batch(
        id=str(batch.id),
        state=batch.state,
        total=batch.total,
        counts=batch.counts,
        operation=operation_message(batch),
    )
    for item in batch.items:
        message.items.add(**item.model_dump(exclude_none=True, mode="json"))
    return message


def new_operation_message(new: NewOperation) -> pb.NewOperation:
    """Return what is asked for as it is sent."""
    fields = new.model_dump(exclude_none=True, exclude={"filter"})
    return pb.NewOperation(**fields, filter=new.filter and job_filter_message(new.filter))


def new_operation_of(message: pb.NewOperation) -> NewOperation:
    """Return what is asked for as received. Raise ValidationError if it is malformed."""
    chosen = job_filter_of(message.filter) if message.HasField("filter") else None
    return NewOperation(
        **fields_of(message, {"kind", "name", "agent_id", "comment", "reason", "requested_by"}),
        job_ids=list(message.job_ids),
        filter=chosen,
    )


def item_message(item: OperationItem) -> pb.OperationItem:
    """Return an item as it is sent."""
    return pb.OperationItem(**item.model_dump(exclude_none=True, mode="json"))


def item_of(message: pb.OperationItem) -> OperationItem:
    """Return an item as received."""
    return OperationItem(**{"item": 0, **_set_fields(message)})


def preview_of(message: operations_pb.PreviewOperationResponse) -> OperationPreview:
    """Return a preview as received."""
    return OperationPreview(
        total=message.total,
        items_max=message.items_max,
        counts=dict(message.counts),
        sample=[job_of(job) for job in message.sample],
        cost_usd=message.cost_usd if message.HasField("cost_usd") else None,
        cost_of=message.cost_of,
    )


def _set_fields(message: Any) -> dict[str, Any]:
    return {field.name: value for field, value in message.ListFields()}
