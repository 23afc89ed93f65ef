"""Each way in which a database cannot be written is an outage, on real servers: nothing is lost, and readiness says so.

A jobstore and an executor run as processes, with a broker and a database server of their own. The database is on a
small tmpfs of its own where one may be mounted; else a trigger says that the disk is full.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import grpc
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from support.free_ports import free_port
from support.system import Agent

from contracts.events import ExecuteRequested
from contracts.resources import NewAgent, NewJob
from contracts.signing import make_secret
from contracts.topics import TOPICS
from localstack.backing import Infrastructure, infrastructure
from localstack.process import find_unprivileged_account, make_reachable
from servicekit.errors import DATABASE_OUTAGES
from signoff import AsyncClient, SignoffError
from signoff.values import new_execution_id

pytestmark = pytest.mark.real

TOKEN = "an-administrators-token-of-the-tests"
SECRETS = {
    "SIGNOFF_TOKEN": TOKEN,
    "SIGNOFF_EXECUTOR_TOKEN": "an-executors-token-of-the-tests-and-long",
    "SIGNOFF_VALIDATOR_TOKEN": "a-validators-token-of-the-tests-and-long",
    "SIGNOFF_SECRETS": make_secret("test", b"s" * 32),
    "SIGNOFF_ID_KEY": b64encode(b"i" * 32).decode(),
}
ROLE, DATABASE, PASSWORD = "waiter", "waiting", "of-the-tests"
LEASE_S = 2.0
WAIT_S = 90.0  # what is measured here is not how long a busy machine takes
SPACE_BYTES = 64 << 20
#: A full disk has no room for it, nor for it compressed.
LARGE = {"text": secrets.token_hex(100_000)}

Hold = Callable[["World"], Any]


@dataclass
class World:
    """The processes, and how to reach them."""

    backing: Infrastructure
    data: Path
    space: Path | None
    jobstore: AsyncClient
    health: dict[str, str]
    http: aiohttp.ClientSession
    producer: AIOKafkaProducer
    agent: Agent

    async def execute(self, *statements: str, database: str = "signoff") -> None:
        server = await asyncpg.connect(f"{self.backing.postgres.rpartition('/')[0]}/{database}")
        for statement in statements:
            await server.execute(statement)
        await server.close()

    async def end_sessions(self) -> None:
        await self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")

    async def readiness(self, service: str = "jobstore") -> tuple[int, dict[str, str]]:
        async with self.http.get(f"http://{self.health[service]}/readyz") as answer:
            return answer.status, (await answer.json())["reasons"]

    async def is_waiting(self, service: str) -> bool:
        async with self.http.get(f"http://{self.health[service]}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return any(line.startswith("signoff_waiting{") and not line.endswith(" 0.0") for line in lines)

    async def has_result(self, job_id: str) -> bool:
        with suppress(SignoffError):
            logs, _ = await self.jobstore.list_job_logs(job_id)
            return "result" in {entry.kind for entry in logs}
        return False

    async def count_dead_letters(self) -> int:
        partitions = [TopicPartition(topic.dlq, 0) for topic in TOPICS.values() if topic.dlq]
        async with AIOKafkaConsumer(bootstrap_servers=self.backing.kafka) as consumer:
            return sum((await consumer.end_offsets(partitions)).values())


async def until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder for the server, outside of pytest's: each pytest that begins closes that one to other accounts."""
    with tempfile.TemporaryDirectory(prefix="signoff-") as name:
        make_reachable(Path(name))
        yield Path(name)


@pytest.fixture(scope="module")
def space() -> Iterator[Path | None]:
    """A small disk, or None where none may be mounted."""
    with reachable_folder() as path:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SPACE_BYTES},mode=777", "tmpfs", str(path)]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        yield path
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture(scope="module")
async def world(space: Path | None) -> AsyncIterator[World]:
    agent = Agent()
    async with AsyncExitStack() as stack:
        data = stack.enter_context(reachable_folder())
        backing = await asyncio.to_thread(stack.enter_context, infrastructure(data))
        await stack.enter_async_context(agent.serving())
        health = {service: f"127.0.0.1:{free_port()}" for service in ("jobstore", "executor")}
        address = f"127.0.0.1:{free_port()}"
        world = World(
            backing,
            data,
            space,
            await stack.enter_async_context(AsyncClient(address, TOKEN)),
            health,
            await stack.enter_async_context(aiohttp.ClientSession()),
            await stack.enter_async_context(AIOKafkaProducer(bootstrap_servers=backing.kafka, acks="all")),
            agent,
        )
        await world.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        if space is not None:
            tables = space / "tables"
            tables.mkdir()
            if (account := find_unprivileged_account()) is not None:
                os.chown(tables, *account)
            await world.execute(f"CREATE TABLESPACE small OWNER {ROLE} LOCATION '{tables}'")
        where = "" if space is None else "TABLESPACE small"
        await world.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE} {where}")
        server = backing.postgres.rpartition("@")[2].rpartition("/")[0]
        common = {
            **os.environ,
            "SIGNOFF_KAFKA": backing.kafka,
            **SECRETS,
            "SIGNOFF_LEASE_S": str(LEASE_S),
            "SIGNOFF_OFFER_AGAIN_S": "2",
            "SIGNOFF_DATABASE_URL": f"postgresql+asyncpg://{ROLE}:{PASSWORD}@{server}/{DATABASE}",
            "SIGNOFF_GRPC_ADDRESS": address,
            "SIGNOFF_JOBSTORE": address,
            "SIGNOFF_AGENT_NETWORKS": "127.0.0.0/8",
        }
        for service, listening in health.items():
            log = stack.enter_context((data / f"{service}.log").open("w"))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", service), env=common | {"SIGNOFF_HEALTH_ADDRESS": listening}, stderr=log
            )
            stack.push_async_callback(ended, process)
        for service in health:
            await until(lambda service=service: is_ready(world, service))
        await world.jobstore.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        yield world


async def ended(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    assert await asyncio.wait_for(process.wait(), WAIT_S) == 0


async def is_ready(world: World, service: str = "jobstore") -> bool:
    with suppress(aiohttp.ClientError):
        return (await world.readiness(service))[0] == 200
    return False


@asynccontextmanager
async def read_only(world: World) -> AsyncIterator[str]:
    await world.execute(f"ALTER ROLE {ROLE} SET default_transaction_read_only = on")
    await world.end_sessions()
    try:
        yield "database_read_only"
    finally:
        await world.execute(f"ALTER ROLE {ROLE} RESET default_transaction_read_only")


@asynccontextmanager
async def out_of_reach(world: World) -> AsyncIterator[str]:
    """The server stands still: its connections are there, and nobody answers."""
    server = psutil.Process(world.backing.processes["postgres"])
    server.suspend()
    for child in (children := server.children(recursive=True)):
        child.suspend()
    try:
        yield "database_unavailable"
    finally:
        for process in (*children, server):
            process.resume()


@asynccontextmanager
async def in_recovery(world: World) -> AsyncIterator[str]:
    """A standby that nobody has promoted."""
    signal_file = world.data / "postgres/data/standby.signal"
    signal_file.touch()
    if (account := find_unprivileged_account()) is not None:
        os.chown(signal_file, *account)
    await asyncio.wrap_future(world.backing.kill("postgres"))
    try:
        yield "database_in_recovery"
    finally:
        await world.execute("SELECT pg_promote()")


@asynccontextmanager
async def out_of_connections(world: World) -> AsyncIterator[str]:
    await world.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")
    await world.end_sessions()
    try:
        yield "database_out_of_connections"
    finally:
        await world.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


@asynccontextmanager
async def without_a_privilege(world: World) -> AsyncIterator[str]:
    await world.execute(f"REVOKE INSERT ON job_logs FROM {ROLE}", database=DATABASE)
    try:
        yield "database_forbidden"
    finally:
        await world.execute(f"GRANT INSERT ON job_logs TO {ROLE}", database=DATABASE)


@asynccontextmanager
async def out_of_space(world: World) -> AsyncIterator[str]:
    """The disk of the tables is full; where none may be mounted, a trigger says so."""
    if world.space is not None:
        filling = world.space / "filling"
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass
        yield "database_out_of_space"
        filling.unlink()
        return
    await world.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON jobs EXECUTE FUNCTION full_disk()",
        database=DATABASE,
    )
    yield "database_out_of_space"
    await world.execute("DROP TRIGGER full_disk ON jobs", "DROP FUNCTION full_disk()", database=DATABASE)


@pytest.mark.parametrize(
    "hold", [read_only, out_of_reach, in_recovery, out_of_connections, without_a_privilege, out_of_space]
)
async def test_it_is_waited_out_by_all_doors_and_readiness_says_so(world: World, hold: Hold) -> None:
    answer, name = asyncio.Event(), hold.__name__.replace("_", "-")
    asked = new_job(f"{name}-asked", payload=LARGE)

    async def slow(_: dict[str, Any]) -> dict[str, str]:
        await answer.wait()
        return LARGE

    called = await world.jobstore.create_job(new_job(f"{name}-called"))
    world.agent.answers[called.id] = slow
    await world.jobstore.execute_job(called.id)
    await until(lambda: asyncio.sleep(0, called.id in world.agent.calls))

    async with hold(world) as code:
        answer.set()
        published = ExecuteRequested(
            execution_id=new_execution_id(), job_id=f"{name}-published", job=new_job(payload=LARGE)
        )
        body = published.model_dump_json().encode()
        await world.producer.send_and_wait("execute-requested", body, key=published.job_id.encode())
        with pytest.raises(SignoffError) as refused:
            await world.jobstore.create_job(asked)
        assert refused.value.grpc_status in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}

        async def is_told() -> bool:
            return (await world.readiness())[1].get("database", "").find(DATABASE_OUTAGES[code].what) > 0

        await until(is_told)
        await until(lambda: says(world, code))
        assert (await world.readiness())[0] == 503
        assert not await world.jobstore.is_serving()
        async with world.http.get(f"http://{world.health['jobstore']}/livez") as live:
            assert live.status == 200
        if hold is not out_of_reach:  # where nothing fails, and calls hang for as long as they may
            for service in world.health:
                await until(lambda service=service: world.is_waiting(service))
        await asyncio.sleep(2 * LEASE_S)  # longer than any lease: whoever has called an agent is not to call it again
        await until(is_told)

    await until(lambda: is_ready(world))
    await until(world.jobstore.is_serving)
    for job_id in (called.id, published.job_id):
        await until(lambda job_id=job_id: world.has_result(job_id))
        assert len(world.agent.calls[job_id]) == 1
    await world.jobstore.create_job(asked)  # the first time may have been carried out, and only its answer lost
    assert await world.count_dead_letters() == 0


async def says(world: World, code: str) -> bool:
    return (await world.jobstore.find_outage()) == code


def new_job(job_id: str | None = None, **fields: Any) -> NewJob:
    return NewJob(id=job_id, title="Describe the sky", acceptance_criteria='Says "x"', agent_id="agent", **fields)
