"""Faults by which alerts are provoked on a running stack; each is mended at the end of its block."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, cast

import aiohttp
import asyncpg
from support.certificates import Authority
from support.free_ports import free_port
from support.outsiders import frozen, reporting, stealing
from support.system import Judge, System, another, signoff

from signoff import SignoffError
from signoff.types import Job

#: Seconds between two requests of what goes on while a fault lasts.
EVERY_S = 0.3
#: Bytes that the database may have beyond what it has, and that are added every second.
ROOM_BYTES, STEP_BYTES = 150 << 20, 2 << 20


@dataclass
class Stage:
    """The stack, and what Prometheus scrapes of it."""

    folder: Path
    system: System
    judge: Judge
    targets: Path
    #: A jobstore of its own settings, until its alerts have cleared.
    more: asyncio.subprocess.Process | None = None

    async def end_more(self) -> None:
        """End that jobstore."""
        if self.more is not None and self.more.returncode is None:
            self.more.terminate()
            await self.more.wait()

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def scrape(self, *more: str) -> None:
        """Let Prometheus scrape all processes of the stack, and those at more addresses."""
        urls = self.system.endpoints["metrics"].values()
        told = [url.removeprefix("http://").removesuffix("/metrics") for url in urls] + [*more]
        self.targets.write_text(json.dumps([{"targets": told}]))

    def freeze(self, *names: str) -> ExitStack:
        """Stop processes, until the end of the block."""
        block = ExitStack()
        for name in names:
            block.enter_context(frozen(self.system.endpoints["processes"][name]))
        return block

    async def execute(self, **fields: object) -> Job:
        job = await self.system.create(**fields)
        await self.system.client.execute_job(job.id)
        return job


class Fault(Protocol):
    """A fault: its words say what is done, and `alerts` has the names and labels of what has to fire."""

    __name__: str
    words: str
    alerts: tuple[tuple[str, Mapping[str, str]], ...]

    def __call__(self, stage: Stage) -> AbstractAsyncContextManager[None]: ...


def fault(
    words: str, *alerts: tuple[str, Mapping[str, str]]
) -> Callable[[Callable[[Stage], AsyncIterator[None]]], Fault]:
    """Declare what is done until the `yield` of a function as a fault, and what follows as its end."""

    def declare(function: Callable[[Stage], AsyncIterator[None]]) -> Fault:
        declared = cast(Fault, asynccontextmanager(function))
        declared.words, declared.alerts = words, alerts
        return declared

    return declare


@asynccontextmanager
async def again_and_again(call: Callable[[], Awaitable[object]], every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Call until the end of the block, whatever comes of it."""
    is_over = asyncio.Event()

    async def go_on() -> None:
        while not is_over.is_set():
            with suppress(SignoffError, aiohttp.ClientError, TimeoutError):
                await call()
            await asyncio.sleep(every_s)

    calling = asyncio.create_task(go_on())
    try:
        yield
    finally:  # without a cancel, of which a call may make an error that is suppressed
        is_over.set()
        await calling


@fault("a record that is no JSON", ("SignoffDeadLetters", {"topic": "execute-requested-dlq"}))
async def dead_letters(stage: Stage) -> AsyncIterator[None]:
    await stage.system.producer.send_and_wait("execute-requested", b"no JSON", key=b"nobody")
    yield
    await signoff(stage.system, "dlq", "discard", "execute-requested", "--reason", "of a test", "--yes")


@fault("an executor whose clock is an hour behind", ("SignoffClocksDiffer", {"kind": "executor"}))
async def clock(stage: Stage) -> AsyncIterator[None]:
    async with reporting(stage.system, ahead=timedelta(hours=-1)):
        yield


@fault(
    "a jobstore whose certificate ends in ten minutes, and whose database may hold little more, and grows",
    ("SignoffCertificateEnds", {"severity": "ticket"}),
    ("SignoffCertificateEnds", {"severity": "page"}),
    ("SignoffDiskFills", {"severity": "ticket", "storage": "database"}),
    ("SignoffDiskFills", {"severity": "page", "storage": "database"}),
    ("SignoffStorageFull", {"storage": "database"}),
)
async def certificate_and_disk(stage: Stage) -> AsyncIterator[None]:
    folder = stage.folder / "certificates"
    folder.mkdir()
    authority = Authority(folder)
    certificate, key = authority.issue("jobstore", ends_in=timedelta(minutes=10))
    health = f"127.0.0.1:{free_port()}"
    database = await asyncpg.connect(stage.system.endpoints["postgres"])
    size = await database.fetchval("SELECT pg_database_size(current_database())")
    stage.more = await another(
        stage.system,
        "jobstore",
        SIGNOFF_HEALTH_ADDRESS=health,
        SIGNOFF_GRPC_ADDRESS=f"127.0.0.1:{free_port()}",
        SIGNOFF_GRPC_CERTIFICATE=str(certificate),
        SIGNOFF_GRPC_KEY=str(key),
        SIGNOFF_DATABASE_MAX_BYTES=str(size + ROOM_BYTES),
    )
    stage.scrape(health)
    await database.execute("CREATE TABLE ballast (filler text STORAGE EXTERNAL)")
    grow = "INSERT INTO ballast SELECT repeat('x', 1 << 20) FROM generate_series(1, $1)"
    async with again_and_again(lambda: database.execute(grow, STEP_BYTES >> 20), 1.0):
        yield
    await database.execute("DROP TABLE ballast")
    authority.issue("jobstore", ends_in=timedelta(days=90))
    await database.close()


@fault(
    "a file in place of the folder of checkpoints",
    ("SignoffCheckpointStandsStill", {"sign": "outage"}),
    ("SignoffCheckpointStandsStill", {"sign": "age"}),
)
async def checkpoint(stage: Stage) -> AsyncIterator[None]:
    folder, aside = stage.archive / "checkpoints", stage.folder / "checkpoints"
    folder.rename(aside)
    folder.write_text("")
    yield
    folder.unlink()
    aside.rename(folder)


@fault(
    "a judge that is not there, for jobs that wait for it, and for others that do not",
    ("SignoffJudgeAway", {}),
    ("SignoffVerdictsNotGiven", {"severity": "page"}),
    ("SignoffVerdictsNotGiven", {"severity": "ticket"}),
)
async def judge_away(stage: Stage) -> AsyncIterator[None]:
    await stage.judge.stop()
    for _ in range(3):
        await stage.execute()
    async with again_and_again(lambda: stage.execute(policy={"judging_timeout_s": 1.0}), 1.0):
        yield
    await stage.judge.start()


@fault(
    "SIGSTOP of the executor and the validator, with jobs that wait",
    ("SignoffNoWorker", {"kind": "executor"}),
    ("SignoffNoWorker", {"kind": "validator"}),
    ("SignoffExecutionsNotBegun", {"severity": "page"}),
    ("SignoffExecutionsNotBegun", {"severity": "ticket"}),
)
async def workers_frozen(stage: Stage) -> AsyncIterator[None]:
    with stage.freeze("executor", "validator"):
        await stage.execute()
        yield


@fault(
    "a file in place of the folder of the archive",
    ("SignoffArchiveStandsStill", {"sign": "outage"}),
    ("SignoffArchiveStandsStill", {"sign": "age"}),
)
async def archive(stage: Stage) -> AsyncIterator[None]:
    aside = stage.folder / "archive-aside"
    stage.archive.rename(aside)
    stage.archive.write_text("")
    yield
    stage.archive.unlink()
    aside.rename(stage.archive)


@fault("strangers in the executors' group, who read nothing", ("SignoffGroupStalled", {"group": "signoff-executor"}))
async def thieves(stage: Stage) -> AsyncIterator[None]:
    async with stealing(stage.system, 3):
        for _ in range(12):
            await stage.execute()
        yield


@fault("SIGSTOP of Kafka, while jobs are created", ("SignoffFactsNotPublished", {}))
async def broker_frozen(stage: Stage) -> AsyncIterator[None]:
    with stage.freeze("kafka"):
        await stage.system.create()
        yield


@fault(
    "default_transaction_read_only of the database, while jobs are created by gRPC and REST",
    ("SignoffDatabaseOutage", {"code": "database_read_only"}),
    *(
        ("SignoffDoorsFailing", {"door": door, "severity": severity})
        for door in ("grpc", "rest")
        for severity in ("page", "ticket")
    ),
)
async def database_read_only(stage: Stage) -> AsyncIterator[None]:
    database = await asyncpg.connect(stage.system.endpoints["postgres"])
    await database.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await database.execute("SELECT pg_reload_conf()")
    body = {"title": "Describe the sky", "acceptance_criteria": "Is not empty", "agent_id": "agent"}

    async def post() -> None:
        async with stage.system.http.post("/api/jobs", json=body) as answer:
            await answer.read()

    async with again_and_again(stage.system.create), again_and_again(post):
        yield
    await database.execute("SET default_transaction_read_only = off")
    await database.execute("ALTER SYSTEM RESET default_transaction_read_only")
    await database.execute("SELECT pg_reload_conf()")
    await database.close()


@fault(
    "SIGSTOP of both jobstores and the console",
    ("SignoffDoorAway", {"door": "grpc"}),
    ("SignoffDoorAway", {"door": "rest"}),
)
async def doors_frozen(stage: Stage) -> AsyncIterator[None]:
    await stage.end_more()
    stage.scrape()
    with stage.freeze("jobstore", "jobstore-2", "console"):
        yield


#: What is brought about at the same time, round by round: faults of which none hides another's.
ROUNDS = (
    (judge_away, dead_letters, clock, checkpoint, certificate_and_disk),
    (workers_frozen, archive),
    (thieves,),
    (database_read_only,),
    (broker_frozen,),
    (doors_frozen,),
)
