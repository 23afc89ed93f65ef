"""Results that are reused: by identical requests to a deterministic agent, for how long, and never silently."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.administered import put_agent
from support.jobstore.reused import JUDGE, SURE, rows
from support.jobstore.steps import Published, seen

from contracts.events import ResultProduced
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.jobs.model import SIGNOFF, ExecutionStage, ReuseTerms
from jobstore.subjects import STORES
from signoff.status import Outcome
from signoff.values import new_execution_id


async def test_an_identical_request_to_a_deterministic_agent_has_its_result_reused(
    life: Any, sure: str, database: Database, runner: CommandRunner
) -> None:
    first = life()
    await first.result(await first.running(agent_id=sure, payload={"n": 2**70}), {"text": "bl\0", "n": 2**70})
    second = life()
    await second.requested(agent_id=sure, payload={"n": 2**70})
    answer = await second.claim(room=0)
    assert (answer.outcome, answer.code) == (ClaimOutcome.DUPLICATE, "result_reused")

    *_, claimed, reused = await second.logs()
    assert (claimed.kind, claimed.code) == ("claimed", "result_reused")
    source = (await first.logs())[-1]
    assert (reused.kind, reused.code, reused.status) == ("result", "result_reused", "IN_PROGRESS")
    assert reused.message == f"result reused of job {first.job_id} version {source.version}"
    assert reused.response_payload == source.response_payload
    assert (reused.lease, reused.attempt) == (claimed.lease, 1)
    row = await second.row()
    assert (row.stage, row.result_lease, row.owner) == ("JUDGING", reused.lease, None)
    assert row.result_hash == (await first.row()).result_hash

    published = Published()
    await seen(database, ExecutionStage.JUDGING, 10)
    await Dispatcher(database, published, runner.terms, SECRETS).offer()
    (offered,) = [e for e in published.events if isinstance(e, ResultProduced) and e.job_id == second.job_id]
    assert (offered.result, offered.lease) == ({"text": "bl\0", "n": 2**70}, reused.lease)
    claim = ClaimJudging(offered, second.validator, 10, judge=JUDGE, actor=SIGNOFF)
    assert (await runner.claim.run_one(claim)).outcome == ClaimOutcome.GRANTED


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
    await runner.submit.run_one(ExecuteJob(first.job_id, first.execution_id, resubmission=True, actor=SIGNOFF))
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
    await runner.submit.run_one(CancelJob(late.job_id, actor=SIGNOFF))
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
    short = CommandRunner(database, STORES, replace(runner.terms, reuse=ReuseTerms(result_age_s=1e-6)))
    second.runner = short
    await second.requested(agent_id=sure)
    assert (await second.claim()).outcome == ClaimOutcome.GRANTED


async def test_what_an_event_admits_is_reused_when_it_is_offered(life: Any, sure: str) -> None:
    first, second = life(), life()
    await first.result(await first.running(agent_id=sure))
    await second.created(agent_id=sure)
    admitted = await second.claim()
    assert (admitted.outcome, admitted.code) == (ClaimOutcome.QUEUED, "reusable")
    assert (await second.claim()).code == "result_reused"


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
    assert (await second.claim()).code == "result_reused"
    async with database.session() as session:
        (row,) = await session.execute(text("SELECT * FROM circuits WHERE agent_id = :id"), {"id": sure})
    assert (row.probe_id, row.failures) == (None, 5)
