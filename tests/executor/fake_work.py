"""The jobstore's WorkService, behind real gRPC."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import grpc
from support.factories import lease

from contracts.signing import SigningKey
from signoff.v1 import resources_pb2
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceServicer, add_WorkServiceServicer_to_server


class FakeWork(WorkServiceServicer):
    """Grants everything, with requests of `request_bytes`; or fails as `error` says."""

    def __init__(self) -> None:
        self.begun: list[pb.BeginExecutionsRequest] = []
        self.renewed: list[pb.RenewLeasesRequest] = []
        self.metadata: list[tuple] = []
        self.request_bytes = 10
        self.lease_s = 12.0
        self.judged_max_chars: int | None = None
        self.protocol: int = resources_pb2.PROTOCOL_HTTP
        self.answers: list[pb.ExecutionAnswer] = []
        self.error: tuple[grpc.StatusCode, str] | None = None
        self.lease_numbers: dict[str, int] = {}
        self.states: dict[int, pb.LeaseState] = {}
        self.new_keys: list[SigningKey] = []
        self.urls: dict[str, str] | None = None  # by execution; of no others anything is granted then
        self.open = asyncio.Event()  # answers wait for it
        self.open.set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = grpc.aio.server()
        add_WorkServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        yield f"127.0.0.1:{port}"
        await server.stop(None)

    async def BeginExecutions(self, request, context):  # noqa: N802 - gRPC's name
        self.begun.append(request)
        self.metadata.append(context.invocation_metadata())
        await self.open.wait()
        if self.error:
            await context.abort(*self.error)
        if self.answers:
            return pb.BeginExecutionsResponse(answers=self.answers)
        return pb.BeginExecutionsResponse(answers=[self._granted(claim) for claim in request.claims])

    def _granted(self, claim) -> pb.ExecutionAnswer:
        if self.urls is not None and not any(ours.encode() in claim.request for ours in self.urls):
            return pb.ExecutionAnswer(outcome=pb.CLAIM_OUTCOME_DUPLICATE)  # another test's, which may be no JSON
        asked = json.loads(claim.request)
        execution_id = asked["execution_id"]
        number = self.lease_numbers.setdefault(execution_id, len(self.lease_numbers) + 1)
        a_grant = pb.ExecutionGrant(
            lease=key_message(lease(UUID(execution_id), number)),
            lease_s=15.0,
            attempt=2,
            submission=3,
            request_json=json.dumps({"title": "A title", "acceptance_criteria": "x" * self.request_bytes}),
            protocol=self.protocol,
            url=(self.urls or {}).get(execution_id, "http://agent/"),
            judged_max_chars=self.judged_max_chars,
            policy=resources_pb2.Policy(attempt_timeout_s=7.0, delivery=resources_pb2.DELIVERY_AT_MOST_ONCE),
        )
        return pb.ExecutionAnswer(outcome=pb.CLAIM_OUTCOME_GRANTED, grant=a_grant, job_id=asked["job_id"])

    async def RenewLeases(self, request, context):  # noqa: N802 - gRPC's name
        del context
        self.renewed.append(request)
        held, outcomes = (
            [self.states.get(lease.lease, default) for lease in leases]
            for leases, default in ((request.held, pb.LEASE_STATE_KEEP), (request.outcomes, pb.LEASE_STATE_RECORDED))
        )
        new_keys = [key_message(key) for key in self.new_keys]
        return pb.RenewLeasesResponse(held=held, outcomes=outcomes, lease_s=self.lease_s, new_keys=new_keys)


def key_message(key: SigningKey) -> pb.LeaseKey:
    ids = {"execution_id": str(key.execution_id), "lease": key.lease}
    return pb.LeaseKey(**ids, secret_id=key.secret_id, key=key.key)
