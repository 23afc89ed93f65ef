"""Commands that come twice, late, or from two at once are answered once, and always so."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS, incoming
from support.fakes import FakeLeases
from support.jobstore.steps import Steps, new_job, reported, result, verdict

from contracts.events import CancelRequested
from jobstore.engine.database import Database, RaceError
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimExecution, ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob, RecordReport, RecordResult
from jobstore.handlers import EventHandlers
from jobstore.jobs.model import SIGNOFF, WORKER, Refusal
from servicekit.leasing.worker import Worker
from signoff.status import ReportKind
from signoff.values import new_execution_id


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def test_a_grant_said_again_runs_for_a_whole_lease_from_now(steps: Steps) -> None:
    """Rule `regrant-to-owner`: the worker counts from when it asked again, and so must the tables."""
    await steps.running()
    await steps.due(0.1)
    lapses_at = (await steps.row()).due_at
    assert (await steps.claim()).outcome == ClaimOutcome.GRANTED
    assert (await steps.row()).due_at > lapses_at
    assert len(await steps.logs()) == 3


async def test_a_worker_that_has_started_anew_is_granted_nothing_of_its_former_self(steps: Steps) -> None:
    """Rule `new-owner-at-start`: the lease of a dead process lapses, and is not continued without its work."""
    await steps.running()
    former, anew = (Worker("executing", FakeLeases(), capacity=1, outcomes_max=1) for _ in range(2))
    assert anew.owner != former.owner
    assert (await steps.claim(owner=anew.owner)).outcome == ClaimOutcome.DUPLICATE


async def test_the_fence_is_the_lease_and_not_the_workers_count_of_calls(steps: Steps) -> None:
    """Rule `calls-are-not-attempts`."""
    lease = await steps.running()
    assert await steps.report(lease, ReportKind.CALL_BEGUN, attempt=7) is None
    assert await steps.report(lease, ReportKind.ATTEMPT_FAILED, attempt=8, seq=2) is None
    row = await steps.row()
    assert (row.state, row.attempt) == ("QUEUED", 1)


async def test_what_was_refused_is_decided_anew_when_it_is_said_again(steps: Steps) -> None:
    """Rule `repeats-by-the-row`."""
    lease = await steps.judging()
    told = RecordReport(
        reported(steps.execution_id, steps.job_id, lease + 1, ReportKind.VERDICT, verdict=verdict()), actor=WORKER
    )
    assert isinstance(await steps.runner.record.run_one(told), Refusal)
    await steps.due(-1)
    await steps.lapsed()
    judged = await steps.claim_judging(lease - 1, owner=uuid4())
    assert judged.execution is not None
    assert judged.execution.lease == lease + 1
    assert await steps.runner.record.run_one(told) is None
    assert (await steps.job()).status == "COMPLETED"


async def test_a_resubmission_that_is_refused_is_refused_for_good(steps: Steps, runner: CommandRunner) -> None:
    """Rule `keep-answers`."""
    await steps.created()
    for resubmission in (True, False):
        with pytest.raises(RefusedError) as error:
            await runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, True, resubmission, actor=SIGNOFF))
        assert error.value.code == "illegal_transition"


async def test_a_result_under_another_jobs_name_is_not_judged(steps: Steps, runner: CommandRunner) -> None:
    lease = await steps.running()
    await steps.result(lease)
    other = await Steps(steps.database, runner).created()
    claim = ClaimJudging(result(steps.execution_id, other.job_id, lease), uuid4(), 10, actor=SIGNOFF)
    assert (await runner.claim.run_one(claim)).outcome == ClaimOutcome.DUPLICATE
    assert (await steps.row()).state == "OFFERED"


async def test_a_cancel_in_the_name_of_a_job_that_nobody_knows_is_answered_however_often(
    steps: Steps, runner: CommandRunner
) -> None:
    """Rule `cancel-before-arrival`."""
    for _ in range(2):
        assert await runner.submit.run_one(CancelJob(steps.job_id, steps.execution_id, actor=SIGNOFF)) is None
    assert (await steps.claim(inline=new_job())).outcome == ClaimOutcome.DUPLICATE


async def test_a_cancel_ends_an_execution_that_another_jobstore_admits_meanwhile(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    """Rule `cancel-before-arrival`: it is neither unknown any more, nor is its job locked."""
    held = await Steps(database, runner).created()
    busy: list[Command] = [CancelJob(held.job_id, actor=SIGNOFF), CancelJob(None, steps.execution_id, actor=SIGNOFF)]
    async with database.transaction() as connection:
        await connection.execute(text("SELECT 1 FROM jobs WHERE id = :id FOR UPDATE"), {"id": held.job_id})
        cancelling = asyncio.create_task(runner.carry_out(busy))
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while not await connection.scalar(waiting):
            pass
        assert (await steps.claim(inline=new_job())).outcome == ClaimOutcome.GRANTED
    with pytest.raises(RaceError):
        await cancelling
    await runner.submit.run(busy)  # as a lane does at once
    assert (await steps.row()).answer == "cancelled"


@pytest.mark.parametrize("named", ["its job", "no job", "another job"])
async def test_an_execution_is_cancelled_by_its_id_and_not_in_another_jobs_name(
    steps: Steps, runner: CommandRunner, named: str
) -> None:
    await steps.running()
    other = await Steps(steps.database, runner).created()
    job_id = {"its job": steps.job_id, "no job": None, "another job": other.job_id}[named]
    event = CancelRequested(execution_id=steps.execution_id, job_id=job_id)
    (answer,) = await EventHandlers(runner, steps.database, SECRETS).on_cancel_requested([incoming(event)])
    if named == "another job":
        assert answer.code == "execution_conflict"
        assert (await steps.row()).state == "LEASED"
    else:
        assert answer is None
        assert (await steps.job()).status == "ASSIGNED"


async def test_an_id_that_was_refused_by_one_door_is_refused_by_all(steps: Steps, runner: CommandRunner) -> None:
    """Rule `keep-answers`: also when the job could be executed by now."""
    await steps.requested()
    refused = new_execution_id()
    answer = await runner.claim.run_one(ClaimExecution(refused, steps.job_id, uuid4(), 1, actor=SIGNOFF))
    assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "execution_live")
    await runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    answer = await runner.claim.run_one(ClaimExecution(refused, steps.job_id, uuid4(), 1, actor=SIGNOFF))
    assert answer.outcome == ClaimOutcome.REFUSED
    with pytest.raises(RefusedError):
        await runner.submit.run_one(ExecuteJob(steps.job_id, refused, chosen=True, actor=SIGNOFF))


async def test_a_result_that_a_claim_has_recorded_is_no_command_when_it_arrives_by_its_topic(
    steps: Steps, runner: CommandRunner
) -> None:
    lease = await steps.running()
    await steps.claim_judging(lease)
    unclaimed = await Steps(steps.database, runner).requested()
    claimed = await unclaimed.claim()
    assert claimed.execution is not None
    other = result(unclaimed.execution_id, unclaimed.job_id, claimed.execution.lease)
    recorded: list[UUID] = []

    async def record(commands: Sequence[RecordResult]) -> list[Any]:
        recorded.extend(command.event.execution_id for command in commands)
        return await runner.record.run(commands)

    counted: Any = SimpleNamespace(record=SimpleNamespace(run=record))
    records = [incoming(result(steps.execution_id, steps.job_id, lease)), incoming(other)]
    assert await EventHandlers(counted, steps.database, SECRETS).on_result_produced(records) == [None, None]
    assert recorded == [unclaimed.execution_id]
    assert (await unclaimed.logs())[-1].kind == "result"
