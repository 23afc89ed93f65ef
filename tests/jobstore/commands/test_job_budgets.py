"""Budgets are counted over all calls of a job, and stop it before the next one, wherever that would be made."""

from typing import Any
from uuid import uuid4

import pytest
from support.factories import SECRETS, execute_requested, request_body, signature
from support.jobstore.steps import Steps, result, verdict

from contracts.resources import Usage
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id
from signoff.worker.v1 import work_service_pb2 as pb

USD = {"budget_usd": 1.0}
TOKENS = {"budget_tokens": 100}
HALF = Usage(input_tokens=30, output_tokens=20, cost_usd=0.5)


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def failed_call(steps: Steps, lease: int, seq: int, usage: Usage, kind: Any = ReportKind.CALL_FAILED) -> None:
    await steps.report(lease, kind, seq=seq, code="agent_status", usage=usage, retryable=True)


async def rejected(steps: Steps, agent_usage: Usage | None, judge_usage: Usage | None, **policy: Any) -> None:
    """One submission that was not met, at these costs."""
    lease = await steps.running(policy=policy)
    await steps.result(lease, usage=agent_usage)
    judged = await steps.claim_judging(lease)
    assert judged.execution is not None, judged
    not_met = verdict(Outcome.FAIL)
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=not_met, usage=judge_usage)


async def test_what_agents_and_judges_consume_is_on_the_job_and_in_its_log(steps: Steps) -> None:
    await rejected(steps, HALF, Usage(input_tokens=7, cost_usd=0.25))
    job = await steps.job()
    assert (job.cost_nanos, job.tokens) == (750_000_000, 57)
    spent = [(row.cost_nanos, row.tokens) for row in await steps.logs()]
    assert spent == [(None, None)] * 3 + [(500_000_000, 50), (750_000_000, 57)]


async def test_failed_calls_are_counted_each_once(steps: Steps) -> None:
    lease = await steps.running()
    for _ in range(2):
        await failed_call(steps, lease, 2, HALF)
    await failed_call(steps, lease, 3, HALF)
    assert (await steps.job()).cost_nanos == 1_000_000_000


async def test_a_job_whose_budget_is_used_up_is_not_executed_again(steps: Steps, runner: CommandRunner) -> None:
    await rejected(steps, HALF, HALF, **USD)
    for resubmission in (False, True):
        execution_id = new_execution_id()
        for _ in range(2):  # and always so
            command = ExecuteJob(steps.job_id, execution_id, chosen=True, resubmission=resubmission, actor=SIGNOFF)
            with pytest.raises(RefusedError) as refused:
                await runner.submit.run_one(command)
            assert refused.value.code == "budget_exhausted"
    assert (await steps.job()).status == "RESUBMISSION_REQUIRED"


async def test_one_that_has_something_left_is(steps: Steps, runner: CommandRunner) -> None:
    await rejected(steps, HALF, Usage(cost_usd=0.49), **USD)
    steps.execution_id = new_execution_id()
    await runner.submit.run_one(
        ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
    )
    claimed = await steps.claim()
    assert (claimed.outcome, claimed.budget.left_usd) == (ClaimOutcome.GRANTED, "0.01")


@pytest.mark.parametrize("policy", [{"budget_usd": 0.0}, {"budget_tokens": 0}])
async def test_nothing_is_called_for_nothing(steps: Steps, policy: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        await steps.requested(policy=policy)
    assert refused.value.code == "budget_exhausted"
    assert (await steps.job()).status == "ASSIGNED"


@pytest.mark.parametrize(("policy", "said"), [(USD, "1 of 1 USD"), (TOKENS, "100 of 100 tokens")])
async def test_no_further_attempt_is_granted(steps: Steps, policy: dict[str, Any], said: str) -> None:
    lease = await steps.running(policy=policy)
    await failed_call(steps, lease, 2, HALF)
    await failed_call(steps, lease, 3, HALF, ReportKind.ATTEMPT_FAILED)
    assert (await steps.row()).state == "QUEUED"
    claimed = await steps.claim(room=0)
    message = f"{said} are spent, and the agent was not called any more"
    assert (claimed.outcome, claimed.code, claimed.message) == (ClaimOutcome.REFUSED, "budget_exhausted", message)
    last = (await steps.logs())[-1]
    assert (last.status, last.code, last.message, last.kind) == ("FAILED", "budget_exhausted", message, "over_budget")
    row = await steps.row()
    assert (row.state, row.answer, row.due_at, row.attempt) == ("DONE", "failed", None, 1)
    assert (await steps.claim()).outcome == "DUPLICATE"


async def test_the_judge_is_not_asked_by_a_job_whose_agent_used_it_all_up(steps: Steps) -> None:
    lease = await steps.running(policy=USD)
    await steps.result(lease, usage=Usage(cost_usd=1.5))
    claimed = await steps.claim_judging(lease)
    message = "1.5 of 1 USD are spent, and the judge was not called any more"
    assert (claimed.outcome, claimed.code, claimed.message) == (ClaimOutcome.REFUSED, "budget_exhausted", message)
    logs = await steps.logs()
    assert (logs[-1].status, logs[-1].code, logs[-1].message) == ("FAILED", "budget_exhausted", message)
    assert logs[-2].response_payload == {"result": "blue"}, "the result is kept"


async def test_what_is_granted_already_goes_on(steps: Steps) -> None:
    """The owner of a lease that asks again is granted the same again: it holds its own count."""
    lease = await steps.running(policy=USD)
    await failed_call(steps, lease, 2, Usage(cost_usd=1.0))
    again = await steps.claim()
    assert (again.outcome, again.budget.left_usd) == (ClaimOutcome.GRANTED, "0")
    assert (await steps.claim(owner=uuid4())).outcome == "DUPLICATE"


async def test_workers_are_told_what_is_left(steps: Steps) -> None:
    await steps.requested(policy=USD | TOKENS)
    work: Any = WorkService(steps.database, steps.runner, SECRETS)
    claim = pb.ExecutionClaim(
        request=request_body(execute_requested(execution_id=steps.execution_id, job_id=steps.job_id))
    )
    begin = pb.BeginExecutionsRequest(owner=str(steps.executor), room=1, claims=[claim])
    (answer,) = (await work.BeginExecutions(begin, None)).answers
    grant = answer.grant
    assert (grant.policy.budget_usd, grant.budget_left_usd, grant.budget_left_tokens) == ("1", "1", 100)

    await failed_call(steps, grant.lease.lease, 2, Usage(input_tokens=60, cost_usd=0.75))
    event = result(steps.execution_id, steps.job_id, grant.lease.lease)
    judging_claim = pb.JudgingClaim(result=event.model_dump_json().encode(), signature=signature(event))
    judge = pb.BeginJudgingsRequest(owner=str(steps.validator), room=1, claims=[judging_claim])
    (judging,) = (await work.BeginJudgings(judge, None)).answers
    assert (judging.budget_usd, judging.budget_left_usd) == ("1", "0.25")
    assert (judging.budget_tokens, judging.budget_left_tokens) == (100, 40)


async def test_without_a_budget_nothing_is_said_of_it(steps: Steps) -> None:
    await steps.requested()
    work: Any = WorkService(steps.database, steps.runner, SECRETS)
    claim = pb.ExecutionClaim(
        request=request_body(execute_requested(execution_id=steps.execution_id, job_id=steps.job_id))
    )
    begin = pb.BeginExecutionsRequest(owner=str(steps.executor), room=1, claims=[claim])
    (answer,) = (await work.BeginExecutions(begin, None)).answers
    assert not answer.grant.HasField("budget_left_usd")
    assert not answer.grant.HasField("budget_left_tokens")


async def test_no_number_of_tokens_is_too_many_to_be_recorded(steps: Steps) -> None:
    lease = await steps.running()
    for seq in range(2, 6):
        await failed_call(steps, lease, seq, Usage(input_tokens=2**53, output_tokens=2**53, cost_usd=1_000_000.0))
    assert ((await steps.job()).tokens, (await steps.job()).cost_nanos) == (2**53, 4_000_000_000_000_000)
