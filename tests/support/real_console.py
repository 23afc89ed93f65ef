"""A console before a jobstore on a real database, in this process; nobody executes what is asked for."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from console.api.auth import Sessions
from console.api.sign_in import SignIns
from console.app import Server, create_app
from console.live import LiveHub
from contracts.receipts import derive_keys
from contracts.resources import NewAgent, Policy
from contracts.signing import FactKeys
from jobstore.access.audit import Auditor
from jobstore.access.id_tokens import IdTokens
from jobstore.access.token_store import TokenFollower
from jobstore.access.tokens import Tokens
from jobstore.api.agent_service import AgentService
from jobstore.api.identity_service import IdentityService
from jobstore.api.job_service import JobService
from jobstore.api.judge_service import JudgeService
from jobstore.api.judging_service import JudgingService
from jobstore.api.keeping_service import KeepingService
from jobstore.api.operations_service import OperationsService
from jobstore.api.receipt_service import ReceiptService, add_keys
from jobstore.api.server import create_server, set_serving
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.insights.dead_letters import DeadLetterTopics
from jobstore.insights.overview import WaitingSums
from jobstore.jobs.model import ExecutionTerms, IdKey
from jobstore.judging.queue import JudgingQueue
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from jobstore.subjects import STORES
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Publisher
from signoff import AsyncClient
from signoff.status import Role
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
from support.jobstore.administered import put_agent

TOKEN = "the-administrators-of-32-letters"
CONSOLE_TOKEN = "a-consoles-token-of-32-characters"
PAYLOAD_MAX = 100_000


@dataclass
class RealConsole:
    url: str
    database: Database
    runner: CommandRunner
    client: AsyncClient
    jobstore: str
    headers = {"Authorization": f"Bearer {TOKEN}"}  # noqa: RUF012 - the same for all


@asynccontextmanager
async def fresh_database(postgres: str) -> AsyncIterator[Database]:
    name = f"console_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await database.migrate()
    try:
        yield database
    finally:
        await database.close()
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


@asynccontextmanager
async def jobstore_on(
    database: Database, kafka: str | None = None, id_tokens: IdTokens | None = None, *, audit_reads: bool = False
) -> AsyncIterator[tuple[CommandRunner, str]]:
    """Its runner, and its address."""
    async with AsyncExitStack() as stack:
        terms = ExecutionTerms(Policy(max_submissions=3, max_calls=3), 10.0, 5.0, ids=IdKey(secrets.token_bytes(32)))
        runner = CommandRunner(database, STORES, terms)
        watches, operator = Watches(database), OperationWorker(database, runner)
        batches = Batches(Callers(database), runner, operator)
        dead_letters = None
        if kafka:
            publisher = Publisher(KafkaAccess(kafka), "jobstore")
            await publisher.start()
            stack.push_async_callback(publisher.stop)
            dead_letters = DeadLetterTopics(KafkaAccess(kafka), FactKeys.derive(SECRETS), database, runner, publisher)
            stack.push_async_callback(dead_letters.close)
        followed = TokenFollower(database, Tokens({Role.ADMINISTRATOR: [TOKEN], Role.CONSOLE: [CONSOLE_TOKEN]}))
        auditor = Auditor(database, reads=audit_reads)
        stack.push_async_callback(auditor.close)
        server, health = create_server(followed.tokens, id_tokens=id_tokens, auditor=auditor)
        identity = IdentityService(database, followed, runner, id_tokens)
        add_IdentityServiceServicer_to_server(identity, server)
        add_JobServiceServicer_to_server(JobService(Callers(database), runner, watches, batches, PAYLOAD_MAX), server)
        add_AgentServiceServicer_to_server(AgentService(Callers(database), runner), server)
        waiting = WaitingSums(database, 60.0)
        operations = OperationsService(
            Callers(database), runner, watches, batches, waiting, dead_letters, followed=followed
        )
        add_OperationsServiceServicer_to_server(operations, server)
        add_JudgeServiceServicer_to_server(JudgeService(Callers(database), runner, PAYLOAD_MAX), server)
        add_JudgingServiceServicer_to_server(
            JudgingService(Callers(database), runner, JudgingQueue(database, runner)), server
        )
        add_WorkServiceServicer_to_server(WorkService(database, runner, SECRETS), server)
        keys = derive_keys(SECRETS)
        async with database.session() as session:
            await add_keys(session, [key.public for key in keys])
        add_KeepingServiceServicer_to_server(KeepingService(Callers(database), runner), server)
        add_ReceiptServiceServicer_to_server(ReceiptService(Callers(database), keys), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        await set_serving(health, ready=True)
        for run in (watches.run(), operator.run(), followed.run(), auditor.run()):
            stack.push_async_callback(_ended, asyncio.create_task(run))
        yield runner, f"127.0.0.1:{port}"


@asynccontextmanager
async def real_console(
    postgres: str,
    kafka: str | None = None,
    id_tokens: IdTokens | None = None,
    sign_ins: SignIns | None = None,
    timeout_s: float = 5.0,
) -> AsyncIterator[RealConsole]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(postgres))
        async with database.transaction() as connection:
            writer = NewAgent(name="writer", url="http://127.0.0.1:1/")
            await put_agent(connection, "writer", writer, create=True)
        runner, address = await stack.enter_async_context(jobstore_on(database, kafka, id_tokens))
        client = await stack.enter_async_context(AsyncClient(address, TOKEN, timeout_s=5))
        url = await stack.enter_async_context(console_on(address, sign_ins, timeout_s))
        yield RealConsole(url, database, runner, client, address)


@asynccontextmanager
async def console_on(jobstore: str, sign_ins: SignIns | None = None, timeout_s: float = 5.0) -> AsyncIterator[str]:
    """A console before a jobstore, with its own token; its URL."""
    async with AsyncClient(jobstore, CONSOLE_TOKEN, timeout_s=timeout_s) as client:
        live = LiveHub(client)
        sessions = Sessions([bytes(32)], 60.0)
        app = create_app(client, live, sessions, payload_max_bytes=PAYLOAD_MAX, sign_ins=sign_ins)
        server = Server(app, live, "127.0.0.1:0")
        stop = asyncio.Event()
        watching, running = asyncio.create_task(live.run()), asyncio.create_task(server.serve_until(stop))
        while not (server.started and live.cursor is not None):  # noqa: ASYNC110 - neither tells by an event
            await asyncio.sleep(0)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            stop.set()
            await running
            await _ended(watching)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
