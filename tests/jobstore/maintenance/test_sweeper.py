"""The sweeper is patient after a gap; then it ends what passed its deadline, its queue or its judging timeout."""

import asyncio
import time

import asyncpg
import pytest
from support.fakes import FakeReaders, until
from support.jobstore.steps import NO_TIME_S, Published, Steps, seen, swept, verdict

from jobstore.engine.database import CHANNEL, Database, Wake
from jobstore.engine.runner import CommandRunner
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.sweeper import READ_AGAIN_S, SWEEP_MIN_S, Sweeper
from jobstore.jobs.model import ExecutionStage
from signoff.status import ReportKind


@pytest.mark.parametrize(("past", "state"), [("lease", "QUEUED"), ("deadline", "DONE")])
async def test_the_sweeper_is_patient_after_a_gap_and_then_ends_what_is_late(
    steps: Steps, database: Database, runner: CommandRunner, past: str, state: str
) -> None:
    await steps.running(policy={"deadline_s": 100.0})
    await (steps.deadline_passed() if past == "deadline" else steps.due(-1))
    readers = FakeReaders()
    sweeper = Sweeper(database, runner, readers)
    await sweeper.sweep()
    assert (await steps.row()).state == "LEASED"  # it has just started: who knows how long nobody could renew
    readers.behind = True
    sweeper._lapse_from = 0.0
    await sweeper.sweep()
    assert (await steps.row()).state == "LEASED"  # outcomes may still wait in the topics
    readers.behind = False
    await sweeper.sweep()
    assert (await steps.row()).state == state


async def test_what_lapses_while_the_readers_are_behind_has_ends_of_its_own(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    readers = FakeReaders()
    sweeper = Sweeper(database, runner, readers)
    await sweeper.sweep()
    sweeper._lapse_from, readers.behind = 0.0, True
    other = Steps(database, runner)
    await steps.running()
    await other.running()
    await steps.due(-1)
    await sweeper.sweep()
    await other.due(0)  # what its worker said may stand behind those ends
    readers.behind = False
    await sweeper.sweep()
    assert [(await each.row()).state for each in (steps, other)] == ["QUEUED", "LEASED"]
    assert sweeper._wait_s == SWEEP_MIN_S
    await sweeper.sweep()
    assert (await other.row()).state == "QUEUED"


async def test_what_no_worker_ever_had_waits_for_no_reader(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    readers = FakeReaders()
    sweeper = Sweeper(database, runner, readers)
    await sweeper.sweep()
    sweeper._lapse_from, readers.behind = 0.0, True
    await steps.requested(policy={"queue_timeout_s": NO_TIME_S})
    await sweeper.sweep()
    assert (await steps.job()).status == "FAILED"


async def test_a_passed_deadline_fails_the_job_wherever_it_stands(
    steps: Steps, database: Database, runner: CommandRunner, dispatcher: Dispatcher, published: Published
) -> None:
    await steps.requested(policy={"deadline_s": 100.0})
    await steps.deadline_passed()
    await seen(database, ExecutionStage.EXECUTING, 1)
    await dispatcher.offer()
    assert published.events == []
    assert (await steps.claim()).outcome == "DUPLICATE"
    assert (await steps.row()).state == "QUEUED"
    await swept(database, runner)
    assert (await steps.job()).status == "FAILED"
    assert (await steps.logs())[-1].code == "deadline_exceeded"


async def test_what_nobody_takes_in_time_fails(steps: Steps, database: Database, runner: CommandRunner) -> None:
    await steps.requested(policy={"queue_timeout_s": NO_TIME_S})
    await seen(database, ExecutionStage.EXECUTING, 1)
    await Sweeper(database, runner, FakeReaders()).sweep()
    assert (await steps.job()).status == "ASSIGNED"  # an outage of our own may be why nobody took it
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code, last.message) == (
        "FAILED",
        "queue_timeout",
        "no executor took it within 1e-09 s",
    )
    assert (await steps.claim()).outcome == "DUPLICATE"


async def test_a_result_that_is_not_judged_in_time_fails_and_is_never_decided(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.judging(policy={"judging_timeout_s": NO_TIME_S})
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code) == ("FAILED", "judging_timeout")
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
    assert (await steps.job()).status == "FAILED"


@pytest.mark.parametrize("asked", ["deadline_s", "queue_timeout_s"])
async def test_what_is_requested_after_a_sweep_ends_when_it_is_out_of_time(
    steps: Steps, database: Database, runner: CommandRunner, asked: str
) -> None:
    """And not as late as the next sweep, of which this one would have been the last."""
    sweeper = Sweeper(database, runner, FakeReaders())
    await sweeper.sweep()
    swept_at, sweeper._lapse_from, sweeper._period_s = sweeper._swept_at, 0.0, 1_000.0
    sweeping = asyncio.create_task(sweeper.run())
    await until(lambda: sweeper._swept_at > swept_at and sweeper._wait_s > SWEEP_MIN_S)
    swept_at = sweeper._swept_at
    await steps.requested(policy={asked: 0.3})
    async with asyncio.timeout(10):
        while (await steps.job()).status != "FAILED":  # noqa: ASYNC110 - the table tells by no event
            await asyncio.sleep(0.01)
    assert sweeper._swept_at > swept_at
    sweeping.cancel()
    await asyncio.wait([sweeping])
    assert runner.listeners.on_timed is None


async def test_what_is_out_of_time_later_asks_for_no_sweep_of_its_own(
    database: Database, runner: CommandRunner
) -> None:
    sweeper = Sweeper(database, runner, FakeReaders())
    sweeper.expect(sweeper._period_s)
    assert sweeper._wake._timer is None
    sweeper.expect(SWEEP_MIN_S)
    assert not sweeper._wake.is_set(), "told to come sooner, it costs no read until then"
    await until(sweeper._wake.is_set)


async def test_what_is_late_and_may_be_reported_has_all_jobstores_hurry_with_what_stands_in_the_topics(
    steps: Steps, database: Database, database_url: str, runner: CommandRunner
) -> None:
    told: list[str] = []
    connection = await asyncpg.connect(database_url)
    await connection.add_listener(CHANNEL, lambda *message: told.append(message[-1]))
    await steps.running()
    readers = FakeReaders()
    sweeper = Sweeper(database, runner, readers)
    await sweeper.sweep()
    sweeper._lapse_from, readers.behind = 0.0, True
    await steps.due(-1)
    await sweeper.sweep()
    assert sweeper._wait_s == SWEEP_MIN_S, "they are asked again soon, and the less often the longer it takes"
    await until(lambda: Wake.LATE.payload in told)
    assert Wake.of_payload(Wake.LATE.payload) is Wake.LATE
    assert sweeper._mark is not None
    for waited_s, again_s in ((0.0, SWEEP_MIN_S), (0.3, 0.3), (60.0, READ_AGAIN_S)):
        sweeper._mark = sweeper._mark._replace(made_at=time.monotonic() - waited_s)
        await sweeper.sweep()
        assert sweeper._wait_s == pytest.approx(again_s, abs=0.09)
    await connection.close()
