"""Batches: many executions asked for at once. Whatever is accepted is stored before any of it is asked for."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.jsontext import json_text
from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus
from contracts.views import Batch, BatchItem
from jobstore.domain.spec import spec_hash
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.operations import repository
from jobstore.operations.worker import OperationWorker
from jobstore.storage.database import Database

BATCH_MAX: Final = 10_000
_BATCHES: Final = UUID("a8f1c8a0-6c0c-5e0e-8a53-0c1f6f0d7b21")


class Batches:
    """Accept batches, and tell how they stand."""

    def __init__(self, database: Database, operator: OperationWorker) -> None:
        self._database = database
        self._operator = operator

    async def execute(
        self, job_ids: Sequence[str], new: Sequence[NewJob], chosen: JobFilter | None, idempotency_key: str
    ) -> Batch:
        """Store what is asked, ask for all of it, and tell job by job what was accepted. The same key is one batch."""
        check_batch_size(len(job_ids) + len(new))
        batch_id = uuid5(_BATCHES, idempotency_key) if idempotency_key else uuid4()
        asked = [*job_ids, *(f"{job.id}:{spec_hash(job).hex()}" for job in new)]
        request_hash = _hash(asked, chosen.model_dump(mode="json") if chosen else None)
        async with self._database.transaction() as connection:
            if await _is_new(connection, batch_id, request_hash):
                items = repository.new_items(batch_id, job_ids, new)
                await repository.add_items(connection, batch_id, items)
                if chosen is not None:
                    await _add_matching(connection, batch_id, chosen, len(items))
        await self._operator.answered(batch_id)
        return await self.get(batch_id)

    async def retry(self, operation_id: str, statuses: Sequence[JobStatus], idempotency_key: str) -> Operation:
        """Make a batch of those jobs of another that stand at one of the statuses."""
        of = (await self.operation(operation_id)).id
        batch_id = uuid5(of, f"retry/{idempotency_key}") if idempotency_key else uuid4()
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

    async def get(self, batch_id: UUID) -> Batch:
        """Return a batch as it stands, with all its items. NotFoundError: there is none of that id."""
        operation = await self.operation(str(batch_id))
        async with self._database.session() as session:
            rows = await repository.items(session, batch_id)
        return Batch(**dict(operation), items=[_item(row) for row in rows])


def check_batch_size(size: int) -> None:
    """Raise an InvalidError if a batch of so many jobs is too large."""
    if size > BATCH_MAX:
        raise InvalidError(f"a batch holds {BATCH_MAX} jobs at most", code="batch_too_large")


def _item(row: Any) -> BatchItem:
    return BatchItem(
        job_id=row.job_id,
        execution_id=row.execution_id,
        accepted=row.answered and row.code is None,
        code=row.code,
        message=row.message,
    )


async def _is_new(connection: AsyncConnection, batch_id: UUID, request_hash: bytes, of: UUID | None = None) -> bool:
    """Add a batch, unless it is there. ConflictError: it is there, and another one."""
    if await repository.create(connection, batch_id, request_hash, of):
        return True
    if await repository.hash_of(connection, batch_id) not in {request_hash, None}:
        raise ConflictError("the idempotency key is that of a batch of other jobs", code="batch_conflict")
    return False


async def _add_matching(connection: AsyncConnection, batch_id: UUID, chosen: JobFilter, first: int) -> None:
    matching = await repository.add_matching(connection, batch_id, chosen, first, BATCH_MAX - first + 1)
    check_batch_size(first + matching)
    if not matching:
        raise RefusedError("no job matches the filter", code="nothing_matches")


def _hash(asked: Iterable[str], chosen: object = None) -> bytes:
    text = json.dumps(chosen, sort_keys=True) + json_text(list(asked))
    return hashlib.sha256(text.encode()).digest()


def _unknown(operation_id: str) -> NotFoundError:
    return NotFoundError(f"no batch has the id {operation_id[:100]}", code="unknown_batch")
