"""Gauges: how much waited, ran and was judged is sampled, kept when it is gone, and shown by one jobstore."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.insights import overview, rollups
from jobstore.insights.gauges import Gauges
from jobstore.insights.rollups import Rollups
from jobstore.jobs.waits import sum_up_all
from servicekit.errors import TransientError
from signoff.types import Overview, OverviewPoint

LATER = "UPDATE rollup SET sampled_at = sampled_at - interval '16 s'"


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


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"signoff_{name}", labels)


async def count_letters() -> dict[str, int]:
    return {"results-dlq": 2}


@pytest.mark.usefixtures("sampling")
async def test_the_jobstore_that_samples_shows_what_waits_and_why(database: Database, runner: CommandRunner) -> None:
    for _ in range(3):
        await Steps(database, runner).requested()
    await Steps(database, runner).judging()
    unjudged = Steps(database, runner)
    await unjudged.result(await unjudged.running())
    await sql(database, "DELETE FROM workers")
    await Rollups(database, Gauges(database, 60.0, count_letters)).sample()
    assert [gauge("executions", state=state) for state in rollups.GAUGES] == [3, 0, 2]
    assert gauge("executions_waiting", reason="no_worker", owner="operator") == 3
    oldest = gauge("executions_waiting_oldest_seconds", reason="no_worker", owner="operator")
    assert oldest == gauge("queue_oldest_seconds")
    assert (gauge("executions_waiting_oldest_seconds", reason="judge_missing", owner="operator") or 0) > 0
    assert gauge("circuits_open") == 0
    assert (gauge("queue_oldest_seconds") or 0) > 0
    assert gauge("queue_turn_oldest_seconds") == 0
    assert gauge("dead_letters_open", topic="results-dlq") == 2
    assert gauge("processes", kind="executor") == 0
    assert gauge("limits_lost") == 0
    assert None not in {gauge("facts_unpublished"), gauge("facts_unpublished_oldest_seconds")}


class Noted:
    """Notes until when what was sampled is shown."""

    def __init__(self) -> None:
        self.untils: list[float] = []

    async def show(self, until: float) -> None:
        self.untils.append(until)


@pytest.mark.usefixtures("sampling")
async def test_what_is_sampled_is_never_shown_by_two(database: Database) -> None:
    one, other = Noted(), Noted()
    first, second = Rollups(database, one), Rollups(database, other)
    began = time.monotonic()
    await first.sample()
    await sql(database, "UPDATE rollup SET sampled_at = sampled_at - interval '11 s'")
    await second.sample()
    assert (len(one.untils), len(other.untils)) == (1, 0), "the other waits until the first no longer shows it"
    await first.sample()
    assert len(one.untils) == 2
    await sql(database, LATER)
    await second.sample()
    assert (len(one.untils), len(other.untils)) == (2, 1)
    assert began + 15 <= one.untils[0] <= time.monotonic() + 15


@pytest.mark.usefixtures("sampling")
async def test_a_broker_that_is_away_leaves_all_other_gauges(database: Database) -> None:
    async def count_none() -> dict[str, int]:
        return {}

    await Rollups(database, Gauges(database, 60.0, count_none)).sample()
    assert gauge("executions", state="queued") == 0
    assert gauge("dead_letters_open", topic="results-dlq") is None
