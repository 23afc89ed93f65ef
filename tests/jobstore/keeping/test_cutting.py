"""What is left of the logs of removed jobs is cut once it is archived: by one at a time, and whatever cuts that off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from support.jobstore.losing import LosingDatabase, Losses
from support.jobstore.removed import archived, removed, rows_of
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.locks import Lock, try_hold_by_session
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import SIGNOFF
from jobstore.keeping.cutting import Cutting
from jobstore.keeping.removal import RemoveJob
from servicekit.errors import TransientError
from signoff.status import Outcome, ReportKind

DAY_S = 86_400.0


@pytest.fixture(autouse=True)
async def nothing_else(database: Database) -> AsyncIterator[None]:
    """Nothing of other tests is left to be cut."""
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM job_logs WHERE kind = 'removed'"))
        await connection.execute(text("UPDATE keeping SET cut_seq = 0, cut_below = 0"))
    yield
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE keeping SET cut_below = 0"))


def cutting(database: Database, batch: int = 1_000, rest_s: float = 0.0, kept_s: float = 400 * DAY_S) -> Cutting:
    return Cutting(database, kept_s, rest_s, batch)


async def gone(database: Database, runner: CommandRunner, count: int = 3) -> list[Steps]:
    """Jobs that were removed."""
    jobs = []
    for _ in range(count):
        steps = Steps(database, runner)
        await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
        jobs.append(steps)
    assert await removed(database, runner, *(steps.job_id for steps in jobs)) == {}
    return jobs


async def log_of(steps: Steps) -> list[str]:
    rows = await rows_of(steps.database, "job_logs", "job_id = :id ORDER BY version", id=steps.job_id)
    return [row.kind for row in rows]


async def keeping(database: Database) -> Any:
    return (await rows_of(database, "keeping", "true"))[0]


async def cut_all(cutter: Cutting) -> int:
    """How many batches it took."""
    batches = 0
    while await cutter.cut():
        batches += 1
    return batches


async def test_nothing_is_cut_before_the_last_entry_is_archived_and_has_rested(
    database: Database, runner: CommandRunner
) -> None:
    jobs = await gone(database, runner)
    assert await cut_all(cutting(database)) == 0
    await archived(database)
    assert await cut_all(cutting(database, rest_s=60)) == 0
    assert min([len(await log_of(steps)) for steps in jobs]) > 5
    assert (await keeping(database)).cut_below == 0


@pytest.mark.parametrize("batch", [1, 4, 1_000])
async def test_the_last_entry_alone_stays_whatever_the_batches(
    database: Database, runner: CommandRunner, batch: int
) -> None:
    other = await Steps(database, runner).requested()
    jobs = await gone(database, runner)
    await archived(database)
    ids = [steps.job_id for steps in jobs]
    left = await rows_of(database, "job_logs", "job_id = ANY(:ids) AND kind <> 'removed' ORDER BY seq DESC", ids=ids)
    assert await cut_all(cutting(database, batch)) >= (1 if batch == 1_000 else 3)
    assert [await log_of(steps) for steps in jobs] == [["removed"]] * 3
    assert len(await other.logs()) == 2
    kept = await keeping(database)
    last = await rows_of(database, "job_logs", "kind = 'removed' ORDER BY seq DESC")
    assert (kept.cut_below, kept.cut_seq) == (left[0].seq, last[0].seq)
    assert await cut_all(cutting(database)) == 0


async def test_two_that_cut_at_once_cut_once(database: Database, runner: CommandRunner) -> None:
    jobs = await gone(database, runner, 5)
    await archived(database)
    both = [cutting(database, 3), cutting(database, 3)]
    while max([len(await log_of(steps)) for steps in jobs]) > 1:
        await asyncio.gather(*(cutter.cut() for cutter in both))
    assert [await log_of(steps) for steps in jobs] == [["removed"]] * 5


async def test_logs_are_cut_while_a_checkpoint_is_written(database: Database, runner: CommandRunner) -> None:
    (steps,) = await gone(database, runner, 1)
    await archived(database)
    async with database.new_session() as session:
        assert await try_hold_by_session(session, Lock.CHECKPOINT)
        await cut_all(cutting(database))
    assert await log_of(steps) == ["removed"]


async def test_one_that_is_killed_leaves_all_or_nothing_and_the_next_goes_on(
    database: Database, runner: CommandRunner, database_url: str
) -> None:
    """Killed before and after each statement of a batch: what is seen is the state before it, or behind it."""
    jobs = await gone(database, runner, 2)
    await archived(database)
    for killed_after in range(3):
        before = [await log_of(steps) for steps in jobs], (await keeping(database)).cut_seq
        connection = await asyncpg.connect(database_url)
        await connection.execute("BEGIN")
        for statement in ("SELECT pg_advisory_xact_lock(1)", "SELECT signoff_cut(4, 0)")[:killed_after]:
            await connection.execute(statement)
        connection.terminate()
        async with asyncio.timeout(20):  # until its locks are free
            while await cutting(database, rest_s=1e6).cut():
                pass
            async with database.session() as session:
                while await session.scalar(
                    text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1")
                ):
                    pass
        assert ([await log_of(steps) for steps in jobs], (await keeping(database)).cut_seq) == before
    await cut_all(cutting(database, 4))
    assert [await log_of(steps) for steps in jobs] == [["removed"]] * 2


@pytest.mark.keeping
@pytest.mark.timeout(600)  # half a minute, where nobody else loads the machine
async def test_one_that_loses_its_connection_at_any_statement_cuts_what_it_would_have_cut(
    database: Database, runner: CommandRunner
) -> None:
    losses = 0
    while True:
        (steps,) = await gone(database, runner, 1)
        await archived(database)
        losing: Any = LosingDatabase(database, Losses(losses))
        try:
            await cut_all(cutting(losing, 4))
        except TransientError:
            losses += 1
            await cut_all(cutting(database, 4))
        else:
            break
        finally:
            (last,) = await rows_of(database, "job_logs", "job_id = :id", id=steps.job_id)
            assert (last.kind, (await keeping(database)).cut_seq) == ("removed", last.seq)
    assert losses > 10


async def test_what_is_cut_again_is_as_it_was(database: Database, runner: CommandRunner) -> None:
    """A restored `keeping` that is behind cuts again, and finds nothing."""
    (steps,) = await gone(database, runner, 1)
    await archived(database)
    await cut_all(cutting(database))
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE keeping SET cut_seq = 0"))
    await cut_all(cutting(database))
    assert await log_of(steps) == ["removed"]
    with pytest.raises(Exception, match="removed"):
        await runner.administer.run_one(RemoveJob(steps.job_id, "", actor=SIGNOFF))


async def test_last_entries_go_in_their_time_and_no_sooner_than_after_thirty_days(
    database: Database, runner: CommandRunner
) -> None:
    jobs = sorted(await gone(database, runner, 2), key=lambda steps: steps.job_id)  # as their last entries are numbered
    await archived(database)
    await cut_all(cutting(database))
    old = "UPDATE job_logs SET created_at = created_at - make_interval(days => 31) WHERE job_id = :id"
    other = """
        INSERT INTO executions
            (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, priority, spent)
        VALUES (uuidv7(), :id, 'EXECUTING', 'DONE', 0, 0, 0, 0, 1, 5, 0)
    """
    async with database.transaction() as connection:
        await connection.execute(text(old), {"id": jobs[0].job_id})
        for steps in jobs:  # another one than that which the entry names
            await connection.execute(text(other), {"id": steps.job_id})
    await cut_all(cutting(database, kept_s=1.0))
    assert [await log_of(steps) for steps in jobs] == [[], ["removed"]]
    left = [await rows_of(database, "executions", "job_id = :id", id=steps.job_id) for steps in jobs]
    assert [len(rows) for rows in left] == [0, 1]
    again = Steps(database, runner)
    again.job_id, again.execution_id = jobs[0].job_id, uuid4()
    await again.created()
    assert len(await again.logs()) == 1
