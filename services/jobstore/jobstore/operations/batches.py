"""Accept batches of executions, and read them. A batch is stored whole before any of it is requested."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Final
from uuid import UUID, uuid4

from contracts.jsontext import json_text
from contracts.messages.views import Batch, BatchItem
from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus
from jobstore.domain.spec import hash_as_given, hash_spec
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.operations import repository
from jobstore.operations.worker import OperationWorker
from jobstore.storage.database import Database
from jobstore.storage.sql import Connection, Row

#: Jobs that a batch holds at most.
BATCH_MAX: Final = 10_000


class Batches:
    """Accept batches and retries of batches, and read them with their progress."""

    def __init__(self, database: Database, worker: OperationWorker) -> None:
        self._database = database
        self._worker = worker

    async def execute(
        self, job_ids: Sequence[str], new: Sequence[NewJob], chosen: JobFilter | None, idempotency_key: str
    ) -> Batch:
        """Store a batch, request all its executions, and return job by job what was accepted.

        Jobs are named by id, given anew or chosen by a filter. A batch of the same tenants with the same idempotency
        key is the same one.
        ConflictError: the key is that of a batch of other jobs. RefusedError: no job matches the filter.
        """
        check_batch_size(len(job_ids) + len(new))
        tenants = {job.tenant for job in new} | ({chosen.tenant or ""} if chosen else set())
        hashes = [_hash_batch(job_ids, new, chosen, hash_job) for hash_job in (hash_spec, hash_as_given)]
        async with self._database.transaction() as connection:
            tenants |= await repository.find_tenants(connection, job_ids)
            batch_id = self._derive_id("batch", *sorted(tenants), key=idempotency_key)
            if await _add_operation(connection, batch_id, hashes):
                items = repository.make_items(self._worker.ids, batch_id, job_ids, new)
                await repository.add_items(connection, batch_id, items)
                if chosen is not None:
                    await _add_matching(connection, batch_id, chosen, len(items))
        await self._worker.run_until_answered(batch_id)
        return await self.get_batch(str(batch_id))

    async def retry(self, operation_id: str, statuses: Sequence[JobStatus], idempotency_key: str) -> Operation:
        """Make a batch of those jobs of another that stand at one of the statuses. RefusedError: none does."""
        source_id = (await self.get_operation(operation_id)).id
        batch_id = self._derive_id("retry", str(source_id), key=idempotency_key)
        async with self._database.transaction() as connection:
            if await _add_operation(connection, batch_id, [_hash_request(sorted(set(statuses)))], source_id):
                retried = await repository.add_retried(connection, batch_id, source_id, statuses)
                if not retried:
                    message = f"no job of the batch stands at {' or '.join(statuses)}"
                    raise RefusedError(message, code="nothing_to_retry")
        await self._worker.run_until_answered(batch_id)
        return await self.get_operation(str(batch_id))

    def _derive_id(self, purpose: str, *names: str, key: str) -> UUID:
        """Return the id that an idempotency key stands for; without one, an id of its own."""
        return self._worker.ids.derive(purpose, *names, key or str(uuid4()))

    async def get_operation(self, operation_id: str) -> Operation:
        """Return an operation as it stands. NotFoundError: there is none of that id."""
        try:
            key = UUID(operation_id)
        except ValueError:
            raise _make_unknown_error(operation_id) from None
        async with self._database.session() as session:
            operation = await repository.get(session, key)
        if operation is None:
            raise _make_unknown_error(operation_id)
        return operation

    async def get_batch(self, batch_id: str) -> Batch:
        """Return a batch as it stands, with all its items. NotFoundError: there is none of that id."""
        operation = await self.get_operation(batch_id)
        async with self._database.session() as session:
            rows = await repository.list_items(session, operation.id)
        return Batch(**dict(operation), items=[_make_item(row) for row in rows])


def check_batch_size(size: int) -> None:
    """Raise an InvalidError if a batch of so many jobs is too large."""
    if size > BATCH_MAX:
        raise InvalidError(f"a batch holds {BATCH_MAX} jobs at most", code="batch_too_large")


def _make_item(row: Row) -> BatchItem:
    return BatchItem(
        job_id=row.job_id,
        execution_id=row.execution_id,
        accepted=row.answered and row.code is None,
        code=row.code,
        message=row.message,
    )


async def _add_operation(
    connection: Connection, batch_id: UUID, hashes: Sequence[bytes], retry_of: UUID | None = None
) -> bool:
    """Add a batch with the first of its hashes, and return whether it was not there yet.

    ConflictError: it is there, and was made by another request.
    """
    if await repository.create(connection, batch_id, hashes[0], retry_of):
        return True
    if await repository.get_request_hash(connection, batch_id) not in {*hashes, None}:
        raise ConflictError(
            "the idempotency key is that of a batch of other jobs: use another key", code="batch_conflict"
        )
    return False


async def _add_matching(connection: Connection, batch_id: UUID, chosen: JobFilter, first: int) -> None:
    # One more than allowed, so that a filter that matches too many is refused and not cut.
    matching = await repository.add_matching(connection, batch_id, chosen, first, BATCH_MAX - first + 1)
    check_batch_size(first + matching)
    if not matching:
        raise RefusedError("no job matches the filter", code="nothing_matches")


def _hash_batch(
    job_ids: Sequence[str], new: Sequence[NewJob], chosen: JobFilter | None, hash_job: Callable[[NewJob], bytes]
) -> bytes:
    contents = [*job_ids, *(f"{job.id}:{hash_job(job).hex()}" for job in new)]
    return _hash_request(contents, chosen.model_dump(mode="json") if chosen else None)


def _hash_request(contents: Iterable[str], chosen: object = None) -> bytes:
    text = json.dumps(chosen, sort_keys=True) + json_text(list(contents))
    return hashlib.sha256(text.encode()).digest()


def _make_unknown_error(operation_id: str) -> NotFoundError:
    return NotFoundError(f"no batch has the id {operation_id[:100]}", code="unknown_batch")
