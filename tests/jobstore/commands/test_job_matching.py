"""Jobs that name no agent but what one must be able to do, on the real tables."""

from collections import Counter
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from support.fakes import until
from support.jobstore.steps import Steps, new_job

from contracts.identity import new_execution_id
from contracts.resources import NewAgent
from jobstore.commands.base import Command
from jobstore.commands.claims import ClaimExecution
from jobstore.commands.executions import CancelJob, ExecuteJob
from jobstore.commands.granting import ClaimOutcome
from jobstore.commands.jobs import AssignAgent, CreateJob, MatchJob
from jobstore.errors import RefusedError
from jobstore.maintenance.matcher import CHUNK, Matcher
from jobstore.runner import CommandRunner
from jobstore.storage import limits
from jobstore.storage.agents import put_agent
from jobstore.storage.database import Database
from jobstore.storage.notifications import CHANNEL, Wake


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.fixture
def matcher(database: Database, runner: CommandRunner) -> Matcher:
    return Matcher(database, runner)


@pytest.fixture
def skill() -> str:
    """A capability of this test's agents alone."""
    return f"skill-{uuid4().hex[:8]}"


async def put(database: Database, agent_id: str, *skills: str, create: bool = True, **fields: Any) -> str:
    new = NewAgent(name=agent_id, url="http://127.0.0.1:1/", capabilities=list(skills), **fields)
    async with database.transaction() as connection:
        assert await put_agent(connection, agent_id, new, create=create)
    return agent_id


async def wanting(steps: Steps, *skills: str) -> list[tuple[str, str | None]]:
    """Create the job; what its log says."""
    await steps.created(agent_id=None, capabilities=list(skills))
    return await said(steps)


async def said(steps: Steps) -> list[tuple[str, str | None]]:
    return [(row.status, row.message) for row in await steps.logs()]


async def test_a_job_is_matched_as_it_is_created_and_can_be_executed_at_once(
    steps: Steps, database: Database, skill: str
) -> None:
    able = await put(database, f"able-{skill}", skill, "b", policy={"max_attempts": 7})
    await put(database, f"unable-{skill}", skill)
    await put(database, f"disabled-{skill}", skill, "b", enabled=False)
    assert await wanting(steps, skill, "b") == [("PENDING", "created"), ("ASSIGNED", f"matched to {able}")]
    last = (await steps.logs())[-1]
    assert (last.kind, last.code, last.agent_id) == ("matched", "matched", able)
    assert last.request_payload == {"payload": None}
    await steps.runner.submit.one(ExecuteJob(steps.job_id, steps.execution_id))
    row = await steps.row()
    assert (row.agent_id, row.policy["max_attempts"]) == (able, 7)


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
        await steps.runner.submit.one(ExecuteJob(steps.job_id, new_execution_id()))
    assert refused.value.code == "no_agent_matches"

    inline = new_job(agent_id=None, capabilities=[f"other-{skill}"])
    claim = ClaimExecution(new_execution_id(), f"{steps.job_id}-inline", uuid4(), 1, inline)
    answer = await steps.runner.claim.one(claim)
    assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "no_agent_matches")


async def test_paused_agents_are_given_nothing_and_agents_in_trouble_come_last(
    steps: Steps, database: Database, runner: CommandRunner, skill: str
) -> None:
    paused, broken = [await put(database, f"{name}-{skill}", skill) for name in ("paused", "broken")]
    await circuit_opened(database, broken)
    async with database.transaction() as connection:
        await limits.pause(connection, f"agent:{paused}", paused=True)
    assert (await wanting(steps, skill))[-1] == ("ASSIGNED", f"matched to {broken}")
    whole = await put(database, f"whole-{skill}", skill)
    assert (await wanting(Steps(database, runner), skill))[-1] == ("ASSIGNED", f"matched to {whole}")
    async with database.transaction() as connection:
        await limits.remove(connection, f"agent:{paused}")


async def circuit_opened(database: Database, agent_id: str) -> None:
    query = "INSERT INTO circuits VALUES (:id, 5, 1, clock_timestamp() + interval '1 hour')"
    async with database.transaction() as connection:
        await connection.execute(text(query), {"id": agent_id})


async def test_the_least_loaded_gets_the_next_also_within_one_transaction(
    database: Database, runner: CommandRunner, skill: str
) -> None:
    busy, idle = [await put(database, f"{name}-{skill}", skill) for name in ("busy", "idle")]
    for _ in range(4):
        await Steps(database, runner).requested(agent_id=busy)
    creations: list[Command] = [
        CreateJob(new_job(agent_id=None, capabilities=[skill]), f"job-{skill}-{n}") for n in range(10)
    ]
    counts = Counter(view["agent_id"] for view in await runner.submit.run(creations))
    assert counts == {idle: 7, busy: 3}


async def test_a_waiting_job_is_matched_once_a_fitting_agent_appears(
    steps: Steps, database: Database, matcher: Matcher, skill: str
) -> None:
    await wanting(steps, skill, "b")
    await matcher.match()
    assert len(await steps.logs()) == 2, "what is missing has not changed"

    await put(database, f"half-{skill}", skill)
    await put(database, f"other-half-{skill}", "b")
    for _ in range(3):
        await matcher.match()
    needs = ", ".join(sorted((f'"{skill}"', '"b"')))
    nearest = min(f'"{skill}"', '"b"')
    assert (await said(steps))[2:] == [
        ("MATCHING_FAILED", f"no enabled agent has all of {needs}: the nearest lacks {nearest}")
    ]
    able = await put(database, f"able-{skill}", skill, "b", enabled=False)
    await matcher.match()
    assert len(await steps.logs()) == 3
    await put(database, able, skill, "b", create=False)
    await matcher.match()
    assert (await said(steps))[3:] == [("ASSIGNED", f"matched to {able}")]
    await matcher.match()
    assert len(await steps.logs()) == 4


async def test_more_jobs_than_a_chunk_are_all_tried(
    database: Database, runner: CommandRunner, matcher: Matcher, skill: str
) -> None:
    new = new_job(agent_id=None, capabilities=[skill])
    await runner.submit.run([CreateJob(new, f"job-{skill}-{n:04}") for n in range(CHUNK + 20)])
    await put(database, f"able-{skill}", skill)
    await matcher.match()
    query = text("SELECT status, count(*) FROM jobs WHERE capabilities @> ARRAY[:skill] GROUP BY status")
    async with database.session() as session:
        rows = (await session.execute(query, {"skill": skill})).all()
    assert rows == [("ASSIGNED", CHUNK + 20)]


async def test_a_try_that_comes_too_late_changes_nothing(
    steps: Steps, database: Database, runner: CommandRunner, skill: str
) -> None:
    await wanting(steps, skill)
    await put(database, f"able-{skill}", skill)
    await runner.submit.one(CancelJob(steps.job_id))
    await runner.match.one(MatchJob(steps.job_id, 2))
    assert (await steps.job()).version == 3
    await runner.submit.one(AssignAgent(steps.job_id, "writer"))
    await runner.match.one(MatchJob(steps.job_id, 4))
    assert (await steps.job()).agent_id == "writer"


async def test_a_job_without_capabilities_waits_for_whoever_assigns_it(
    steps: Steps, database: Database, matcher: Matcher, skill: str
) -> None:
    await put(database, f"able-{skill}", skill)
    await steps.created(agent_id=None)
    await matcher.match()
    assert await said(steps) == [("PENDING", "created")]


async def test_each_change_after_which_an_agent_may_match_wakes_the_matcher(
    database: Database, database_url: str, skill: str
) -> None:
    heard: list[str] = []
    connection = await asyncpg.connect(database_url)
    await connection.add_listener(CHANNEL, lambda *message: heard.append(message[-1]))

    async def woken() -> None:
        await until(lambda: any(Wake.AGENTS in Wake.of_payload(payload) for payload in heard))
        heard.clear()

    agent_id = await put(database, f"able-{skill}", skill)
    await woken()
    await put(database, agent_id, skill, "more", create=False)
    await woken()
    for paused in (True, False):
        async with database.transaction() as transaction:
            await limits.pause(transaction, f"agent:{agent_id}", paused=paused)
        await woken()
    await connection.close()
