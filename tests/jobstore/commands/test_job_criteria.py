"""A job's criteria on the real tables: stored in one text form; what breaks its bounds is refused."""

from typing import Any

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.edited import edited
from support.jobstore.steps import Steps, new_job, verdict

from contracts.criteria import Criterion
from contracts.resources import NewJob
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import ConflictError, RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from signoff.jsontext import json_text
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id
from signoff.worker.v1 import work_service_pb2 as pb

TOO_MANY = "\n".join(f"criterion {n}" for n in range(101))


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def stored(steps: Steps, criteria: str) -> None:
    """Have the job with a text of criteria that no door takes, as where bounds have become narrower since."""
    query = text("UPDATE jobs SET acceptance_criteria = :criteria WHERE id = :id")
    async with steps.database.transaction() as connection:
        await connection.execute(query, {"criteria": criteria, "id": steps.job_id})


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(RefusedError) as error:
        await call
    return error.value.code, str(error.value)


async def test_what_is_stored_and_sent_is_the_one_text_form(steps: Steps) -> None:
    await steps.requested(acceptance_criteria='- Says "blue"\r\n\n * OPTIONAL:NEVER: is long \n')
    form = 'Says "blue"\noptional: never: is long'
    assert (await steps.job()).acceptance_criteria == form
    assert (await steps.logs())[-1].request_payload["acceptance_criteria"] == form


async def test_a_job_is_known_again_however_its_criteria_are_spelled(steps: Steps, runner: CommandRunner) -> None:
    await steps.created(acceptance_criteria="- a\n- never: b")
    criteria = [Criterion(text="a"), Criterion(text="b", kind="never")]
    same = NewJob(title="A title", criteria=criteria, agent_id="writer")
    assert (await runner.submit.run_one(CreateJob(same, steps.job_id, actor=SIGNOFF)))["version"] == 1
    for other in "a\nb", "never: b\na":
        with pytest.raises(ConflictError):
            await runner.submit.run_one(CreateJob(new_job(acceptance_criteria=other), steps.job_id, actor=SIGNOFF))


async def test_an_edit_to_the_same_list_changes_nothing(steps: Steps) -> None:
    await steps.created()
    await stored(steps, "- a\r\n- b")
    assert (await edited(steps, acceptance_criteria="a\n\nb"))["version"] == 1
    view = await edited(steps, criteria=[{"text": "a"}, {"text": "b", "kind": "never"}])
    assert (view["version"], view["acceptance_criteria"]) == (2, "a\nnever: b")
    assert (await steps.logs())[-1].message == "edited: acceptance_criteria"


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        (TOO_MANY, "criteria_too_many"),
        ("x" * 2_001, "criterion_too_long"),
        ("optional: a", "no_required_criterion"),
        ("-\n*", "criteria_empty"),
        ("check: a", "check_unknown"),
    ],
)
async def test_a_stored_job_that_breaks_the_bounds_says_so_when_it_is_executed(
    steps: Steps, runner: CommandRunner, criteria: str, code: str
) -> None:
    await steps.created()
    await stored(steps, criteria)
    told, message = await refused(
        runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), chosen=True, actor=SIGNOFF))
    )
    assert told == code
    assert message.endswith("edit them, then execute again")
    claimed = await steps.claim()
    assert (claimed.outcome, claimed.code) == (ClaimOutcome.REFUSED, code)
    await edited(steps, acceptance_criteria="a")
    await runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), chosen=True, actor=SIGNOFF))
    assert (await steps.job()).live


async def test_an_inline_job_that_breaks_the_bounds_is_invalid_and_told_with_the_code(steps: Steps) -> None:
    work = WorkService(steps.database, steps.runner, SECRETS)
    job = {"title": "t", "acceptance_criteria": "a", "criteria": [{"text": "b"}]}
    body = json_text({"execution_id": steps.execution_id, "job_id": steps.job_id, "job": job})
    claim = pb.ExecutionClaim(request=body.encode())
    begin = pb.BeginExecutionsRequest(owner=str(steps.executor), room=1, claims=[claim])
    (answer,) = (await work.BeginExecutions(begin, None)).answers  # type: ignore[arg-type]
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_INVALID, "criteria_conflict")


async def test_a_resubmission_by_policy_that_breaks_the_bounds_is_told_in_the_log(steps: Steps) -> None:
    lease = await steps.judging(policy={"resubmit": "automatic", "max_submissions": 5})
    await stored(steps, TOO_MANY)
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL, criteria=TOO_MANY))
    last = (await steps.logs())[-1]
    assert (last.status, last.code) == ("RESUBMISSION_REQUIRED", "criteria_too_many")
    assert "not submitted again: the job's criteria cannot be judged by" in last.message
