"""The gRPC server asks every service for its token; health and reflection are open."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, WORKER, Status, refused
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import work_service_pb2 as work_pb
from signoff.v1.work_service_pb2_grpc import WorkServiceStub


@pytest.mark.parametrize(
    ("metadata", "status"),
    [
        ((), Status.UNAUTHENTICATED),
        ((("authorization", "Bearer wrong"),), Status.UNAUTHENTICATED),
        ((("authorization", ""),), Status.UNAUTHENTICATED),
        (WORKER, Status.PERMISSION_DENIED),
    ],
)
async def test_every_door_asks_for_the_token(jobs: Any, agents: Any, metadata: Any, status: grpc.StatusCode) -> None:
    assert (await refused(jobs.GetJob(jobs_pb.GetJobRequest(job_id="x"), metadata=metadata)))[0] is status
    assert (await refused(agents.ListAgents(agents_pb.ListAgentsRequest(), metadata=metadata)))[0] is status
    with pytest.raises(grpc.aio.AioRpcError) as watched:
        async for _ in jobs.WatchJobs(jobs_pb.WatchJobsRequest(), metadata=metadata):
            pass
    assert watched.value.code() is status


async def test_the_administrators_token_does_not_open_the_workers_door(channel: grpc.aio.Channel) -> None:
    work: Any = WorkServiceStub(channel)
    request = work_pb.RenewLeasesRequest(owner=str(uuid4()), kind=work_pb.WORK_KIND_EXECUTING)
    assert (await refused(work.RenewLeases(request, metadata=ADMINISTRATOR)))[0] is Status.PERMISSION_DENIED
    await work.RenewLeases(request, metadata=WORKER)


async def test_health_and_reflection_are_open(channel: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service="signoff.v1.JobService"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = reflection.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for listed in call:
        names = {service.name for service in listed.list_services_response.service}
    assert {"signoff.v1.JobService", "signoff.v1.AgentService", "signoff.v1.WorkService"} <= names
