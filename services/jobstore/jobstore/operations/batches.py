"""Accept operations, among them batches, and read operations. All items are stored before the first is carried out."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import text

from contracts.resources import JobFilter, NewJob, NewOperation
from jobstore.access.callers import choose_tenant, find_tenants, name_key_tenant
from jobstore.agents.store import get_agent
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Connection
from jobstore.errors import InvalidError, RefusedError
from jobstore.jobs.commands import Answer, Once
from jobstore.jobs.finding import has_more_waiting, look_up
from jobstore.jobs.model import UNPROVEN, Actor, RequestKey, hash_spec
from jobstore.jobs.waits import sum_up_batch
from jobstore.judging.rules import Kind
from jobstore.operations import reads as operations
from jobstore.operations import snapshots
from jobstore.operations.commands import (
    BATCH_MAX,
    ENDED,
    ITEMS_MAX,
    CreateOperation,
    MoveOperation,
    OperationSpec,
    check_batch_size,
    make_unknown_batch_error,
)
from jobstore.operations.reads import find_version, freeze_parameters
from jobstore.operations.snapshots import Preview
from jobstore.operations.worker import OperationWorker, make_items
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import RESTING, JobStatus, OperationKind, OperationState
from signoff.types import Operation, OperationItem

#: How many refused items an operation shows itself; its pages of items have all.
REFUSED_SHOWN: Final = 10
_FIND: Final = text("SELECT id FROM operations WHERE id = :id")
#: The fields of an operation that only judging again needs.
_OF_JUDGING: Final = frozenset({"judge", "criteria", "criteria_set", "shadow", "rate_per_s", "budget_usd"})


class Batches:
    """Accept operations, among them batches and retries, and read operations with their progress."""

    def __init__(
        self, database: Callers, runner: CommandRunner, worker: OperationWorker, *, items_max: int = ITEMS_MAX
    ) -> None:
        """`items_max`: the highest number of jobs that the filter of an operation may match."""
        self._items_max = items_max
        self._database, self._answering = database, database.answering
        self._runner = runner
        self._worker = worker

    async def execute(
        self,
        job_ids: Sequence[str],
        new: Sequence[NewJob],
        chosen: JobFilter | None,
        name: str | None,
        idempotency_key: str,
        actor: Actor,
    ) -> Answer[Operation]:
        """Store a batch, request its executions, and return the batch once each job was accepted or refused.

        Jobs are named (`job_ids`), new (`new`) or match a filter (`chosen`). Calls with one idempotency key make one
        batch. RefusedError: no job matches the filter. InvalidError (`batch_too_large`): there are too many jobs.
        """
        check_batch_size(len(job_ids) + len(new))
        obstacle, found = None, chosen
        async with self._answering.transaction() as session:
            if found is not None:
                found = await self._look_up(session, found, BATCH_MAX)
                obstacle = await _refuse_number(session, found, BATCH_MAX)
            owner = await _find_owner(session, found, job_ids, [job.tenant for job in new])
        tenant = _find_key_tenant(chosen)
        batch_id = self._derive_id("batch", tenant, key=idempotency_key)
        spec = OperationSpec(
            items=make_items(self._worker.ids, batch_id, job_ids, new),
            snapshot=snapshots.matching_items(OperationKind.EXECUTE, found, BATCH_MAX) if found is not None else None,
            name=name,
            parameters=_dump_filter(chosen),
            tenant=owner,
        )
        jobs = [[job.id, hash_spec(job).hex()] for job in new]
        key = _make_key("ExecuteJobs", idempotency_key, [list(job_ids), jobs, _dump_filter(chosen), name], tenant)
        return await self._create(CreateOperation(batch_id, spec, obstacle, actor=actor), key)

    async def retry(
        self, operation_id: str, statuses: Sequence[JobStatus], name: str | None, idempotency_key: str, actor: Actor
    ) -> Answer[Operation]:
        """Make a batch of those items of an operation that ended at one of `statuses`, and whose jobs still have it.

        The batch takes the name of the operation if `name` is None. RefusedError (`nothing_to_retry`): no such item.
        """
        source = await self.get_operation(operation_id)
        batch_id = self._derive_id("retry", str(source.id), key=idempotency_key)
        snapshot = snapshots.retried_items(source.id, statuses)
        async with self._answering.transaction() as session:
            number = await snapshots.count_items(session, snapshot)
        message = f"nothing of the batch ended as {' or '.join(statuses)} and still stands there"
        parameters = {"statuses": [status.value for status in statuses]}
        spec = OperationSpec(
            OperationKind.RETRY, (), snapshot, name or source.name, source.id, parameters, source.tenant
        )
        obstacle = None if number else RefusedError(message, code=ErrorCode.NOTHING_TO_RETRY)
        key = _make_key("RetryOperation", idempotency_key, [str(source.id), sorted(set(statuses)), name])
        return await self._create(CreateOperation(batch_id, spec, obstacle, actor=actor), key)

    async def create(self, new: NewOperation, idempotency_key: str, actor: Actor) -> Answer[Operation]:
        """Make an operation on the named jobs, or on those that match its filter now, and wake the worker for it.

        RefusedError: no job matches. InvalidError: too many jobs match, or an agent, policy or set is unknown.
        """
        tenant = _find_key_tenant(new.filter)
        operation_id = self._derive_id("operation", tenant, key=idempotency_key)
        chosen, retry_of = _limit_to_rested(new), None
        judged_by: dict[str, object] = {}
        obstacle: PermanentError | None = None
        async with self._answering.transaction() as session:
            if chosen is not None:
                chosen = await self._look_up(session, chosen, self._items_max)
                obstacle = await _refuse_number(session, chosen, self._items_max)
            try:
                judged_by = await freeze_parameters(session, new)
            except PermanentError as error:  # the request may be a repeat, and a policy that it names was retired since
                obstacle = error
            if new.agent_id is not None and await get_agent(session, new.agent_id) is None:
                obstacle = InvalidError(f"no agent has the id {new.agent_id}", code=ErrorCode.UNKNOWN_AGENT)
            if chosen is not None and chosen.batch_id and new.kind is OperationKind.RETRY:
                retry_of = await session.scalar(_FIND, {"id": chosen.batch_id})
            owner = await _find_owner(session, chosen, new.job_ids)
        snapshot = (
            snapshots.matching_items(new.kind, chosen, self._items_max)
            if chosen is not None
            else snapshots.named_items(new.kind, list(dict.fromkeys(new.job_ids)))
        )
        given = new.model_dump(include={"agent_id", "comment", "reason", *_OF_JUDGING}) | judged_by
        parameters = {name: value for name, value in given.items() if value is not None} | _dump_filter(new.filter)
        if new.kind is OperationKind.RETRY:
            parameters["statuses"] = [status.value for status in (chosen.statuses if chosen else [JobStatus.FAILED])]
            parameters["codes"] = chosen.codes if chosen else []
        spec = OperationSpec(new.kind, (), snapshot, new.name, retry_of, parameters, owner)
        key = _make_key("CreateOperation", idempotency_key, new.model_dump(mode="json", exclude_defaults=True), tenant)
        return await self._create(CreateOperation(operation_id, spec, obstacle, actor=actor), key, waits=False)

    async def preview(self, new: NewOperation) -> Preview:
        """Return an operation's preview; make nothing. InvalidError (`unknown_judge_policy`): unknown or retired."""
        chosen = _limit_to_rested(new)
        async with self._answering.transaction() as session:
            if chosen is not None:
                chosen = await self._look_up(session, chosen, self._items_max)
            named = list(dict.fromkeys(new.job_ids))
            judge = await find_version(session, Kind.JUDGE, new.judge) if new.judge is not None else None
            return await snapshots.make_preview(session, new.kind, chosen or named, self._items_max, judge)

    async def _look_up(self, connection: Connection, chosen: JobFilter, limit: int) -> JobFilter:
        return await look_up(connection, chosen, self._runner.terms.alive_s, limit)

    async def _create(
        self, command: CreateOperation, key: RequestKey | None, *, waits: bool = True
    ) -> Answer[Operation]:
        """Store an operation, and return it: with `waits` once its items are answered, else at once."""
        _, is_replay = await self._runner.administer.run_one(Once(command, key, actor=command.actor))
        if waits:
            await self._worker.run_until_answered(command.operation_id)
        else:
            self._worker.has_open = True
            self._worker.wake.set()
        return Answer(await self._describe(self._answering, command.operation_id), is_replay)

    async def move(self, operation_id: str, to: OperationState, actor: Actor, reason: str = "") -> Operation:
        """Pause, resume or cancel an operation, and return it as it is afterwards. RefusedError: it has ended.

        The operation is read outside the callers' share of connections: the call must not fail after the change.
        """
        key = _parse_id(operation_id)
        await self._runner.limit.run_one(MoveOperation(key, to, reason, actor=actor))
        return await self._describe(self._answering, key)

    def _derive_id(self, purpose: str, *names: str, key: str) -> UUID:
        """Return the id derived from a purpose, names and an idempotency key; a random id if the key is empty."""
        return self._worker.ids.derive(purpose, *names, key or str(uuid4()))

    async def get_operation(self, operation_id: str) -> Operation:
        """Return an operation with progress, why it waits, and its first refused items. NotFoundError: no such id."""
        return await self._describe(self._database, _parse_id(operation_id))

    async def _describe(self, database: Callers, operation_id: UUID) -> Operation:
        async with database.session() as session:
            operation = await operations.get(session, operation_id)
            if operation is None:
                raise make_unknown_batch_error(str(operation_id))
            if operation.state not in ENDED:
                operation.waiting = await sum_up_batch(session, operation.id, self._runner.terms.alive_s)
            if operations.REFUSED in operation.counts:
                refused = [operations.REFUSED]
                operation.refused = await operations.list_items(session, operation_id, REFUSED_SHOWN, outcomes=refused)
        return operation

    async def list_items(
        self, operation_id: str, limit: int, after: int, outcomes: Sequence[str]
    ) -> list[OperationItem]:
        """Return up to `limit` items with these outcomes, after a number. NotFoundError: there is no such operation."""
        async with self._database.session() as session:
            items = await operations.list_items(session, _parse_id(operation_id), limit, after, outcomes)
        if not items:
            await self.get_operation(operation_id)
        return items


def _parse_id(operation_id: str) -> UUID:
    """Return the id of an operation as a UUID. NotFoundError: the text is no UUID."""
    try:
        return UUID(operation_id)
    except ValueError:
        raise make_unknown_batch_error(operation_id) from None


async def _refuse_number(connection: Connection, chosen: JobFilter, limit: int) -> PermanentError | None:
    """Return the error of an operation if no job matches, or more than `limit` jobs match; None if it may be made."""
    matching = await snapshots.count_matching(connection, chosen, limit)
    if matching > limit:
        message = f"more than {limit} jobs match: choose fewer, as by when they were created"
        if has_more_waiting(chosen):
            message = f"more than {limit} jobs wait for these reasons: name a tenant, or one limit"
        return InvalidError(message, code=ErrorCode.BATCH_TOO_LARGE)
    return None if matching else RefusedError("no job matches the filter", code=ErrorCode.NOTHING_MATCHES)


#: The statuses of the jobs of an operation whose filter names none, by its kind.
_STATUSES: Final = {OperationKind.RETRY: [JobStatus.FAILED], OperationKind.REJUDGE: sorted(RESTING)}


def _limit_to_rested(new: NewOperation) -> JobFilter | None:
    """Return an operation's filter, or None; if the filter names no statuses, add the defaults of the operation's kind.

    A retry leaves out jobs whose judge failed (their agents have done the work), unless the filter names that code.
    """
    chosen = new.filter
    if chosen is None or new.kind not in _STATUSES:
        return chosen
    changes: dict[str, object] = {} if chosen.statuses else {"statuses": _STATUSES[new.kind]}
    if new.kind is OperationKind.RETRY and UNPROVEN not in chosen.codes:
        changes["not_codes"] = [*chosen.not_codes, UNPROVEN]
    return chosen.model_copy(update=changes)


def _dump_filter(chosen: JobFilter | None) -> dict[str, object]:
    return {} if chosen is None else {"filter": chosen.model_dump(mode="json", exclude_defaults=True)}


async def _find_owner(
    connection: Connection, chosen: JobFilter | None, job_ids: Sequence[str], others: Sequence[str] = ()
) -> str | None:
    """Return the tenant of an operation: that of all jobs that match or are named, and of those of tenants in `others`.

    None: the jobs are of several, and the caller is of all tenants. InvalidError (`tenant_needed`): the caller is of
    some.
    """
    if (tenants := find_tenants()) is not None and len(tenants) == 1:
        return choose_tenant(None)
    found = {*others, *await snapshots.find_tenants_of(connection, chosen or job_ids)}
    if len(found) > 1 and tenants is not None:
        message = f"the jobs are of {', '.join(sorted(found))}: make an operation for each, or name one in the filter"
        raise InvalidError(message, code=ErrorCode.TENANT_NEEDED)
    if len(found) == 1:
        return found.pop()
    return None if found else choose_tenant(None)


def _find_key_tenant(chosen: JobFilter | None) -> str:
    """Return the tenant of an operation's idempotency key: the filter's tenant, or that of the caller's keys."""
    return (chosen.tenant if chosen else None) or name_key_tenant()


def _make_key(method: str, key: str, body: object, tenant: str | None = None) -> RequestKey | None:
    return RequestKey.of(method, key, body, tenant=tenant or name_key_tenant()) if key else None
