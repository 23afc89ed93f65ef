"""The matcher: a waiting job is matched once a fitting agent appears, and each such change wakes it."""

from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from support.fakes import until
from support.jobstore.administered import pause_limit
from support.jobstore.matched import put, said, wanting
from support.jobstore.steps import Steps, new_job

from jobstore.agents.matcher import CHUNK, Matcher
from jobstore.engine.database import CHANNEL, Database, Wake
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob
from jobstore.jobs.commands import AssignAgent, CreateJob, MatchJob
from jobstore.jobs.model import SIGNOFF


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
    await runner.submit.run([CreateJob(new, f"job-{skill}-{n:04}", actor=SIGNOFF) for n in range(CHUNK + 20)])
    await put(database, f"able-{skill}", skill)
    await matcher.match()
    query = text("SELECT status, count(*) FROM jobs WHERE capabilities @> ARRAY[:skill] GROUP BY status")
    async with database.session() as session:
        rows = await session.execute(query, {"skill": skill})
    assert rows == [("ASSIGNED", CHUNK + 20)]


async def test_a_try_that_comes_too_late_changes_nothing(
    steps: Steps, database: Database, runner: CommandRunner, skill: str
) -> None:
    await wanting(steps, skill)
    await put(database, f"able-{skill}", skill)
    await runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await runner.match.run_one(MatchJob(steps.job_id, 2, actor=SIGNOFF))
    assert (await steps.job()).version == 3
    await runner.submit.run_one(AssignAgent(steps.job_id, "writer", actor=SIGNOFF))
    await runner.match.run_one(MatchJob(steps.job_id, 4, actor=SIGNOFF))
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
            await pause_limit(transaction, f"agent:{agent_id}", paused=paused)
        await woken()
    await connection.close()
