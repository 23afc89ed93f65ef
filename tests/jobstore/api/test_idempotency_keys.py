"""An idempotency key is one request of its method and tenant: the same is answered the same, another is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, JOB, Status, create, refused
from sqlalchemy import text
from support.jobstore.registered import register_tenants
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import SIGNOFF
from signoff.connection import REPLAYED
from signoff.status import Outcome, ReportKind
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judging_service_pb2 as judgings_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.judging_service_pb2_grpc import JudgingServiceStub
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub


@pytest.fixture
def key() -> str:
    return f"key-{uuid4()}"


class World(NamedTuple):
    """Where a request is prepared."""

    database: Database
    runner: CommandRunner
    channel: grpc.aio.Channel

    async def job(self, tenant: str, **fields: Any) -> Steps:
        return await Steps(self.database, self.runner).created(tenant=tenant, **fields)

    async def judged(self, tenant: str) -> Steps:
        """A job at RESUBMISSION_REQUIRED."""
        steps = Steps(self.database, self.runner)
        await steps.report(await steps.judging(tenant=tenant), ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
        return steps

    async def failed_batch(self) -> str:
        steps = await self.job("default")
        request = jobs_pb.ExecuteJobsRequest(job_ids=[steps.job_id])
        batch = (await JobServiceStub(self.channel).ExecuteJobs(request, metadata=ADMINISTRATOR)).operation
        (item,) = await self.items(batch.id)
        steps.execution_id = UUID(item.execution_id)
        claimed = await steps.claim()
        assert claimed.execution is not None
        await steps.report(claimed.execution.lease, ReportKind.FAILED, code="agent_status")
        return str(batch.id)

    async def items(self, operation_id: str) -> list[resources_pb2.OperationItem]:
        request = operations_pb.ListOperationItemsRequest(operation_id=operation_id)
        return list(
            (await OperationsServiceStub(self.channel).ListOperationItems(request, metadata=ADMINISTRATOR)).items
        )


class Door(NamedTuple):
    """A request that takes a key: `prepare` returns, for a tenant, what makes it, with what is changed in another."""

    stub: Any
    prepare: Callable[[World, str], Awaitable[Callable[[bool], Any]]]
    id_of: Callable[[Any], str]
    has_tenant: bool = True


async def creation(_: World, tenant: str) -> Callable[[bool], Any]:
    return lambda other: create(tenant=tenant, title="Another" if other else "A title")


async def creation_by_id(_: World, tenant: str) -> Callable[[bool], Any]:
    ids = str(uuid4()), str(uuid4())
    return lambda other: create(tenant=tenant, id=ids[other])


def executing(*, named: bool) -> Callable[[World, str], Awaitable[Callable[[bool], Any]]]:
    async def prepare(world: World, tenant: str) -> Callable[[bool], Any]:
        job, ids = await world.job(tenant), (str(uuid4()), str(uuid4()))

        def make(other: bool) -> Any:
            request = jobs_pb.ExecuteJobRequest(job_id=job.job_id)
            if named:
                request.execution_id = ids[other]
            elif other:
                request.not_before.FromJsonString("2100-01-01T00:00:00Z")
            return request

        return make

    return prepare


async def executing_another_job(world: World, tenant: str) -> Callable[[bool], Any]:
    jobs = [await world.job(tenant) for _ in range(2)]
    return lambda other: jobs_pb.ExecuteJobRequest(job_id=jobs[other].job_id)


async def resubmission(world: World, tenant: str) -> Callable[[bool], Any]:
    job = await world.judged(tenant)
    return lambda other: jobs_pb.ResubmitJobRequest(job_id=job.job_id, comment="bluer" if other else None)


async def batch(world: World, tenant: str) -> Callable[[bool], Any]:
    await world.job(tenant)
    filter_ = resources_pb2.JobFilter(tenant=tenant)
    return lambda other: jobs_pb.ExecuteJobsRequest(filter=filter_, name="another" if other else "nightly")


async def batch_of_new_jobs(_: World, tenant: str) -> Callable[[bool], Any]:
    del tenant
    new = [resources_pb2.NewJob(**JOB), resources_pb2.NewJob(**JOB | {"title": "Another"})]
    return lambda other: jobs_pb.ExecuteJobsRequest(jobs=new[: 1 + other])


async def operation(world: World, tenant: str) -> Callable[[bool], Any]:
    await world.job(tenant)
    new = [
        resources_pb2.NewOperation(kind="OPERATION_KIND_CANCEL", filter={"tenant": tenant}, reason=reason)
        for reason in ("enough", "too much")
    ]
    return lambda other: operations_pb.CreateOperationRequest(operation=new[other])


async def retry(world: World, tenant: str) -> Callable[[bool], Any]:
    del tenant
    operation_id = await world.failed_batch()
    return lambda other: operations_pb.RetryOperationRequest(
        operation_id=operation_id, name="another" if other else None
    )


async def agent(_: World, tenant: str) -> Callable[[bool], Any]:
    del tenant
    new = [
        resources_pb2.NewAgent(name=name, url="http://127.0.0.1:1/", protocol=resources_pb2.PROTOCOL_HTTP)
        for name in ("a", "b")
    ]
    return lambda other: agents_pb.CreateAgentRequest(agent=new[other])


async def agent_try(world: World, tenant: str) -> Callable[[bool], Any]:
    request = (await agent(world, tenant))(False)
    made = await AgentServiceStub(world.channel).CreateAgent(request, metadata=ADMINISTRATOR)
    new = [agents_pb.NewAgentTry(title=title) for title in ("a", "b")]
    return lambda other: agents_pb.CreateAgentTryRequest(agent_id=made.agent.id, agent_try=new[other])


async def judgings(_: World, tenant: str) -> Callable[[bool], Any]:
    del tenant
    cases = [
        judgings_pb.JudgingCase(result_json=result, acceptance_criteria="Is blue") for result in ('"blue"', '"red"')
    ]
    return lambda other: judgings_pb.CreateJudgingsRequest(kind="JUDGING_KIND_TRY", cases=cases[other : other + 1])


DOORS = {
    "CreateJob": Door(JobServiceStub, creation, lambda answer: answer.job.id),
    "CreateJob by id": Door(JobServiceStub, creation_by_id, lambda answer: answer.job.id),
    "ExecuteJob": Door(JobServiceStub, executing(named=False), lambda answer: answer.execution.id),
    "ExecuteJob by id": Door(JobServiceStub, executing(named=True), lambda answer: answer.execution.id),
    "ExecuteJob of another": Door(JobServiceStub, executing_another_job, lambda answer: answer.execution.id),
    "ResubmitJob": Door(JobServiceStub, resubmission, lambda answer: answer.execution.id),
    "ExecuteJobs": Door(JobServiceStub, batch, lambda answer: answer.operation.id),
    "ExecuteJobs anew": Door(JobServiceStub, batch_of_new_jobs, lambda answer: answer.operation.id, has_tenant=False),
    "CreateOperation": Door(OperationsServiceStub, operation, lambda answer: answer.operation.id),
    "RetryOperation": Door(OperationsServiceStub, retry, lambda answer: answer.operation.id, has_tenant=False),
    "CreateAgent": Door(AgentServiceStub, agent, lambda answer: answer.agent.id, has_tenant=False),
    "CreateAgentTry": Door(AgentServiceStub, agent_try, lambda answer: answer.agent_try.id, has_tenant=False),
    "CreateJudgings": Door(JudgingServiceStub, judgings, lambda answer: answer.id, has_tenant=False),
}
EACH = pytest.mark.parametrize("name", DOORS)


class Asking(NamedTuple):
    """A door, and its requests under one key."""

    name: str
    key: str
    make: Callable[[bool], Any]

    def request(self, *, other: bool = False) -> Any:
        request = self.make(other)
        request.idempotency_key = self.key
        return request

    def call(self, channel: grpc.aio.Channel, *, other: bool = False) -> Any:
        method = getattr(DOORS[self.name].stub(channel), self.name.partition(" ")[0])
        return method(self.request(other=other), metadata=ADMINISTRATOR)

    async def answer(self, channel: grpc.aio.Channel) -> tuple[str, bool]:
        """The id of what was made, and whether the answer is a repeat."""
        call = self.call(channel)
        made = DOORS[self.name].id_of(await call)
        return made, REPLAYED in tuple(await call.trailing_metadata() or ())


@pytest.fixture
def world(database: Database, runner: CommandRunner, channel: grpc.aio.Channel) -> World:
    return World(database, runner, channel)


async def asking(world: World, name: str, key: str, tenant: str = "") -> Asking:
    tenant = tenant or f"tenant-{uuid4().hex[:8]}"
    await register_tenants(world.runner, tenant)
    return Asking(name, key, await DOORS[name].prepare(world, tenant))


@EACH
async def test_the_same_request_has_the_same_answer_and_another_is_refused(
    world: World, another: grpc.aio.Channel, name: str, key: str
) -> None:
    asked = await asking(world, name, key)
    first, is_replay = await asked.answer(world.channel)
    assert not is_replay
    for channel in (world.channel, another):  # and in another process
        assert await asked.answer(channel) == (first, True)
        status, code, _ = await refused(asked.call(channel, other=True))
        assert (status, code) == (Status.INVALID_ARGUMENT, "idempotency_key_reused")
    assert await asked.answer(world.channel) == (first, True)


@EACH
async def test_of_two_at_once_one_is_carried_out(world: World, another: grpc.aio.Channel, name: str, key: str) -> None:
    asked = await asking(world, name, key)
    answers = await asyncio.gather(*(asked.answer(each) for each in (world.channel, another) * 3))
    assert len({made for made, _ in answers}) == 1
    assert sorted(is_replay for _, is_replay in answers) == [False] + [True] * 5


@EACH
async def test_of_two_other_ones_at_once_one_is_refused(
    world: World, another: grpc.aio.Channel, name: str, key: str
) -> None:
    asked = await asking(world, name, key)
    calls = [asked.call(world.channel), asked.call(another, other=True)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    (error,) = (answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError))
    assert dict(error.trailing_metadata() or ())["signoff-code"] == "idempotency_key_reused"


@EACH
async def test_after_a_rebuild_a_repeat_is_answered_by_the_id_that_its_key_makes(
    world: World, name: str, key: str
) -> None:
    """Facts do not tell of keys: what a key made is there, and not what was asked for under it."""
    asked = await asking(world, name, key)
    first, _ = await asked.answer(world.channel)
    async with world.database.transaction() as connection:
        await connection.execute(text("DELETE FROM request_keys"))
    assert await asked.answer(world.channel) == (first, True)


async def test_a_key_outlives_judgings_and_nothing_is_judged_anew(world: World, key: str) -> None:
    asked = await asking(world, "CreateJudgings", key)
    first, _ = await asked.answer(world.channel)
    async with world.database.transaction() as connection:
        await connection.execute(text("DELETE FROM judgings WHERE group_id = :id"), {"id": UUID(first)})
    assert await asked.answer(world.channel) == (first, True)
    request = judgings_pb.GetJudgingsRequest(judgings_id=first)
    call = JudgingServiceStub(world.channel).GetJudgings(request, metadata=ADMINISTRATOR)
    assert (await refused(call))[1] == "unknown_judgings"


@pytest.mark.parametrize("name", [name for name, door in DOORS.items() if door.has_tenant])
async def test_another_tenants_key_is_another_request(world: World, name: str, key: str) -> None:
    ours, theirs = [await asking(world, name, key) for _ in range(2)]
    (first, _), (second, is_replay) = await ours.answer(world.channel), await theirs.answer(world.channel)
    assert first != second
    assert not is_replay


@pytest.mark.parametrize("name", ["ExecuteJob", "ExecuteJob by id"])
async def test_a_repeat_is_answered_the_first_execution_after_another(
    world: World, jobs: Any, name: str, key: str
) -> None:
    asked = await asking(world, name, key)
    first, _ = await asked.answer(world.channel)
    job_id = asked.request().job_id
    await world.runner.submit.run_one(CancelJob(job_id, actor=SIGNOFF))
    later = await jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR)
    assert later.execution.id != first
    call = asked.call(world.channel)
    execution = (await call).execution
    assert (execution.id, execution.state, execution.code) == (
        first,
        resources_pb2.EXECUTION_STATE_CANCELLED,
        "cancelled",
    )
    assert execution.HasField("ended_at")
    got = await jobs.GetExecution(jobs_pb.GetExecutionRequest(execution_id=first), metadata=ADMINISTRATOR)
    assert got.execution == execution


async def test_what_was_refused_may_be_asked_again_under_its_key(world: World, key: str) -> None:
    asked = await asking(world, "ExecuteJob", key)
    job_id = asked.request().job_id
    await JobServiceStub(world.channel).ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR)
    for _ in range(2):
        status, code, _ = await refused(asked.call(world.channel))
        assert (status, code) == (Status.FAILED_PRECONDITION, "execution_live")
    await world.runner.submit.run_one(CancelJob(job_id, actor=SIGNOFF))
    assert not (await asked.answer(world.channel))[1]


async def test_a_key_is_of_each_method_on_its_own(world: World, key: str) -> None:
    """A resubmission under the key of an execution is no repeat of it: it would say that all is well."""
    asked = await asking(world, "ExecuteJob", key)
    await asked.answer(world.channel)
    request = jobs_pb.ResubmitJobRequest(job_id=asked.request().job_id, idempotency_key=key)
    call = JobServiceStub(world.channel).ResubmitJob(request, metadata=ADMINISTRATOR)
    assert (await refused(call))[1] == "illegal_transition"


async def test_an_agent_that_was_changed_since_is_no_conflict(world: World, agents: Any, key: str) -> None:
    asked = await asking(world, "CreateAgent", key)
    first, _ = await asked.answer(world.channel)
    new = resources_pb2.NewAgent(name="later", url="http://127.0.0.1:2/", protocol=resources_pb2.PROTOCOL_HTTP)
    await agents.UpdateAgent(agents_pb.UpdateAgentRequest(agent_id=first, agent=new), metadata=ADMINISTRATOR)
    assert await asked.answer(world.channel) == (first, True)


async def test_a_job_that_comes_meanwhile_makes_no_other_batch_of_a_key(world: World, jobs: Any, key: str) -> None:
    known, unknown = await world.job("ours"), str(uuid4())
    request = jobs_pb.ExecuteJobsRequest(idempotency_key=key, job_ids=[known.job_id, unknown])
    first = (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).operation
    assert [item.code for item in await world.items(first.id)] == ["", "unknown_job"]
    await jobs.CreateJob(create(tenant="theirs", id=unknown), metadata=ADMINISTRATOR)
    assert (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).operation.id == first.id


async def test_the_order_of_members_makes_no_other_request(jobs: Any, key: str) -> None:
    ids = set()
    for payload in ('{"a": 1, "b": {"c": 2, "d": 3}}', '{"b":{"d":3,"c":2},"a":1}'):
        request = create()
        request.job.payload_json, request.idempotency_key = payload, key
        ids.add((await jobs.CreateJob(request, metadata=ADMINISTRATOR)).job.id)
    assert len(ids) == 1


async def test_ids_under_keys_cannot_be_foretold(world: World, jobs: Any, key: str) -> None:
    new = [resources_pb2.NewJob(**JOB, tenant=tenant) for tenant in ("ours", "theirs")]
    request = jobs_pb.ExecuteJobsRequest(idempotency_key=key, jobs=new)
    made = (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).operation
    items = await world.items(made.id)
    ids = [made.id, *(item.job_id for item in items), *(item.execution_id for item in items)]
    asked = [await asking(world, name, key) for name in ("CreateJob", "ExecuteJob", "CreateAgent")]
    ids += [(await each.answer(world.channel))[0] for each in asked]
    assert {UUID(one).version for one in ids} == {8}
    assert len(set(ids)) == 8


async def test_a_key_is_bounded(jobs: Any) -> None:
    request = create()
    request.idempotency_key = "x" * 256
    calls = [
        jobs.CreateJob(request, metadata=ADMINISTRATOR),
        jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id="a", idempotency_key="x" * 256), metadata=ADMINISTRATOR),
        jobs.ExecuteJobs(jobs_pb.ExecuteJobsRequest(idempotency_key="x" * 256), metadata=ADMINISTRATOR),
    ]
    for call in calls:
        status, code, message = await refused(call)
        assert (status, code) == (Status.INVALID_ARGUMENT, "invalid_request")
        assert "255" in message


async def test_nothing_is_known_of_an_execution_that_nobody_asked_for(jobs: Any) -> None:
    call = jobs.GetExecution(jobs_pb.GetExecutionRequest(execution_id=str(uuid4())), metadata=ADMINISTRATOR)
    assert (await refused(call))[:2] == (Status.NOT_FOUND, "unknown_execution")


async def test_an_execution_tells_how_it_stands_and_ended(world: World, jobs: Any) -> None:
    async def show(steps: Steps) -> Any:
        request = jobs_pb.GetExecutionRequest(execution_id=str(steps.execution_id))
        return (await jobs.GetExecution(request, metadata=ADMINISTRATOR)).execution

    steps = Steps(world.database, world.runner)
    await steps.requested()
    state = resources_pb2.ExecutionState.Name
    assert state((await show(steps)).state) == "EXECUTION_STATE_WAITING"
    claimed = await steps.claim()
    assert claimed.execution is not None
    assert state((await show(steps)).state) == "EXECUTION_STATE_RUNNING"
    judging = await steps.claim_judging(claimed.execution.lease)
    assert judging.execution is not None
    under_way = await show(steps)
    assert state(under_way.state) == "EXECUTION_STATE_JUDGING"
    assert not under_way.HasField("ended_at")
    await steps.report(judging.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    ended = await show(steps)
    entries = await steps.logs()
    assert state(ended.state) == "EXECUTION_STATE_RESUBMISSION_REQUIRED"
    assert (ended.job_id, ended.agent_id, ended.attempt, ended.submission) == (steps.job_id, "writer", 1, 1)
    assert ended.created_at.ToDatetime() == entries[1].created_at.replace(tzinfo=None)
    assert ended.ended_at.ToDatetime() == entries[-1].created_at.replace(tzinfo=None)
    assert (ended.cost_usd, ended.tokens, ended.max_calls) == ("0", 0, 3)
