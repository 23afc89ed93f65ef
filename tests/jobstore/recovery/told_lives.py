"""Jobs of every outcome, and some that are live, as their facts tell them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from costly import costly_and_reused
from support.jobstore.administered import disable_agent, put_agent
from support.jobstore.edited import edited_lives
from support.jobstore.steps import Steps, able_agents, unproven, verdict
from support.jobstore.terms import IDS
from support.rejudged import rejudged
from told_settings import set_everything

from contracts.judging.policy import Verdict
from contracts.resources import NewAgent, Usage
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.executions.sweeper import end_leases
from jobstore.jobs.commands import AssignAgent, MatchJob
from jobstore.jobs.model import SIGNOFF, TransitionKind
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id

AT_MOST_ONCE = {"delivery": "at_most_once"}


async def every_life(database: Database, runner: CommandRunner) -> dict[str, Steps]:
    """Jobs of every outcome, and some that are live; by name."""
    lives: dict[str, Steps] = {}

    def life(name: str) -> Steps:
        return lives.setdefault(name, Steps(database, runner))

    await set_everything(database, runner)
    await _at_rest(life, runner)
    await _found(life, database)
    await edited_lives(life)
    await _judged_again(life)
    await _live(life)
    await _by_policy(life, database)
    await _agents(database)
    return lives


async def _at_rest(life: Callable[[str], Steps], runner: CommandRunner) -> None:
    await _judged(life("completed"), Outcome.PASS, payload={"n": 2**70, "nul": "\0", "x": 1e300}, labels={"a": "b"})
    await _judged(life("rejected"), Outcome.FAIL, policy={"max_submissions": 1})
    steps = life("resubmitted")
    await _judged(steps, Outcome.FAIL, policy={"deadline_s": 3600.25}, priority=9, tenant="other", description="d")
    steps.execution_id = new_execution_id()
    await runner.submit.run_one(
        ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
    )
    await claimed_and_judged(steps, Outcome.PASS)

    steps = life("retried, lapsed and failed")
    lease = await steps.running()
    await steps.report(lease, ReportKind.CALL_BEGUN)
    await steps.report(lease, ReportKind.PROGRESS, seq=2, progress=0.25, message="a quarter")
    await steps.report(lease, ReportKind.PROGRESS, seq=3, message="more", partial={"text": "\0", "n": 2**70})
    await steps.report(lease, ReportKind.ATTEMPT_FAILED, seq=4, code="agent_status", message="503")
    lease = await _claimed(steps)
    await steps.due(-1)
    await end_leases(runner.record, TransitionKind.LAPSED, [(steps.execution_id, lease, False)], actor=SIGNOFF)
    await steps.report(await _claimed(steps), ReportKind.FAILED, code="agent_status", message="\N{SNOWMAN} \\ \"'")

    steps = life("waited for its time")
    await steps.created()
    later = datetime.now(UTC) + timedelta(hours=1)
    await runner.submit.run_one(
        ExecuteJob(
            steps.job_id, steps.execution_id, chosen=True, parameters=ExecutionRequest(not_before=later), actor=SIGNOFF
        )
    )
    await steps.due(-1)
    await claimed_and_judged(steps, Outcome.PASS)
    assert [entry.kind for entry in await steps.logs() if entry.waited] == ["claimed"]
    await life("declined").report(await life("declined").running(), ReportKind.DECLINED, message="not mine")
    steps = life("cancelled, with a late result")
    lease = await steps.running()
    await runner.submit.run_one(CancelJob(steps.job_id, reason="not needed", actor=SIGNOFF))
    await steps.result(lease, {"late": True})
    steps = life("assigned again")
    await _judged(steps, Outcome.FAIL)
    await runner.submit.run_one(AssignAgent(steps.job_id, "writer", '{"other":[1.50,"\\u00e9"]}', actor=SIGNOFF))
    await costly_and_reused(life, runner)
    await life("pending").created(agent_id=None)
    await life("pending, cancelled").created(agent_id=None)
    await runner.submit.run_one(CancelJob(life("pending, cancelled").job_id, actor=SIGNOFF))
    refused = life("refused")
    await refused.created(agent_id=None)
    with pytest.raises(RefusedError):
        await runner.submit.run_one(ExecuteJob(refused.job_id, refused.execution_id, chosen=True, actor=SIGNOFF))
    cancelled = life("cancelled before it came")
    await runner.submit.run_one(CancelJob(None, cancelled.execution_id, actor=SIGNOFF))
    assert (await cancelled.claim()).code == "cancelled"
    await runner.submit.run_one(CancelJob(None, new_execution_id(), actor=SIGNOFF))  # no fact, since nobody asks for it


async def _found(life: Callable[[str], Steps], database: Database) -> None:
    """Work that is found again, by handles that were reported, or was."""
    odd = {"z": [1, 1.0, 1e300, 2**70, None], "a": {"\u00e9": 'e\u0301 \\u0000 "/\N{SNOWMAN}\x7f\u2028', "": {}}}
    settings = {"model": "m", "parameters": odd}
    new = NewAgent(name="asked", protocol="openai", url="http://127.0.0.1:3/", settings=settings)
    async with database.transaction() as connection:
        await put_agent(connection, "asked", new, create=True)
    for name in ("once, found", "once, found and ended", "found, and forgotten"):
        steps = life(name)
        await steps.requested(agent_id="asked", policy=AT_MOST_ONCE)
        lease = await _claimed(steps)
        await steps.report(lease, ReportKind.CALL_BEGUN, handle="resp_\u00e4 1")
        if name == "found, and forgotten":
            await steps.report(lease, ReportKind.PROGRESS, seq=2, handle="")
            continue
        await steps.due(-1)
        await steps.lapsed()
        assert (await steps.row()).follows_only
        lease = await _claimed(steps)
        if name == "once, found and ended":
            await steps.report(lease, ReportKind.FAILED, seq=2, call=2, code="agent_work_unknown", handle="")


async def ended_life(steps: Steps) -> Steps:
    """Two submissions, which cost something, and a cancel."""
    await _judged(steps, Outcome.FAIL, policy={"max_submissions": 3})
    for outcome in (Outcome.PASS, None):
        steps.execution_id = new_execution_id()
        request = ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF)
        if outcome is not None:
            await steps.runner.submit.run_one(request)
            await claimed_and_judged(steps, outcome)
    return steps


async def _judged_again(life: Callable[[str], Steps]) -> None:
    """Jobs whose results are judged again: an acceptance and a rejection are taken back, and one job goes on."""
    await _judged(life("rejected at last"), Outcome.PASS, policy={"max_submissions": 1})
    await rejudged(life("rejected at last"), Outcome.FAIL)
    steps = life("accepted at last")
    await _judged(steps, Outcome.FAIL, policy={"max_submissions": 2})
    steps.execution_id = new_execution_id()
    request = ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
    await steps.runner.submit.run_one(request)
    await claimed_and_judged(steps, Outcome.FAIL)
    await rejudged(steps, Outcome.FAIL)
    await rejudged(steps, Outcome.PASS)
    steps = life("cancelled while it was judged, which had cost something")
    lease = await steps.judging()
    await steps.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await steps.report(lease, ReportKind.SPENT, usage=Usage(input_tokens=7, cost_usd=0.25))
    assert (await steps.job()).cost_nanos == 250_000_000
    for name, outcome in (("unproven", None), ("proven at last", Outcome.PASS), ("submitted again", Outcome.FAIL)):
        steps = life(name)
        await _judged(steps, unproven(), policy={"resubmit": "automatic", "max_submissions": 2})
        if outcome is not None:
            await rejudged(steps, outcome)
    steps = life("judged again, and submitted again")
    await _judged(steps, Outcome.PASS)
    await rejudged(steps, Outcome.FAIL)
    steps.execution_id = new_execution_id()
    await steps.runner.submit.run_one(
        ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
    )
    await claimed_and_judged(steps, Outcome.PASS)


async def _live(life: Callable[[str], Steps]) -> None:
    await life("queued").requested()
    await life("running").running()
    steps = life("in progress")
    await steps.report(await steps.running(), ReportKind.PROGRESS, message="begun")
    await life("judging").judging()
    await life("once, queued").requested(policy=AT_MOST_ONCE)
    await life("once, running").running(policy=AT_MOST_ONCE)
    await life("once, judging").judging(policy=AT_MOST_ONCE)


async def _by_policy(life: Callable[[str], Steps], database: Database) -> None:
    """Jobs that are matched, handed on and submitted again by nobody's hand."""
    missed = await life("no agent matches").created(agent_id=None, capabilities=["able", 'a "b"'])
    await able_agents(database)
    await missed.runner.match.run_one(MatchJob(missed.job_id, 2, actor=SIGNOFF))
    await life("matched, with a payload").created(agent_id=None, capabilities=["able"], payload={"n": [1.50]})
    steps, policy = life("handed on"), {"resubmit": "automatic", "hand_over_after": 1}
    await _judged(steps, Outcome.FAIL, agent_id=None, capabilities=["able"], policy=policy)
    assert [row.code for row in await steps.logs() if row.code] == ["matched", "handed_on"]
    steps = life("without progress")
    await _judged(steps, Outcome.FAIL, policy={"resubmit": "automatic"})
    steps.execution_id = IDS.derive_next(steps.execution_id)
    await claimed_and_judged(steps, Outcome.FAIL)
    assert [row.code for row in await steps.logs() if row.code] == ["no_progress"]
    await _judged(life("queued by policy"), Outcome.FAIL, policy={"resubmit": "automatic"})


async def _agents(database: Database) -> None:
    async with database.transaction() as connection:
        for name in ("unused", "changed"):
            await put_agent(connection, name, NewAgent(name=name, url="http://127.0.0.1:1/"), create=True)
    async with database.transaction() as connection:
        new = NewAgent(name="newer", url="http://127.0.0.1:2/", capabilities=["b", 'a "c"'], policy={"max_calls": 2})
        new.headers = {"X-Key": "env:SIGNOFF_AGENT_X", "a": "file:b"}
        await put_agent(connection, "changed", new, create=False)
        await disable_agent(connection, "unused")
    for number in range(
        3
    ):  # the settings that it has had stay, with their nulls, and in the text that they are hashed in
        settings = {
            "model": f"m{number}",
            "schema": {"const": None},
            "parameters": {"top_p": 1e3, "a": "\\u0000 \u20ac"},
        }
        model = NewAgent(name="model", protocol="openai", url="http://127.0.0.1:3/", settings=settings)
        async with database.transaction() as connection:
            await put_agent(connection, "model", model, create=not number)


async def _judged(steps: Steps, outcome: Outcome | Verdict, **fields: Any) -> None:
    await steps.requested(**fields)
    await claimed_and_judged(steps, outcome)


async def _claimed(steps: Steps) -> int:
    answer = await steps.claim(protocols=("http", "openai"))
    assert answer.execution is not None, answer
    return answer.execution.lease


async def claimed_and_judged(steps: Steps, outcome: Outcome | Verdict) -> None:
    judged = await steps.claim_judging(await _claimed(steps), began_at=datetime.now(UTC))
    assert judged.execution is not None
    said = outcome if isinstance(outcome, Verdict) else verdict(outcome)
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=said)
