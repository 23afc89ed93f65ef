"""Claims of executions: granted, queued or refused, once for each id, with room counted and inline jobs admitted."""

import asyncio
from uuid import uuid4

import pytest
from support.jobstore.steps import Steps, new_job

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import ConflictError, RefusedError
from jobstore.executions.claims import ClaimExecution, ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.subjects import STORES
from signoff.values import new_execution_id


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def test_a_claim_begins_and_its_owner_is_granted_the_same_again(steps: Steps) -> None:
    """Rules `claim-begins` and `regrant-to-owner`."""
    await steps.requested()
    first = await steps.claim()
    assert (await steps.job()).status == "IN_PROGRESS"
    again = await steps.claim()
    other = await steps.claim(owner=uuid4())
    assert (first.outcome, again.outcome, other.outcome) == (
        ClaimOutcome.GRANTED,
        ClaimOutcome.GRANTED,
        ClaimOutcome.DUPLICATE,
    )
    assert first.execution is not None
    assert again.execution is not None
    assert again.execution.lease == first.execution.lease
    assert again.grant.request == first.grant.request
    assert len(await steps.logs()) == 3


async def test_a_full_worker_leaves_the_execution_queued(steps: Steps) -> None:
    await steps.requested()
    assert (await steps.claim(room=0)).outcome == ClaimOutcome.QUEUED
    assert (await steps.row()).state == "QUEUED"
    assert (await steps.claim(room=1)).outcome == ClaimOutcome.GRANTED


async def test_room_is_counted_over_a_batch(steps: Steps, runner: CommandRunner) -> None:
    owner = uuid4()
    claims = []
    for _ in range(3):
        other = Steps(steps.database, runner)
        await other.requested()
        claims.append(ClaimExecution(other.execution_id, other.job_id, owner, 2, actor=SIGNOFF))
    answers = await runner.claim.run(claims)
    assert [answer.outcome for answer in answers] == [ClaimOutcome.GRANTED, ClaimOutcome.GRANTED, ClaimOutcome.QUEUED]


async def test_an_event_with_the_job_inline_is_admitted_once(steps: Steps) -> None:
    inline = new_job(payload={"a": 1})
    first = await steps.claim(inline=inline)
    assert first.outcome == ClaimOutcome.GRANTED
    assert (await steps.claim(owner=uuid4(), inline=inline)).outcome == ClaimOutcome.DUPLICATE
    assert [row.status for row in await steps.logs()] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS"]
    conflict = await steps.claim(inline=new_job(payload={"a": 2}))
    assert (conflict.outcome, conflict.code) == (ClaimOutcome.REFUSED, "job_conflict")


async def test_many_claims_of_one_new_event_at_once_admit_it_once(steps: Steps, runner: CommandRunner) -> None:
    """Concurrent transactions, not lanes: as if each were another jobstore's."""
    claims = [ClaimExecution(steps.execution_id, steps.job_id, uuid4(), 1, new_job(), actor=SIGNOFF) for _ in range(5)]
    lanes = [CommandRunner(steps.database, STORES, runner.terms) for _ in claims]
    answers = await asyncio.gather(*(lane.claim.run_one(claim) for lane, claim in zip(lanes, claims, strict=True)))
    assert sorted(answer.outcome for answer in answers) == [ClaimOutcome.DUPLICATE] * 4 + [ClaimOutcome.GRANTED]
    assert len(await steps.logs()) == 3


async def test_an_unknown_job_is_invalid_and_a_replayed_record_admits_nothing(steps: Steps) -> None:
    unknown = await steps.claim()
    assert (unknown.outcome, unknown.code) == (ClaimOutcome.INVALID, "unknown_job")
    steps.execution_id = new_execution_id()
    replayed = await steps.claim(inline=new_job(), replay=True)
    assert (replayed.outcome, replayed.code) == (ClaimOutcome.REFUSED, "replayed")
    no_agent = await steps.claim(inline=new_job(agent_id="nobody"))
    assert (no_agent.outcome, no_agent.code) == (ClaimOutcome.INVALID, "unknown_agent")


async def test_an_execution_id_is_answered_once_refusals_included(steps: Steps, runner: CommandRunner) -> None:
    """Rule `keep-answers`."""
    await steps.requested()
    refused = new_execution_id()
    for _ in range(2):
        with pytest.raises(RefusedError) as error:
            await runner.submit.run_one(ExecuteJob(steps.job_id, refused, chosen=True, actor=SIGNOFF))
        assert error.value.code == "execution_live"
    await runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    with pytest.raises(RefusedError):
        await runner.submit.run_one(ExecuteJob(steps.job_id, refused, chosen=True, actor=SIGNOFF))
    answer = await runner.claim.run_one(ClaimExecution(refused, steps.job_id, steps.executor, 1, actor=SIGNOFF))
    assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "execution_live")


async def test_an_execution_id_of_another_job_is_a_conflict(steps: Steps, runner: CommandRunner) -> None:
    await steps.requested()
    other = await Steps(steps.database, runner).created()
    with pytest.raises(ConflictError) as error:
        await runner.submit.run_one(ExecuteJob(other.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    assert error.value.code == "execution_conflict"


async def test_what_was_cancelled_before_it_arrived_is_never_executed(steps: Steps, runner: CommandRunner) -> None:
    """Rule `cancel-before-arrival`."""
    await steps.created()
    for _ in range(2):
        await runner.submit.run_one(CancelJob(None, steps.execution_id, actor=SIGNOFF))
    assert (await steps.claim()).outcome == ClaimOutcome.DUPLICATE
    with pytest.raises(RefusedError) as error:
        await runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    assert error.value.code == "cancelled"
