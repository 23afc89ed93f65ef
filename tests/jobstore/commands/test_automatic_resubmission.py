"""Automatic resubmission: what follows a not-met verdict, on the real tables."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_agent, put_limit
from support.jobstore.statements import recorded_statements
from support.jobstore.steps import Steps, reported, result, verdict
from support.jobstore.terms import IDS

from contracts.judging.policy import Verdict
from contracts.resources import NewAgent, NewLimit
from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimJudging
from jobstore.executions.commands import CancelJob, ExecuteJob, RecordReport
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import SIGNOFF, WORKER
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id

AUTOMATIC = {"resubmit": "automatic", "max_submissions": 5}


class Life(Steps):
    """A job that is submitted again and again."""

    async def judged(self, answer: Any = "red", told: Verdict | None = None) -> None:
        """Claim, answer, and have it judged; not met, unless told otherwise."""
        await self.told(await self.being_judged(answer), told or verdict(Outcome.FAIL))

    async def being_judged(self, answer: Any) -> int:
        """The lease under which it is."""
        claimed = await self.claim()
        assert claimed.execution is not None, claimed
        await self.result(claimed.execution.lease, answer)
        produced = result(self.execution_id, self.job_id, claimed.execution.lease, answer)
        judging = await self.runner.claim.run_one(ClaimJudging(produced, self.validator, 10, actor=SIGNOFF))
        lease: int = judging.execution.lease
        return lease

    async def told(self, lease: int, told: Verdict) -> None:
        for _ in range(2):  # said twice, it is recorded once
            await self.report(lease, ReportKind.VERDICT, verdict=told)

    async def rejected(self, answer: Any) -> None:
        """As judged, and go on with the execution that must have been requested."""
        await self.judged(answer)
        self.execution_id = IDS.derive_next(self.execution_id)
        assert (await self.row()).state == "QUEUED"

    async def last(self, count: int) -> list[tuple[str, str, str | None, str | None]]:
        return [(row.status, row.kind, row.code, row.message) for row in (await self.logs())[-count:]]


@pytest.fixture
def life(database: Database, runner: CommandRunner) -> Life:
    return Life(database, runner)


@pytest.fixture
async def agents(database: Database) -> list[str]:
    """Three with a capability of their own, whose name is the last."""
    skill = f"skill-{uuid4().hex[:8]}"
    for name in "abc":
        await put(database, f"{name}-{skill}", skill)
    return [*(f"{name}-{skill}" for name in "abc"), skill]


async def put(database: Database, agent_id: str, *skills: str, create: bool = True, **fields: Any) -> None:
    new = NewAgent(name=agent_id, url="http://127.0.0.1:1/", capabilities=list(skills), **fields)
    async with database.transaction() as connection:
        await put_agent(connection, agent_id, new, create=create)


def of(*outcomes: Outcome) -> Verdict:
    return verdict(*outcomes, criteria="\n".join(f"c{n}" for n, _ in enumerate(outcomes)))


NO_PROGRESS = "a reason; not submitted again: the answer is the one before, and the same criteria fail"


async def test_a_rejected_job_is_submitted_again_with_the_feedback_until_it_is_accepted(
    life: Life, runner: CommandRunner
) -> None:
    await life.created(policy=AUTOMATIC, priority=8)
    batch_id = uuid4()
    parameters = ExecutionRequest(batch_id=batch_id)
    await runner.submit.run_one(
        ExecuteJob(life.job_id, life.execution_id, chosen=True, parameters=parameters, actor=SIGNOFF)
    )
    first = life.execution_id
    await life.judged("red")
    assert await life.last(2) == [
        ("RESUBMISSION_REQUIRED", "not_met", None, "a reason"),
        ("ASSIGNED", "requested", None, "submission 2 was requested by policy"),
    ]
    life.execution_id = IDS.derive_next(first)
    row = await life.row()
    assert (row.submission, row.batch_id, row.priority, row.state) == (2, batch_id, 8, "QUEUED")
    request = (await life.logs())[-1].request_payload
    assert (request["submission"], request["feedback"]["reason"]) == (2, "a reason")
    await life.judged("blue", verdict())
    job = await life.job()
    assert (job.status, job.live, job.batch_id) == ("COMPLETED", False, batch_id)


async def test_the_policy_may_be_the_agents(life: Life, database: Database) -> None:
    agent_id = f"agent-{uuid4().hex[:8]}"
    await put(database, agent_id, policy=AUTOMATIC)
    await life.requested(agent_id=agent_id)
    await life.rejected("red")


async def test_no_submission_is_requested_beyond_the_last(life: Life) -> None:
    await life.requested(policy={**AUTOMATIC, "max_submissions": 2})
    await life.rejected("red")
    await life.judged("pink")
    assert [status for status, *_ in await life.last(1)] == ["REJECTED"]
    assert not (await life.job()).live


async def test_a_result_that_the_judge_did_not_judge_is_not_submitted_again(life: Life) -> None:
    await life.requested(policy=AUTOMATIC)
    unjudged = verdict(Outcome.CANNOT_ASSESS).model_copy(update={"judge_error": "judge_refused"})
    await life.judged("red", unjudged)
    assert await life.last(1) == [("RESUBMISSION_REQUIRED", "not_met", "judge_refused", "a reason")]
    assert not (await life.job()).live
    assert (await life.logs())[-1].response_payload["verdict"]["judge_error"] == "judge_refused"


async def test_by_hand_a_verdict_costs_what_it_did(life: Life, database: Database, runner: CommandRunner) -> None:
    counts = []
    for told in (verdict(), verdict(Outcome.FAIL)):
        steps = Life(database, runner)
        lease = await steps.judging()
        with recorded_statements() as statements:
            await steps.report(lease, ReportKind.VERDICT, verdict=told)
        counts.append(len(statements))
    assert counts == [3, 3]
    assert (await steps.job()).status == "RESUBMISSION_REQUIRED"
    del life


async def test_it_rests_where_nothing_improves_and_by_hand_goes_on(life: Life, runner: CommandRunner) -> None:
    await life.requested(policy=AUTOMATIC)
    await life.rejected({"text": "red"})
    await life.judged({"text": "red"})
    assert await life.last(1) == [("RESUBMISSION_REQUIRED", "not_met", "no_progress", NO_PROGRESS)]
    job = await life.job()
    assert (job.status, job.live, job.not_met) == ("RESUBMISSION_REQUIRED", False, 2)

    life.execution_id = new_execution_id()
    await runner.submit.run_one(
        ExecuteJob(life.job_id, life.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
    )
    await life.rejected({"text": "pink"})
    assert (await life.row()).submission == 4


@pytest.mark.parametrize(
    ("answer", "told", "progress"),
    [
        ("red", of(Outcome.FAIL, Outcome.PASS), False),
        ("pink", of(Outcome.FAIL, Outcome.PASS), True),
        ("red", of(Outcome.CANNOT_ASSESS, Outcome.PASS), True),
        ("red", of(Outcome.PASS, Outcome.FAIL), True),
        ("red", of(Outcome.FAIL, Outcome.FAIL), True),
    ],
)
async def test_another_answer_or_another_outcome_is_progress(
    life: Life, answer: str, told: Verdict, *, progress: bool
) -> None:
    await life.requested(policy=AUTOMATIC, acceptance_criteria="c0\nc1")
    await life.judged("red", of(Outcome.FAIL, Outcome.PASS))
    life.execution_id = IDS.derive_next(life.execution_id)
    await life.judged(answer, told)
    assert (await life.job()).live is progress


async def test_an_attempt_that_failed_in_between_hides_no_lack_of_progress(life: Life, runner: CommandRunner) -> None:
    await life.requested(policy=AUTOMATIC)
    await life.rejected("red")
    claimed = await life.claim()
    assert claimed.execution is not None
    await life.report(claimed.execution.lease, ReportKind.FAILED, code="agent_status")
    life.execution_id = new_execution_id()
    await runner.submit.run_one(ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=SIGNOFF))
    await life.judged("red")
    assert (await life.last(1))[0][2] == "no_progress"


async def test_what_was_judged_before_it_was_assigned_by_hand_counts_no_more(life: Life, runner: CommandRunner) -> None:
    await life.requested(policy=AUTOMATIC)
    await life.rejected("red")
    await runner.submit.run_one(CancelJob(life.job_id, actor=SIGNOFF))
    await runner.submit.run_one(AssignAgent(life.job_id, "writer", actor=SIGNOFF))
    life.execution_id = new_execution_id()
    await runner.submit.run_one(ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=SIGNOFF))
    await life.rejected("red")
    assert (await life.row()).submission == 2


async def test_after_so_many_rejections_another_matching_agent_has_the_job(life: Life, agents: list[str]) -> None:
    a, b, c, skill = agents
    await life.requested(agent_id=a, capabilities=[skill], policy={**AUTOMATIC, "hand_over_after": 2})
    await life.rejected("one")
    await life.rejected("two")
    rows = (await life.logs())[-3:]
    assert [(row.status, row.kind, row.code) for row in rows] == [
        ("RESUBMISSION_REQUIRED", "not_met", None),
        ("ASSIGNED", "handed_on", "handed_on"),
        ("ASSIGNED", "requested", None),
    ]
    second = rows[-1].agent_id
    assert second in {b, c}
    assert rows[1].message == f"handed on from {a} to {second} after 2 not-met verdicts"
    assert rows[1].request_payload == {"payload": None}
    assert rows[2].message == f"submission 3 was requested by policy, of {second}"
    assert rows[2].request_payload["feedback"]["reason"] == "a reason"
    assert ((await life.row()).submission, (await life.row()).agent_id) == (3, second)

    await life.rejected("three")
    assert (await life.job()).agent_id == second, "it had one verdict, not three"
    await life.rejected("four")
    assert {second, (await life.job()).agent_id} == {b, c}


async def test_whom_nobody_can_follow_keeps_the_job(life: Life, database: Database, agents: list[str]) -> None:
    a, b, c, skill = agents
    await put(database, b, skill, create=False, enabled=False)
    await put(database, c, "another skill", create=False)
    await life.requested(agent_id=a, capabilities=[skill], policy={**AUTOMATIC, "hand_over_after": 1})
    await life.rejected("one")
    assert (await life.last(1))[0][3] == (
        f"submission 2 was requested by policy; {a} keeps the job, since no other agent matches"
    )
    await put(database, b, skill, create=False)
    await life.rejected("two")
    assert (await life.job()).agent_id == b
    await life.rejected("three")
    assert (await life.job()).agent_id == b, "the first one had it already"


async def test_another_agent_is_asked_before_it_rests_for_want_of_progress(life: Life, agents: list[str]) -> None:
    a, _, _, skill = agents
    await life.requested(agent_id=a, capabilities=[skill], policy={**AUTOMATIC, "hand_over_after": 2})
    await life.rejected("red")
    await life.rejected("red")
    second = (await life.job()).agent_id
    assert second != a
    await life.rejected("red")
    assert (await life.job()).agent_id == second, "its first answer is no lack of progress, though it is the one before"
    await life.rejected("red")
    assert (await life.job()).agent_id not in {a, second}


async def test_a_job_that_says_not_what_it_needs_is_handed_to_nobody(life: Life, agents: list[str]) -> None:
    await life.requested(agent_id=agents[0], policy={**AUTOMATIC, "hand_over_after": 1})
    await life.rejected("red")
    assert (await life.job()).agent_id == agents[0]


async def test_an_agent_that_was_disabled_is_not_asked_again(life: Life, database: Database, agents: list[str]) -> None:
    await life.requested(agent_id=agents[0], policy=AUTOMATIC)
    await put(database, agents[0], create=False, enabled=False)
    await life.judged("red")
    message = f"a reason; not submitted again: the agent {agents[0]} is disabled"
    assert await life.last(1) == [("RESUBMISSION_REQUIRED", "not_met", "agent_disabled", message)]


async def test_a_next_execution_that_was_cancelled_before_it_came_does_not_come(
    life: Life, runner: CommandRunner
) -> None:
    await life.requested(policy=AUTOMATIC)
    await runner.submit.run_one(CancelJob(None, IDS.derive_next(life.execution_id), actor=SIGNOFF))
    await life.judged("red")
    assert [(row[0], row[2]) for row in await life.last(1)] == [("RESUBMISSION_REQUIRED", "execution_conflict")]


async def test_limits_apply_to_it_but_no_cap_of_a_queue_refuses_it(life: Life, database: Database) -> None:
    tenant = f"tenant-{uuid4().hex[:8]}"
    await life.requested(policy=AUTOMATIC, tenant=tenant, labels={"team": tenant})
    async with database.transaction() as connection:
        await put_limit(connection, f"tenant:{tenant}", NewLimit(queue_max=0))
    lease = await life.being_judged("red")
    async with database.transaction() as connection:
        await put_limit(connection, f"label:team={tenant}", NewLimit(concurrency=1))
    other = await Life(database, life.runner).created(tenant=tenant)
    told = reported(life.execution_id, life.job_id, lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    asked = ExecuteJob(other.job_id, other.execution_id, actor=SIGNOFF)
    refused, recorded = await life.runner.carry_out([asked, RecordReport(told, actor=WORKER)])
    assert (refused.code, recorded) == ("queue_full", None)
    life.execution_id = IDS.derive_next(life.execution_id)
    assert (await life.row()).flow == ["agent:writer", f"label:team={tenant}"]


async def test_while_limits_are_changed_it_waits_with_nothing_locked(life: Life, database: Database) -> None:
    """Whoever changes limits waits for executions: waiting for each other, one of the two would have to give up."""
    await life.requested(policy=AUTOMATIC)
    lease = await life.being_judged("red")
    async with database.transaction() as changing:
        await locks.hold(changing, locks.Lock.LIMITS)
        telling = asyncio.create_task(life.told(lease, verdict(Outcome.FAIL)))
        async with asyncio.timeout(10):
            while not await changing.scalar(_WAITS, {"lock": locks.Lock.LIMITS}):
                pass
        locked = "SELECT execution_id FROM executions WHERE execution_id = :id FOR UPDATE NOWAIT"
        assert await changing.scalar(text(locked), {"id": life.execution_id})
    await telling
    assert (await life.job()).live


_WAITS = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND NOT granted")
