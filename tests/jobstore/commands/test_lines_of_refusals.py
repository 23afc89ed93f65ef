"""What is refused leaves a line that says of which job and execution it is, and nothing of a result."""

import logging

import pytest
from support.jobstore.steps import Steps

from contracts.traceparent import derive_trace_id
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from signoff.status import ReportKind


async def test_a_refused_report_names_its_job_and_execution(
    database: Database, runner: CommandRunner, caplog: pytest.LogCaptureFixture
) -> None:
    steps = Steps(database, runner)
    lease = await steps.running()
    await steps.report(lease, ReportKind.FAILED, code="agent_status", message="a secret of the agent")
    with caplog.at_level(logging.DEBUG, "jobstore"):
        await steps.report(lease, ReportKind.FAILED, code="agent_status", message="a secret of the agent")
    (line,) = [record for record in caplog.records if record.getMessage() == "refused; nothing is recorded"]
    assert (line.job_id, str(line.execution_id)) == (steps.job_id, str(steps.execution_id))
    assert line.trace_id == derive_trace_id(steps.execution_id)
    assert "secret" not in str(vars(line))
