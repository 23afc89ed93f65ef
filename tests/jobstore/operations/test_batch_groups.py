"""What a batch has come to: its failures in groups, how much was accepted, and what it will cost."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from batch_world import CALLER, NOBODY, World, asked, ended, judged, spend
from google.protobuf.json_format import MessageToDict
from support.jobstore.steps import Steps

from contracts.resources import NewOperation
from jobstore.errors import NotFoundError
from jobstore.insights import inbox as reads
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from signoff.types import InboxGroup, read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources
from signoff.wire import write_message


async def groups_of(world: World, batch_id: Any) -> list[InboxGroup]:
    response = await world.doors.GetOperationGroups(asked(pb.GetOperationGroupsRequest, batch_id), NOBODY)
    return read_model(response).groups


async def failed(job: Steps, code: str, message: str) -> None:
    answer = await job.claim()
    assert answer.execution is not None
    await job.report(answer.execution.lease, ReportKind.FAILED, code=code, message=message)


async def listed(world: World, group: InboxGroup) -> int:
    assert group.filter is not None
    request = jobs_pb.ListJobsRequest(filter=write_message(resources.JobFilter, group.filter))
    return len((await world.jobs_service.ListJobs(request, CALLER)).jobs)


async def test_failures_of_a_batch_are_groups_that_open_and_mend_what_they_count(world: World) -> None:
    (stranger,) = await world.jobs(1)
    await world.executed([stranger])
    await failed(stranger, "agent_status", "of another batch")
    jobs = await world.jobs(5)
    batch = await world.executed(jobs)
    assert await groups_of(world, batch.id) == []
    await failed(jobs[0], "agent_status", "it said 500")
    await failed(jobs[1], "agent_status", "it said 502")
    await failed(jobs[2], "agent_timeout", "nothing for an hour")
    await judged(jobs[3], Outcome.FAIL)
    await judged(jobs[4], Outcome.PASS)
    await world.worked()
    status, timeout, unmet = await groups_of(world, batch.id)
    assert (status.kind, status.code, status.agent_id, status.count) == ("failed", "agent_status", "writer", 2)
    assert (status.newest_job_id, status.message, status.has_more) == (jobs[1].job_id, "it said 502", False)
    assert (timeout.code, timeout.count) == ("agent_timeout", 1)
    assert (unmet.kind, unmet.count, unmet.criterion is not None) == ("not_accepted", 1, True)
    for group in (status, timeout, unmet):
        assert await listed(world, group) == group.count
    assert unmet.operation is not None
    assert unmet.operation.kind == "resubmit"

    assert status.operation is not None
    new = NewOperation(kind=status.operation.kind, filter=status.operation.filter.model_dump(exclude_defaults=True))
    retry = (await world.batches.create(new, "", SIGNOFF)).value
    assert retry.total == 2
    await world.worked()
    assert [group.code or group.kind for group in await groups_of(world, batch.id)] == ["agent_timeout", "not_accepted"]


async def test_what_failed_before_a_batch_is_none_of_its_failures_until_it_is_asked_for(world: World) -> None:
    (job,) = await world.jobs(1)
    await world.executed([job])
    await failed(job, "agent_status", "before")
    batch_id = await world.crashed(jobs_pb.ExecuteJobsRequest(job_ids=[job.job_id]))
    await world.sql("UPDATE operation_items SET answered = false WHERE operation_id = :id", id=batch_id)
    await world.sql("UPDATE jobs SET status = 'FAILED', live = false WHERE id = :id", id=job.job_id)
    assert await groups_of(world, batch_id) == []


async def test_of_more_items_than_are_looked_at_a_group_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "JOBS_MAX", 2)
    jobs = await world.jobs(3)
    batch = await world.executed(jobs)
    for job in jobs:
        await failed(job, "agent_status", "it said 500")
    (group,) = await groups_of(world, batch.id)
    assert (group.count, group.has_more) == (2, True)


async def test_no_such_batch_has_groups(world: World) -> None:
    with pytest.raises(NotFoundError):
        await groups_of(world, UUID(int=0))


async def test_what_executes_nothing_has_no_groups_and_no_share(world: World) -> None:
    (job,) = await world.jobs(1)
    await world.executed([job])
    await ended(job)
    new = NewOperation(kind="assign", job_ids=[job.job_id], agent_id="writer")
    operation = (await world.batches.create(new, "", SIGNOFF)).value
    await world.worked()
    assert await groups_of(world, operation.id) == []
    assert (await world.stands(operation.id)).acceptance_rate is None


async def test_the_share_that_is_accepted_is_of_what_was_judged(world: World) -> None:
    jobs = await world.jobs(5)
    batch = await world.executed(jobs)
    assert (await world.stands(batch.id)).acceptance_rate is None
    for job, outcome in zip(jobs, [Outcome.PASS, Outcome.PASS, Outcome.FAIL], strict=False):
        await judged(job, outcome)
    await ended(jobs[3])
    assert (await world.stands(batch.id)).acceptance_rate == pytest.approx(2 / 3)


async def test_the_expected_cost_is_the_mean_of_what_ended_for_what_is_left(world: World) -> None:
    jobs = await world.jobs(4)
    batch = await world.executed(jobs)
    assert (await world.stands(batch.id)).expected_cost_usd is None
    await spend(jobs[0], 0.5)
    await ended(jobs[1])  # which cost nothing, as others will
    halfway = await world.stands(batch.id)
    assert (halfway.cost_usd, halfway.expected_cost_usd) == (Decimal("0.5"), Decimal(1))
    response = await world.doors.GetOperation(asked(pb.GetOperationRequest, batch.id), NOBODY)
    assert MessageToDict(response.operation)["expectedCostUsd"] == "1"
    for job in jobs[2:]:
        await ended(job)
    await world.worked()
    done = await world.stands(batch.id)
    assert (done.cost_usd, done.expected_cost_usd) == (Decimal("0.5"), None)
