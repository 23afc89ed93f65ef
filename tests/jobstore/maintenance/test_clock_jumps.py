"""The database's clock jumps by a minute while work is under way: nothing runs twice, ends early or waits for ever."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from support.fakes import FakeReaders
from support.jobstore.shifted import shifted_clock
from support.jobstore.steps import Published, Steps, seen, verdict
from support.jobstore.terms import LEASE_S

import jobstore
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions import leases
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.sweeper import Sweeper
from jobstore.jobs.model import ExecutionStage
from signoff.status import ReportKind

JUMP_S = 60.0


@pytest.fixture
async def sweeper(database: Database, runner: CommandRunner) -> Sweeper:
    """A sweeper that has swept for long."""
    made = Sweeper(database, runner, FakeReaders())
    await made.sweep()
    made._lapse_from = 0.0
    return made


async def renewed(steps: Steps, database: Database, stage: ExecutionStage, lease: int) -> None:
    owner = steps.executor if stage is ExecutionStage.EXECUTING else steps.validator
    async with database.transaction() as connection:
        held = {(steps.execution_id, lease)}
        assert await leases.renew(connection, owner, stage, list(held), LEASE_S) == held


@pytest.mark.parametrize("jump_s", [JUMP_S, -JUMP_S])
@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_leases_go_on_where_the_clock_jumps(
    steps: Steps, database: Database, sweeper: Sweeper, jump_s: float, delivery: str
) -> None:
    """Also there and back, and for a judging lease."""
    lease = await steps.running(policy={"delivery": delivery})
    await steps.report(lease, ReportKind.CALL_BEGUN)
    await sweeper.sweep()
    async with shifted_clock(database, jump_s):
        await sweeper.sweep()  # before anybody could renew
        assert (await steps.row()).state == "LEASED"
        await renewed(steps, database, ExecutionStage.EXECUTING, lease)
        await sweeper.sweep()
        assert (await steps.row()).state == "LEASED"
    await sweeper.sweep()
    await renewed(steps, database, ExecutionStage.EXECUTING, lease)
    await steps.result(lease, seq=2)
    claimed = await steps.claim_judging(lease)
    assert claimed.execution is not None
    async with shifted_clock(database, jump_s):
        await sweeper.sweep()
        await steps.report(claimed.execution.lease, ReportKind.VERDICT, verdict=verdict())
    assert (await steps.job()).status == "COMPLETED"
    assert len([entry for entry in await steps.logs() if entry.kind == "claimed"]) == 1


async def test_the_lease_of_a_lost_worker_lapses_all_the_same(
    steps: Steps, database: Database, sweeper: Sweeper
) -> None:
    await steps.running()
    async with shifted_clock(database, JUMP_S):
        await sweeper.sweep()
        assert (await steps.row()).state == "LEASED"
        sweeper._lapse_from = 0.0  # a lease length later
        await sweeper.sweep()
        assert (await steps.row()).state == "QUEUED"


async def test_what_is_queued_is_offered_once_the_clock_that_went_back_has_come_as_far(
    steps: Steps, database: Database, dispatcher: Dispatcher, published: Published
) -> None:
    await steps.requested()
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE executions SET state = 'QUEUED', due_at = signoff_now()"))
    await seen(database, ExecutionStage.EXECUTING, 1)
    async with shifted_clock(database, -JUMP_S):
        await dispatcher.offer()
        assert published.events == []
    await seen(database, ExecutionStage.EXECUTING, 1)
    while await dispatcher.offer():
        pass
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_the_time_is_read_in_one_way_that_is_planned_as_now_is(database: Database) -> None:
    folder = Path(jobstore.__file__).parent
    others = [
        f"{path.relative_to(folder)}: {line.strip()}"
        for path in folder.rglob("*.py")
        for line in path.read_text().splitlines()
        if "versions" not in path.parts
        and re.search(r"(?<![\w.])now\(\)|(clock|statement|transaction)_timestamp|current_timestamp", line)
    ]
    assert others == []
    query = "EXPLAIN (VERBOSE) SELECT FROM executions WHERE due_at <= signoff_now()"
    async with database.session() as session:
        plan = "\n".join(await session.scalars(text(query)))
    assert "statement_timestamp()" in plan
    assert "signoff_now" not in plan
