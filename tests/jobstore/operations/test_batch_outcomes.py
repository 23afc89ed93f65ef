"""A batch keeps its items: what became of each is told by its own execution, and by what followed that by policy."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from batch_world import CALLER, NOBODY, World, asked, ended, judged
from support.jobstore.steps import CRITERIA, Steps, unproven
from support.jobstore.terms import IDS

from jobstore.errors import RefusedError
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.operations import worker
from signoff.status import Outcome, ReportKind
from signoff.types import read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources

AUTOMATIC = resources.Policy(resubmit=resources.RESUBMIT_AUTOMATIC, max_submissions=3)


async def listed(world: World, batch_id: Any, **fields: Any) -> set[str]:
    request = jobs_pb.ListJobsRequest(filter={"batch_id": str(batch_id), **fields})
    page = await world.jobs_service.ListJobs(request, CALLER)
    return {job.id for job in page.jobs}


async def test_retrying_a_batch_changes_nothing_of_it(world: World) -> None:
    jobs = await world.jobs(4)
    ids = {job.job_id for job in jobs}
    old = await world.executed(jobs)
    for job in jobs[:2]:
        await ended(job)
    await ended(jobs[2], ReportKind.DECLINED)
    await judged(jobs[3], Outcome.PASS)
    await world.worked()
    before = await world.stands(old.id)
    assert before.counts == {"COMPLETED": 1, "FAILED": 2, "REJECTED": 1}

    request = asked(pb.RetryOperationRequest, old.id, name="once more")
    new = read_model((await world.doors.RetryOperation(request, NOBODY)).operation)
    assert (new.name, new.kind, new.total, new.retry_of) == ("once more", "retry", 2, UUID(old.id))
    for job in jobs[:2]:
        job.execution_id = worker.derive_execution_id(IDS, new.id, job.job_id)
    await judged(jobs[0], Outcome.PASS)
    await ended(jobs[1])
    await world.worked()
    again = read_model((await world.doors.RetryOperation(asked(pb.RetryOperationRequest, new.id), NOBODY)).operation)
    assert again.name == "once more"  # until somebody names it otherwise

    assert await world.stands(old.id) == before
    assert (await world.stands(new.id)).counts == {"COMPLETED": 1, "FAILED": 1}
    assert await listed(world, old.id) == ids
    assert await listed(world, new.id) == {job.job_id for job in jobs[:2]}
    assert await listed(world, again.id) == {jobs[1].job_id}
    assert await listed(world, old.id, statuses=[resources.JOB_STATUS_COMPLETED]) == {jobs[0].job_id, jobs[3].job_id}
    request = jobs_pb.CountJobsRequest(filter={"batch_id": old.id})
    counts = (await world.jobs_service.CountJobs(request, NOBODY)).counts
    assert dict(counts) == {"ASSIGNED": 1, "COMPLETED": 2, "REJECTED": 1}  # where the jobs stand, of all its items

    items = await world.items(old.id)
    assert [(item.outcome, item.retried_by) for item in items] == [
        ("FAILED", new.id), ("FAILED", new.id), ("REJECTED", None), ("COMPLETED", None)
    ]  # fmt: skip
    assert [item.retry_execution_id for item in items[:2]] == [job.execution_id for job in jobs[:2]]
    retried = await world.items(new.id)
    assert [item.retried_by for item in retried] == [None, again.id]


async def test_a_batch_counts_an_unproven_verdict_as_failed_and_its_retry_passes_it_by(world: World) -> None:
    jobs = await world.jobs(2)
    batch = await world.executed(jobs)
    await judged(jobs[0], unproven())
    await world.worked()
    with pytest.raises(RefusedError) as refused:
        await world.doors.RetryOperation(asked(pb.RetryOperationRequest, batch.id), NOBODY)
    assert refused.value.code == "nothing_to_retry"
    await ended(jobs[1])
    await world.worked()
    assert (await world.stands(batch.id)).counts == {"FAILED": 2}
    retry = (await world.doors.RetryOperation(asked(pb.RetryOperationRequest, batch.id), NOBODY)).operation
    assert await listed(world, retry.id) == {jobs[1].job_id}


async def test_what_was_retried_is_not_retried_once_more_from_the_old_batch(world: World) -> None:
    (job,) = await world.jobs(1)
    old = await world.executed([job])
    await ended(job)
    await world.doors.RetryOperation(asked(pb.RetryOperationRequest, old.id), NOBODY)
    with pytest.raises(RefusedError) as refused:
        await world.doors.RetryOperation(asked(pb.RetryOperationRequest, old.id), NOBODY)
    assert refused.value.code == "nothing_to_retry"


async def test_a_job_that_runs_again_by_itself_is_none_of_the_batchs_business(world: World) -> None:
    (job,) = await world.jobs(1)
    batch = await world.executed([job])
    await ended(job)
    await world.worked()
    job.execution_id = uuid4()
    await world.runner.submit.run_one(ExecuteJob(job.job_id, job.execution_id, chosen=True, actor=SIGNOFF))
    assert (await world.stands(batch.id)).counts == {"FAILED": 1}
    await judged(job, Outcome.PASS)
    assert (await world.stands(batch.id)).counts == {"FAILED": 1}


async def test_what_follows_by_policy_is_the_items_own(world: World) -> None:
    batch = await world.execute(
        jobs_pb.ExecuteJobsRequest(
            jobs=[resources.NewJob(title="A", acceptance_criteria=CRITERIA, agent_id="writer", policy=AUTOMATIC)]
        )
    )
    (item,) = await world.items(batch.id)
    assert item.execution_id is not None
    job = Steps(world.database, world.runner)
    job.job_id, job.execution_id = item.job_id, item.execution_id
    assert (await world.stands(batch.id)).counts == {"ASSIGNED": 1}
    await judged(job, Outcome.FAIL)
    job.execution_id = IDS.derive_next(job.execution_id)
    assert (await world.stands(batch.id)).counts == {"ASSIGNED": 1}
    await job.claim()
    assert (await world.stands(batch.id)).counts == {"IN_PROGRESS": 1}
    await judged(job, Outcome.PASS)
    await world.worked()
    done = await world.stands(batch.id)
    assert (done.state, done.counts) == ("DONE", {"COMPLETED": 1})
    assert [each.outcome for each in await world.items(batch.id)] == ["COMPLETED"]


async def test_a_cancelled_job_is_counted_as_such(world: World) -> None:
    one, other = await world.jobs(2)
    batch = await world.executed([one, other])
    await world.runner.submit.run_one(CancelJob(one.job_id, actor=SIGNOFF))
    assert (await world.stands(batch.id)).counts == {"ASSIGNED": 1, "CANCELLED": 1}


async def test_a_batch_that_a_rebuilt_database_does_not_know_still_lists_its_jobs(world: World) -> None:
    jobs = await world.jobs(2)
    batch = await world.executed(jobs)
    for table in ("operation_items", "operations"):
        await world.sql(f"DELETE FROM {table}")
    assert await listed(world, batch.id) == {job.job_id for job in jobs}
