"""A job's life on the real tables: each step is recorded once, also when it is reported twice or late."""

import pytest
from support.jobstore.steps import Steps, new_job, result, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.executions.claims import ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob, ExecuteJob, RecordResult
from jobstore.executions.sweeper import end_leases
from jobstore.jobs.commands import AssignAgent, CreateJob
from jobstore.jobs.model import EXECUTOR, SIGNOFF, Refusal, TransitionKind
from jobstore.jobs.reads import get_result
from servicekit.errors import PermanentError
from signoff.jsontext import parse_json
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def test_a_life_from_creation_to_completion(steps: Steps) -> None:
    lease = await steps.running(payload={"n": 2**80, "none": None})
    await steps.report(lease, ReportKind.CALL_BEGUN)
    await steps.result(lease, {"text": "blue", "n": 2**80})
    judged = await steps.claim_judging(lease, value={"text": "blue", "n": 2**80})
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict())

    logs = await steps.logs()
    assert [row.status for row in logs] == ["ASSIGNED", "ASSIGNED", *["IN_PROGRESS"] * 3, "COMPLETED"]
    assert logs[1].request_payload["payload"] == {"n": 2**80, "none": None}
    assert logs[4].response_payload == {"result": {"text": "blue", "n": 2**80}}
    assert logs[5].response_payload["result"] == {"text": "blue", "n": 2**80}
    assert logs[5].response_payload["verdict"]["is_valid"]
    row = await steps.row()
    assert (row.state, row.answer, row.due_at) == ("DONE", "completed", None)


async def test_a_result_with_any_character_is_judged_and_read(database: Database, steps: Steps) -> None:
    """PostgreSQL takes U+0000 in JSON, but not apart."""
    hostile = {"text": "blue \0 \U0001f600 \\ }", "\0": [None]}
    lease = await steps.running()
    await steps.result(lease, hostile)
    judged = await steps.claim_judging(lease, value=hostile)
    assert judged.execution is not None
    told = verdict()
    told.criteria[0].evidence, told.criteria[0].comment = ["blue \0"], "\0"
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=told)
    *_, answered, completed = await steps.logs()
    assert completed.status == "COMPLETED"
    for row in (answered, completed):
        assert row.response_payload["result"] == hostile
        async with database.session() as session:
            kept = await get_result(session, steps.job_id, row.version)
        assert parse_json(kept or "") == hostile


async def test_progress_is_in_the_log_and_the_newest_on_the_job(steps: Steps) -> None:
    lease = await steps.running()
    said: list[dict[str, object]] = [
        {"message": "begun"},
        {"progress": 0.5, "message": "half", "partial": {"text": "bl\0", "n": 2**70}},
        {"partial": [1]},
    ]
    for seq, fields in enumerate(said):
        await steps.report(lease, ReportKind.PROGRESS, seq=seq + 1, **fields)
    rows = [(row.progress, row.message, row.response_payload) for row in (await steps.logs())[-3:]]
    assert rows == [
        (0.0, "begun", None),
        (0.5, "half", {"partial": {"text": "bl\0", "n": 2**70}}),
        (0.5, None, {"partial": [1]}),
    ]
    job = await steps.job()
    assert (job.progress, job.progress_message) == (0.5, None)


async def test_every_report_said_twice_is_recorded_once(steps: Steps) -> None:
    lease = await steps.running()
    for _ in range(2):
        await steps.report(lease, ReportKind.CALL_BEGUN)
    for _ in range(2):
        await steps.result(lease)
    judged = await steps.claim_judging(lease)
    assert judged.execution is not None
    for _ in range(2):
        await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    assert len(await steps.logs()) == 6


async def test_a_verdict_and_its_result_in_one_batch(steps: Steps, runner: CommandRunner) -> None:
    """They travel on two topics: the claim of the judging may come first, and both may meet in one transaction."""
    lease = await steps.running()
    claim = ClaimJudging(result(steps.execution_id, steps.job_id, lease), steps.validator, 10, actor=SIGNOFF)
    (answer,) = await runner.carry_out([claim])
    assert answer.outcome == ClaimOutcome.GRANTED
    again = RecordResult(result(steps.execution_id, steps.job_id, lease), actor=EXECUTOR)
    results = await runner.carry_out([again])
    assert isinstance(results[0], Refusal)
    assert (await steps.logs())[-1].kind == "result"


async def test_a_cancelled_call_keeps_its_late_result_and_changes_nothing(steps: Steps, runner: CommandRunner) -> None:
    lease = await steps.running()
    await runner.submit.run_one(CancelJob(steps.job_id, reason="not needed", actor=SIGNOFF))
    assert (await steps.job()).status == "ASSIGNED"
    for _ in range(2):
        await steps.result(lease)
    logs = await steps.logs()
    assert [row.status for row in logs[-2:]] == ["CANCELLED", "CANCELLED"]
    assert logs[-2].message == "cancelled by signoff: not needed"
    assert logs[-1].response_payload == {"result": "blue"}
    assert (await steps.claim_judging(lease)).outcome == ClaimOutcome.DUPLICATE


async def test_a_failed_attempt_is_retried_later_and_at_last_fails_the_job(steps: Steps) -> None:
    lease = await steps.running(policy={"max_calls": 2})
    fields = {"code": "agent_status", "message": "503", "retry_after_s": 30.0, "seq": 2}
    await steps.report(lease, ReportKind.ATTEMPT_FAILED, **fields)
    assert (await steps.claim()).code == "not_due"
    await steps.due(-1)
    second = await steps.claim()
    assert second.execution is not None
    assert second.execution.attempt == 2
    await steps.report(second.execution.lease, ReportKind.ATTEMPT_FAILED, **fields)
    job = await steps.job()
    assert (job.status, job.live) == ("FAILED", False)


async def test_a_lapsed_lease_is_another_attempt_unless_its_outcome_comes_first(
    steps: Steps, runner: CommandRunner
) -> None:
    lease = await steps.running()
    await steps.due(-1)
    await end_leases(runner.record, TransitionKind.LAPSED, [(steps.execution_id, lease, False)], actor=SIGNOFF)
    assert (await steps.row()).state == "QUEUED"
    await steps.result(lease)  # late, and still counted: nobody was granted the next attempt
    assert (await steps.row()).stage == "JUDGING"


async def test_no_not_met_verdict_is_lost_between_submissions(steps: Steps, runner: CommandRunner) -> None:
    for submission in (1, 2, 3):
        if submission == 1:
            lease = await steps.judging()
        else:
            steps.execution_id = new_execution_id()
            await runner.submit.run_one(
                ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
            )
            claimed = await steps.claim()
            assert claimed.execution is not None
            assert f'"submission":{submission}' in claimed.grant.request
            assert '"feedback":{"reason":"a reason"' in claimed.grant.request
            judged = await steps.claim_judging(claimed.execution.lease)
            assert judged.execution is not None
            lease = judged.execution.lease
        await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    assert (await steps.job()).status == "REJECTED"
    with pytest.raises(RefusedError):
        await runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), actor=SIGNOFF))
    await runner.submit.run_one(AssignAgent(steps.job_id, "writer", '{"other":1}', actor=SIGNOFF))
    view = await runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), actor=SIGNOFF))
    assert (view["submission"], (await steps.job()).payload) == (1, {"other": 1})


async def test_creating_the_same_job_twice_is_one_job(steps: Steps, runner: CommandRunner) -> None:
    new = new_job(payload={"b": 1, "a": 2})
    first = await runner.submit.run_one(CreateJob(new, steps.job_id, actor=SIGNOFF))
    again = await runner.submit.run_one(CreateJob(new_job(payload={"a": 2, "b": 1}), steps.job_id, actor=SIGNOFF))
    assert first["version"] == again["version"] == 1
    with pytest.raises(ConflictError):
        await runner.submit.run_one(CreateJob(new_job(title="Another"), steps.job_id, actor=SIGNOFF))


async def test_what_cannot_be_done_is_told_by_a_code(steps: Steps, runner: CommandRunner) -> None:
    with pytest.raises(NotFoundError) as unknown:
        await runner.submit.run_one(ExecuteJob("no-such-job", new_execution_id(), actor=SIGNOFF))
    assert unknown.value.code == "unknown_job"
    with pytest.raises(InvalidError) as agent:
        await runner.submit.run_one(CreateJob(new_job(agent_id="nobody"), "no-agent", actor=SIGNOFF))
    assert agent.value.code == "unknown_agent"
    await steps.created(agent_id=None)
    with pytest.raises(RefusedError) as pending:
        await runner.submit.run_one(ExecuteJob(steps.job_id, new_execution_id(), actor=SIGNOFF))
    assert pending.value.code == "illegal_transition"
    assert (await steps.job()).status == "PENDING"


async def test_one_that_fails_for_good_costs_the_others_of_its_batch_nothing(
    steps: Steps, runner: CommandRunner
) -> None:
    good = [new_job() for _ in range(6)]
    bad = new_job().model_copy(update={"title": "\0"})  # past validation: PostgreSQL itself refuses it
    ids = [f"{steps.job_id}-{n}" for n in range(7)]
    commands = [
        CreateJob(new, job_id, actor=SIGNOFF) for new, job_id in zip([*good[:3], bad, *good[3:]], ids, strict=True)
    ]
    results = await runner.submit.run(commands)
    assert [isinstance(r, PermanentError) for r in results] == [False, False, False, True, False, False, False]
