"""Jobs that name no agent but what one must be able to do are matched as they are created or admitted."""

from collections import Counter
from uuid import uuid4

import pytest
from support.jobstore.administered import pause_limit, remove_limit
from support.jobstore.matched import circuit_opened, put, wanting
from support.jobstore.steps import Steps, new_job

from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimExecution, ClaimOutcome
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from signoff.values import new_execution_id


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.fixture
def skill() -> str:
    """A capability of this test's agents alone."""
    return f"skill-{uuid4().hex[:8]}"


async def test_a_job_is_matched_as_it_is_created_and_can_be_executed_at_once(
    steps: Steps, database: Database, skill: str
) -> None:
    able = await put(database, f"able-{skill}", skill, "b", policy={"max_calls": 7})
    await put(database, f"unable-{skill}", skill)
    await put(database, f"disabled-{skill}", skill, "b", enabled=False)
    assert await wanting(steps, skill, "b") == [("PENDING", "created"), ("ASSIGNED", f"matched to {able}")]
    last = (await steps.logs())[-1]
    assert (last.kind, last.code, last.agent_id) == ("matched", "matched", able)
    assert last.request_payload == {"payload": None}
    await steps.runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, actor=SIGNOFF))
    row = await steps.row()
    assert (row.agent_id, row.policy["max_calls"]) == (able, 7)


async def test_an_event_with_the_job_inline_is_matched_and_granted(
    steps: Steps, database: Database, skill: str
) -> None:
    able = await put(database, f"able-{skill}", skill)
    answer = await steps.claim(inline=new_job(agent_id=None, capabilities=[skill]))
    assert (answer.outcome, answer.execution and answer.execution.agent_id) == (ClaimOutcome.GRANTED, able)
    assert [row.kind for row in await steps.logs()] == ["created", "matched", "requested", "claimed"]


async def test_an_event_whose_job_is_matched_to_an_agent_with_an_open_circuit_waits(
    steps: Steps, database: Database, skill: str
) -> None:
    able = await put(database, f"able-{skill}", skill)
    await circuit_opened(database, able)
    answer = await steps.claim(inline=new_job(agent_id=None, capabilities=[skill]))
    assert (answer.outcome, answer.code) == ("QUEUED", "circuit_open")


async def test_without_a_matching_agent_the_log_says_what_is_missing_and_nothing_is_executed(
    steps: Steps, database: Database, skill: str
) -> None:
    await put(database, f"able-{skill}", skill)
    missing = f'no enabled agent has "other-{skill}"'
    assert await wanting(steps, skill, f"other-{skill}") == [("PENDING", "created"), ("MATCHING_FAILED", missing)]
    with pytest.raises(RefusedError) as refused:
        await steps.runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), actor=SIGNOFF))
    assert refused.value.code == "no_agent_matches"

    inline = new_job(agent_id=None, capabilities=[f"other-{skill}"])
    claim = ClaimExecution(new_execution_id(), f"{steps.job_id}-inline", uuid4(), 1, inline, actor=SIGNOFF)
    answer = await steps.runner.claim.run_one(claim)
    assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "no_agent_matches")


async def test_paused_agents_are_given_nothing_and_agents_in_trouble_come_last(
    steps: Steps, database: Database, runner: CommandRunner, skill: str
) -> None:
    paused, broken = [await put(database, f"{name}-{skill}", skill) for name in ("paused", "broken")]
    await circuit_opened(database, broken)
    async with database.transaction() as connection:
        await pause_limit(connection, f"agent:{paused}", paused=True)
    assert (await wanting(steps, skill))[-1] == ("ASSIGNED", f"matched to {broken}")
    whole = await put(database, f"whole-{skill}", skill)
    assert (await wanting(Steps(database, runner), skill))[-1] == ("ASSIGNED", f"matched to {whole}")
    async with database.transaction() as connection:
        await remove_limit(connection, f"agent:{paused}")


async def test_the_least_loaded_gets_the_next_also_within_one_transaction(
    database: Database, runner: CommandRunner, skill: str
) -> None:
    busy, idle = [await put(database, f"{name}-{skill}", skill) for name in ("busy", "idle")]
    for _ in range(4):
        await Steps(database, runner).requested(agent_id=busy)
    creations: list[Command] = [
        CreateJob(new_job(agent_id=None, capabilities=[skill]), f"job-{skill}-{n}", actor=SIGNOFF) for n in range(10)
    ]
    counts = Counter(view["agent_id"] for view in await runner.submit.run(creations))
    assert counts == {idle: 7, busy: 3}
