"""The outcome of a call tells when it began: its transaction records both, each with its own time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.jobstore.steps import Steps

from contracts.events import to_call_begun
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from signoff.status import ReportKind

#: What both ways of telling must give alike: all but ids, times and the lease's number.
TOLD = (
    *("status", "job_status", "agent_id", "request_payload", "response_payload", "message", "code", "kind", "attempt"),
    *("submission", "spent", "progress", "cost_nanos", "tokens", "next_attempt_at"),
)
FAILURES = (ReportKind.ATTEMPT_FAILED, ReportKind.CALL_FAILED, ReportKind.FAILED, ReportKind.DECLINED)


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


def _told(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TOLD}


async def test_a_result_that_tells_when_its_call_began_records_what_two_reports_did(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    lease = await steps.running()
    began_at = (await steps.logs())[-1].created_at + timedelta(microseconds=1)
    await steps.result(lease, began_at=began_at)
    *_, claimed, begun, result = await steps.logs()
    assert (claimed.kind, begun.kind, result.kind) == ("claimed", "call_begun", "result")
    assert claimed.created_at < begun.created_at == began_at < result.created_at
    assert begun.event_id == to_call_begun(steps.execution_id, steps.job_id, 1, lease, began_at).event_id

    other = Steps(database, runner)
    lease = await other.running()
    report = to_call_begun(other.execution_id, other.job_id, 1, lease, began_at)
    await other.report(lease, ReportKind.CALL_BEGUN, message=report.message)
    await other.result(lease)
    assert [_told(row) for row in (begun, result)] == [_told(row) for row in (await other.logs())[-2:]]


@pytest.mark.parametrize("kind", FAILURES)
async def test_a_failure_tells_it_too(steps: Steps, kind: ReportKind) -> None:
    lease = await steps.running()
    began_at = (await steps.logs())[-1].created_at + timedelta(microseconds=1)
    fields = {"seq": 2, "call": 1, "code": "agent_busy", "began_at": began_at}
    for _ in range(2):
        await steps.report(lease, kind, **fields)
    *_, begun, failed = await steps.logs()
    assert (begun.kind, begun.created_at, failed.kind) == ("call_begun", began_at, kind)


async def test_a_claim_that_judges_records_it(steps: Steps) -> None:
    lease = await steps.running()
    began_at = (await steps.logs())[-1].created_at + timedelta(microseconds=1)
    await steps.claim_judging(lease, began_at=began_at)
    *_, begun, result = await steps.logs()
    assert (begun.kind, begun.created_at, result.kind) == ("call_begun", began_at, "result")
    await steps.result(lease, began_at=began_at)
    assert len(await steps.logs()) == result.version


async def test_what_was_reported_before_is_not_recorded_again(steps: Steps) -> None:
    lease = await steps.running()
    await steps.report(lease, ReportKind.CALL_BEGUN)
    await steps.report(lease, ReportKind.CALL_FAILED, seq=2, call=1, began_at=datetime.now(UTC))
    await steps.result(lease, began_at=datetime.now(UTC))
    assert [row.kind for row in (await steps.logs())[-4:]] == ["claimed", "call_begun", "call_failed", "result"]
    await steps.report(lease, ReportKind.CALL_BEGUN)
    assert (await steps.logs())[-1].kind == "result", "the late report of a beginning"


@pytest.mark.parametrize("wrong", [timedelta(days=-30), timedelta(days=30)])
async def test_a_worker_whose_clock_is_wrong_or_who_lies_moves_no_entry(steps: Steps, wrong: timedelta) -> None:
    lease = await steps.running()
    await steps.result(lease, began_at=datetime.now(UTC) + wrong)
    *_, claimed, begun, result = await steps.logs()
    assert begun.created_at == (claimed.created_at if wrong < timedelta(0) else result.created_at)


async def test_what_does_not_count_tells_nothing(steps: Steps) -> None:
    lease = await steps.judging()
    count, now = len(await steps.logs()), datetime.now(UTC)
    await steps.result(lease - 1, "red", began_at=now)
    await steps.result(lease + 5, began_at=now)
    assert len(await steps.logs()) == count
    await steps.report(lease, ReportKind.FAILED, code="judge_invalid", began_at=now)
    *_, failed = await steps.logs()
    assert (failed.kind, failed.version) == ("failed", count + 1)
