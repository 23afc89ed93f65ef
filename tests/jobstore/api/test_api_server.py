"""The gRPC server asks every service for its token; health is open."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, VALIDATOR, Status, refused
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.worker.v1 import work_service_pb2 as work_pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ((), Status.UNAUTHENTICATED),
        ((("authorization", "Bearer wrong"),), Status.UNAUTHENTICATED),
        ((("authorization", ""),), Status.UNAUTHENTICATED),
        ((("authorization", "the-administrators"),), Status.UNAUTHENTICATED),
        ((("authorization", "Basic the-administrators"),), Status.UNAUTHENTICATED),
        (EXECUTOR, Status.PERMISSION_DENIED),
        (VALIDATOR, Status.PERMISSION_DENIED),
    ],
)
async def test_every_door_asks_for_the_token(jobs: Any, agents: Any, metadata: Any, status: grpc.StatusCode) -> None:
    assert (await refused(jobs.GetJob(jobs_pb.GetJobRequest(job_id="x"), metadata=metadata)))[0] is status
    assert (await refused(agents.ListAgents(agents_pb.ListAgentsRequest(), metadata=metadata)))[0] is status
    with pytest.raises(grpc.aio.AioRpcError) as watched:
        async for _ in jobs.WatchJobs(jobs_pb.WatchJobsRequest(), metadata=metadata):
            pass
    assert watched.value.code() is status


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
@pytest.mark.parametrize("token", ["the-administrators", "the-administrators-next"])
async def test_each_value_of_a_token_opens_its_doors(agents: Any, scheme: str, token: str) -> None:
    await agents.ListAgents(agents_pb.ListAgentsRequest(), metadata=(("authorization", f"{scheme} {token}"),))


async def test_a_worker_claims_its_own_kind_of_work_alone(channel: grpc.aio.Channel) -> None:
    work: Any = WorkServiceStub(channel)
    claims = {
        work.BeginExecutions: (work_pb.BeginExecutionsRequest(owner=str(uuid4())), EXECUTOR),
        work.BeginJudgings: (work_pb.BeginJudgingsRequest(owner=str(uuid4())), VALIDATOR),
    }
    for method, (request, own) in claims.items():
        await method(request, metadata=own)
        for other in {ADMINISTRATOR, EXECUTOR, VALIDATOR} - {own}:
            assert (await refused(method(request, metadata=other)))[0] is Status.PERMISSION_DENIED


async def test_a_worker_renews_leases_of_its_own_kind_alone(channel: grpc.aio.Channel) -> None:
    work: Any = WorkServiceStub(channel)
    for kind, own in ((work_pb.WORK_KIND_EXECUTING, EXECUTOR), (work_pb.WORK_KIND_JUDGING, VALIDATOR)):
        request = work_pb.RenewLeasesRequest(owner=str(uuid4()), kind=kind)
        await work.RenewLeases(request, metadata=own)
        for other in {ADMINISTRATOR, EXECUTOR, VALIDATOR} - {own}:
            assert (await refused(work.RenewLeases(request, metadata=other)))[0] is Status.PERMISSION_DENIED


async def test_a_method_that_nothing_carries_out_is_no_error_of_the_jobstore(channel: grpc.aio.Channel) -> None:
    """Else anybody with a token fills its log with errors."""
    health: Any = health_pb2_grpc.HealthStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health.List(health_pb2.HealthListRequest(), metadata=EXECUTOR)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_health_is_open_and_reflection_asks_for_any_token(channel: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service="signoff.v1.JobService"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services="")]
    for metadata in (ADMINISTRATOR, EXECUTOR, VALIDATOR):
        async for listed in reflection.ServerReflectionInfo(iter(requests), metadata=metadata):
            names = {service.name for service in listed.list_services_response.service}
        watching = health.Watch(health_pb2.HealthCheckRequest(), metadata=metadata)
        assert (await anext(aiter(watching))).status == health_pb2.HealthCheckResponse.SERVING
        watching.cancel()
    with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
        await anext(aiter(reflection.ServerReflectionInfo(iter(requests))))
    assert {"signoff.v1.JobService", "signoff.v1.AgentService", "signoff.worker.v1.WorkService"} <= names
