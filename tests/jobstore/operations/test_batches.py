"""Batches as operations: stored first, gone on with by whoever is there, paused, cancelled, run again."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import CRITERIA, Published, Steps, seen

from contracts.convert import new_job_of, operation_of
from contracts.resources import Operation
from contracts.status import ReportKind
from jobstore.api.job_service import JobService
from jobstore.api.operations_service import OperationsService
from jobstore.commands.executions import CreateAndExecute, ExecuteJob
from jobstore.commands.jobs import CreateJob
from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.domain.limits import batch_limit
from jobstore.domain.model import ExecutionStage
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.operations import repository
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from jobstore.runner import CommandRunner
from jobstore.storage import limits
from jobstore.storage.database import Database
from servicekit.errors import TransientError
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources

NOBODY: Any = None


class World:
    """The doors of batches, and what stands behind them."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database = database
        self.runner = runner
        self.operator = OperationWorker(database, runner, items_max=2)
        self.batches = Batches(database, self.operator)
        self.jobs_service = self.serving(self.operator)
        self.doors = OperationsService(database, Watches(database), self.batches)
        self.published = Published()
        self.dispatcher = Dispatcher(database, self.published, runner.terms)  # type: ignore[arg-type]

    def serving(self, operator: OperationWorker) -> JobService:
        return JobService(self.database, self.runner, Watches(self.database), Batches(self.database, operator), 10_000)

    async def execute(self, request: jobs_pb.ExecuteJobsRequest) -> jobs_pb.Batch:
        return (await self.jobs_service.ExecuteJobs(request, NOBODY)).batch

    async def sql(self, query: str, **about: Any) -> list[Any]:
        async with self.database.transaction() as connection:
            result = await connection.execute(text(query), about)
            return list(result) if result.returns_rows else []

    async def jobs(self, count: int, **fields: Any) -> list[Steps]:
        return [await Steps(self.database, self.runner).created(**fields) for _ in range(count)]

    async def executed(self, jobs: list[Steps]) -> jobs_pb.Batch:
        """A batch of these jobs; each learns which execution was asked of it."""
        batch = await self.execute(jobs_pb.ExecuteJobsRequest(job_ids=[job.job_id for job in jobs]))
        for job in jobs:
            job.execution_id = repository.execution_of(UUID(batch.id), job.job_id)
        return batch

    async def crashed(self, request: jobs_pb.ExecuteJobsRequest) -> UUID:
        """The batch is stored, and then the database is away."""
        dying = OperationWorker(self.database, Dying(self.runner), items_max=2)  # type: ignore[arg-type]
        with pytest.raises(TransientError):
            await self.serving(dying).ExecuteJobs(request, NOBODY)
        ((batch_id,),) = await self.sql("SELECT id FROM operations ORDER BY created_at DESC LIMIT 1")
        await self.sql("UPDATE operations SET due_at = now() WHERE id = :id", id=batch_id)  # its taker is lost
        return UUID(str(batch_id))

    async def stands(self, batch_id: Any) -> Operation:
        return operation_of((await self.doors.GetOperation(asked(pb.GetOperationRequest, batch_id), NOBODY)).operation)

    async def worked(self) -> None:
        while await self.operator.work():
            pass

    async def offered(self) -> set[UUID]:
        """What is offered to executors now."""
        self.published.events.clear()
        await self.dispatcher.offer()
        return {event.execution_id for event in self.published.events}


class Dying:
    """CommandRunner of a process that ends when it has asked for a chunk, before it keeps the answers."""

    def __init__(self, runner: CommandRunner) -> None:
        self.submit = self
        self._runner = runner

    async def run(self, commands: Any) -> Any:
        await self._runner.submit.run(commands)
        raise TransientError("away")


def asked(kind: Any, batch_id: Any, **fields: Any) -> Any:
    return kind(operation_id=str(batch_id), **fields)


def new(**fields: Any) -> resources.NewJob:
    return resources.NewJob(**{"title": "A title", "acceptance_criteria": CRITERIA, "agent_id": "writer", **fields})


@pytest.fixture
async def world(database: Database, runner: CommandRunner) -> World:
    made = World(database, runner)
    for table in ("operation_items", "operations", "executions", "workers", "limits"):
        await made.sql(f"DELETE FROM {table}")
    await seen(database, ExecutionStage.EXECUTING, 1_000)
    return made


async def ended(job: Steps, kind: ReportKind = ReportKind.FAILED) -> None:
    answer = await job.claim()
    assert answer.execution is not None
    await job.report(answer.execution.lease, kind)


async def test_who_dies_while_accepting_leaves_a_batch_that_another_goes_on_with(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new(payload_json='{"n":1.0}') for _ in range(5)], idempotency_key="k")
    batch_id = await world.crashed(request)
    assert (await world.stands(batch_id)).counts == {"WAITING": 5}
    assert len(await world.sql("SELECT 1 FROM executions")) == 2

    await world.worked()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 5}
    rows = await world.sql("SELECT job_id, batch_id FROM executions")
    assert Counter(row.batch_id for row in rows) == {batch_id: 5}
    assert await world.sql("SELECT 1 FROM operation_items WHERE spec IS NOT NULL") == []
    versions = await world.sql("SELECT version FROM jobs WHERE batch_id = :id", id=batch_id)
    assert [row.version for row in versions] == [2] * 5  # created and requested, once

    again = await world.execute(request)
    assert (again.id, [item.accepted for item in again.items]) == (str(batch_id), [True] * 5)


async def test_asking_again_waits_for_what_is_not_answered_yet(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(3)], idempotency_key="again")
    await world.crashed(request)
    first, second = await asyncio.gather(world.execute(request), world.execute(request))
    assert first.counts == second.counts == {"ASSIGNED": 3}
    assert len(await world.sql("SELECT 1 FROM executions")) == 3


async def test_a_key_is_one_batch_and_of_other_jobs_a_conflict(world: World) -> None:
    one, other = await world.jobs(2)
    request = jobs_pb.ExecuteJobsRequest(job_ids=[one.job_id], idempotency_key="key")
    batch = await world.execute(request)
    assert (await world.execute(request)).id == batch.id
    request.job_ids.append(other.job_id)
    with pytest.raises(ConflictError) as conflict:
        await world.execute(request)
    assert conflict.value.code == "batch_conflict"
    labels = {str(n): "x" for n in range(20)}
    several = [new(labels=labels), new(labels=dict(reversed(labels.items())))]
    batches = [await world.execute(jobs_pb.ExecuteJobsRequest(jobs=[job], idempotency_key="map")) for job in several]
    assert batches[0].id == batches[1].id


async def test_a_batch_takes_the_jobs_that_match_a_filter(world: World) -> None:
    tenant = uuid4().hex
    chosen = await world.jobs(3, tenant=tenant, labels={"team": "a", "n": "1"})
    await world.jobs(1, tenant=tenant, labels={"team": "b"})
    (failed,) = await world.jobs(1, tenant=tenant, labels={"team": "a"})
    await world.executed([failed])
    await ended(failed)

    filter_ = {"tenant": tenant, "labels": {"team": "a"}, "statuses": [resources.JOB_STATUS_ASSIGNED]}
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(filter=filter_))
    assert [item.job_id for item in batch.items] == [job.job_id for job in chosen]
    assert batch.counts == {"ASSIGNED": 3}
    by_batch = await world.execute(jobs_pb.ExecuteJobsRequest(filter={"batch_id": batch.id}))
    assert [item.code for item in by_batch.items] == ["execution_live"] * 3


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"filter": {"tenant": "nobody's"}}, RefusedError, "nothing_matches"),
        ({"filter": {}}, InvalidError, "invalid_request"),
        ({"filter": {"tenant": "a"}, "job_ids": ["a"]}, InvalidError, "invalid_request"),
        ({"job_ids": ["a"] * 10_001}, InvalidError, "batch_too_large"),
    ],
)
async def test_what_is_no_batch_leaves_none(world: World, fields: Any, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as refused:
        await world.execute(jobs_pb.ExecuteJobsRequest(**fields))
    assert refused.value.code == code  # type: ignore[attr-defined]
    assert await world.sql("SELECT 1 FROM operations") == []


async def test_a_filter_that_takes_too_many_is_refused_whole(world: World) -> None:
    many = "INSERT INTO jobs SELECT (json_populate_record(j, json_build_object('id', j.id || '/' || n))).* "
    (job,) = await world.jobs(1, tenant="many")
    await world.sql(many + "FROM jobs j, generate_series(1, 10000) AS n WHERE id = :id", id=job.job_id)
    with pytest.raises(InvalidError) as refused:
        await world.execute(jobs_pb.ExecuteJobsRequest(filter={"tenant": "many"}))
    assert refused.value.code == "batch_too_large"
    assert await world.sql("SELECT 1 FROM operation_items") == []
    await world.sql("DELETE FROM jobs WHERE id LIKE :like", like=f"{job.job_id}/%")


async def test_a_batch_tells_how_it_goes_and_when_it_has_ended(world: World) -> None:
    jobs = await world.jobs(4)
    batch = await world.executed([*jobs, Steps(world.database, world.runner)])
    began = await world.stands(batch.id)
    assert (began.state, began.total, began.rate_per_s, began.ends_at) == ("RUNNING", 5, 0.0, None)
    assert began.counts == {"ASSIGNED": 4, "REFUSED": 1}
    await world.sql("UPDATE operations SET created_at = now() - interval '10 s' WHERE id = :id", id=batch.id)
    for job in jobs[:2]:
        await ended(job)
    going = await world.stands(batch.id)
    assert going.counts == {"ASSIGNED": 2, "FAILED": 2, "REFUSED": 1}
    assert going.rate_per_s == pytest.approx(0.2, rel=0.1)
    assert going.ends_at is not None
    assert (going.ends_at - going.created_at).total_seconds() == pytest.approx(20, rel=0.1)
    await world.worked()
    assert (await world.stands(batch.id)).state == "RUNNING"
    for job in jobs[2:]:
        await ended(job)
    await world.worked()
    done = await world.stands(batch.id)
    assert (done.state, done.counts, done.ends_at) == ("DONE", {"FAILED": 4, "REFUSED": 1}, None)
    await world.worked()
    assert (await world.stands(batch.id)).finished_at == done.finished_at is not None


async def test_a_batch_of_which_nothing_is_accepted_has_ended(world: World) -> None:
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(job_ids=["nobody"]))
    assert (batch.state, batch.counts, batch.items[0].code) == ("DONE", {"REFUSED": 1}, "unknown_job")


async def test_nothing_more_of_a_paused_batch_begins_until_it_is_resumed(world: World) -> None:
    jobs = await world.jobs(3)
    batch = await world.executed(jobs[:2])
    (other,) = await world.jobs(1)
    await world.executed([other])
    await ended(jobs[0], ReportKind.PROGRESS)  # it is with its executor, and goes on
    assert jobs[1].execution_id in await world.offered()
    for _ in range(2):
        paused = await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch.id), NOBODY)
        assert operation_of(paused.operation).state == "PAUSED"
    assert (await jobs[1].row()).state == "QUEUED"  # taken back
    assert await world.offered() == set()
    assert (await jobs[1].claim()).outcome == "QUEUED"
    assert (await other.claim()).outcome == "GRANTED"
    await world.worked()
    assert (await world.stands(batch.id)).state == "PAUSED"

    for _ in range(2):
        await world.doors.ResumeOperation(asked(pb.ResumeOperationRequest, batch.id), NOBODY)
    assert await world.offered() == {jobs[1].execution_id}
    assert (await world.stands(batch.id)).state == "RUNNING"
    assert await world.sql("SELECT 1 FROM limits") == []


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
    batch_id = await world.crashed(jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(2)], idempotency_key="p"))
    await world.sql("DELETE FROM executions")
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch_id), NOBODY)
    await world.worked()
    assert (await world.stands(batch_id)).counts == {"WAITING": 2}
    await world.doors.ResumeOperation(asked(pb.ResumeOperationRequest, batch_id), NOBODY)
    await world.worked()
    assert "WAITING" not in (await world.stands(batch_id)).counts


async def test_a_cancelled_batch_stops_what_is_live_and_what_is_not_asked_for(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new(id=f"c-{n}-{uuid4().hex}") for n in range(5)])
    batch_id = await world.crashed(request)
    await world.operator.work()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 2, "WAITING": 3}
    await world.doors.PauseOperation(asked(pb.PauseOperationRequest, batch_id), NOBODY)

    cancel = asked(pb.CancelOperationRequest, batch_id, reason="no more", requested_by="ada")
    for _ in range(2):
        answer = await world.doors.CancelOperation(cancel, NOBODY)
        assert operation_of(answer.operation).state == "CANCELLING"
    await world.worked()
    cancelled = await world.stands(batch_id)
    assert (cancelled.state, cancelled.counts) == ("CANCELLED", {"ASSIGNED": 2, "REFUSED": 3})
    assert cancelled.finished_at is not None
    message = await world.batches.get(batch_id)
    assert [item.code for item in message.items] == [None, None, "cancelled", "cancelled", "cancelled"]
    assert await world.sql("SELECT 1 FROM executions WHERE state <> 'DONE'") == []
    assert await world.sql("SELECT 1 FROM limits") == []
    logs = await world.sql("SELECT message FROM job_logs WHERE job_id = :id ORDER BY seq", id=request.jobs[0].id)
    assert logs[-1].message == "cancelled by ada: no more"

    late_id = request.jobs[4].id  # a process that was slow, and asks now
    execution = ExecuteJob(late_id, repository.execution_of(batch_id, late_id), chosen=True)
    late = CreateAndExecute(CreateJob(new_job_of(request.jobs[4]), late_id), execution)
    with pytest.raises(RefusedError) as refused:
        await world.runner.submit.one(late)
    assert refused.value.code == "cancelled"


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
    retried = [operation_of((await world.doors.RetryOperation(retry, NOBODY)).operation) for _ in range(2)]
    assert retried[0].id == retried[1].id != UUID(batch.id)
    assert (retried[0].retry_of, retried[0].counts) == (UUID(batch.id), {"ASSIGNED": 2})
    retry.statuses.append(resources.JOB_STATUS_REJECTED)
    with pytest.raises(ConflictError):
        await world.doors.RetryOperation(retry, NOBODY)
    rejected = asked(pb.RetryOperationRequest, batch.id, statuses=[resources.JOB_STATUS_REJECTED])
    answer = operation_of((await world.doors.RetryOperation(rejected, NOBODY)).operation)
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
    assert operation_of((await anext(told)).operation).counts == {"ASSIGNED": 1}
    await ended(job)
    await world.worked()
    rest = [operation_of(answer.operation) async for answer in told]
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
    async with world.database.session() as session:
        assert await limits.one(session, name)
