"""Verdicts that are reused: by whom, for how long, and never silently."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.reused import JUDGE, Life, aged, rows
from support.jobstore.steps import CRITERIA, result
from support.rejudged import rejudged

from contracts.resources import Usage
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import SIGNOFF, ReuseTerms
from jobstore.subjects import STORES
from signoff.status import Outcome


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.PASS, "COMPLETED"), (Outcome.FAIL, "RESUBMISSION_REQUIRED")])
async def test_a_verdict_on_the_identical_result_is_reused_and_says_so(
    life: Any, outcome: Outcome, status: str
) -> None:
    first = await life().judged(outcome)
    second = life()
    answer = await second.at_judge()
    assert (answer.outcome, answer.code) == (ClaimOutcome.DUPLICATE, "verdict_reused")

    source, logs = (await first.logs())[-1], await second.logs()
    assert [row.status for row in logs] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS", "IN_PROGRESS", status]
    last = logs[-1]
    assert last.code == "verdict_reused"
    assert last.message == f"verdict reused of job {first.job_id} version {source.version}: a reason"
    assert last.response_payload == source.response_payload
    assert last.lease > logs[-2].lease
    job, before = await second.job(), await first.job()
    assert (job.not_met, job.feedback, job.live) == (before.not_met, before.feedback, False)
    assert (await second.row()).state == "DONE"


async def test_it_needs_no_room_and_takes_none(life: Any) -> None:
    await life().judged()
    assert (await life().at_judge(room=0)).code == "verdict_reused"


@pytest.mark.parametrize(
    "differs",
    [
        {"value": "blue "},
        {"value": {"text": "blue"}},
        {"acceptance_criteria": 'Says "blue" twice'},
        {"policy": {"reuse_verdict": False}},
    ],
)
async def test_anything_else_is_judged(life: Any, differs: dict[str, Any]) -> None:
    await life().judged()
    assert (await life().at_judge(**differs)).outcome == ClaimOutcome.GRANTED


async def test_another_judge_and_one_that_does_not_say_who_it_is_are_asked(life: Any) -> None:
    await life().judged()
    for name in ("b-model (chat, prompt 1)", "a-model (chat, prompt 2)", ""):
        other = life()
        other.judge = name
        assert (await other.at_judge()).outcome == ClaimOutcome.GRANTED


async def test_what_another_job_asked_for_is_another_question(life: Any) -> None:
    await life().judged(title="One", payload=1, tenant="a", references={1: "sky"})
    asked = {"title": "One", "payload": 1, "tenant": "a", "references": {1: "sky"}}
    assert (await life().at_judge(**asked, acceptance_criteria=f"\n  {CRITERIA} \n")).code == "verdict_reused"
    for other in ({"title": "Another"}, {"payload": 2}, {"description": "d"}, {"references": {1: "sea"}}):
        assert (await life().at_judge(**asked | other)).code == ""


async def test_a_verdict_is_not_reused_by_another_tenant(life: Any) -> None:
    await life().judged(tenant="a")
    assert (await life().at_judge(tenant="b")).outcome == ClaimOutcome.GRANTED


async def test_a_reused_verdict_is_not_a_new_one(life: Any, database: Database) -> None:
    first = await life().judged()
    await life().at_judge()
    third = life()
    await third.at_judge()
    (row,) = await rows(database)
    assert row.job_id == first.job_id
    assert first.job_id in (await third.logs())[-1].message


async def test_the_newest_verdict_is_the_one_that_is_reused(life: Any, database: Database) -> None:
    await life().judged()
    again = await life().judged(Outcome.FAIL, policy={"reuse_verdict": False})
    (row,) = await rows(database)
    assert row.job_id == again.job_id
    other = life()
    await other.at_judge()
    assert (await other.job()).status == "RESUBMISSION_REQUIRED"


async def test_what_was_judged_before_a_real_judging_again_is_not_reused(life: Any, database: Database) -> None:
    """Nor is it where the entry has gone that says so."""
    overturned = await life().judged()
    await rejudged(overturned, Outcome.FAIL)
    assert (await life().at_judge()).outcome == ClaimOutcome.GRANTED
    assert len(await rows(database)) == 2
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE job_logs SET response_payload = NULL WHERE code = 'rejudged'"))
    assert (await life().at_judge()).outcome == ClaimOutcome.GRANTED
    await life().judged()
    assert (await life().at_judge()).code == "verdict_reused"


async def test_verdicts_that_nobody_gave_a_name_to_are_not_kept(life: Any, database: Database) -> None:
    other = life()
    other.judge = ""
    await other.judged()
    assert await rows(database) == []


async def test_many_results_at_once_and_those_that_came_before(life: Any, runner: CommandRunner) -> None:
    """In one batch: with a recorded result, without, twice the same, and one that is judged."""
    await life().judged()
    lives = [life() for _ in range(4)]
    claims = []
    for n, one in enumerate(lives):
        lease = await one.running()
        value = "red" if n == 3 else "blue"
        if n == 0:
            await one.result(lease)
        event = result(one.execution_id, one.job_id, lease, value)
        claims += [ClaimJudging(event, one.validator, 10, judge=JUDGE, actor=SIGNOFF)] * (2 if n == 1 else 1)
    answers = await runner.carry_out(claims)
    codes = [answer.code or answer.outcome for answer in answers]
    assert codes == ["verdict_reused", "verdict_reused", "illegal_transition", "verdict_reused", ClaimOutcome.GRANTED]
    for one in lives[:3]:
        assert (await one.logs())[-1].response_payload["result"] == "blue"


async def test_nothing_is_reused_for_what_is_over_or_with_another(life: Any, runner: CommandRunner) -> None:
    await life().judged()
    cancelled = life()
    lease = await cancelled.running()
    await runner.submit.run_one(CancelJob(cancelled.job_id, actor=SIGNOFF))
    assert (await cancelled.claim_judging(lease)).outcome == ClaimOutcome.DUPLICATE
    assert (await cancelled.job()).status == "ASSIGNED"

    taken = life()
    taken.judge = ""
    lease = await taken.running()
    assert (await taken.claim_judging(lease)).outcome == ClaimOutcome.GRANTED
    taken.judge = JUDGE
    assert (await taken.claim_judging(lease)).outcome == ClaimOutcome.GRANTED, "its owner asks again"
    assert (await taken.claim_judging(lease, owner=uuid4())).outcome == ClaimOutcome.DUPLICATE
    assert (await taken.job()).status == "IN_PROGRESS"


async def test_a_verdict_is_reused_by_a_job_that_has_spent_its_budget(life: Any) -> None:
    """Nothing is called, so nothing is stopped."""
    await life().judged()
    other = life()
    lease = await other.running(policy={"budget_usd": 1.0})
    await other.result(lease, usage=Usage(cost_usd=2.0))
    assert (await other.claim_judging(lease)).code == "verdict_reused"
    assert (await other.job()).cost_nanos == 2_000_000_000


async def test_a_verdict_grows_old(life: Any, database: Database) -> None:
    await life().judged()
    await aged(database, 86_390)
    assert (await life().at_judge()).code == "verdict_reused"
    await aged(database, 20)
    assert (await life().at_judge()).outcome == ClaimOutcome.GRANTED


async def test_reuse_can_be_switched_off(life: Any, database: Database, runner: CommandRunner, sure: str) -> None:
    off = CommandRunner(database, STORES, replace(runner.terms, reuse=ReuseTerms(0, 0)))
    await life().judged()
    one = Life(database, off)
    assert (await one.at_judge(value="blue")).outcome == ClaimOutcome.GRANTED
    await Life(database, off).judged(value="green")
    assert len(await rows(database)) == 1
    two = Life(database, off)
    await two.result(await two.running(agent_id=sure))
    assert (await two.row()).reuse_key is None
