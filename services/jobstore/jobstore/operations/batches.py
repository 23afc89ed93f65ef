"""Batches: many executions asked for at once. Whatever is accepted is stored before any of it is asked for."""

import asyncio
import hashlib
import json
from collections.abc import Iterable
from typing import Final
from uuid import UUID, uuid4, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts import convert
from contracts.asking import job_filter_of
from contracts.jsontext import json_text
from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus
from jobstore.api.requests import sized
from jobstore.commands.unit_of_work import spec_hash
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.operations import repository
from jobstore.operations.worker import Operator
from jobstore.storage.database import Database
from signoff.v1 import job_service_pb2 as pb
from signoff.v1 import operations_service_pb2 as operations_pb

BATCH_MAX: Final = 10_000
#: New jobs that are looked at before others have their turn.
LOOKED_AT_ONCE: Final = 200
_BATCHES: Final = UUID("a8f1c8a0-6c0c-5e0e-8a53-0c1f6f0d7b21")


class Batches:
    """Accepts batches, and tells how they stand."""

    def __init__(self, database: Database, operator: Operator, payload_max_bytes: int) -> None:
        self._database = database
        self._operator = operator
        self._payload_max_bytes = payload_max_bytes

    async def execute(self, request: pb.ExecuteJobsRequest) -> pb.Batch:
        """Store what is asked, ask for all of it, and tell job by job what was accepted. The same key is one batch."""
        if len(request.job_ids) + len(request.jobs) > BATCH_MAX:
            raise _too_large()
        chosen = _filter(request)
        batch_id = uuid5(_BATCHES, request.idempotency_key) if request.idempotency_key else uuid4()
        new = await self._new_jobs(request)
        asked = [*request.job_ids, *(f"{job.id}:{spec_hash(job).hex()}" for job in new)]
        request_hash = _hash(asked, chosen.model_dump(mode="json") if chosen else None)
        async with self._database.transaction() as connection:
            if await _is_new(connection, batch_id, request_hash):
                items = repository.new_items(batch_id, request.job_ids, new)
                await repository.add_items(connection, batch_id, items)
                if chosen is not None:
                    await _add_matching(connection, batch_id, chosen, len(items))
        await self._operator.answered(batch_id)
        return await self.message(batch_id)

    async def retry(self, request: operations_pb.RetryOperationRequest) -> Operation:
        """A new batch of the jobs of another that failed, or stand as is said."""
        of = (await self.operation(request.operation_id)).id
        statuses = [convert.status_of(status) for status in request.statuses] or [JobStatus.FAILED]
        batch_id = uuid5(of, f"retry/{request.idempotency_key}") if request.idempotency_key else uuid4()
        async with self._database.transaction() as connection:
            if await _is_new(connection, batch_id, _hash(sorted(set(statuses))), of):
                retried = await repository.add_retried(connection, batch_id, of, statuses)
                if not retried:
                    message = f"no job of it stands at {' or '.join(statuses)}"
                    raise RefusedError(message, code="nothing_to_retry")
        await self._operator.answered(batch_id)
        return await self.operation(str(batch_id))

    async def operation(self, operation_id: str) -> Operation:
        """An operation as it stands. NotFoundError: there is none of that id."""
        try:
            known = UUID(operation_id)
        except ValueError:
            raise _unknown(operation_id) from None
        async with self._database.session() as session:
            operation = await repository.one(session, known)
        if operation is None:
            raise _unknown(operation_id)
        return operation

    async def message(self, batch_id: UUID) -> pb.Batch:
        """A batch as it stands, with all its items."""
        operation = await self.operation(str(batch_id))
        async with self._database.session() as session:
            rows = await repository.items(session, batch_id)
        message = pb.Batch(
            id=str(batch_id),
            state=operation.state,
            total=operation.total,
            counts=operation.counts,
            operation=convert.operation_message(operation),
        )
        for row in rows:
            execution_id = str(row.execution_id) if row.execution_id else None
            accepted = row.answered and row.code is None
            about = {"execution_id": execution_id, "code": row.code, "message": row.message}
            message.items.add(job_id=row.job_id, accepted=accepted, **about)
        return message

    async def _new_jobs(self, request: pb.ExecuteJobsRequest) -> list[NewJob]:
        new = []
        for number, job in enumerate(request.jobs, start=1):
            new.append(sized(convert.new_job_of(job), self._payload_max_bytes))
            if number % LOOKED_AT_ONCE == 0:
                await asyncio.sleep(0)
        return new


async def _is_new(connection: AsyncConnection, batch_id: UUID, request_hash: bytes, of: UUID | None = None) -> bool:
    """Add a batch, unless it is there. ConflictError: it is there, and another one."""
    if await repository.create(connection, batch_id, request_hash, of):
        return True
    if await repository.hash_of(connection, batch_id) not in {request_hash, None}:
        raise ConflictError("the idempotency key is that of a batch of other jobs", code="batch_conflict")
    return False


async def _add_matching(connection: AsyncConnection, batch_id: UUID, chosen: JobFilter, first: int) -> None:
    matching = await repository.add_matching(connection, batch_id, chosen, first, BATCH_MAX - first + 1)
    if first + matching > BATCH_MAX:
        raise _too_large()
    if not matching:
        raise RefusedError("no job matches the filter", code="nothing_matches")


def _filter(request: pb.ExecuteJobsRequest) -> JobFilter | None:
    if not request.HasField("filter"):
        return None
    if request.job_ids:
        raise InvalidError("give either job_ids or a filter")
    chosen = job_filter_of(request.filter)
    if chosen == JobFilter():
        raise InvalidError("filter: say what must hold; an empty one would take all jobs")
    return chosen


def _hash(asked: Iterable[str], chosen: object = None) -> bytes:
    text = json.dumps(chosen, sort_keys=True) + json_text(list(asked))
    return hashlib.sha256(text.encode()).digest()


def _too_large() -> InvalidError:
    return InvalidError(f"a batch holds {BATCH_MAX} jobs at most", code="batch_too_large")


def _unknown(operation_id: str) -> NotFoundError:
    return NotFoundError(f"no batch has the id {operation_id[:100]}", code="unknown_batch")
