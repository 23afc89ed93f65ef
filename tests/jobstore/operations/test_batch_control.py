"""A batch is paused, resumed, cancelled, run again and watched to its end."""

import asyncio
from uuid import UUID, uuid4

import pytest
from batch_world import NOBODY, World, asked, ended, new

from contracts.resources import new_job_of
from jobstore.errors import InvalidError, NotFoundError, RefusedError, TooManyCallsError
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from jobstore.limits.rules import batch_limit
from jobstore.operations.commands import CarryOutItem, Item
from signoff.status import ReportKind
from signoff.types import read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources


async def test_nothing_more_of_a_paused_batch_begins_until_it_is_resumed(world: World) -> None:
    jobs = await world.jobs(3)
    batch = await world.executed(jobs[:2])
    (other,) = await world.jobs(1)
    await world.executed([other])
    await ended(jobs[0], ReportKind.PROGRESS)  # it is with its executor, and goes on
    assert jobs[1].execution_id in await world.offered()
    for _ in range(2):
        paused = await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch.id), NOBODY)
        assert read_model(paused.operation).state == "PAUSED"
    assert (await jobs[1].row()).state == "QUEUED"  # taken back
    assert await world.offered() == set()
    assert (await jobs[1].claim()).outcome == "QUEUED"
    assert (await other.claim()).outcome == "GRANTED"
    await world.worked()
    stands = await world.stands(batch.id)
    assert (stands.state, [(each.code, each.count) for each in stands.waiting]) == ("PAUSED", [("limit_paused", 1)])

    for _ in range(2):
        await world.doors.ResumeOperation(asked(pb.ResumeOperationRequest, batch.id), NOBODY)
    assert await world.offered() == {jobs[1].execution_id}
    assert (await world.stands(batch.id)).state == "RUNNING"
    assert await world.sql("SELECT 1 FROM limits") == []


async def test_what_was_done_is_answered_however_many_readers_there_are(world: World) -> None:
    batch = await world.executed(await world.jobs(1))
    full, let_go = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        try:
            async with world.database.for_callers().session():
                await let_go.wait()
        except TooManyCallsError:
            full.set()

    readers = [asyncio.create_task(read()) for _ in range(30)]
    await full.wait()
    for call, request in (
        (world.doors.PauseOperation, pb.PauseOperationRequest),
        (world.doors.ResumeOperation, pb.ResumeOperationRequest),
    ):
        await call(asked(request, batch.id), NOBODY)
    let_go.set()
    await asyncio.gather(*readers)


async def test_a_paused_batch_of_which_nothing_is_left_has_ended(world: World) -> None:
    (job,) = await world.jobs(1)
    batch = await world.executed([job])
    await job.claim()
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch.id), NOBODY)
    await ended(job, ReportKind.FAILED)
    await world.worked()
    assert (await world.stands(batch.id)).state == "DONE"
    assert await world.sql("SELECT 1 FROM limits") == []


async def test_what_is_not_asked_for_yet_waits_while_a_batch_is_paused(world: World) -> None:
    batch_id = await world.crashed(jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(4)], idempotency_key="p"))
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch_id), NOBODY)
    await world.worked()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 2, "WAITING": 2}
    await world.doors.ResumeOperation(asked(pb.ResumeOperationRequest, batch_id), NOBODY)
    await world.worked()
    assert "WAITING" not in (await world.stands(batch_id)).counts


async def test_a_cancelled_batch_stops_what_is_live_and_what_is_not_asked_for(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new(id=f"c-{n}-{uuid4().hex}") for n in range(5)])
    batch_id = await world.crashed(request)
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 2, "WAITING": 3}
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch_id), NOBODY)

    cancel = asked(pb.CancelOperationRequest, batch_id, reason="no more")
    for _ in range(2):
        answer = await world.doors.CancelOperation(cancel, NOBODY)
        assert read_model(answer.operation).state == "CANCELLING"
    await world.worked()
    cancelled = await world.stands(batch_id)
    assert (cancelled.state, cancelled.counts) == ("CANCELLED", {"CANCELLED": 5})
    assert cancelled.finished_at is not None
    assert [item.code for item in await world.items(batch_id)] == [None, None, "cancelled", "cancelled", "cancelled"]
    assert await world.sql("SELECT 1 FROM executions WHERE state <> 'DONE'") == []
    assert await world.sql("SELECT 1 FROM limits") == []
    logs = await world.sql("SELECT message FROM job_logs WHERE job_id = :id ORDER BY seq", id=request.jobs[0].id)
    assert logs[-1].message == "cancelled by token:bootstrap: no more"

    item = Item(4, request.jobs[4].id)  # a process that was slow, and asks now
    late = CarryOutItem(
        batch_id, item, CreateJob(new_job_of(request.jobs[4]), item.job_id, actor=SIGNOFF), actor=SIGNOFF
    )
    await world.runner.submit.run_one(late)
    assert await world.sql("SELECT 1 FROM jobs WHERE id = :id", id=item.job_id) == []


async def test_what_failed_of_a_batch_runs_again_as_a_batch(world: World) -> None:
    jobs = await world.jobs(3)
    batch = await world.executed(jobs)
    nothing = asked(pb.RetryOperationRequest, batch.id)
    with pytest.raises(RefusedError) as refused:
        await world.doors.RetryOperation(nothing, NOBODY)
    assert refused.value.code == "nothing_to_retry"
    for job in jobs[:2]:
        await ended(job)
    await ended(jobs[2], ReportKind.DECLINED)

    retry = asked(pb.RetryOperationRequest, batch.id, idempotency_key="once more")
    retried = [read_model((await world.doors.RetryOperation(retry, NOBODY)).operation) for _ in range(2)]
    assert retried[0].id == retried[1].id != UUID(batch.id)
    assert (retried[0].retry_of, retried[0].counts) == (UUID(batch.id), {"ASSIGNED": 2})
    retry.statuses.append(resources.JOB_STATUS_REJECTED)
    with pytest.raises(InvalidError):
        await world.doors.RetryOperation(retry, NOBODY)
    rejected = asked(pb.RetryOperationRequest, batch.id, statuses=[resources.JOB_STATUS_REJECTED])
    answer = read_model((await world.doors.RetryOperation(rejected, NOBODY)).operation)
    assert (answer.total, answer.counts) == (1, {"REFUSED": 1})

    listed = await world.doors.ListOperations(pb.ListOperationsRequest(page_size=2), NOBODY)
    rest = await world.doors.ListOperations(pb.ListOperationsRequest(page_token=listed.next_page_token), NOBODY)
    found = [operation.id for operation in [*listed.operations, *rest.operations]]
    assert found == [str(answer.id), str(retried[0].id), batch.id]


@pytest.mark.parametrize("door", ["Pause", "Resume", "Cancel"])
async def test_what_has_ended_is_moved_no_more(world: World, door: str) -> None:
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(job_ids=["nobody"]))
    ask, kind = getattr(world.doors, f"{door}Operation"), getattr(pb, f"{door}OperationRequest")
    with pytest.raises(RefusedError) as refused:
        await ask(asked(kind, batch.id), NOBODY)
    assert refused.value.code == "operation_ended"
    for unknown in ("?", uuid4()):
        with pytest.raises(NotFoundError):
            await ask(asked(kind, unknown), NOBODY)
    assert await world.sql("SELECT 1 FROM limits") == []


async def test_a_watch_tells_what_changes_until_the_end(world: World) -> None:
    (job,) = await world.jobs(1)
    batch = await world.executed([job])
    told = world.doors.WatchOperation(asked(pb.WatchOperationRequest, batch.id), NOBODY)
    assert read_model((await anext(told)).operation).counts == {"ASSIGNED": 1}
    await ended(job)
    await world.worked()
    rest = [read_model(answer.operation) async for answer in told]
    assert (rest[-1].state, rest[-1].counts) == ("DONE", {"FAILED": 1})


async def test_the_limit_of_a_batch_is_no_door_for_people(world: World) -> None:
    (job,) = await world.jobs(1)
    batch = await world.executed([job])
    name = batch_limit(UUID(batch.id))
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch.id), NOBODY)
    with pytest.raises(InvalidError):
        await world.doors.RemoveLimit(pb.RemoveLimitRequest(name=name), NOBODY)
    with pytest.raises(InvalidError):
        await world.doors.Pause(pb.PauseRequest(name=name, paused=False), NOBODY)
    assert await world.sql("SELECT 1 FROM limits WHERE name = :name", name=name)
