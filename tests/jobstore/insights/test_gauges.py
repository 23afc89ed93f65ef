"""Gauges: how much waited, ran and was judged is sampled, and kept when it is gone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.insights import overview, rollups
from jobstore.insights.rollups import Rollups
from jobstore.jobs.waits import sum_up_all
from servicekit.errors import TransientError
from signoff.types import Overview, OverviewPoint

LATER = "UPDATE rollup SET sampled_at = sampled_at - interval '11 s'"


@pytest.fixture
async def sampling(database: Database) -> Rollups:
    """Nothing is published here, nothing executes, and nothing was sampled."""
    for table in ("rollups", "rollup", "executions"):
        await sql(database, f"DELETE FROM {table}")
    return Rollups(database)


async def sql(database: Database, statement: str, **parameters: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(statement), parameters)


async def shown(database: Database, range_s: int = 3_600) -> Overview:
    async with database.session() as session:
        return await overview.get_overview(session, range_s, await sum_up_all(session, 60.0), {})


async def sampled(database: Database) -> OverviewPoint:
    """The one point with a sample, once there is one."""
    async with asyncio.timeout(10):
        while True:
            points = [point for point in (await shown(database)).points if point.queued_max is not None]
            if points:
                return points[0]
            await asyncio.sleep(0.01)


def depth(point: OverviewPoint) -> tuple[int, int, int]:
    assert all(getattr(point, name) is not None for name in rollups.MAXIMA)
    return point.queued_max, point.running_max, point.judging_max


@asynccontextmanager
async def looping(sampling: Rollups) -> AsyncIterator[None]:
    running = asyncio.create_task(sampling.run())
    try:
        yield
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_queue_that_is_stuck_is_seen_and_still_seen_when_it_is_empty(
    database: Database, runner: CommandRunner, sampling: Rollups
) -> None:
    for _ in range(3):
        await Steps(database, runner).requested()
    for _ in range(2):
        await Steps(database, runner).running()
    await Steps(database, runner).judging()
    async with looping(sampling):
        assert depth(await sampled(database)) == (3, 2, 1)
    await sql(database, "DELETE FROM executions")
    await sql(database, LATER)
    await sampling.sample()
    seen = await shown(database)
    assert depth(await sampled(database)) == depth(seen.totals) == (3, 2, 1)
    assert depth(next(p for p in (await shown(database, 7 * 86_400)).points if p.queued_max is not None)) == (3, 2, 1)
    assert (seen.now.queued, seen.totals.created) == (0, 0)


async def test_of_all_jobstores_one_samples_and_every_ten_seconds_at_most(
    database: Database, runner: CommandRunner, sampling: Rollups
) -> None:
    await Steps(database, runner).requested()
    async with database.session() as one, database.session() as other:
        assert sorted(await asyncio.gather(*map(rollups.claim_sample, (one, other)))) == [False, True]
    await sql(database, LATER)
    await sampling.sample()
    await Steps(database, runner).requested()
    for jobstore in (sampling, Rollups(database)):
        await jobstore.sample()
    assert (await shown(database)).totals.queued_max == 1
    await sql(database, LATER)
    await Rollups(database).sample()
    assert (await shown(database)).totals.queued_max == 2


async def test_a_point_is_the_most_of_its_minutes_and_where_nobody_looked_there_is_a_gap(
    database: Database, runner: CommandRunner, sampling: Rollups
) -> None:
    begin = rollups.get_span_begin(datetime.now(UTC) - timedelta(hours=2), 360)
    for minute, waiting in enumerate((2, 0)):
        for _ in range(waiting):
            await Steps(database, runner).requested()
        await sampling.sample()
        at = begin + timedelta(minutes=minute)
        await sql(database, "UPDATE rollups SET at = :at WHERE at > now() - interval '1 h' AND span_s = 60", at=at)
        await sql(database, "DELETE FROM executions")
        await sql(database, LATER)
    points = {point.at: point for point in (await shown(database, 6 * 3_600)).points}
    assert depth(points.pop(begin)) == (2, 0, 0)
    assert all(getattr(point, name) is None for point in points.values() for name in rollups.MAXIMA)


async def test_a_sample_that_takes_too_long_is_given_up_and_another_taken_later(
    database: Database, runner: CommandRunner, sampling: Rollups, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Steps(database, runner).requested()
    monkeypatch.setattr(rollups, "SAMPLE_MAX_MS", 50)
    async with database.transaction() as other:
        await other.execute(text("LOCK TABLE executions"))
        with pytest.raises(TransientError):
            await asyncio.wait_for(sampling.sample(), 10)
        await sampling.sample()  # at once: does not even look
    monkeypatch.undo()
    monkeypatch.setattr(rollups, "POLL_S", 0.05)
    async with looping(sampling):
        assert (await shown(database)).totals.queued_max is None
        await sql(database, LATER)
        assert depth(await sampled(database)) == (1, 0, 0)
