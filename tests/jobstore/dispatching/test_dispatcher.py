"""The table as a queue: offers within room, leases renewed and lapsed, deadlines, and the sweeper's patience."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import Published, Steps, seen, swept, verdict

from contracts.events import ExecuteRequested, ResultProduced
from contracts.status import ReportKind
from jobstore.api.work_service import WorkService
from jobstore.commands.executions import CancelJob
from jobstore.dispatching import offers
from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.maintenance.sweeper import Sweeper
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from servicekit.errors import TransientError
from signoff.v1 import work_service_pb2 as pb

LEASE_S = 10.0


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def dispatcher(database: Database, published: Published, runner: CommandRunner) -> Dispatcher:
    return Dispatcher(database, published, runner.terms)  # type: ignore[arg-type]


@pytest.fixture
async def steps(database: Database, runner: CommandRunner) -> Steps:
    async with database.transaction() as connection:  # nothing of earlier tests is due
        await connection.execute(text("DELETE FROM executions"))
        await connection.execute(text("DELETE FROM workers"))
    return Steps(database, runner)


async def test_nothing_is_offered_to_nobody(steps: Steps, dispatcher: Dispatcher, published: Published) -> None:
    await steps.requested()
    await dispatcher.offer()
    assert published.events == []
    assert (await steps.row()).state == "QUEUED"


async def test_offers_do_not_exceed_the_room_and_go_by_priority(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    low = await steps.requested(priority=1)
    high = await Steps(database, runner).requested(priority=9)
    middle = await Steps(database, runner).requested(priority=5)
    await seen(database, ExecutionStage.EXECUTING, 2)
    await dispatcher.offer()
    await dispatcher.offer()  # the two that are offered take up the room
    assert [event.execution_id for event in published.events] == [high.execution_id, middle.execution_id]
    assert published.keyed == [False, False]
    assert (await low.row()).state == "QUEUED"
    assert isinstance(published.events[0], ExecuteRequested)


async def test_what_is_marked_and_not_published_is_offered_again(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    """Rule `mark-before-publish`: marked, committed, and only then published; a broker that loses it loses no job."""
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    published.away = True
    with pytest.raises(TransientError):
        await dispatcher.offer()
    assert (await steps.row()).state == "OFFERED"
    published.away = False
    await steps.due(-1)
    await Dispatcher(database, published, runner.terms).offer()  # type: ignore[arg-type]
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_a_result_that_nobody_judges_is_published_again_as_it_was(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    """Rule `offer-again`."""
    lease = await steps.running()
    await steps.result(lease, {"text": "blue", "n": 2**70})
    await steps.due(-1)
    await dispatcher.offer()
    (event,) = published.events
    assert isinstance(event, ResultProduced)
    assert (event.result, event.lease, event.job_id) == ({"text": "blue", "n": 2**70}, lease, steps.job_id)
    assert event.acceptance_criteria == 'Says "blue"'


async def test_offers_again_come_at_growing_intervals(steps: Steps, database: Database) -> None:
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    intervals = []
    for _ in range(3):
        await steps.due(-1)
        async with database.transaction() as connection:
            state = (await steps.row()).state
            await offers.offer(
                connection, ExecutionStage.EXECUTING, ExecutionState(state), 1, offers.OfferTerms(5.0, 60.0, 60.0)
            )
            due = text("SELECT extract(epoch FROM due_at - now()) FROM executions WHERE execution_id = :id")
            intervals.append(round(float(await connection.scalar(due, {"id": steps.execution_id}) or 0)))
    assert intervals == [5, 10, 20]


async def test_an_outage_of_the_broker_makes_no_interval_grow(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    published.away = True
    for _ in range(5):
        with pytest.raises(TransientError):
            await Dispatcher(database, published, runner.terms).offer()  # type: ignore[arg-type]
        await steps.due(-1)
    published.away = False
    await dispatcher.offer()
    async with database.transaction() as connection:
        due = text("SELECT extract(epoch FROM due_at - now()) FROM executions WHERE execution_id = :id")
        due_in_s = float(await connection.scalar(due, {"id": steps.execution_id}) or 0)
    assert 0 < due_in_s <= runner.terms.offer_again_s
    assert [event.execution_id for event in published.events] == [steps.execution_id]


def renewal(
    steps: Steps, *, held: int | None = None, outcome: int | None = None, **fields: Any
) -> pb.RenewLeasesRequest:
    def lease(number: int) -> pb.Lease:
        return pb.Lease(execution_id=str(steps.execution_id), lease=number)

    return pb.RenewLeasesRequest(
        owner=str(fields.pop("owner", steps.executor)),
        kind=fields.pop("kind", pb.WORK_KIND_EXECUTING),
        held=[lease(held)] if held is not None else [],
        outcomes=[lease(outcome)] if outcome is not None else [],
        **fields,
    )


async def test_renewing_keeps_a_lease_and_tells_what_is_lost_and_cancelled(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner)
    lease = await steps.running()
    await steps.due(0.1)
    kept = await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(kept.held) == [pb.LEASE_STATE_KEEP]
    assert (await work.RenewLeases(renewal(steps, held=lease + 1), None)).held == [pb.LEASE_STATE_LOST]  # type: ignore[arg-type]
    await runner.submit.one(CancelJob(steps.job_id))
    assert (await work.RenewLeases(renewal(steps, held=lease), None)).held == [pb.LEASE_STATE_CANCELLED]  # type: ignore[arg-type]


async def test_a_worker_learns_that_an_execution_is_over_whoever_ended_it(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """Its agent may be told to stop: nobody goes on with the work."""
    lease = await steps.running(policy={"deadline_s": 100_000.0})
    await steps.deadline_passed()
    await runner.notice(TransitionKind.DEADLINE, [(steps.execution_id, 0, False)])
    answer = await WorkService(database, runner).RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(answer.held) == [pb.LEASE_STATE_CANCELLED]


async def test_a_late_renewal_revives_a_lapsed_lease(steps: Steps, database: Database, runner: CommandRunner) -> None:
    work = WorkService(database, runner)
    lease = await steps.running()
    await steps.due(-1)
    await runner.notice(TransitionKind.LAPSED, [(steps.execution_id, lease, False)])
    kept = await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    assert list(kept.held) == [pb.LEASE_STATE_KEEP]
    assert (await steps.row()).state == "LEASED"
    assert (await steps.claim(owner=uuid4())).outcome == "DUPLICATE"


async def test_an_attempt_is_spent_once_however_often_its_lease_lapses(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner)
    lease = await steps.running(policy={"max_attempts": 2})
    for _ in range(3):
        await steps.due(-1)
        await swept(database, runner)
        await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    await steps.due(-1)
    await swept(database, runner)
    await steps.report(lease, ReportKind.ATTEMPT_FAILED)  # late: the worker was only slow
    row = await steps.row()
    assert (row.state, row.attempt, row.spent) == ("QUEUED", 1, 1)


async def test_an_outcome_that_is_awaited_keeps_its_lease(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """While the broker is away no outcome can be recorded; nobody may call the agent again meanwhile (invariant 4)."""
    work = WorkService(database, runner)
    lease = await steps.running()
    await steps.due(-1)
    await work.RenewLeases(renewal(steps, outcome=lease), None)  # type: ignore[arg-type]
    await swept(database, runner)
    assert (await steps.row()).state == "LEASED"
    await steps.result(lease)
    await work.RenewLeases(renewal(steps, outcome=lease), None)  # type: ignore[arg-type]
    row = await steps.row()
    assert (row.stage, row.state) == ("JUDGING", "OFFERED")


async def test_an_outcome_is_awaited_until_it_is_recorded(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner)
    lease = await steps.running()

    async def state() -> Any:
        return list((await work.RenewLeases(renewal(steps, outcome=lease), None)).outcomes)  # type: ignore[arg-type]

    assert await state() == [pb.LEASE_STATE_KEEP]
    await steps.result(lease)
    assert await state() == [pb.LEASE_STATE_RECORDED]
    judged = await steps.claim_judging(lease)
    assert judged.execution is not None
    assert await state() == [pb.LEASE_STATE_RECORDED]
    assert (await steps.row()).lease == judged.execution.lease


async def test_a_lease_given_back_is_granted_to_another_at_once(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    work = WorkService(database, runner)
    lease = await steps.running()
    back = pb.GivenBackLease(lease=pb.Lease(execution_id=str(steps.execution_id), lease=lease), begun=True)
    await work.RenewLeases(renewal(steps, given_back=[back]), None)  # type: ignore[arg-type]
    await work.RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type] # a renewal that was under way
    assert (await steps.row()).state == "QUEUED"
    assert isinstance(await steps.report(lease, ReportKind.CALL_BEGUN), object)
    assert (await steps.claim(owner=uuid4())).outcome == "GRANTED"


@pytest.mark.parametrize(("past", "state"), [("lease", "QUEUED"), ("deadline", "DONE")])
async def test_the_sweeper_is_patient_after_a_gap_and_then_ends_what_is_late(
    steps: Steps, database: Database, runner: CommandRunner, past: str, state: str
) -> None:
    await steps.running(policy={"deadline_s": 100.0})
    await (steps.deadline_passed() if past == "deadline" else steps.due(-1))
    caught_up = True
    sweeper = Sweeper(database, runner, lambda: caught_up)
    await sweeper.sweep()
    assert (await steps.row()).state == "LEASED"  # it has just started: who knows how long nobody could renew
    caught_up = False
    sweeper._lapse_from = 0.0
    await sweeper.sweep()
    assert (await steps.row()).state == "LEASED"  # outcomes may still wait in the topics
    caught_up = True
    await sweeper.sweep()
    assert (await steps.row()).state == state


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
    await Sweeper(database, runner, lambda: True).sweep()
    assert (await steps.job()).status == "ASSIGNED"  # an outage of our own may be why nobody took it
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code, last.message) == (
        "FAILED",
        "queue_timeout",
        "no executor took it within 0.001 s",
    )
    assert (await steps.claim()).outcome == "DUPLICATE"


async def test_a_lease_revived_by_a_late_renewal_waits_in_no_queue(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.running(policy={"queue_timeout_s": 0.001})
    await steps.due(-1)
    await runner.notice(TransitionKind.LAPSED, [(steps.execution_id, lease, False)])
    assert (await steps.row()).fails_at is not None
    await WorkService(database, runner).RenewLeases(renewal(steps, held=lease), None)  # type: ignore[arg-type]
    await swept(database, runner)
    assert (await steps.row()).state == "LEASED"


async def test_a_result_that_is_not_judged_in_time_fails_and_is_never_decided(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.judging(policy={"judging_timeout_s": 0.001})
    await swept(database, runner)
    last = (await steps.logs())[-1]
    assert (last.job_status, last.code) == ("FAILED", "judging_timeout")
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
    assert (await steps.job()).status == "FAILED"
