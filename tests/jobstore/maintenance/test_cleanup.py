"""What is kept for reuse is bounded in number and age, and so are workers."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.reused import Life, aged, rows

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions import leases
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.executions.sweeper import Cleanup
from jobstore.jobs.model import ExecutionStage, ReuseTerms
from jobstore.judging import store as judgings


@pytest.fixture
async def life(database: Database, runner: CommandRunner) -> Any:
    async with database.transaction() as connection:
        for table in ("reusable", "executions", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))
    return lambda: Life(database, runner)


async def forgotten(database: Database, terms: ReuseTerms) -> int:
    return await Cleanup(
        database, "reuse", partial(judgings.forget_reusable, terms=terms), judgings.FORGET_REUSABLE_BATCH
    ).forget()


async def test_what_is_known_is_bounded_in_number_and_age(life: Any, database: Database) -> None:
    for value in ("a", "b", "c"):
        await life().judged(value=value)
    kept = [row.key for row in await rows(database)]
    assert await forgotten(database, ReuseTerms(entries_max=3)) == 0
    assert await forgotten(database, ReuseTerms(entries_max=2)) == 1
    assert [row.key for row in await rows(database)] == kept[1:]
    await aged(database, 100)
    assert await forgotten(database, ReuseTerms(verdict_age_s=50, result_age_s=101)) == 0
    assert await forgotten(database, ReuseTerms(verdict_age_s=50, result_age_s=99)) == 2


async def test_workers_that_are_gone_are_forgotten(life: Any, database: Database) -> None:
    del life
    starts = [uuid4() for _ in range(4)]
    for seconds_ago, owner in enumerate(starts):
        await heard(database, owner, seconds_ago)
    await heard(database, uuid4(), leases.WORKERS_AGE_S + 1)
    cleanup = Cleanup(database, "workers", leases.forget_workers, leases.FORGET_BATCH)
    assert (await cleanup.forget(), await cleanup.forget()) == (1, 0)
    assert await owners(database) == set(starts)
    few = Cleanup(database, "workers", partial(leases.forget_workers, workers_max=2), leases.FORGET_BATCH)
    assert await few.forget() == 2
    assert await owners(database) == set(starts[:2]), "those that were heard of last"
    await heard(database, starts[3], 0)
    assert starts[3] in await owners(database), "one that was frozen comes back"


async def heard(database: Database, owner: UUID, seconds_ago: float) -> None:
    async with database.transaction() as connection:
        await note_worker(connection, owner, WorkerRoom(ExecutionStage.EXECUTING, 1))
        await connection.execute(
            text("UPDATE workers SET seen_at = clock_timestamp() - make_interval(secs => :s) WHERE owner = :owner"),
            {"s": seconds_ago, "owner": owner},
        )


async def owners(database: Database) -> set[UUID]:
    async with database.session() as session:
        return set(await session.scalars(text("SELECT owner FROM workers")))
