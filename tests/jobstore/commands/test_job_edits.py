"""Edits of a job while it waits or rests, on the real tables and as its facts tell it."""

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import text
from support.jobstore.administered import put_agent
from support.jobstore.edited import edited
from support.jobstore.steps import Steps, new_job, verdict

from contracts.resources import JobPatch, NewAgent
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import NotFoundError, RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF, members
from jobstore.jobs.reads import get_job
from jobstore.publishing import fact_reader
from signoff.jsontext import parse_json
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def refused(steps: Steps, version: int | None = None, **fields: Any) -> str:
    with pytest.raises(RefusedError) as error:
        await edited(steps, version, **fields)
    return error.value.code


async def stored(steps: Steps) -> dict[str, Any]:
    async with steps.database.session() as session:
        view = await get_job(session, steps.job_id)
    assert view is not None
    return {name: value for name, value in view.items() if name != "policy_text"}


async def test_an_edit_is_a_transition_that_says_what_changed_and_what_was(steps: Steps) -> None:
    await steps.created(payload={"n": 1}, labels={"a": "b"}, priority=3)
    new = {"title": "Another", "payload": {"n": 2**70}, "labels": {"c": "d"}, "policy": {"max_calls": 9}}
    view = await edited(steps, version=1, **new, not_before="2100-01-01T00:00:00Z", capabilities=["x"], priority=8)
    assert (view["version"], view["status"], view["agent_id"]) == (2, "ASSIGNED", "writer")
    assert {**view, "updated_at": None} == {**await stored(steps), "updated_at": None}
    assert (view["title"], view["priority"], view["labels"]) == ("Another", 8, {"a": "b", "c": "d"})
    last = (await steps.logs())[-1]
    assert (last.kind, last.code, last.status, last.job_status) == ("edited", "edited", "ASSIGNED", "ASSIGNED")
    assert last.message == "edited: capabilities, labels, not_before, payload, policy, priority, title"
    assert last.request_payload["changed"]["payload"] == last.request_payload["payload"] == {"n": 2**70}
    assert last.request_payload["before"]["title"] == "A title"
    assert last.request_payload["before"]["not_before"] is None


async def test_an_execution_runs_what_was_edited(steps: Steps) -> None:
    await steps.created(payload={"n": 1})
    await edited(steps, payload={"n": 2}, acceptance_criteria="Says more", policy={"max_calls": 7})
    await steps.runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    requested = (await steps.logs())[-1].request_payload
    assert (requested["payload"], requested["acceptance_criteria"]) == ({"n": 2}, "Says more")
    assert (await steps.row()).policy["max_calls"] == 7


async def test_what_is_live_or_completed_is_not_edited(steps: Steps) -> None:
    await steps.requested()
    assert await refused(steps, title="Another") == "execution_live"
    answer = await steps.claim()
    assert await refused(steps, title="Another") == "execution_live"
    assert answer.execution is not None
    judged = await steps.claim_judging(answer.execution.lease)
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict())
    before = await steps.logs()
    assert await refused(steps, title="Another") == "illegal_transition"
    assert await steps.logs() == before


async def test_a_job_that_was_not_accepted_is_edited_where_it_stands_and_submitted_again(steps: Steps) -> None:
    lease = await steps.judging()
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    view = await edited(steps, acceptance_criteria="Says less")
    assert (view["status"], view["submission"]) == ("RESUBMISSION_REQUIRED", 1)
    request = ExecuteJob(steps.job_id, new_execution_id(), chosen=True, resubmission=True, actor=SIGNOFF)
    again = await steps.runner.submit.run_one(request)
    assert again["submission"] == 2


def _of(steps: Steps) -> tuple[Database, CommandRunner]:
    return steps.database, steps.runner


async def test_only_the_version_that_was_said_is_edited_and_asking_again_is_answered_again(steps: Steps) -> None:
    await steps.created()
    assert await refused(steps, version=2, title="Another") == "version_conflict"
    first = await edited(steps, version=1, title="Another")
    again = await edited(steps, version=1, title="Another")
    assert first["version"] == again["version"] == 2
    assert await refused(steps, version=1, title="A third") == "version_conflict"
    assert len(await steps.logs()) == 2


async def test_of_two_who_edit_one_version_at_once_one_is_told(steps: Steps) -> None:
    await steps.created()
    asked = (edited(steps, version=1, title=title) for title in ("one", "another"))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["RefusedError", "dict"]
    assert len(await steps.logs()) == 2


async def test_nothing_is_edited_of_a_job_that_nobody_knows(steps: Steps) -> None:
    with pytest.raises(NotFoundError):
        await edited(steps, title="Another")


@pytest.mark.parametrize("fields", [{"title": ""}, {"title": None}, {"acceptance_criteria": " "}, {"priority": 10}])
def test_an_edit_holds_what_a_new_job_may_hold(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        JobPatch(**fields)


async def test_the_same_new_job_is_the_edited_one(steps: Steps) -> None:
    await steps.created()
    await edited(steps, title="Another")
    assert (await steps.created()) is steps
    assert (await stored(steps))["title"] == "Another"


async def test_a_pending_job_is_matched_by_what_it_now_needs(steps: Steps, database: Database) -> None:
    new = NewAgent(name="able", url="http://127.0.0.1:1/", capabilities=["edits"])
    async with database.transaction() as connection:
        await put_agent(connection, "able", new, create=True)
    await steps.created(agent_id=None)
    view = await edited(steps, capabilities=["edits"])
    assert (view["status"], view["agent_id"], view["version"]) == ("ASSIGNED", "able", 3)
    other = Steps(*_of(steps))
    await other.created(agent_id=None)
    assert (await edited(other, capabilities=["nobody"]))["status"] == "PENDING"
    assert [row.code for row in await other.logs()] == [None, "edited", "matching_failed"]


async def test_a_fact_is_as_it_was_however_late_it_is_told(steps: Steps) -> None:
    await steps.created(priority=3, payload={"n": 1}, description="first")
    await edited(steps, priority=5, title="second")
    await edited(steps, priority=7, title="third", description="last", labels={"a": "b"})
    told = [parse_json(members(body)["job"]) for body in await bodies(steps)]
    assert [job["title"] for job in told] == ["A title", "second", "third"]
    assert [job["priority"] for job in told] == [3, 5, 7]
    assert [job["description"] for job in told] == ["first", "first", "last"]
    assert [job["labels"] for job in told] == [{}, {}, {"a": "b"}]
    assert all(job["payload"] == {"n": 1} for job in told)


async def bodies(steps: Steps) -> list[str]:
    async with steps.database.session() as session:
        seqs = await session.scalars(text("SELECT seq FROM job_logs WHERE job_id = :id"), {"id": steps.job_id})
        rows = await session.execute(fact_reader._ROWS, {"seqs": sorted(seqs), "bytes": 2**62})
        reverted = await fact_reader.find_reverted(session, rows)
    return [fact_reader.make_job_changed(row, reverted.get(row.seq, {})).value.decode() for row in rows]


async def test_a_job_made_and_edited_in_one_transaction_is_both(runner: CommandRunner, steps: Steps) -> None:
    new = (await steps.created()).job_id
    async with steps.database.session() as session:
        assert await session.scalar(text("SELECT version FROM jobs WHERE id = :id"), {"id": new}) == 1
    other = Steps(*_of(steps))
    commands = [
        CreateJob(new_job(), other.job_id, actor=SIGNOFF),
        EditJob(other.job_id, JobPatch(title="Another"), actor=SIGNOFF),
    ]
    made, view = await runner.carry_out(commands)
    assert (made["version"], view["version"], (await stored(other))["title"]) == (1, 2, "Another")
