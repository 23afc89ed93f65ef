"""Carry out operations: each item as a command, cancel what is to be cancelled, finish what has ended.

An item's answer is kept by the transaction that carries it out, so that none is twice, after whatever crash.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from pydantic_core import from_json

from jobstore.commands.executions import CancelJob
from jobstore.commands.operations import AnswerItems, CarryOutItem, EndOperation
from jobstore.commands.rows import ItemAnswer
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.domain.model import CANCELLED
from jobstore.operations import repository
from jobstore.operations.kinds import ClaimedOperation, make_command
from jobstore.operations.pace import MESSAGES, Pace, find_pace
from jobstore.operations.progress import NOT_CARRIED_OUT
from jobstore.operations.repository import derive_execution_id
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.sql import Row
from servicekit.errors import DoubtfulError, PermanentError
from servicekit.process.runtime import run_forever
from signoff.status import OperationKind, OperationState

#: Items carried out in one go, so that other requests have their turn in between.
ITEMS_AT_ONCE = 200
#: Items of a cancelled operation, or of one that has no money left, that are answered in one go.
CANCELLED_AT_ONCE = 5_000
POLL_S = 5.0
#: Seconds between two looks at least, however many executions end meanwhile.
REST_S = 0.2
#: Seconds between two looks at an operation whose items another worker is answering.
LOOK_AGAIN_S = 0.05


class OperationWorker:
    """Carry out operations chunk by chunk. Several processes may: a claim keeps the others away."""

    def __init__(self, database: Database, runner: CommandRunner, *, items_max: int = ITEMS_AT_ONCE) -> None:
        self._database = database
        self._items_max = items_max
        self._runner = runner
        self.ids = runner.terms.ids
        #: Whether any operation had not ended when this worker looked last: only then an execution's end is news to it.
        self.has_open = True
        self.wake = asyncio.Event()
        self._wait_s = POLL_S

    async def run(self) -> None:
        """Carry out operations for ever; each change of an operation, and each end of an execution, wakes it."""
        await run_forever(self._work_or_rest, name="operations", every_s=lambda: self._wait_s, wake=self.wake)

    async def _work_or_rest(self) -> bool:
        has_more = await self.work()
        if not has_more:
            await asyncio.sleep(REST_S)
        return has_more

    async def work(self) -> bool:
        """Carry out one chunk of one operation, finish what has ended, and return whether there may be more to do."""
        async with self._database.session() as session:
            self.has_open, self._wait_s = await repository.has_open(session), POLL_S
            if not self.has_open:
                return False
            row = await repository.claim(session)
            ended = await repository.list_ended(session)
            if row is None:
                next_in_s = await repository.find_next(session)
                self._wait_s = min(POLL_S, max(0.0, POLL_S if next_in_s is None else next_in_s))
        await self._end(ended)
        if row is not None:
            await self._carry_out(_parse_claimed(row))
        return row is not None

    async def run_until_answered(self, operation_id: UUID) -> None:
        """Carry out all items of an operation, unless another worker does, and wait until all are answered.

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
        if operation.state is OperationState.CANCELLING:
            await self._cancel(operation)
            return
        async with self._database.session() as session:
            pace = Pace(self._items_max)
            if operation.kind is OperationKind.REJUDGE:
                pace = await find_pace(session, operation.id, operation.parameters, self._items_max)
            limit = CANCELLED_AT_ONCE if pace.code else pace.room
            items = await repository.list_next_items(session, operation.id, limit)
        if pace.code or not items:
            code = pace.code or ""  # without items nothing is answered, and the claim ends
            answers = [ItemAnswer(item.item, None, code, MESSAGES[code]) for item in items]
            await self._answer(operation, answers, pace.rest_s)
            return
        execution_ids = [derive_execution_id(self.ids, operation.id, item.job_id) for item in items]
        made = [make_command(operation, item, each) for item, each in zip(items, execution_ids, strict=True)]
        commands = [replace(each, rest_s=pace.rest_s) for each in made if isinstance(each, CarryOutItem)]
        done = iter(await self._runner.submit.run(commands))
        results = [next(done) if isinstance(each, CarryOutItem) else each for each in made]
        # What was carried out has its answer; the database is why the others have none.
        failed = [(item, each) for item, each in zip(items, results, strict=True) if isinstance(each, PermanentError)]
        if failed:
            await self._answer(operation, [ItemAnswer(item.item, None, each.code, str(each)) for item, each in failed])
        for result in results:
            if isinstance(result, DoubtfulError):  # this item comes again
                raise result

    async def _cancel(self, operation: ClaimedOperation) -> None:
        """Cancel an operation by one chunk: first live executions, then what new jobs ask for, then the operation.

        No item is carried out any more: its command looks at the state of the operation, which it has locked.
        """
        async with self._database.session() as session:
            live = await repository.list_live(session, operation.id, self._items_max)
            items = [] if live else await repository.list_given_items(session, operation.id, CANCELLED_AT_ONCE)
        await self._answer(operation, [ItemAnswer(item, None, CANCELLED, NOT_CARRIED_OUT) for item in items])
        reason, actor = operation.said.get("reason"), Actor(operation.said.get("actor", SIGNOFF))
        await self._runner.submit.run([CancelJob(None, each, reason, actor=actor) for each in live])
        if not items and not live:
            await self._end([operation.id])

    async def _answer(self, operation: ClaimedOperation, answers: Sequence[ItemAnswer], rest_s: float = 0.0) -> None:
        """Keep answers, and release the claim on the operation in `rest_s`."""
        await self._runner.administer.run_one(AnswerItems(operation.id, answers, rest_s, actor=operation.actor))

    async def _end(self, operation_ids: Sequence[UUID]) -> None:
        """End operations of which nothing is left."""
        ended = [EndOperation(operation_id, actor=SIGNOFF) for operation_id in operation_ids]
        await self._runner.administer.run(ended)


def _parse_claimed(row: Row) -> ClaimedOperation:
    return ClaimedOperation(
        id=row.id,
        kind=OperationKind(row.kind),
        state=OperationState(row.state),
        parameters=from_json(row.parameters),
        said=from_json(row.about),
        actor=Actor(row.actor or SIGNOFF),
    )
