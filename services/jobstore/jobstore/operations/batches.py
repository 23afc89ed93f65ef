"""Accept batches of executions, and read them. A batch is stored whole before any of it is requested."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID, uuid4

from contracts.jsontext import json_text
from contracts.messages.views import Batch, BatchItem
from contracts.resources import JobFilter, NewJob, Operation
from contracts.status import JobStatus, OperationState
from jobstore.commands.operations import (
    BATCH_MAX,
    CreateOperation,
    MoveOperation,
    check_batch_size,
    make_unknown_batch_error,
)
from jobstore.commands.rows import Item
from jobstore.commands.unit_of_work import ENDED
from jobstore.domain.actor import Actor
from jobstore.domain.model import Refusal
from jobstore.domain.spec import hash_as_given, hash_spec
from jobstore.operations import repository
from jobstore.operations.worker import OperationWorker
from jobstore.reads.waiting import sum_up_batch
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.sql import Row


class Batches:
    """Accept batches and retries of batches, and read them with their progress."""

    def __init__(self, database: Database, runner: CommandRunner, worker: OperationWorker) -> None:
        self._database = database
        self._runner = runner
        self._worker = worker

    async def execute(
        self,
        job_ids: Sequence[str],
        new: Sequence[NewJob],
        chosen: JobFilter | None,
        idempotency_key: str,
        actor: Actor,
    ) -> Batch:
        """Store a batch, request all its executions, and return job by job what was accepted.

        Jobs are named by id, given anew or chosen by a filter. A batch of the same tenants with the same idempotency
        key is the same one.
        ConflictError: the key is that of a batch of other jobs. RefusedError: no job matches the filter.
        """
        check_batch_size(len(job_ids) + len(new))
        tenants = {job.tenant for job in new} | ({chosen.tenant or ""} if chosen else set())
        hashes = [_hash_batch(job_ids, new, chosen, hash_job) for hash_job in (hash_spec, hash_as_given)]
        async with self._database.transaction() as session:
            tenants |= await repository.find_tenants(session, job_ids)
            # One more than allowed, so that a filter that matches too many is refused and not cut.
            left = BATCH_MAX + 1 - len(job_ids) - len(new)
            matching = await repository.list_matching(session, chosen, left) if chosen is not None else []
        batch_id = self._derive_id("batch", *sorted(tenants), key=idempotency_key)
        items = repository.make_items(self._worker.ids, batch_id, job_ids, new)
        items += [Item(number, job_id) for number, job_id in enumerate(matching, len(items))]
        is_in_vain = chosen is not None and not matching
        obstacle = Refusal("nothing_matches", "no job matches the filter") if is_in_vain else None
        await self._runner.administer.run_one(CreateOperation(batch_id, hashes, items, obstacle=obstacle, actor=actor))
        await self._worker.run_until_answered(batch_id)
        return await self.get_batch(str(batch_id))

    async def retry(
        self, operation_id: str, statuses: Sequence[JobStatus], idempotency_key: str, actor: Actor
    ) -> Operation:
        """Make a batch of those jobs of another that stand at one of the statuses. RefusedError: none does."""
        source_id = (await self.get_operation(operation_id)).id
        batch_id = self._derive_id("retry", str(source_id), key=idempotency_key)
        async with self._database.session() as session:
            job_ids = await repository.list_retried(session, source_id, statuses)
        items = repository.make_items(self._worker.ids, batch_id, job_ids)
        nothing = Refusal("nothing_to_retry", f"no job of the batch stands at {' or '.join(statuses)}")
        hashes, obstacle = [_hash_request(sorted(set(statuses)))], None if job_ids else nothing
        await self._runner.administer.run_one(
            CreateOperation(batch_id, hashes, items, source_id, obstacle, actor=actor)
        )
        await self._worker.run_until_answered(batch_id)
        return await self.get_operation(str(batch_id))

    async def move(
        self, operation_id: str, to: OperationState, actor: Actor, *, reason: str = "", requested_by: str = ""
    ) -> Operation:
        """Pause, resume or cancel an operation, and return it as it stands then. RefusedError: it has ended."""
        key = _parse_id(operation_id)
        await self._runner.limit.run_one(MoveOperation(key, to, reason, requested_by, actor=actor))
        return await self.get_operation(operation_id)

    def _derive_id(self, purpose: str, *names: str, key: str) -> UUID:
        """Return the id that an idempotency key stands for; without one, an id of its own."""
        return self._worker.ids.derive(purpose, *names, key or str(uuid4()))

    async def get_operation(self, operation_id: str) -> Operation:
        """Return an operation as it stands, and why it waits. NotFoundError: there is none of that id."""
        async with self._database.session() as session:
            operation = await repository.get(session, _parse_id(operation_id))
            if operation is None:
                raise make_unknown_batch_error(operation_id)
            if operation.state not in ENDED:
                operation.waiting = await sum_up_batch(session, operation.id, self._runner.terms.alive_s)
        return operation

    async def get_batch(self, batch_id: str) -> Batch:
        """Return a batch as it stands, with all its items. NotFoundError: there is none of that id."""
        operation = await self.get_operation(batch_id)
        async with self._database.session() as session:
            rows = await repository.list_items(session, operation.id)
        return Batch(**dict(operation), items=[_make_item(row) for row in rows])


def _parse_id(operation_id: str) -> UUID:
    """Return the id of an operation. NotFoundError: none has such an id."""
    try:
        return UUID(operation_id)
    except ValueError:
        raise make_unknown_batch_error(operation_id) from None


def _make_item(row: Row) -> BatchItem:
    return BatchItem(
        job_id=row.job_id,
        execution_id=row.execution_id,
        accepted=row.answered and row.code is None,
        code=row.code,
        message=row.message,
    )


def _hash_batch(
    job_ids: Sequence[str], new: Sequence[NewJob], chosen: JobFilter | None, hash_job: Callable[[NewJob], bytes]
) -> bytes:
    contents = [*job_ids, *(f"{job.id}:{hash_job(job).hex()}" for job in new)]
    return _hash_request(contents, chosen.model_dump(mode="json") if chosen else None)


def _hash_request(contents: Iterable[str], chosen: object = None) -> bytes:
    text = json.dumps(chosen, sort_keys=True) + json_text(list(contents))
    return hashlib.sha256(text.encode()).digest()
