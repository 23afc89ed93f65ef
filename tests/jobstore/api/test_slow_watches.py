"""A watcher that does not read holds little of the jobstore's memory, and nobody else up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import pytest
from api_calls import ADMINISTRATOR, PAYLOAD_MAX, TOKENS
from sqlalchemy import text
from support.fakes import until
from support.jobstore.steps import Steps

from jobstore.access.tokens import Tokens
from jobstore.api.job_service import JobService
from jobstore.api.server import create_server
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.jobs.reads import get_cursors
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import FAR_BEHIND, Watches
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2
from signoff.v1.job_service_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server

ENTRIES, SIZE = 40, 1 << 20
#: A few pages: in the hands of gRPC, on their way, and read next.
HELD_MAX = 16 << 20
_ADD = text(
    "INSERT INTO job_logs (job_id, version, status, job_status, kind, response_payload, created_at) "
    "SELECT :job_id, v + 1, 'IN_PROGRESS', 'IN_PROGRESS', 'progress', "
    "json_build_object('partial', repeat('x', CAST(:size AS int))), clock_timestamp() "
    "FROM generate_series(1, CAST(:entries AS int)) v"
)


class Counted(JobService):
    """A service that counts the bytes that its watches have handed out, by watch."""

    handed: list[int]

    async def WatchJobs(  # noqa: N802 - gRPC's name
        self, request: jobs_pb.WatchJobsRequest, context: Any
    ) -> AsyncIterator[jobs_pb.WatchJobsResponse]:
        """Count what is handed out."""
        self.handed.append(0)
        number = len(self.handed) - 1
        async for response in super().WatchJobs(request, context):
            self.handed[number] += response.ByteSize()
            yield response


async def record(database: Database, job_id: str, entries: int, size: int = 1) -> int:
    """Record progress of a job; return the number up to which it is settled."""
    async with database.transaction() as connection:
        await connection.execute(_ADD, {"job_id": job_id, "entries": entries, "size": size})
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)"))
    async with database.session() as session:
        return (await get_cursors(session))[0]


async def take(pages: AsyncIterator[deque[Any]], number: int) -> list[list[int]]:
    """Take all of some pages; return the versions of each."""
    taken = []
    for _ in range(number):
        page = await anext(pages)
        taken.append([page.popleft()["version"] for _ in range(len(page))])
    return taken


async def test_a_watch_reads_more_at_once_as_it_is_taken(database: Database, runner: CommandRunner) -> None:
    steps = await Steps(database, runner).created()
    watches = Watches(database)
    watches.set_settled(await record(database, steps.job_id, 1_000))
    async with aclosing(watches.read_changes(0, [], payloads=False)) as pages:
        assert [len(page) for page in await take(pages, 6)] == [10, 20, 40, 80, 160, 200]


async def test_a_watch_that_is_far_behind_reads_small_pages_unless_it_is_of_few_jobs(
    database: Database, runner: CommandRunner
) -> None:
    steps = await Steps(database, runner).created()
    settled = await record(database, steps.job_id, FAR_BEHIND + 300)
    watches = Watches(database)
    watches.set_settled(settled)
    async with aclosing(watches.read_changes(0, [], payloads=False)) as pages:
        assert [len(page) for page in await take(pages, 9)] == [10, 20, 40, *[50] * 6]
    async with aclosing(watches.read_changes(0, [steps.job_id], payloads=False)) as pages:
        assert [len(page) for page in await take(pages, 6)] == [10, 20, 40, 80, 160, 200]
    async with aclosing(watches.read_changes(settled - 300, [], payloads=False)) as pages:
        assert [len(page) for page in await take(pages, 4)] == [10, 20, 40, 80]


async def test_watches_that_are_far_behind_read_in_turn_and_hold_up_no_other(
    database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = await Steps(database, runner).created()
    settled = await record(database, steps.job_id, FAR_BEHIND + 300)
    watches = Watches(database)
    watches.set_settled(settled)
    read, reads = watches._list_changes, 0

    async def read_slowly(after: int, *arguments: Any, **options: Any) -> Any:
        nonlocal reads
        if after == 0:
            reads += 1
            await asyncio.Event().wait()
        return await read(after, *arguments, **options)

    monkeypatch.setattr(watches, "_list_changes", read_slowly)
    far = [asyncio.create_task(anext(watches.read_changes(0, [], payloads=False))) for _ in range(20)]
    await until(lambda: reads)
    async with asyncio.timeout(10), aclosing(watches.read_changes(settled - 5, [], payloads=False)) as pages:
        assert len(await anext(pages)) == 5
    assert reads == 1
    far[0].cancel()
    await until(lambda: reads == 2)
    for each in far:
        each.cancel()
    await asyncio.wait(far)


async def test_what_nobody_takes_is_let_go_and_comes_again(database: Database, runner: CommandRunner) -> None:
    ids = sorted([(await Steps(database, runner).created()).job_id for _ in range(3)])
    watches = Watches(database, held_s=0.01)
    watches.set_settled(await record(database, ids[0], 30))
    async with aclosing(watches.read_changes(0, ids[:1], payloads=False)) as pages:
        page = await anext(pages)
        taken = [page.popleft()["version"] for _ in range(3)]
        await until(lambda: not page)
        for versions in await take(pages, 2):
            taken += versions
        assert taken == list(range(1, 32))
    async with aclosing(watches.read_jobs(ids, texts=True)) as jobs:
        named = [(await anext(jobs))["id"]]
        await asyncio.sleep(0.02)  # the page of the others is let go
        assert named + [job["id"] async for job in jobs] == ids


@pytest.mark.parametrize("batched", [True, False])
async def test_watches_that_nobody_reads_stand_still(database: Database, runner: CommandRunner, batched: bool) -> None:
    steps = await Steps(database, runner).created()
    settled = await record(database, steps.job_id, ENTRIES, SIZE)
    server, _ = create_server(Tokens(TOKENS))
    watches = Watches(database)
    service = Counted(
        database, runner, watches, Batches(Callers(database), runner, OperationWorker(database, runner)), PAYLOAD_MAX
    )
    service.handed = []
    add_JobServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    watches.set_settled(settled)
    request = jobs_pb.WatchJobsRequest(after=0, job_ids=[steps.job_id], batched=batched, view=resources_pb2.VIEW_FULL)
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as slow,
        grpc.aio.insecure_channel(f"localhost:{port}") as quick,
    ):
        idle = [JobServiceStub(slow).WatchJobs(request, metadata=ADMINISTRATOR) for _ in range(3)]
        for call in idle:
            await call.read()  # where it begins, and nothing of what follows
        await until(lambda: all(service.handed))
        reader = JobServiceStub(quick).WatchJobs(request, metadata=ADMINISTRATOR)
        last = 0
        async with asyncio.timeout(60):
            while last <= ENTRIES:
                response = await reader.read()
                entries = response.logs if batched else [response.log] if response.HasField("log") else []
                last = max([last, *(entry.version for entry in entries)])
        assert service.handed[-1] > ENTRIES * SIZE
        assert max(service.handed[:-1]) < HELD_MAX
        for call in (*idle, reader):
            call.cancel()
    await server.stop(0)
