"""What the jobstore's loops ask of the database while nothing happens, by pass and by second."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.fakes import FakeReaders
from support.jobstore.steps import Published, Steps, seen

from jobstore.agents import matcher
from jobstore.agents.matcher import Matcher
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions import store as executions
from jobstore.executions import sweeper as cleanup
from jobstore.executions.dispatcher import POLL_S, Dispatcher
from jobstore.executions.sweeper import SWEEP_MAX_S, Cleanup, Sweeper
from jobstore.insights import rollups
from jobstore.insights.rollups import Rollups
from jobstore.jobs import texts
from jobstore.jobs.model import ExecutionStage
from jobstore.jobs.texts import TextIndex
from jobstore.judging import store as judgings
from jobstore.operations import worker
from jobstore.operations.worker import OperationWorker
from signoff.worker.v1 import work_service_pb2 as pb

#: All loops together, less the relay, the watches and the probe: they are other parts'.
STATEMENTS_PER_S = 3.0


class Counted:
    """A database that counts the statements sent to it, BEGIN and COMMIT included."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.availability = database.availability
        self.statements = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self.statements += 2
        async with self._database.transaction() as connection:
            yield _Connection(self, connection)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        async with self._database.session() as session:
            yield _Connection(self, session)


class _Connection:
    def __init__(self, counted: Counted, connection: Any) -> None:
        self._counted, self._connection = counted, connection

    def __getattr__(self, name: str) -> Any:
        self._counted.statements += 1
        return getattr(self._connection, name)


@pytest.fixture
async def counted(database: Database) -> Counted:
    """Nothing is queued, published or asked for; a worker is there, with nothing to do."""
    async with database.transaction() as connection:
        for table in ("executions", "workers", "operations", "rollup"):
            await connection.execute(text(f"DELETE FROM {table}"))
    for stage in ExecutionStage:
        await seen(database, stage, 10)
    return Counted(database)


async def test_an_idle_jobstore_asks_little(counted: Counted, runner: CommandRunner) -> None:
    database: Any = counted
    dispatcher = Dispatcher(database, Published(), runner.terms, SECRETS)  # type: ignore[arg-type]
    sweeper = Sweeper(database, runner, FakeReaders())
    sampling = Rollups(database)
    operating = OperationWorker(database, runner)
    sampled_every_s = rollups.SAMPLED_EVERY.total_seconds()
    loops: list[tuple[Callable[[], Awaitable[Any]], int, float]] = [  # a pass, its statements, seconds between two
        (dispatcher.offer, 4, POLL_S),
        (sweeper.sweep, 1, SWEEP_MAX_S),
        (sampling.sample, 6, sampled_every_s),
        (sampling._sample_and_count, 1, rollups.POLL_S),
        (operating.work, 1, worker.POLL_S),
        (TextIndex(counted)._look_and_index, 1, texts.POLL_S),  # type: ignore[arg-type]
        (Matcher(database, runner).match, 1, matcher.POLL_S),
        (
            Cleanup(database, "reuse", partial(judgings.forget_reusable, terms=runner.terms.reuse), 10).forget,
            1,
            cleanup.PERIOD_S,
        ),
        (Cleanup(database, "cancels", executions.forget_remembered, 10).forget, 1, cleanup.PERIOD_S),
    ]
    sampling._forget_at = float("inf")
    for step, statements, _ in loops:
        before = counted.statements
        await step()
        assert counted.statements - before == statements, step
    assert (dispatcher._wait_s, sweeper._wait_s, dispatcher.held_back) == (POLL_S, SWEEP_MAX_S, False)
    assert not operating.has_open
    assert sum(statements / every_s for _, statements, every_s in loops) <= STATEMENTS_PER_S


async def test_a_worker_that_holds_nothing_costs_a_statement(counted: Counted, runner: CommandRunner) -> None:
    service = WorkService(counted, runner, SECRETS)  # type: ignore[arg-type]
    request = pb.RenewLeasesRequest(owner=str(uuid4()), kind=pb.WORK_KIND_EXECUTING, room=5)
    await service.RenewLeases(request, None)  # type: ignore[arg-type]
    assert counted.statements == 1


async def test_what_waits_for_its_time_costs_no_polls(
    database: Database, counted: Counted, runner: CommandRunner
) -> None:
    """What is under way is due at known times: each loop waits for the next."""
    running = Steps(database, runner)
    await running.running(policy={"deadline_s": 3.0})
    dispatcher = Dispatcher(counted, Published(), runner.terms, SECRETS)  # type: ignore[arg-type]
    sweeper = Sweeper(counted, runner, FakeReaders())  # type: ignore[arg-type]
    await dispatcher.offer()
    assert dispatcher._wait_s == POLL_S, "a lease is the sweeper's"
    await sweeper.sweep()
    assert sweeper._wait_s == SWEEP_MAX_S
    await running.due(1.0)
    await sweeper.sweep()
    assert 0.5 < sweeper._wait_s <= 1.0
