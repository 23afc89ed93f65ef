"""What a caller makes is of its tenant, and what it names is its own: a batch of others' is as if it were not there."""

from typing import Any

import pytest
from batch_world import NOBODY, World
from support.jobstore.registered import register_tenants
from support.jobstore.steps import Steps

from jobstore.access.callers import CALLER, Caller
from jobstore.api.agent_service import AgentService
from jobstore.engine.scoped import Callers
from jobstore.errors import ForbiddenError, InvalidError, NotFoundError
from jobstore.jobs.model import Actor
from signoff.status import Role
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources

NEW = {"title": "A title", "acceptance_criteria": "Is not empty"}


def calling(*tenants: str) -> None:
    """Calls are from now on of somebody of these tenants; of none: of all."""
    of_some = frozenset(tenants) if tenants else None
    CALLER.set(Caller("eve", Actor("token:eve"), Role.ADMINISTRATOR, of_some))


async def create(world: World, **fields: Any) -> resources.Job:
    request = jobs_pb.CreateJobRequest(job=resources.NewJob(**{**NEW, **fields}))
    return (await world.jobs_service.CreateJob(request, NOBODY)).job


def code_of(caught: pytest.ExceptionInfo[InvalidError]) -> str:
    return caught.value.code


async def test_a_new_job_is_of_its_callers_tenant(world: World) -> None:
    calling("press")
    assert (await create(world)).tenant == "press"
    assert (await create(world, id="press:own", tenant="press")).tenant == "press"
    texts = set()
    for tenant in ("law", "nobody"):  # one that is there, and one that is not
        with pytest.raises(InvalidError) as caught:
            await create(world, tenant=tenant)
        assert code_of(caught) == "unknown_tenant"
        texts.add(str(caught.value).replace(tenant, "?"))
    assert len(texts) == 1
    with pytest.raises(InvalidError) as caught:
        await create(world, id="law:1")
    assert code_of(caught) == "id_prefix"


async def test_who_has_several_tenants_says_in_which(world: World) -> None:
    calling("press", "law")
    with pytest.raises(InvalidError) as caught:
        await create(world)
    assert code_of(caught) == "tenant_needed"
    assert (await create(world, tenant="law")).tenant == "law"
    calling()
    assert (await create(world)).tenant == "default"


async def test_a_batch_is_of_the_tenant_of_its_jobs(world: World) -> None:
    own = [await Steps(world.database, world.runner).created(tenant="press") for _ in range(2)]
    other = await Steps(world.database, world.runner).created(tenant="law")
    named = jobs_pb.ExecuteJobsRequest(job_ids=[own[0].job_id])
    assert (await world.execute(named)).tenant == "press"
    mixed = jobs_pb.ExecuteJobsRequest(job_ids=[own[1].job_id, other.job_id])
    assert not (await world.execute(mixed)).HasField("tenant")
    chosen = pb.CreateOperationRequest(
        operation={"kind": "OPERATION_KIND_CANCEL", "filter": {"tenant": "press"}, "reason": "no"}
    )
    assert (await world.doors.CreateOperation(chosen, NOBODY)).operation.tenant == "press"
    calling("press", "law")
    with pytest.raises(InvalidError) as caught:
        await world.execute(mixed)
    assert code_of(caught) == "tenant_needed"


async def test_another_tenants_batch_is_as_one_that_is_not_there(world: World) -> None:
    theirs = await Steps(world.database, world.runner).created(tenant="law")
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(job_ids=[theirs.job_id]))
    calling("press")
    texts = set()
    for operation_id in (batch.id, "0190c2f0-0000-7000-8000-000000000001"):
        for ask in (
            world.doors.GetOperation(pb.GetOperationRequest(operation_id=operation_id), NOBODY),
            world.doors.CancelOperation(pb.CancelOperationRequest(operation_id=operation_id), NOBODY),
            world.doors.RetryOperation(pb.RetryOperationRequest(operation_id=operation_id), NOBODY),
        ):
            with pytest.raises(NotFoundError) as caught:
                await ask
            texts.add(str(caught.value).replace(operation_id, "?"))
    assert len(texts) == 1
    listed = await world.doors.ListOperations(pb.ListOperationsRequest(), NOBODY)
    assert batch.id not in {each.id for each in listed.operations}
    calling("law")
    assert (await world.doors.GetOperation(pb.GetOperationRequest(operation_id=batch.id), NOBODY)).operation.total == 1


async def test_keys_of_two_tenants_make_two_batches(world: World) -> None:
    made = set()
    for tenant in ("press", "law"):
        calling(tenant)
        request = jobs_pb.ExecuteJobsRequest(jobs=[resources.NewJob(**NEW)], idempotency_key="k")
        made.add((await world.execute(request)).id)
    assert len(made) == 2


async def test_who_is_of_some_tenants_shares_no_agent(world: World) -> None:
    await register_tenants(world.runner, "press")
    service = AgentService(Callers(world.database), world.runner)

    async def register(**fields: Any) -> resources.Agent:
        new = resources.NewAgent(name="a", url="http://127.0.0.1:1/", **fields)
        return (await service.CreateAgent(agents_pb.CreateAgentRequest(agent=new), NOBODY)).agent

    for tenant in ("press", "default"):
        calling(tenant)
        made = await register()
        assert (made.tenant, made.shared) == (tenant, False)
        with pytest.raises(ForbiddenError):
            await register(shared=True)
        patch = agents_pb.UpdateAgentRequest(
            agent_id=made.id, agent={"shared": True}, update_mask={"paths": ["shared"]}
        )
        with pytest.raises(ForbiddenError):
            await service.UpdateAgent(patch, NOBODY)
    calling()
    assert (await register()).shared
