"""An executor is told how much the judge of an execution takes, so that its agent knows before it works."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS, execute_requested, request_body
from support.jobstore.steps import Steps, new_job

from contracts.judging.policy import JudgePolicy
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BOOTSTRAP
from jobstore.judging.commands import PutVersion
from jobstore.judging.rules import Kind, Named, format_body
from signoff.worker.v1 import work_service_pb2 as pb


@pytest.fixture(autouse=True)
async def no_validators(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM workers"))


@pytest.fixture
def work(database: Database, runner: CommandRunner) -> Any:
    return WorkService(database, runner, SECRETS)


async def put(runner: CommandRunner, most: int | None) -> str:
    """A policy that takes so many characters, by its name."""
    name = f"p-{uuid4().hex[:8]}"
    body = format_body(JudgePolicy(name=name, result_max_chars=most))
    await runner.administer.run_one(PutVersion(Named(Kind.JUDGE, name), body, actor=BOOTSTRAP))
    return name


async def set_to(work: Any, most: int | None) -> None:
    """A validator says that it is set to take so many characters."""
    policy = json.dumps({"name": "default", "result_max_chars": most})
    await work.ReportJudge(pb.ReportJudgeRequest(owner=str(uuid4()), policy_json=policy), None)


async def told(work: Any, steps: Steps, *, inline: bool = False, **policy: Any) -> int | None:
    """What the grant of an execution says that was known before, or that its record brings."""
    if not inline:
        await steps.requested(policy=policy)
    job = new_job(policy=policy) if inline else None
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=job)
    claims = [pb.ExecutionClaim(request=request_body(event))]
    (answer,) = (
        await work.BeginExecutions(pb.BeginExecutionsRequest(owner=str(uuid4()), room=1, claims=claims), None)
    ).answers
    assert answer.outcome == pb.CLAIM_OUTCOME_GRANTED
    return answer.grant.judged_max_chars if answer.grant.HasField("judged_max_chars") else None


@pytest.mark.parametrize("inline", [False, True])
async def test_the_policys_limit_is_told_and_else_the_least_of_the_validators(
    work: Any, database: Database, runner: CommandRunner, inline: bool
) -> None:
    async def tell(**policy: Any) -> int | None:
        return await told(work, Steps(database, runner), inline=inline, **policy)

    short, silent, huge = await put(runner, 500), await put(runner, None), await put(runner, 10**30)
    assert (await tell(), await tell(judge=short), await tell(judge=silent)) == (None, 500, None)
    for most in (90_000, 80_000):
        await set_to(work, most)
    assert [await tell(), await tell(judge=short), await tell(judge=silent)] == [80_000, 500, 80_000]
    assert await tell(judge="default") == 80_000
    assert await tell(judge=huge) == 2**53


async def test_a_validator_that_is_gone_or_has_not_said_bounds_nothing(
    work: Any, database: Database, runner: CommandRunner
) -> None:
    await set_to(work, 70_000)
    new = (
        "INSERT INTO workers (owner, stage, room, seen_at, judge) VALUES (:owner, 'JUDGING', 1, signoff_now(), :judge)"
    )
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE workers SET seen_at = seen_at - interval '1 hour'"))
        for judge in (None, ""):
            await connection.execute(text(new), {"owner": uuid4(), "judge": judge})
    assert await told(work, Steps(database, runner)) is None
