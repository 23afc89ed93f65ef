"""A batch of commands is one transaction, whatever is in it."""

import asyncio
import logging

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_limit
from support.jobstore.steps import Steps, new_job, reported, result, verdict

from contracts.resources import NewLimit
from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob, RecordReport, RecordResult
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, EXECUTOR, SIGNOFF, WORKER
from jobstore.limits.commands import RemoveLimit, SetLimit
from signoff.status import Outcome, ReportKind

_WAITS = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = :lock AND NOT granted")


async def test_while_limits_are_changed_what_needs_none_goes_on(database: Database, runner: CommandRunner) -> None:
    judged, created = Steps(database, runner), Steps(database, runner)
    lease = await judged.judging()
    not_met = verdict(Outcome.FAIL)
    told = reported(judged.execution_id, judged.job_id, lease, ReportKind.VERDICT, verdict=not_met)
    batch: list[Command[object]] = [
        RecordReport(told, actor=WORKER),
        CreateJob(new_job(), created.job_id, actor=SIGNOFF),
    ]
    async with database.transaction() as changing:
        await locks.hold(changing, locks.Lock.LIMITS)
        carrying = asyncio.create_task(runner.record.run(batch))
        async with asyncio.timeout(10):
            while not await changing.scalar(_WAITS, {"lock": locks.Lock.LIMITS}):
                pass
        assert (await created.job()).version == 1, "it is committed"
        assert (await judged.job()).status == "IN_PROGRESS"
    refusal, view = await carrying
    assert refusal is None
    assert isinstance(view, dict), "the results are in the order of the commands"
    assert (await judged.job()).status == "RESUBMISSION_REQUIRED"


async def test_a_verdict_quotes_a_result_of_its_own_batch(database: Database, runner: CommandRunner) -> None:
    steps = Steps(database, runner)
    lease = await steps.running()
    event = result(steps.execution_id, steps.job_id, lease, {"text": "blue\0"})
    told = reported(steps.execution_id, steps.job_id, lease + 1, ReportKind.VERDICT, verdict=verdict())
    claim = ClaimJudging(event, steps.validator, 10, actor=SIGNOFF)
    recorded, claimed, judged = await runner.carry_out(
        [RecordResult(event, actor=EXECUTOR), claim, RecordReport(told, actor=WORKER)]
    )
    assert (recorded, claimed.outcome, judged) == (None, ClaimOutcome.GRANTED, None)
    async with database.session() as session:
        query = text(
            "SELECT CAST(response_payload AS text) FROM job_logs WHERE job_id = :id ORDER BY version DESC LIMIT 1"
        )
        response = await session.scalar(query, {"id": steps.job_id})
    assert response.startswith('{"result":{"text":"blue\\u0000"},"verdict":{')


async def test_two_jobs_one_result_and_a_cancel_are_one_transaction(database: Database, runner: CommandRunner) -> None:
    steps, cancelled = Steps(database, runner), Steps(database, runner)
    lease = await steps.running()
    await cancelled.running()
    results = await runner.carry_out(
        [
            RecordResult(result(steps.execution_id, steps.job_id, lease), actor=EXECUTOR),
            CancelJob(None, cancelled.execution_id, actor=SIGNOFF),
            CreateJob(new_job(), Steps(database, runner).job_id, actor=SIGNOFF),
        ]
    )
    assert results[:2] == [None, None]
    async with database.session() as session:
        query = text("SELECT count(DISTINCT CAST(xmin AS text)) FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
        assert await session.scalar(query, {"ids": [steps.job_id, cancelled.job_id, results[2]["id"]]}) == 1


async def test_a_capped_queue_counts_a_job_that_is_created_in_the_batch(
    database: Database, runner: CommandRunner
) -> None:
    async with database.transaction() as connection:
        await put_limit(connection, "tenant:capped", NewLimit(queue_max=0))
    steps = Steps(database, runner)
    create, execute = (
        CreateJob(new_job(tenant="capped"), steps.job_id, actor=SIGNOFF),
        ExecuteJob(steps.job_id, steps.execution_id, actor=SIGNOFF),
    )
    _, refused = await runner.carry_out([create, execute])
    assert getattr(refused, "code", None) == "queue_full"


async def test_who_changes_a_limit_is_logged_which_has_no_history(
    runner: CommandRunner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jobstore.limits.store")
    await runner.limit.run_one(SetLimit("agent:logged", NewLimit(rate=1), actor=BOOTSTRAP))
    await runner.limit.run_one(RemoveLimit("agent:logged", actor=BOOTSTRAP))
    told = [vars(record) for record in caplog.records if record.msg == "a limit was changed"]
    assert [(each["limit"], each["actor"], each["removed"]) for each in told] == [
        ("agent:logged", BOOTSTRAP, False),
        ("agent:logged", BOOTSTRAP, True),
    ]
