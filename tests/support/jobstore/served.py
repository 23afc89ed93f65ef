"""The jobstore's gRPC services on one server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc

from contracts.receipts import derive_keys
from jobstore.access.token_store import TokenFollower
from jobstore.access.tokens import Tokens
from jobstore.api.agent_service import AgentService
from jobstore.api.identity_service import IdentityService
from jobstore.api.job_service import JobService
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.api.keeping_service import KeepingService
from jobstore.api.operations_service import OperationsService
from jobstore.api.receipt_service import ReceiptService
from jobstore.api.server import create_server, set_serving
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.insights.overview import WaitingSums
from jobstore.judging.queue import JudgingQueue
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from signoff.v1.agent_service_pb2_grpc import add_AgentServiceServicer_to_server
from signoff.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from signoff.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from signoff.v1.judge_service_pb2_grpc import add_JudgeServiceServicer_to_server
from signoff.v1.judging_service_pb2_grpc import add_JudgingServiceServicer_to_server
from signoff.v1.keeping_service_pb2_grpc import add_KeepingServiceServicer_to_server
from signoff.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from signoff.v1.receipt_service_pb2_grpc import add_ReceiptServiceServicer_to_server
from signoff.worker.v1.work_service_pb2_grpc import add_WorkServiceServicer_to_server
from support.factories import SECRETS

PAYLOAD_MAX: Final = 10_000


@asynccontextmanager
async def serving(
    database: Database, runner: CommandRunner, watches: Watches, tokens: Tokens
) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server with all services, for the holders of these tokens."""
    server, servicer = create_server(tokens)
    callers, queue = Callers(database), JudgingQueue(database, runner)
    batches = Batches(callers, runner, OperationWorker(database, runner))
    waiting = WaitingSums(database, runner.terms.alive_s)
    add_OperationsServiceServicer_to_server(OperationsService(callers, runner, watches, batches, waiting), server)
    add_JudgingServiceServicer_to_server(JudgingService(callers, runner, queue), server)
    add_JobServiceServicer_to_server(JobService(callers, runner, watches, batches, PAYLOAD_MAX), server)
    add_AgentServiceServicer_to_server(AgentService(callers, runner), server)
    add_JudgeServiceServicer_to_server(JudgeService(callers, runner, PAYLOAD_MAX), server)
    add_KeepingServiceServicer_to_server(KeepingService(callers, runner), server)
    add_ReceiptServiceServicer_to_server(ReceiptService(callers, derive_keys(SECRETS)), server)
    identity = IdentityService(database, TokenFollower(database, tokens), runner)
    add_IdentityServiceServicer_to_server(identity, server)
    add_WorkServiceServicer_to_server(WorkService(database, runner, SECRETS), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await set_serving(servicer, ready=True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(0)
