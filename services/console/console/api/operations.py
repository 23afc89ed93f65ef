"""REST endpoints of operations on many jobs. A batch is one of them: both doors answer the same of the same id."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request

from console.api.auth import CallersJobStore
from console.api.events import EventStream, describe_events
from console.api.requests import Make, ManyJsonRoute, replays
from console.api.schemas import Cancellation, ItemsQuery, NewBatch, OperationRetry, OperationsQuery, Page
from console.live import make_frame
from contracts.fields import Strict
from contracts.resources import NewOperation
from signoff import AsyncClient
from signoff.status import BATCH_KINDS
from signoff.types import Operation, OperationGroups, OperationItem, OperationPreview

batches_router = APIRouter(prefix="/api/batches", tags=["batches"], route_class=ManyJsonRoute)
router = APIRouter(prefix="/api/operations", tags=["operations"], route_class=ManyJsonRoute)
#: Endpoints of both doors.
_shared: Final = APIRouter(route_class=ManyJsonRoute)

#: The stream of events of an operation, for the OpenAPI document.
STREAM: Final[dict[str, Any]] = {
    "description": (
        "`operation` with the Operation as it stands, and whenever it changed, at most twice a second; `ping` every "
        "15 s. The stream ends when the operation has ended."
    ),
    "content": describe_events({"operation": "Operation", "ping": "StreamPing"}),
}


@batches_router.post("", status_code=201, responses=replays(Operation))
async def create_batch(jobstore: CallersJobStore, batch: Strict[NewBatch], make: Make) -> Operation:
    """Execute many jobs as one operation, a batch; the answer comes once each was accepted or refused."""
    return make.at("/api/batches", await jobstore.execute_jobs(**dict(batch), idempotency_key=make.key))


@batches_router.get("")
async def list_batches(jobstore: CallersJobStore, query: Annotated[OperationsQuery, Query()]) -> Page[Operation]:
    """Operations that execute their jobs, newest first; one of another kind is no batch."""
    kinds = [kind for kind in query.kind or BATCH_KINDS if kind in BATCH_KINDS]
    return await _list(jobstore, query.model_copy(update={"kind": kinds})) if kinds else Page[Operation](items=[])


@router.post("/preview")
async def preview_operation(jobstore: CallersJobStore, operation: Strict[NewOperation]) -> OperationPreview:
    """How many jobs an operation would be about, some of them, and what they may cost; nothing is made."""
    return await jobstore.preview_operation(operation)


@router.post("", status_code=201, responses=replays(Operation))
async def create_operation(jobstore: CallersJobStore, operation: Strict[NewOperation], make: Make) -> Operation:
    """Do something to many jobs: those that match now. It is carried out from then on."""
    return make.at("/api/operations", await jobstore.create_operation(operation, idempotency_key=make.key))


@router.get("")
async def list_operations(jobstore: CallersJobStore, query: Annotated[OperationsQuery, Query()]) -> Page[Operation]:
    """Operations, newest first."""
    return await _list(jobstore, query)


async def _list(jobstore: AsyncClient, query: OperationsQuery) -> Page[Operation]:
    return Page[Operation].of(await jobstore.list_operations(query.kind, **query.page))


@_shared.get("/{operation_id}")
async def get_operation(jobstore: CallersJobStore, operation_id: str) -> Operation:
    """How an operation stands."""
    return await jobstore.get_operation(operation_id)


@_shared.get("/{operation_id}/groups")
async def get_operation_groups(jobstore: CallersJobStore, operation_id: str) -> OperationGroups:
    """Its failures, and what of it was not accepted, by what they need; of those jobs that stand so now."""
    return await jobstore.get_operation_groups(operation_id)


@_shared.get("/{operation_id}/items")
async def list_operation_items(
    jobstore: CallersJobStore, operation_id: str, query: Annotated[ItemsQuery, Query()]
) -> Page[OperationItem]:
    """Its jobs, in the order in which they are carried out, with what became of each."""
    return Page[OperationItem].of(await jobstore.list_operation_items(operation_id, query.outcome, **query.page))


@_shared.post("/{operation_id}/pause")
async def pause_operation(jobstore: CallersJobStore, operation_id: str) -> Operation:
    """Let nothing more of it begin; what is with an agent goes on."""
    return await jobstore.pause_operation(operation_id)


@_shared.post("/{operation_id}/resume")
async def resume_operation(jobstore: CallersJobStore, operation_id: str) -> Operation:
    """Let it go on."""
    return await jobstore.resume_operation(operation_id)


@_shared.post("/{operation_id}/cancel")
async def cancel_operation(
    jobstore: CallersJobStore, operation_id: str, cancellation: Strict[Cancellation | None] = None
) -> Operation:
    """Let nothing more of it begin, and cancel what is live of its executions."""
    return await jobstore.cancel_operation(operation_id, **dict(cancellation or Cancellation()))


@_shared.post("/{operation_id}/retry", status_code=201, responses=replays(Operation))
async def retry_operation(
    request: Request,
    jobstore: CallersJobStore,
    operation_id: str,
    make: Make,
    retry: Strict[OperationRetry | None] = None,
) -> Operation:
    """Execute its jobs that failed, as a new operation."""
    asked = dict(retry or OperationRetry())
    created = await jobstore.retry_operation(operation_id, **asked, idempotency_key=make.key)
    return make.at(request.url.path.removesuffix(f"/{operation_id}/retry"), created)


@_shared.get("/{operation_id}/events", status_code=200, response_class=EventStream, responses={200: STREAM})
async def watch_operation(request: Request, jobstore: CallersJobStore, operation_id: str) -> EventStream:
    """How an operation goes, as it goes."""
    operation, live = await jobstore.get_operation(operation_id), request.app.state.live
    return EventStream(live, await live.follow(_make_frames(jobstore, operation_id), operation.tenant))


async def _make_frames(jobstore: AsyncClient, operation_id: str) -> AsyncGenerator[bytes]:
    async with aclosing(jobstore.watch_operation(operation_id)) as operations:
        async for operation in operations:
            yield make_frame("operation", operation.model_dump(mode="json", exclude_none=True))


batches_router.include_router(
    _shared, generate_unique_id_function=lambda route: route.name.replace("operation", "batch")
)
router.include_router(_shared)
