"""One server with the jobstore's gRPC services, and clients of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from api_calls import PAYLOAD_MAX, TOKENS
from support.factories import SECRETS
from support.jobstore.terms import TERMS

from jobstore.access.tokens import Tokens
from jobstore.api.agent_service import AgentService
from jobstore.api.job_service import JobService
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.api.operations_service import OperationsService
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
from jobstore.subjects import STORES
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub, add_AgentServiceServicer_to_server
from signoff.v1.job_service_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server
from signoff.v1.judge_service_pb2_grpc import JudgeServiceStub, add_JudgeServiceServicer_to_server
from signoff.v1.judging_service_pb2_grpc import add_JudgingServiceServicer_to_server
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub, add_OperationsServiceServicer_to_server
from signoff.worker.v1.work_service_pb2_grpc import add_WorkServiceServicer_to_server


@pytest.fixture(scope="module")
async def watches(database: Database) -> AsyncIterator[Watches]:
    made = Watches(database)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()


@pytest.fixture(scope="module")
async def channel(database: Database, runner: CommandRunner, watches: Watches) -> AsyncIterator[grpc.aio.Channel]:
    async with serving(database, runner, watches) as opened:
        yield opened


@pytest.fixture(scope="module")
async def another(database_url: str, watches: Watches) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to another jobstore on the same database, as after a restart."""
    own = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with serving(own, CommandRunner(own, STORES, TERMS), watches) as opened:
        yield opened
    await own.close()


@asynccontextmanager
async def serving(database: Database, runner: CommandRunner, watches: Watches) -> AsyncIterator[grpc.aio.Channel]:
    server, servicer = create_server(Tokens(TOKENS))
    batches = Batches(Callers(database), runner, OperationWorker(database, runner))
    operations = OperationsService(
        Callers(database), runner, watches, batches, WaitingSums(database, runner.terms.alive_s)
    )
    add_OperationsServiceServicer_to_server(operations, server)
    add_JudgingServiceServicer_to_server(
        JudgingService(Callers(database), runner, JudgingQueue(database, runner)), server
    )
    add_JobServiceServicer_to_server(JobService(Callers(database), runner, watches, batches, PAYLOAD_MAX), server)
    add_AgentServiceServicer_to_server(AgentService(Callers(database), runner), server)
    add_JudgeServiceServicer_to_server(JudgeService(Callers(database), runner, PAYLOAD_MAX), server)
    add_WorkServiceServicer_to_server(WorkService(database, runner, SECRETS), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await set_serving(servicer, ready=True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(0)


@pytest.fixture
def jobs(channel: grpc.aio.Channel) -> Any:
    return JobServiceStub(channel)


@pytest.fixture
def operations(channel: grpc.aio.Channel) -> Any:
    return OperationsServiceStub(channel)


@pytest.fixture
def judges(channel: grpc.aio.Channel) -> Any:
    return JudgeServiceStub(channel)


@pytest.fixture
def agents(channel: grpc.aio.Channel) -> Any:
    return AgentServiceStub(channel)
