"""One server with the jobstore's gRPC services, and clients of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from api_calls import TOKENS
from support.jobstore.served import serving
from support.jobstore.terms import TERMS

from jobstore.access.tokens import Tokens
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.watches import Watches
from jobstore.subjects import STORES
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.judge_service_pb2_grpc import JudgeServiceStub
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub


@pytest.fixture(scope="module")
async def watches(database: Database) -> AsyncIterator[Watches]:
    made = Watches(database)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()


@pytest.fixture(scope="module")
async def channel(database: Database, runner: CommandRunner, watches: Watches) -> AsyncIterator[grpc.aio.Channel]:
    async with serving(database, runner, watches, Tokens(TOKENS)) as opened:
        yield opened


@pytest.fixture(scope="module")
async def another(database_url: str, watches: Watches) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to another jobstore on the same database, as after a restart."""
    own = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with serving(own, CommandRunner(own, STORES, TERMS), watches, Tokens(TOKENS)) as opened:
        yield opened
    await own.close()


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
