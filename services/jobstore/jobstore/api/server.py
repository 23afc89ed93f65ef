"""Create the gRPC server with its health and reflection services."""

import logging
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from jobstore.api.auth import Tokens
from jobstore.api.interceptors import CallInterceptor, CallLimits
from jobstore.api.several_servers import SHARED, SeveralServers
from signoff.v1 import (
    agent_service_pb2,
    job_service_pb2,
    judge_service_pb2,
    judging_service_pb2,
    operations_service_pb2,
    receipt_service_pb2,
)
from signoff.worker.v1 import work_service_pb2

log = logging.getLogger(__name__)

#: A batch of new jobs is one message.
MESSAGE_MAX_BYTES = 64 << 20
#: Servers that share an address.
SERVERS = 16
SERVICES = [
    job_service_pb2.DESCRIPTOR.services_by_name["JobService"].full_name,
    agent_service_pb2.DESCRIPTOR.services_by_name["AgentService"].full_name,
    operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"].full_name,
    judge_service_pb2.DESCRIPTOR.services_by_name["JudgeService"].full_name,
    judging_service_pb2.DESCRIPTOR.services_by_name["JudgingService"].full_name,
    work_service_pb2.DESCRIPTOR.services_by_name["WorkService"].full_name,
    receipt_service_pb2.DESCRIPTOR.services_by_name["ReceiptService"].full_name,
]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What strangers may take of a server by connections alone; in milliseconds."""

    #: Connections open at once, which the servers share evenly; more are closed as they come.
    most: int = 10_000
    #: How long a client may take to begin.
    handshake_ms: int = 10_000
    #: How long its connection is kept without a call.
    idle_ms: int = 300_000
    #: How long it is quiet until it is asked by a ping whether it is there, and then may take to answer.
    keepalive_ms: int = 20_000


class HealthService(health.aio.HealthServicer):  # type: ignore[misc] # grpcio-health-checking has no types
    """Answer health checks; while a check is not answered SERVING, the trailer `signoff-code` says why."""

    outage: str | None = None

    async def Check(self, request: object, context: grpc.aio.ServicerContext[object, object]) -> object:  # noqa: N802 - gRPC's name
        """Answer one check."""
        if self.outage is not None:
            context.set_trailing_metadata((("signoff-code", self.outage),))
        return await super().Check(request, context)


def create_server(
    tokens: Tokens, limits: CallLimits | None = None, connections: ConnectionLimits | None = None
) -> tuple[grpc.aio.Server, HealthService]:
    """Create a server with health and reflection; it is not serving yet."""
    held = connections or ConnectionLimits()
    interceptor = CallInterceptor(tokens, limits or CallLimits())
    server = SeveralServers(lambda: grpc.aio.server(interceptors=[interceptor], options=_make_options(held)), SERVERS)
    servicer = HealthService()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = [*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    return server, servicer


def _make_options(held: ConnectionLimits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
        ("grpc.max_send_message_length", MESSAGE_MAX_BYTES),
        *SHARED,
        # Else up to 16 MiB are taken of a request before anybody reads it.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # Clients ask once a second by a ping whether it is still there (signoff.channels).
        ("grpc.http2.min_ping_interval_without_data_ms", 500),
        # A client that is frozen, or takes nothing that it is sent, answers no ping.
        ("grpc.keepalive_time_ms", held.keepalive_ms),
        ("grpc.keepalive_timeout_ms", held.keepalive_ms),
        ("grpc.http2.ping_timeout_ms", held.keepalive_ms),
        ("grpc.http2.max_pings_without_data", 0),
        # Strangers hold no connection for long: not before they speak HTTP/2, and none that makes no calls.
        ("grpc.server_handshake_timeout_ms", held.handshake_ms),
        ("grpc.max_connection_idle_ms", held.idle_ms),
        ("grpc.max_allowed_incoming_connections", -(-held.most // SERVERS)),
    ]


async def set_serving(servicer: HealthService, *, ready: bool, outage: str | None = None) -> None:
    """Set whether the health service reports every service as SERVING, and the code of the outage if not."""
    servicer.outage = outage
    state = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ["", *SERVICES]:
        await servicer.set(name, state)
