"""Where SQL applies a rule to many rows at once, it does to each what the pure rule does to one.

Executions in every state, due or not, with deadlines before and behind what is due, are changed by each such statement.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_limit, remove_limit
from support.jobstore.steps import new_job

from contracts.resources import NewLimit
from jobstore.engine.database import Database
from jobstore.engine.parts import UnitOfWork
from jobstore.engine.runner import CommandRunner
from jobstore.executions import leases, offers, states
from jobstore.executions.commands import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.executions.offers import FairQueue, OfferTerms
from jobstore.executions.requesting import ExecutionRequest
from jobstore.executions.rows import Executions, ExecutionsWish, WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, Clock, Execution, ExecutionStage, ExecutionState
from jobstore.limits.rules import batch_limit, flow_of
from jobstore.subjects import STORES

Rule = Callable[[Execution, datetime], Execution | None]

LEASE_S, AGAIN_S, AGAIN_MAX_S = 10.0, 5.0, 60.0
TENANT = "tested"
OWNER = UUID(int=7)


def make_executions(now: datetime) -> Iterator[Execution]:
    """Executions in every state, with what the rules look at."""
    past, later = now - timedelta(seconds=5), now + timedelta(hours=1)
    soon = [None, now + timedelta(seconds=3), later]
    for stage, state, due_at, deadline_at, fails_at, number, is_held in product(
        ExecutionStage, ExecutionState, (past, later), [past, *soon], soon, (0, 1, 3, 20), (False, True)
    ):
        yield Execution(
            uuid4(),
            "",
            stage=stage,
            state=state,
            lease=number,
            spent=number,
            validators_lost=number,
            offers=number,
            owner=OWNER if is_held else None,
            due_at=due_at if state is not ExecutionState.DONE else None,
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
                await note_worker(connection, uuid4(), WorkerRoom(stage, 10_000, 10_000))
            now = await self.now(connection)
            uow = UnitOfWork(self.terms, self.clock(now))
            for execution in make_executions(now):
                uow[Executions].put(execution)
            await STORES.write(connection, uow)
        self.before = await self.read()

    async def now(self, connection: Any) -> datetime:
        at: datetime = await connection.scalar(text("SELECT clock_timestamp()"))
        return at

    def clock(self, now: datetime) -> Clock:
        return Clock(now, LEASE_S, AGAIN_S)

    async def read(self) -> dict[UUID, Execution]:
        async with self.database.transaction() as connection:
            ids = await connection.scalars(text("SELECT execution_id FROM executions"))
            uow = UnitOfWork(self.terms)
            await STORES.lock(connection, uow, [(ExecutionsWish(locked=frozenset(ids)),)])
        return dict(uow[Executions].executions)

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
        return states.renew(execution, OWNER, table.clock(now))

    assert await table.check(lambda c: leases.renew(c, OWNER, stage, tokens, LEASE_S), rule) > 100


@pytest.mark.parametrize("state", [ExecutionState.QUEUED, ExecutionState.OFFERED])
@pytest.mark.parametrize("stage", ExecutionStage)
async def test_an_execution_is_offered_as_the_rule_says(
    table: Table, stage: ExecutionStage, state: ExecutionState
) -> None:
    terms = OfferTerms(AGAIN_S, AGAIN_MAX_S, alive_s=60.0)

    def rule(execution: Execution, now: datetime) -> Execution | None:
        if (execution.stage, execution.state) != (stage, state) or not states.may_offer(execution, now):
            return None
        return states.offer(execution, now, AGAIN_S, AGAIN_MAX_S)

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
        return states.offer_at_once(execution, now) if is_offered else None

    assert await table.check(lambda c: offers.offer_at_once(c, list(table.before)), rule) > 60


async def test_what_is_paused_is_taken_back_as_the_rule_says(table: Table) -> None:
    def rule(execution: Execution, now: datetime) -> Execution | None:
        is_offered = (execution.stage, execution.state) == (ExecutionStage.EXECUTING, ExecutionState.OFFERED)
        return states.take_back(execution, now) if is_offered else None

    assert await table.check(lambda c: put_limit(c, f"tenant:{TENANT}", NewLimit(paused=True)), rule) > 30


class Labelled:
    """Executions of jobs with labels at random, some of a batch, some ended: what flows they should be in."""

    KEYS, VALUES = ("team", "team=a", "größe", "region"), ("red", "b", "a=b", "*", "é", "\U0001d518", "\uffff", "")
    BATCHES = (uuid4(), uuid4())

    def __init__(self, runner: CommandRunner) -> None:
        self.runner, self.chance = runner, random.Random(7)
        self.limits: set[str] = set()
        self.flows: dict[UUID, Callable[[], list[str]]] = {}

    async def request(self, *, ends: bool) -> None:
        job_id, execution_id, batch_id = uuid4().hex, uuid4(), self.chance.choice([None, *self.BATCHES])
        labels = {key: self.chance.choice(self.VALUES) for key in self.KEYS if self.chance.random() < 0.6}
        create = CreateJob(new_job(labels=labels), job_id, actor=BOOTSTRAP)
        request = ExecutionRequest(batch_id=batch_id)
        execute = ExecuteJob(job_id, execution_id, parameters=request, actor=BOOTSTRAP)
        await self.runner.submit.run_one(CreateAndExecute(create, execute, actor=BOOTSTRAP))
        limits = set(self.limits) if ends else self.limits
        self.flows[execution_id] = lambda: flow_of("writer", labels, batch_id, limits)
        if ends:
            await self.runner.submit.run_one(CancelJob(job_id, actor=BOOTSTRAP))

    def list_limits(self) -> list[str]:
        names = {f"label:{key}={value}" for key in self.KEYS for value in self.VALUES}
        names |= {batch_limit(batch_id) for batch_id in self.BATCHES} | {"label:team=*"}
        return self.chance.sample(sorted(names), len(names))


async def test_what_is_limited_later_joins_the_flow_as_the_rule_says(database: Database, runner: CommandRunner) -> None:
    world, read = Labelled(runner), text("SELECT execution_id, flow FROM executions")
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM executions"))
    for number in range(60):
        await world.request(ends=number % 3 == 0)
    changed = 0
    for name in world.list_limits():
        before = {execution_id: flow() for execution_id, flow in world.flows.items()}
        world.limits.add(name)
        async with database.transaction() as connection:
            await put_limit(connection, name, NewLimit(concurrency=1))
            rows = await connection.execute(read)
        expected = {execution_id: flow() for execution_id, flow in world.flows.items()}
        assert {row.execution_id: row.flow for row in rows} == expected, name
        changed += expected != before
        await world.request(ends=False)
    async with database.transaction() as connection:
        for name in world.limits:
            await remove_limit(connection, name)
    assert changed > 15
