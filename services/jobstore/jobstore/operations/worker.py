"""Carry out operations: run each item as a command, cancel items of cancelled operations, and end finished operations.

An item's answer is stored in the transaction that carries the item out, so that no crash lets it be carried out twice.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.resources import NewJob
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Row
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import CANCELLED, SIGNOFF, Actor, IdKey
from jobstore.operations.commands import ADDING_KINDS, AnswerItems, CarryOutItem, EndOperation, Item, ItemAnswer
from jobstore.operations.kinds import MESSAGES, ClaimedOperation, Pace, find_pace, make_command
from jobstore.operations.reads import NOT_CARRIED_OUT
from servicekit.errors import DoubtfulError, PermanentError
from servicekit.process.runtime import run_forever
from signoff.status import OperationKind, OperationState

#: Seconds without progress after which a worker's claim on an operation expires.
CLAIM_S: Final = 10.0

_UNANSWERED: Final = "SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered"
_LIVE: Final = "SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE'"
_JUDGED: Final = "SELECT FROM judgings g WHERE g.group_id = o.id AND g.state <> 'DONE'"
#: Claim an operation with work left, or a given one, for CLAIM_S or until its items are answered. SKIP LOCKED: an
#: operation that another worker is claiming is not waited for.
_CLAIM: Final = text(
    f"""
    UPDATE operations SET turn_at = signoff_now() + make_interval(secs => :claim_s)
    WHERE id = (
        SELECT id FROM operations o WHERE state NOT IN ('CANCELLED', 'DONE') AND turn_at <= signoff_now()
            AND (state = 'CANCELLING' OR state = 'RUNNING' AND EXISTS ({_UNANSWERED}))
            AND (CAST(:id AS uuid) IS NULL OR id = :id)
        ORDER BY turn_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, state, parameters::text AS parameters, about, actor
    """  # noqa: S608 - fragments of our own
)
#: In how many seconds the first claim expires of an operation with items left.
_NEXT: Final = text(
    "SELECT extract(epoch FROM min(turn_at) - signoff_now())::float8 FROM operations o "  # noqa: S608
    f"WHERE state = 'RUNNING' AND turn_at > signoff_now() AND EXISTS ({_UNANSWERED})"
)
_HAS_OPEN: Final = text("SELECT EXISTS (SELECT FROM operations WHERE state NOT IN ('CANCELLED', 'DONE'))")
_HAS_UNANSWERED: Final = text(
    f"SELECT EXISTS (SELECT FROM operations o WHERE id = :id AND state = 'RUNNING' AND EXISTS ({_UNANSWERED}))"  # noqa: S608
)
_NEXT_ITEMS: Final = text(
    "SELECT item, job_id, execution_id, spec::text AS spec FROM operation_items "
    "WHERE operation_id = :id AND NOT answered ORDER BY item LIMIT :limit"
)
#: Items of new jobs that are not answered: their specifications are stored until then.
_GIVEN_ITEMS: Final = text(
    "SELECT item FROM operation_items WHERE operation_id = :id AND NOT answered AND spec IS NOT NULL "
    "ORDER BY item LIMIT :limit"
)
#: Live executions of an operation, automatic resubmissions included.
_LIST_LIVE: Final = text(
    "SELECT execution_id FROM executions WHERE batch_id = :id AND state <> 'DONE' ORDER BY execution_id LIMIT :limit"
)
#: Operations that run or are paused, and have nothing left to do.
_LIST_ENDED: Final = text(
    f"SELECT id FROM operations o WHERE state IN ('RUNNING', 'PAUSED') "  # noqa: S608 - fragments of our own
    f"AND NOT EXISTS ({_UNANSWERED}) AND NOT EXISTS ({_LIVE}) AND NOT EXISTS ({_JUDGED})"
)


def derive_execution_id(ids: IdKey, operation_id: UUID, job_id: str) -> UUID:
    """Return the id of the execution that an operation requests of a job; a repeated request has the same id."""
    return ids.derive("execution of a batch", str(operation_id), job_id)


def make_items(ids: IdKey, operation_id: UUID, job_ids: Sequence[str], new: Iterable[NewJob] = ()) -> list[Item]:
    """Return items for existing and for new jobs; a new job without an id gets one derived from the operation's."""
    items = [Item(number, job_id) for number, job_id in enumerate(job_ids)]
    for number, job in enumerate(new):
        job_id = job.id or str(ids.derive("job of a batch", str(operation_id), str(number)))
        items.append(Item(len(items), job_id, job.model_dump_json(exclude_defaults=True)))
    return items


#: How many items are carried out at once, so that other requests have their turn in between.
ITEMS_AT_ONCE = 200
#: How many items of a cancelled operation, or of one without money left, are answered at once.
CANCELLED_AT_ONCE = 5_000
POLL_S = 5.0
#: Seconds that a worker rests when nothing is left to do, however many executions end meanwhile.
REST_S = 0.2
#: Seconds until a worker looks again at an operation whose items another worker is answering.
LOOK_AGAIN_S = 0.05


class OperationWorker:
    """Carry out operations chunk by chunk; a claim keeps the workers of other processes away from the operation."""

    def __init__(self, database: Database, runner: CommandRunner, *, items_max: int = ITEMS_AT_ONCE) -> None:
        self._database = database
        self._items_max = items_max
        self._runner = runner
        self.ids = runner.terms.ids
        #: Whether any operation was open when this worker last looked: only then the end of an execution wakes it.
        self.has_open = True
        self.wake = asyncio.Event()
        self._wait_s = POLL_S

    async def run(self) -> None:
        """Carry out operations for ever: after each change of one, each end of an execution, and at intervals."""
        await run_forever(self._work_or_rest, name="operations", every_s=lambda: self._wait_s, wake=self.wake)

    async def _work_or_rest(self) -> bool:
        has_more = await self.work()
        if not has_more:
            await asyncio.sleep(REST_S)
        return has_more

    async def work(self) -> bool:
        """Carry out one chunk of one operation, end finished operations, and return whether more may be left to do."""
        async with self._database.session() as session:
            self.has_open, self._wait_s = await session.scalar(_HAS_OPEN), POLL_S
            if not self.has_open:
                return False
            row = (await session.execute(_CLAIM, {"id": None, "claim_s": CLAIM_S})).one_or_none()
            ended = await session.scalars(_LIST_ENDED)
            if row is None and (next_in_s := await session.scalar(_NEXT)) is not None:
                self._wait_s = min(POLL_S, max(0.0, next_in_s))
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
                asked = {"id": operation_id, "claim_s": CLAIM_S}
                row = (await session.execute(_CLAIM, asked)).one_or_none()
                is_answered = row is None and not await session.scalar(_HAS_UNANSWERED, {"id": operation_id})
                ended = await session.scalars(_LIST_ENDED) if is_answered else []
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
            is_full = operation.kind in ADDING_KINDS and self._runner.find_full() is not None
            pace = Pace(0, POLL_S) if is_full else Pace(self._items_max)  # its items wait, and nothing is answered
            if not is_full and operation.kind is OperationKind.REJUDGE:
                pace = await find_pace(session, operation.id, operation.parameters, self._items_max)
            asked = {"id": operation.id, "limit": CANCELLED_AT_ONCE if pace.code else pace.room}
            items = [
                Item(row.item, row.job_id, row.spec, row.execution_id)
                for row in await session.execute(_NEXT_ITEMS, asked)
            ]
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
        # An item that was carried out has its answer; the others failed in the database.
        failed = [(item, each) for item, each in zip(items, results, strict=True) if isinstance(each, PermanentError)]
        if failed:
            await self._answer(operation, [ItemAnswer(item.item, None, each.code, str(each)) for item, each in failed])
        for result in results:
            if isinstance(result, DoubtfulError):  # the item is carried out again
                raise result

    async def _cancel(self, operation: ClaimedOperation) -> None:
        """Cancel one chunk of an operation: live executions first, then items of new jobs, then the operation itself.

        No further item is carried out: its command locks the operation, and checks that the operation is RUNNING.
        """
        async with self._database.session() as session:
            live = await session.scalars(_LIST_LIVE, {"id": operation.id, "limit": self._items_max})
            asked = {"id": operation.id, "limit": CANCELLED_AT_ONCE}
            items = [] if live else await session.scalars(_GIVEN_ITEMS, asked)
        await self._answer(operation, [ItemAnswer(item, None, CANCELLED, NOT_CARRIED_OUT) for item in items])
        reason, actor = operation.cancel.get("reason"), Actor(operation.cancel.get("actor", SIGNOFF))
        await self._runner.submit.run([CancelJob(None, each, reason, actor=actor) for each in live])
        if not items and not live:
            await self._end([operation.id])

    async def _answer(self, operation: ClaimedOperation, answers: Sequence[ItemAnswer], rest_s: float = 0.0) -> None:
        """Store answers to items, and end this worker's claim on the operation after `rest_s` seconds."""
        await self._runner.administer.run_one(AnswerItems(operation.id, answers, rest_s, actor=operation.actor))

    async def _end(self, operation_ids: Sequence[UUID]) -> None:
        """End those of these operations that have nothing left to do."""
        ended = [EndOperation(operation_id, actor=SIGNOFF) for operation_id in operation_ids]
        await self._runner.administer.run(ended)


def _parse_claimed(row: Row) -> ClaimedOperation:
    kind, state, actor = OperationKind(row.kind), OperationState(row.state), Actor(row.actor or SIGNOFF)
    parameters = from_json(row.parameters)
    tenants = frozenset(parameters["tenants"]) if "tenants" in parameters else None
    return ClaimedOperation(row.id, kind, state, parameters, from_json(row.about), actor, tenants)
