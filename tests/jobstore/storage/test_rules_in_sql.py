"""Where SQL applies a rule to many rows at once, it does to each what the pure rule does to one.

Executions in every state, with deadlines before and behind what is due, are changed by each such statement.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_limit

from contracts.resources import NewLimit
from jobstore.commands.base import Locks
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.dispatching import offers
from jobstore.dispatching.execution_offers import FairQueue
from jobstore.dispatching.offers import OfferTerms
from jobstore.domain import execution_states
from jobstore.domain.model import Clock, Execution, ExecutionStage, ExecutionState
from jobstore.runner import CommandRunner
from jobstore.storage import leases
from jobstore.storage.database import Database
from jobstore.storage.work.locking import lock_rows
from jobstore.storage.work.writing import note_worker, write

Rule = Callable[[Execution, datetime], Execution | None]

LEASE_S, AGAIN_S, AGAIN_MAX_S = 10.0, 5.0, 60.0
TENANT = "of this test"
OWNER = UUID(int=7)


def make_executions(now: datetime) -> Iterator[Execution]:
    """Executions in every state, with what the rules look at."""
    soon = [None, now + timedelta(seconds=3), now + timedelta(hours=1)]
    for stage, state, deadline_at, fails_at, number, is_held in product(
        ExecutionStage, ExecutionState, soon, soon, (0, 1, 3, 20), (False, True)
    ):
        yield Execution(
            uuid4(),
            "",
            stage=stage,
            state=state,
            lease=number,
            spent=number,
            offers=number,
            owner=OWNER if is_held else None,
            due_at=now - timedelta(seconds=1) if state is not ExecutionState.DONE else None,
            deadline_at=deadline_at,
            fails_at=fails_at,
            tenant=TENANT,
            flow=["agent:none"],
            agent_id=None,
            answer="failed" if state is ExecutionState.DONE else None,
        )


class Table:
    """Such executions in the table, and what a statement makes of them."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database, self.terms = database, runner.terms
        self.before: dict[UUID, Execution] = {}

    async def fill(self) -> None:
        async with self.database.transaction() as connection:
            for table in ("executions", "workers"):
                await connection.execute(text(f"DELETE FROM {table}"))
            for stage in ExecutionStage:
                await note_worker(connection, uuid4(), stage, 10_000)
            now = await self.now(connection)
            uow = UnitOfWork(self.terms, Stored(clock=self.clock(now)))
            for execution in make_executions(now):
                uow.put_execution(execution)
            await write(connection, uow)
        self.before = await self.read()

    async def now(self, connection: Any) -> datetime:
        at: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
        return at

    def clock(self, now: datetime) -> Clock:
        return Clock(now, LEASE_S, AGAIN_S)

    async def read(self) -> dict[UUID, Execution]:
        async with self.database.transaction() as connection:
            ids = await connection.scalars(text("SELECT execution_id FROM executions"))
            uow = await lock_rows(connection, Locks(executions=frozenset(ids)), self.terms)
        return dict(uow.stored.executions)

    async def check(self, change: Callable[[Any], Awaitable[object]], rule: Rule) -> int:
        """Change the table, and return how many rows the rule speaks of: those are as it says, all others as before."""
        async with self.database.transaction() as connection:
            began = await self.now(connection)
            await change(connection)
            ended = await self.now(connection)
        after, ruled = await self.read(), 0
        for execution_id, before in self.before.items():
            earliest, latest = rule(before, began - timedelta(seconds=1)), rule(before, ended)
            if earliest is None or latest is None:
                assert after[execution_id] == before
                continue
            changed, ruled = after[execution_id], ruled + 1
            assert changed == replace(latest, due_at=changed.due_at), before
            assert (earliest.due_at or began) <= (changed.due_at or began) <= (latest.due_at or began), before
        return ruled


@pytest.fixture
async def table(database: Database, runner: CommandRunner) -> Table:
    made = Table(database, runner)
    await made.fill()
    return made


@pytest.mark.parametrize("stage", ExecutionStage)
async def test_a_lease_is_renewed_as_the_rule_says(table: Table, stage: ExecutionStage) -> None:
    tokens = [(execution.execution_id, execution.lease) for execution in table.before.values()]

    def rule(execution: Execution, now: datetime) -> Execution | None:
        if execution.stage is not stage or execution.state is ExecutionState.DONE:
            return None
        return execution_states.renew(execution, OWNER, table.clock(now))

    assert await table.check(lambda c: leases.renew(c, OWNER, stage, tokens, LEASE_S), rule) > 100


@pytest.mark.parametrize("state", [ExecutionState.QUEUED, ExecutionState.OFFERED])
@pytest.mark.parametrize("stage", ExecutionStage)
async def test_an_execution_is_offered_as_the_rule_says(
    table: Table, stage: ExecutionStage, state: ExecutionState
) -> None:
    terms = OfferTerms(AGAIN_S, AGAIN_MAX_S, alive_s=60.0)

    def rule(execution: Execution, now: datetime) -> Execution | None:
        if (execution.stage, execution.state) != (stage, state):
            return None
        return execution_states.offer(execution, now, AGAIN_S, AGAIN_MAX_S)

    async def offer(connection: Any) -> None:
        if state is ExecutionState.OFFERED:
            await offers.offer_again(connection, stage, 10_000, terms)
        elif stage is ExecutionStage.JUDGING:
            await offers.offer_results(connection, 10_000, terms)
        else:
            await FairQueue(depth=10_000).offer(connection, 10_000, terms)

    assert await table.check(offer, rule) > 30


async def test_an_offer_that_was_not_published_is_repeated_as_the_rule_says(table: Table) -> None:
    def rule(execution: Execution, now: datetime) -> Execution | None:
        is_offered = execution.state is ExecutionState.OFFERED
        return execution_states.offer_at_once(execution, now) if is_offered else None

    assert await table.check(lambda c: offers.offer_at_once(c, list(table.before)), rule) > 60


async def test_what_is_paused_is_taken_back_as_the_rule_says(table: Table) -> None:
    def rule(execution: Execution, now: datetime) -> Execution | None:
        is_offered = (execution.stage, execution.state) == (ExecutionStage.EXECUTING, ExecutionState.OFFERED)
        return execution_states.take_back(execution, now) if is_offered else None

    assert await table.check(lambda c: put_limit(c, f"tenant:{TENANT}", NewLimit(paused=True)), rule) > 30
