"""Carry out operations: request executions for items, cancel what is to be cancelled, finish what has ended.

The id of each execution follows from the operation's, so that requesting again, after whatever crash, changes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import from_json

from contracts.fields import explain
from contracts.resources import NewJob
from contracts.status import OperationState
from jobstore.commands.base import Command
from jobstore.commands.executions import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.commands.jobs import CreateJob
from jobstore.commands.operations import AnswerItems, EndOperation
from jobstore.commands.requesting import ExecutionRequest
from jobstore.commands.rows import Item, ItemAnswer
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.errors import InvalidError
from jobstore.operations import repository
from jobstore.operations.repository import derive_execution_id
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.sql import Row
from servicekit.errors import DoubtfulError, PermanentError
from servicekit.process.runtime import run_forever

#: Items requested in one go, so that other requests have their turn in between.
ITEMS_MAX = 200
POLL_S = 5.0
#: Seconds between two looks at least, however many executions end meanwhile.
REST_S = 0.2
#: Seconds between two looks at an operation whose items another worker is answering.
LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation that this worker has claimed; `actor` asked for it. `extra` says who asked to cancel it, and why."""

    id: UUID
    kind: str
    state: OperationState
    extra: Mapping[str, str]
    actor: Actor


def _make_command(operation: ClaimedOperation, item: Item, execution_id: UUID) -> Command[object] | PermanentError:
    actor, parameters = operation.actor, ExecutionRequest(batch_id=operation.id)
    execution = ExecuteJob(item.job_id, execution_id, chosen=True, parameters=parameters, actor=actor)
    if item.spec is None:
        return execution
    try:
        new = NewJob.model_validate_json(item.spec)
    except ValidationError as error:  # accepted by an older version, which knew fewer bounds
        code, message = explain(error)
        return InvalidError(message, code=code)
    return CreateAndExecute(CreateJob(new, item.job_id, actor=actor), execution, actor=actor)


#: How an item of each kind of operation becomes a command.
COMMANDS: Final[Mapping[str, Callable[[ClaimedOperation, Item, UUID], Command[object] | PermanentError]]] = {
    "execute": _make_command
}


class OperationWorker:
    """Carry out operations chunk by chunk. Several processes may: a claim keeps the others away."""

    def __init__(self, database: Database, runner: CommandRunner, *, items_max: int = ITEMS_MAX) -> None:
        self._database = database
        self._items_max = items_max
        self._runner = runner
        self.ids = runner.terms.ids
        #: Whether any operation had not ended when this worker looked last: only then an execution's end is news to it.
        self.has_open = True
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Carry out operations for ever; each change of an operation, and each end of an execution, wakes it."""
        await run_forever(self._work_or_rest, name="operations", every_s=POLL_S, wake=self.wake)

    async def _work_or_rest(self) -> bool:
        has_more = await self.work()
        if not has_more:
            await asyncio.sleep(REST_S)
        return has_more

    async def work(self) -> bool:
        """Carry out one chunk of one operation, finish what has ended, and return whether there may be more to do."""
        async with self._database.session() as session:
            self.has_open = await repository.has_open(session)
            if not self.has_open:
                return False
            row = await repository.claim(session)
            ended = await repository.list_ended(session)
        await self._end(ended)
        if row is not None:
            await self._carry_out(_parse_claimed(row))
        return row is not None

    async def run_until_answered(self, operation_id: UUID) -> None:
        """Request all items of an operation, unless another worker does, and wait until all are answered.

        Return early if the operation is paused or cancelled meanwhile.
        """
        self.has_open = True
        while True:
            async with self._database.session() as session:
                row = await repository.claim(session, operation_id)
                is_answered = row is None and not await repository.has_unanswered(session, operation_id)
                ended = await repository.list_ended(session) if is_answered else []
            if is_answered:
                await self._end(ended)
                return
            if row is not None:
                await self._carry_out(_parse_claimed(row))
            else:
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _carry_out(self, operation: ClaimedOperation) -> None:
        async with self._database.session() as session:
            items = await repository.list_next_items(session, operation.id, self._items_max)
        if operation.state is OperationState.CANCELLING:
            await self._cancel(operation, items)
            return
        execution_ids = [derive_execution_id(self.ids, operation.id, item.job_id) for item in items]
        commands = [COMMANDS[operation.kind](operation, *pair) for pair in zip(items, execution_ids, strict=True)]
        done = iter(await self._runner.submit.run([each for each in commands if isinstance(each, Command)]))
        results = [next(done) if isinstance(each, Command) else each for each in commands]
        answered = [
            (item, execution_id, result)
            for item, execution_id, result in zip(items, execution_ids, results, strict=True)
            if not isinstance(result, DoubtfulError)
        ]
        await self._answer(operation, [_make_answer(*one) for one in answered])
        for result in results:
            if isinstance(result, DoubtfulError):  # this item comes again
                raise result

    async def _cancel(self, operation: ClaimedOperation, items: Sequence[Item]) -> None:
        """Cancel an operation by one chunk: first items without an answer, then live executions, then the operation.

        An item without an answer may be requested by a worker that is slow: a cancel of its id is kept as its answer.
        """
        async with self._database.session() as session:
            live = [] if items else await repository.list_live(session, operation.id, self._items_max)
        targets: list[tuple[str | None, UUID]] = [
            (i.job_id, derive_execution_id(self.ids, operation.id, i.job_id)) for i in items
        ]
        targets += [(None, execution_id) for execution_id in live]
        reason, requested_by = operation.extra.get("reason"), operation.extra.get("requested_by")
        actor = Actor(operation.extra.get("actor", SIGNOFF))
        commands = [CancelJob(*target, reason, requested_by, own=True, actor=actor) for target in targets]
        await self._runner.submit.run(commands)
        answers = [ItemAnswer(item.item, None, "cancelled", "the batch was cancelled") for item in items]
        await self._answer(operation, answers)
        if not targets:
            await self._end([operation.id])

    async def _answer(self, operation: ClaimedOperation, answers: Sequence[ItemAnswer]) -> None:
        await self._runner.administer.run_one(AnswerItems(operation.id, answers))

    async def _end(self, operation_ids: Sequence[UUID]) -> None:
        """End operations of which nothing is left."""
        await self._runner.administer.run([EndOperation(operation_id) for operation_id in operation_ids])


def _parse_claimed(row: Row) -> ClaimedOperation:
    state, actor = OperationState(row.state), Actor(row.actor or SIGNOFF)
    return ClaimedOperation(row.id, row.kind, state, from_json(row.about), actor)


def _make_answer(item: Item, execution_id: UUID, result: object) -> ItemAnswer:
    if isinstance(result, PermanentError):
        return ItemAnswer(item.item, None, result.code, str(result))
    return ItemAnswer(item.item, execution_id)
