"""REST endpoints of batches, and their event streams."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from console.api.auth import CallersJobStore
from console.api.events import EventStream
from console.api.json_body import ManyJsonRoute
from console.api.operations import STREAM, cancel_operation, watch_operation
from console.api.schemas import Cancellation, IdempotencyKey, NewBatch, Page, PageQuery, Retry, replays
from contracts.fields import Strict
from contracts.messages.views import Batch
from contracts.resources import Operation
from signoff.status import BATCH_KINDS

router = APIRouter(prefix="/api/batches", tags=["batches"], route_class=ManyJsonRoute)


@router.post("", status_code=201, responses=replays(Batch))
async def create_batch(
    jobstore: CallersJobStore, batch: Strict[NewBatch], response: Response, key: IdempotencyKey = None
) -> Batch:
    """Execute many jobs; the answer says job by job what was accepted."""
    created = await jobstore.execute_jobs(
        batch.job_ids, batch.jobs, filter=batch.filter, name=batch.name, idempotency_key=key
    )
    response.headers["Location"] = f"/api/batches/{created.id}"
    return created


@router.get("")
async def list_batches(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[Operation]:
    """Batches, newest first, without their items."""
    page = await jobstore.list_operations(BATCH_KINDS, page_size=query.page_size or 0, page_token=query.page_token)
    return Page[Operation].of(page)


@router.get("/{batch_id}")
async def get_batch(jobstore: CallersJobStore, batch_id: str) -> Batch:
    """How a batch stands, with its items."""
    return await jobstore.get_batch(batch_id)


@router.post("/{batch_id}/pause")
async def pause_batch(jobstore: CallersJobStore, batch_id: str) -> Operation:
    """Let nothing more of it begin; what is with an agent goes on."""
    return await jobstore.pause_operation(batch_id)


@router.post("/{batch_id}/resume")
async def resume_batch(jobstore: CallersJobStore, batch_id: str) -> Operation:
    """Let it go on."""
    return await jobstore.resume_operation(batch_id)


@router.post("/{batch_id}/cancel")
async def cancel_batch(
    jobstore: CallersJobStore, batch_id: str, cancellation: Strict[Cancellation | None] = None
) -> Operation:
    """Let nothing more of it begin, and cancel what is live of it."""
    return await cancel_operation(jobstore, batch_id, cancellation)


@router.post("/{batch_id}/retry", status_code=201, responses=replays(Batch))
async def retry_batch(
    jobstore: CallersJobStore,
    batch_id: str,
    response: Response,
    retry: Strict[Retry | None] = None,
    key: IdempotencyKey = None,
) -> Batch:
    """Execute its jobs that failed, as a new batch."""
    retry = retry or Retry()
    created = await jobstore.retry_operation(batch_id, retry.statuses, name=retry.name, idempotency_key=key)
    response.headers["Location"] = f"/api/batches/{created.id}"
    return await jobstore.get_batch(created.id)


@router.get("/{batch_id}/events", status_code=200, response_class=EventStream, responses={200: STREAM})
async def watch_batch(request: Request, jobstore: CallersJobStore, batch_id: str) -> EventStream:
    """How a batch goes, as it goes."""
    return await watch_operation(request, jobstore, batch_id)
