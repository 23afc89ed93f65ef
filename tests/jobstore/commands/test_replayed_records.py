"""Records that `signoff replay` published again change nothing, wherever their execution stands."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS, incoming
from support.jobstore.steps import Steps, new_job, reported, result, verdict

from contracts.events import CancelRequested
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.handlers import EventHandlers
from jobstore.jobs.model import SIGNOFF
from signoff.status import ReportKind
from signoff.values import new_execution_id

TABLES = ("jobs", "job_logs", "agents", "executions", "facts")


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def everything(database: Database) -> dict[str, list[Any]]:
    async with database.session() as session:
        return {
            table: list(await session.scalars(text(f"SELECT t::text FROM {table} t ORDER BY 1"))) for table in TABLES
        }


async def test_a_replayed_request_is_answered_with_what_it_would_have_been(steps: Steps, database: Database) -> None:
    async def replayed(**fields: Any) -> tuple[str, str]:
        before = await everything(database)
        answer = await steps.claim(owner=uuid4(), replay=True, **fields)
        assert await everything(database) == before
        return answer.outcome, answer.code

    assert await replayed(inline=new_job()) == (ClaimOutcome.REFUSED, "replayed")
    await steps.requested()
    assert await replayed() == (ClaimOutcome.QUEUED, "replayed")
    assert await replayed(inline=new_job(title="Another")) == (ClaimOutcome.QUEUED, "replayed")
    granted = await steps.claim()
    assert granted.execution is not None
    assert await replayed() == (ClaimOutcome.DUPLICATE, "replayed")
    await steps.result(granted.execution.lease)
    assert await replayed() == (ClaimOutcome.DUPLICATE, "replayed")
    judged = await steps.claim_judging(granted.execution.lease)
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict())
    assert await replayed() == (ClaimOutcome.DUPLICATE, "completed")
    steps.execution_id = new_execution_id()
    await steps.claim()
    assert await replayed() == (ClaimOutcome.REFUSED, "illegal_transition")


async def test_a_replayed_outcome_is_not_even_recorded_where_it_would_be_in_order_and_the_log_says_so(
    steps: Steps, runner: CommandRunner, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "jobstore.handlers")
    lease = await steps.running()
    before = await everything(database)
    produced = result(steps.execution_id, steps.job_id, lease)
    failed = reported(steps.execution_id, steps.job_id, lease, ReportKind.FAILED, code="agent_status")
    cancels = CancelRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    assert await EventHandlers(runner, steps.database, SECRETS).on_result_produced(
        [incoming(produced, replay=True)]
    ) == [None]
    assert await EventHandlers(runner, steps.database, SECRETS).on_job_status_reported(
        [incoming(failed, replay=True)]
    ) == [None]
    assert await EventHandlers(runner, steps.database, SECRETS).on_cancel_requested(
        [incoming(cancels, replay=True)]
    ) == [None]
    assert await everything(database) == before
    told = [vars(each) for each in caplog.records if each.msg == "replayed records change nothing"]
    assert [(each["topic"], each["records"]) for each in told] == [
        ("result-produced", 1),
        ("job-status-reported", 1),
        ("cancel-requested", 1),
    ]
    assert all(str(steps.execution_id) in each["named"][0] for each in told)


async def test_a_batch_of_replays_and_others_is_answered_in_order(steps: Steps, runner: CommandRunner) -> None:
    lease = await steps.running()
    produced = incoming(result(steps.execution_id, steps.job_id, lease))
    replayed = incoming(produced.event, replay=True)
    unknown = incoming(result(new_execution_id(), steps.job_id, lease))
    answers = await EventHandlers(runner, steps.database, SECRETS).on_result_produced(
        [replayed, unknown, replayed, produced]
    )
    assert [None if answer is None else answer.code for answer in answers] == [None, "unknown_execution", None, None]
    assert (await steps.row()).stage == "JUDGING"


async def test_what_agents_are_and_what_was_refused_is_told_once(
    steps: Steps, runner: CommandRunner, database: Database
) -> None:
    began = datetime.now(UTC)
    await steps.created(agent_id=None)
    for _ in range(2):
        await steps.claim()  # PENDING: refused
        cancelled = new_execution_id()
        await runner.submit.run_one(CancelJob(None, cancelled, actor=SIGNOFF))
        with pytest.raises(RefusedError):
            await runner.submit.run_one(ExecuteJob(steps.job_id, cancelled, chosen=True, actor=SIGNOFF))
    async with database.session() as session:
        rows = await session.execute(text("SELECT topic, key, body FROM facts ORDER BY seq"))
    refusals = [json.loads(row.body) for row in rows if row.topic == "execution-refused"][-3:]
    assert [body["answer"] for body in refusals] == ["refused", "cancelled", "cancelled"]
    assert (refusals[0]["job_id"], refusals[0]["code"]) == (steps.job_id, "illegal_transition")
    assert datetime.fromisoformat(refusals[0]["refused_at"]) >= began
    assert "job_id" not in refusals[1]
    agents = [json.loads(row.body) for row in rows if row.topic == "agent-changed"]
    assert [body["agent_id"] for body in agents] == ["writer"]
