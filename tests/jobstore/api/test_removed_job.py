"""Each door says that a job was removed, tells nothing of it, and has watches begin anew that are behind the cut."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, Status, refused
from sqlalchemy import text
from support.jobstore.removed import archived, removed
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.reads import get_cursors
from jobstore.publishing.watches import Watches
from signoff.status import Outcome, ReportKind
from signoff.v1 import job_service_pb2 as pb
from signoff.v1 import resources_pb2

CANARY = "canary-91e0"


@pytest.fixture
async def gone(database: Database, runner: CommandRunner) -> Steps:
    steps = Steps(database, runner)
    lease = await steps.judging(title=CANARY, payload={"said": CANARY})
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
    assert await removed(database, runner, steps.job_id) == {}
    await archived(database)
    return steps


async def test_each_method_that_names_it_says_that_it_was_removed(jobs: Any, gone: Steps) -> None:
    job_id, execution_id = gone.job_id, str(gone.execution_id)
    new = resources_pb2.NewJob(id=job_id, title="x", acceptance_criteria="y")
    calls = [
        jobs.GetJob(pb.GetJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ExplainJob(pb.ExplainJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ListJobLogs(pb.ListJobLogsRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ListJobLogs(pb.ListJobLogsRequest(job_id=job_id, view=resources_pb2.VIEW_BASIC), metadata=ADMINISTRATOR),
        jobs.ListJobLogs(pb.ListJobLogsRequest(job_id=job_id, submission=1), metadata=ADMINISTRATOR),
        jobs.GetResult(pb.GetResultRequest(job_id=job_id, version=5), metadata=ADMINISTRATOR),
        jobs.GetExecution(pb.GetExecutionRequest(execution_id=execution_id), metadata=ADMINISTRATOR),
        jobs.CreateJob(pb.CreateJobRequest(job=new), metadata=ADMINISTRATOR),
        jobs.ExecuteJob(pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ExecuteJob(pb.ExecuteJobRequest(job_id=job_id, execution_id=execution_id), metadata=ADMINISTRATOR),
        jobs.ResubmitJob(pb.ResubmitJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.CancelJob(pb.CancelJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.AssignAgent(pb.AssignAgentRequest(job_id=job_id, agent_id="writer"), metadata=ADMINISTRATOR),
    ]
    for call in calls:
        status, code, message = await refused(call)
        assert (status, code) == (Status.NOT_FOUND, "job_removed")
        assert job_id in message


async def test_a_read_says_when_by_which_rule_and_with_which_end_it_went(jobs: Any, gone: Steps) -> None:
    _, _, message = await refused(jobs.GetJob(pb.GetJobRequest(job_id=gone.job_id), metadata=ADMINISTRATOR))
    said = rf"the job {gone.job_id} was removed at \d{{4}}-\S+Z by retention \(.+\); it stood at COMPLETED"
    assert re.fullmatch(said, message)


async def seen(watch: Any, job_id: str) -> list[Any]:
    """The entries of a job that a watch tells, up to its removal."""
    logs: list[Any] = []
    async with asyncio.timeout(20):
        while not logs or logs[-1].kind != resources_pb2.JOB_LOG_KIND_REMOVED:
            said = await watch.read()
            logs += [log for log in (said.log, *said.logs) if log.job_id == job_id]
    watch.cancel()
    return logs


@pytest.mark.parametrize("view", [resources_pb2.VIEW_BASIC, resources_pb2.VIEW_FULL])
async def test_a_watch_tells_that_it_was_removed_and_nothing_of_what_it_was(
    jobs: Any, gone: Steps, database: Database, watches: Watches, view: Any
) -> None:
    async with database.session() as session:
        watches.set_settled((await get_cursors(session)).settled)
    request = pb.WatchJobsRequest(after=0, view=view)
    (log,) = await seen(jobs.WatchJobs(request, metadata=ADMINISTRATOR), gone.job_id)
    assert (log.job_status, log.actor, log.tenant) == (resources_pb2.JOB_STATUS_COMPLETED, "retention", "default")
    if view == resources_pb2.VIEW_FULL:
        assert (log.execution_id, list(log.removed.executions)) == (str(gone.execution_id), [])
        assert len(log.removed.verdict.sha256) == 64
    assert CANARY not in str(log)


@pytest.mark.usefixtures("gone")
async def test_a_watch_behind_the_newest_cut_begins_anew(jobs: Any, database: Database, watches: Watches) -> None:
    async with database.transaction() as connection:
        cursors = await get_cursors(connection)
        cut = cursors.settled - 1
        await connection.execute(text("UPDATE keeping SET cut_below = :cut"), {"cut": cut})
    watches.set_settled(cursors.settled)
    try:
        call = jobs.WatchJobs(pb.WatchJobsRequest(after=cut - 1), metadata=ADMINISTRATOR)
        status, code, _ = await refused(call.read())
        assert (status, code) == (grpc.StatusCode.OUT_OF_RANGE, "unknown_cursor")
        pages = watches.read_changes(cut - 1, [], payloads=False)
        with pytest.raises(Exception, match="watch anew"):
            await anext(pages)
        for asked in (pb.WatchJobsRequest(after=cut), pb.WatchJobsRequest(after=cut - 1, job_ids=[str(uuid4())])):
            call = jobs.WatchJobs(asked, metadata=ADMINISTRATOR)
            assert (await call.read()).cursor == asked.after  # of named jobs nothing is missing
            call.cancel()
    finally:
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE keeping SET cut_below = 0"))
