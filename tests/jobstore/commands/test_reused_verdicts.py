"""Verdicts and results that are reused: by whom, for how long, and never silently."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import CRITERIA, Published, Steps, result, seen

from contracts.events import ResultProduced
from contracts.identity import new_execution_id
from contracts.resources import CriterionVerdict, NewAgent, Usage, Verdict
from contracts.status import Outcome, ReportKind
from jobstore.commands.claims import ClaimJudging
from jobstore.commands.executions import CancelJob, ExecuteJob
from jobstore.commands.granting import RESULT_REUSED, VERDICT_REUSED, ClaimAnswer, ClaimOutcome
from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.domain.model import ExecutionStage
from jobstore.domain.reuse import ReuseTerms
from jobstore.maintenance.reuse_cleanup import ReuseCleanup
from jobstore.runner import CommandRunner
from jobstore.storage.agents import put_agent
from jobstore.storage.database import Database

JUDGE = "a-model (chat, prompt 1)"
SURE = NewAgent(id="sure", name="sure", url="http://127.0.0.1:1/", deterministic=True)


class Life(Steps):
    """One job, whose result is judged by `judge`."""

    judge = JUDGE

    async def claim_judging(self, lease: int, owner: Any = None, room: int = 10, **fields: Any) -> ClaimAnswer:
        event = result(self.execution_id, self.job_id, lease, **fields)
        command = ClaimJudging(event, owner or self.validator, room, judge=self.judge)
        answer: ClaimAnswer = await self.runner.claim.one(command)
        return answer

    async def judged(self, outcome: Outcome = Outcome.PASS, value: Any = "blue", **fields: Any) -> "Life":
        """To the end, by the judge itself."""
        lease = await self.running(**fields)
        criteria = fields.get("acceptance_criteria", CRITERIA)
        claimed = await self.claim_judging(lease, value=value, acceptance_criteria=criteria)
        assert claimed.outcome == ClaimOutcome.GRANTED, claimed
        assert claimed.execution is not None
        told = Verdict.of([CriterionVerdict(text=CRITERIA, outcome=outcome)], "a reason", "a-model")
        await self.report(claimed.execution.lease, ReportKind.VERDICT, verdict=told, judge=self.judge)
        return self

    async def at_judge(self, value: Any = "blue", room: int = 10, **fields: Any) -> ClaimAnswer:
        """How the claim of its judging is answered."""
        lease = await self.running(**fields)
        criteria = fields.get("acceptance_criteria", CRITERIA)
        return await self.claim_judging(lease, value=value, room=room, acceptance_criteria=criteria)


@pytest.fixture
async def empty(database: Database) -> None:
    async with database.transaction() as connection:
        for table in ("reusable", "circuits", "executions", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))


@pytest.fixture
def life(database: Database, runner: CommandRunner, empty: None) -> Any:
    del empty
    return lambda: Life(database, runner)


@pytest.fixture
async def sure(database: Database) -> str:
    """A deterministic agent of its own for each test."""
    agent_id = f"sure-{uuid4().hex[:8]}"
    async with database.transaction() as connection:
        await put_agent(connection, agent_id, SURE.model_copy(update={"id": agent_id}), create=True)
    return agent_id


async def rows(database: Database) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(text("SELECT * FROM reusable ORDER BY created_at")))


async def aged(database: Database, seconds: float) -> None:
    async with database.transaction() as connection:
        older = "UPDATE reusable SET created_at = created_at - make_interval(secs => :s)"
        await connection.execute(text(older), {"s": seconds})


@pytest.mark.parametrize(("outcome", "status"), [(Outcome.PASS, "COMPLETED"), (Outcome.FAIL, "RESUBMISSION_REQUIRED")])
async def test_a_verdict_on_the_identical_result_is_reused_and_says_so(
    life: Any, outcome: Outcome, status: str
) -> None:
    first = await life().judged(outcome)
    second = life()
    answer = await second.at_judge()
    assert (answer.outcome, answer.code) == (ClaimOutcome.DUPLICATE, VERDICT_REUSED)

    source, logs = (await first.logs())[-1], await second.logs()
    assert [row.status for row in logs] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS", "IN_PROGRESS", status]
    last = logs[-1]
    assert last.code == VERDICT_REUSED
    assert last.message == f"verdict reused of job {first.job_id} version {source.version}: a reason"
    assert last.response_payload == source.response_payload
    assert last.lease > logs[-2].lease
    job, before = await second.job(), await first.job()
    assert (job.not_met, job.feedback, job.live) == (before.not_met, before.feedback, False)
    assert (await second.row()).state == "DONE"


async def test_it_needs_no_room_and_takes_none(life: Any) -> None:
    await life().judged()
    assert (await life().at_judge(room=0)).code == VERDICT_REUSED


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


async def test_other_jobs_words_do_not_matter(life: Any) -> None:
    await life().judged(title="One", payload=1, tenant="a")
    fields = {"title": "Another", "payload": 2, "tenant": "b", "acceptance_criteria": f"\n  {CRITERIA} \n"}
    assert (await life().at_judge(**fields)).code == VERDICT_REUSED


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
        claims += [ClaimJudging(event, one.validator, 10, judge=JUDGE)] * (2 if n == 1 else 1)
    answers = await runner.carry_out(claims)
    codes = [answer.code or answer.outcome for answer in answers]
    assert codes == [VERDICT_REUSED, VERDICT_REUSED, "illegal_transition", VERDICT_REUSED, ClaimOutcome.GRANTED]
    for one in lives[:3]:
        assert (await one.logs())[-1].response_payload["result"] == "blue"


async def test_nothing_is_reused_for_what_is_over_or_with_another(life: Any, runner: CommandRunner) -> None:
    await life().judged()
    cancelled = life()
    lease = await cancelled.running()
    await runner.submit.one(CancelJob(cancelled.job_id))
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
    assert (await other.claim_judging(lease)).code == VERDICT_REUSED
    assert (await other.job()).spent_usd == 2.0


async def test_a_verdict_grows_old(life: Any, database: Database) -> None:
    await life().judged()
    await aged(database, 86_390)
    assert (await life().at_judge()).code == VERDICT_REUSED
    await aged(database, 20)
    assert (await life().at_judge()).outcome == ClaimOutcome.GRANTED


async def test_reuse_can_be_switched_off(life: Any, database: Database, runner: CommandRunner, sure: str) -> None:
    off = CommandRunner(database, replace(runner.terms, reuse=ReuseTerms(0, 0)))
    await life().judged()
    one = Life(database, off)
    assert (await one.at_judge(value="blue")).outcome == ClaimOutcome.GRANTED
    await Life(database, off).judged(value="green")
    assert len(await rows(database)) == 1
    two = Life(database, off)
    await two.result(await two.running(agent_id=sure))
    assert (await two.row()).reuse_key is None


async def test_an_identical_request_to_a_deterministic_agent_has_its_result_reused(
    life: Any, sure: str, database: Database, runner: CommandRunner
) -> None:
    first = life()
    await first.result(await first.running(agent_id=sure, payload={"n": 2**70}), {"text": "bl\0", "n": 2**70})
    second = life()
    await second.requested(agent_id=sure, payload={"n": 2**70})
    answer = await second.claim(room=0)
    assert (answer.outcome, answer.code) == (ClaimOutcome.DUPLICATE, RESULT_REUSED)

    *_, claimed, reused = await second.logs()
    assert (claimed.kind, claimed.code) == ("claimed", RESULT_REUSED)
    source = (await first.logs())[-1]
    assert (reused.kind, reused.code, reused.status) == ("result", RESULT_REUSED, "IN_PROGRESS")
    assert reused.message == f"result reused of job {first.job_id} version {source.version}"
    assert reused.response_payload == source.response_payload
    assert (reused.lease, reused.attempt) == (claimed.lease, 1)
    row = await second.row()
    assert (row.stage, row.result_lease, row.owner) == ("JUDGING", reused.lease, None)
    assert row.result_hash == (await first.row()).result_hash

    published = Published()
    await seen(database, ExecutionStage.JUDGING, 10)
    await Dispatcher(database, published, runner.terms).offer()
    (offered,) = [e for e in published.events if isinstance(e, ResultProduced) and e.job_id == second.job_id]
    assert (offered.result, offered.lease) == ({"text": "bl\0", "n": 2**70}, reused.lease)
    claim = ClaimJudging(offered, second.validator, 10, judge=JUDGE)
    assert (await runner.claim.one(claim)).outcome == ClaimOutcome.GRANTED


@pytest.mark.parametrize(
    "differs", [{"title": "Another"}, {"payload": 1}, {"acceptance_criteria": "Another"}, {"description": "Another"}]
)
async def test_another_request_is_another_result(life: Any, sure: str, differs: dict[str, Any]) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    await second.requested(agent_id=sure, **differs)
    assert (await second.claim()).outcome == ClaimOutcome.GRANTED


async def test_feedback_makes_another_request(life: Any, sure: str, runner: CommandRunner) -> None:
    first = await life().judged(Outcome.FAIL, agent_id=sure)
    first.execution_id = new_execution_id()
    await runner.submit.one(ExecuteJob(first.job_id, first.execution_id, resubmission=True))
    assert (await first.claim()).outcome == ClaimOutcome.GRANTED


async def test_of_agents_that_do_not_say_so_nothing_is_reused(life: Any, database: Database) -> None:
    for _ in range(2):
        one = life()
        await one.result(await one.running())
    assert await rows(database) == []


@pytest.mark.parametrize("requested", ["before", "after", "meanwhile"])
async def test_an_agent_that_was_changed_gives_no_old_results(
    life: Any, sure: str, database: Database, requested: str
) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    if requested != "after":
        await second.requested(agent_id=sure)
    async with database.transaction() as connection:
        await put_agent(connection, sure, SURE.model_copy(update={"id": sure}), create=False)
    if requested == "after":
        await second.requested(agent_id=sure)
    if requested == "meanwhile":  # the agent was read before the change, and the row written after it
        async with database.transaction() as connection:
            later = text("UPDATE executions SET created_at = clock_timestamp() WHERE execution_id = :id")
            await connection.execute(later, {"id": second.execution_id})
    assert (await second.claim()).outcome == ClaimOutcome.GRANTED


async def test_nor_one_that_came_after_the_change_from_a_call_before_it(
    life: Any, sure: str, database: Database
) -> None:
    first, second = life(), life()
    lease = await first.running(agent_id=sure)
    await second.requested(agent_id=sure)
    async with database.transaction() as connection:
        await put_agent(connection, sure, SURE.model_copy(update={"id": sure}), create=False)
    await first.result(lease)
    assert (await second.claim()).outcome == ClaimOutcome.GRANTED


async def test_a_reused_result_is_not_a_new_one_nor_a_late_one(
    life: Any, sure: str, database: Database, runner: CommandRunner
) -> None:
    late = life()
    lease = await late.running(agent_id=sure)
    await runner.submit.one(CancelJob(late.job_id))
    await late.result(lease)
    assert await rows(database) == []
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    await second.requested(agent_id=sure)
    await second.claim()
    (row,) = await rows(database)
    assert row.job_id == first.job_id


async def test_a_result_grows_old(life: Any, sure: str, database: Database, runner: CommandRunner) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    short = CommandRunner(database, replace(runner.terms, reuse=ReuseTerms(result_age_s=1e-6)))
    second.runner = short
    await second.requested(agent_id=sure)
    assert (await second.claim()).outcome == ClaimOutcome.GRANTED


async def test_what_an_event_admits_is_reused_when_it_is_offered(life: Any, sure: str) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    await second.created(agent_id=sure)
    admitted = await second.claim()
    assert (admitted.outcome, admitted.code) == (ClaimOutcome.QUEUED, "reusable")
    assert (await second.claim()).code == RESULT_REUSED


async def test_the_circuit_of_an_agent_that_is_not_called_learns_nothing(
    life: Any, sure: str, database: Database
) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    await second.requested(agent_id=sure)
    circuit = "INSERT INTO circuits (agent_id, failures, opened, open_until) VALUES (:id, 5, 1, {})"
    async with database.transaction() as connection:
        half_open = circuit.format("clock_timestamp() - interval '1 s'")
        await connection.execute(text(half_open), {"id": sure})
    assert (await second.claim()).code == RESULT_REUSED
    async with database.session() as session:
        (row,) = await session.execute(text("SELECT * FROM circuits WHERE agent_id = :id"), {"id": sure})
    assert (row.probe_id, row.failures) == (None, 5)


async def test_what_is_known_is_bounded_in_number_and_age(life: Any, database: Database) -> None:
    for value in ("a", "b", "c"):
        await life().judged(value=value)
    kept = [row.key for row in await rows(database)]
    assert await ReuseCleanup(database, ReuseTerms(entries_max=3)).forget() == 0
    assert await ReuseCleanup(database, ReuseTerms(entries_max=2)).forget() == 1
    assert [row.key for row in await rows(database)] == kept[1:]
    await aged(database, 100)
    assert await ReuseCleanup(database, ReuseTerms(verdict_age_s=50, result_age_s=101)).forget() == 0
    assert await ReuseCleanup(database, ReuseTerms(verdict_age_s=50, result_age_s=99)).forget() == 2
