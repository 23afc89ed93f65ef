"""The sweeper is patient after a gap; then it ends what passed its deadline, its queue or its judging timeout."""

import pytest
from support.fakes import FakeReaders
from support.jobstore.steps import Published, Steps, seen, swept, verdict

from contracts.status import ReportKind
from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.domain.model import ExecutionStage
from jobstore.maintenance.sweeper import SWEEP_MIN_S, Sweeper
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database


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
    await steps.requested(policy={"queue_timeout_s": 0.001})
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
    await steps.requested(policy={"queue_timeout_s": 0.001})
    await seen(database, ExecutionStage.EXECUTING, 1)
    await Sweeper(database, runner, FakeReaders()).sweep()
    assert (await steps.job()).status == "ASSIGNED"  # an outage of our own may be why nobody took it
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code, last.message) == (
        "FAILED",
        "queue_timeout",
        "no executor took it within 0.001 s",
    )
    assert (await steps.claim()).outcome == "DUPLICATE"


async def test_a_result_that_is_not_judged_in_time_fails_and_is_never_decided(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.judging(policy={"judging_timeout_s": 0.001})
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code) == ("FAILED", "judging_timeout")
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
    assert (await steps.job()).status == "FAILED"
