"""Goes on with operations: asks for what is not answered yet, cancels what is to be cancelled, notes what has ended.

Whatever is asked is asked with an id that follows from the operation's, so that asking again, after whatever crash,
changes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from contracts.resources import NewJob, OperationState
from jobstore.commands.base import Command
from jobstore.commands.executions import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.commands.jobs import CreateJob
from jobstore.commands.requesting import ExecutionRequest
from jobstore.domain.limits import batch_limit
from jobstore.operations import repository
from jobstore.operations.repository import Answered, Item, execution_of
from jobstore.runner import CommandRunner
from jobstore.storage import limits
from jobstore.storage.database import Database
from servicekit.errors import PermanentError
from servicekit.process.runtime import run_forever

#: Items that are asked for at once; what others ask for meanwhile comes between.
ITEMS_MAX = 200
POLL_S = 2.0
#: How often it looks at most, however much comes to rest meanwhile.
REST_S = 0.2
#: Between two looks at what somebody else is about to answer.
LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation on which nobody else works now. `about` says who asked for what becomes of it, and why."""

    id: UUID
    kind: str
    state: OperationState
    about: Mapping[str, str]


def _execution(taken: ClaimedOperation, item: Item) -> Command:
    asked = ExecutionRequest(batch_id=taken.id)
    execution = ExecuteJob(item.job_id, execution_of(taken.id, item.job_id), chosen=True, asked=asked)
    if item.spec is None:
        return execution
    return CreateAndExecute(CreateJob(NewJob.model_validate_json(item.spec), item.job_id), execution)


#: What an item of each kind of operation asks for.
COMMANDS: Final[Mapping[str, Callable[[ClaimedOperation, Item], Command]]] = {"execute": _execution}


class OperationWorker:
    """Does operations chunk by chunk. Any number of processes may: whoever takes a chunk is left alone with it."""

    def __init__(self, database: Database, runner: CommandRunner, *, items_max: int = ITEMS_MAX) -> None:
        self._database = database
        self._items_max = items_max
        self._runner = runner
        self.wake = asyncio.Event()

    async def run(self) -> None:
        """Go on, for ever; woken by whatever is asked of an operation, and by each execution that ends."""
        await run_forever(self._work_or_rest, name="operations", every_s=POLL_S, wake=self.wake)

    async def _work_or_rest(self) -> bool:
        more = await self.work()
        if not more:
            await asyncio.sleep(REST_S)
        return more

    async def work(self) -> bool:
        """Do one chunk of one operation, and note what has ended; whether there may be more to do."""
        async with self._database.session() as session:
            taken = await repository.take(session)
            await repository.finish(session)
        if taken is not None:
            await self._go_on(_taken(taken))
        return taken is not None

    async def answered(self, operation_id: UUID) -> None:
        """Ask for all items of an operation, unless somebody else does, and wait until all are answered.

        It may be paused or cancelled meanwhile: then that is the end.
        """
        while True:
            async with self._database.session() as session:
                taken = await repository.take(session, operation_id)
                left = taken is not None or await repository.is_takeable(session, operation_id)
                if not left:
                    await repository.finish(session)
                    return
            if taken is not None:
                await self._go_on(_taken(taken))
            else:
                await asyncio.sleep(LOOK_AGAIN_S)

    async def _go_on(self, taken: ClaimedOperation) -> None:
        async with self._database.session() as session:
            items = await repository.next_items(session, taken.id, self._items_max)
        if taken.state is OperationState.CANCELLING:
            await self._cancel(taken, items)
            return
        commands = [COMMANDS[taken.kind](taken, item) for item in items]
        results = await self._runner.submit.run(commands)
        await self._answer(taken, [_answered(taken, *pair) for pair in zip(items, results, strict=True)])

    async def _cancel(self, taken: ClaimedOperation, items: Sequence[Item]) -> None:
        """Cancel the executions of items that nobody may have asked for yet, then what is live, and then it is done."""
        async with self._database.session() as session:
            live = [] if items else await repository.live(session, taken.id, self._items_max)
        asked: list[tuple[str | None, UUID]] = [(i.job_id, execution_of(taken.id, i.job_id)) for i in items]
        asked += [(None, execution_id) for execution_id in live]
        why = (taken.about.get("reason"), taken.about.get("requested_by"))
        await self._runner.submit.run([CancelJob(*which, *why) for which in asked])
        await self._answer(taken, [Answered(item.item, None, "cancelled", "the batch was cancelled") for item in items])
        if not asked:
            async with self._database.transaction() as connection:
                await limits.drop(connection, batch_limit(taken.id))
                await repository.cancelled(connection, taken.id)

    async def _answer(self, taken: ClaimedOperation, answers: Sequence[Answered]) -> None:
        async with self._database.transaction() as connection:
            await repository.answer(connection, taken.id, answers)


def _taken(row: Any) -> ClaimedOperation:
    about = row.about if isinstance(row.about, dict) else from_json(row.about)
    return ClaimedOperation(row.id, row.kind, OperationState(row.state), about)


def _answered(taken: ClaimedOperation, item: Item, result: Any) -> Answered:
    if isinstance(result, PermanentError):
        return Answered(item.item, None, result.code, str(result))
    return Answered(item.item, execution_of(taken.id, item.job_id))
