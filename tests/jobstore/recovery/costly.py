"""Lives of which something was spent, and reused."""

from collections.abc import Callable

from support.jobstore.administered import put_agent
from support.jobstore.steps import Steps, result, verdict

from contracts.resources import NewAgent, Usage
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimJudging
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind


async def costly_and_reused(life: Callable[[str], Steps], runner: CommandRunner) -> None:
    steps = life("over its budget")
    async with steps.database.transaction() as connection:
        sure = NewAgent(name="sure", url="http://127.0.0.1:1/", deterministic=True)
        await put_agent(connection, "sure", sure, create=True)
    lease = await steps.running(policy={"budget_usd": 0.3})
    await steps.report(lease, ReportKind.CALL_FAILED, seq=2, usage=Usage(input_tokens=7, cost_usd=0.1))
    await steps.result(lease, "costly", usage=Usage(output_tokens=5, cost_usd=0.2))
    assert (await steps.claim_judging(lease, value="costly")).code == "budget_exhausted"

    asked = {"agent_id": "sure", "payload": {"nul": "\0"}}
    first, second = life("deterministic"), life("result and verdict reused")
    lease = await first.running(**asked)
    claim = ClaimJudging(
        result(first.execution_id, first.job_id, lease), first.validator, 1, judge="a judge", actor=SIGNOFF
    )
    judged = await runner.claim.run_one(claim)
    await first.report(
        judged.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL), model_and_prompt="a judge"
    )
    await second.requested(**asked)
    assert (await second.claim()).code == "result_reused"
    lease = (await second.row()).result_lease
    again = ClaimJudging(
        result(second.execution_id, second.job_id, lease), second.validator, 1, judge="a judge", actor=SIGNOFF
    )
    assert (await runner.claim.run_one(again)).code == "verdict_reused"
