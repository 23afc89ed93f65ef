"""A watcher that does not read holds little of the jobstore's memory, and nobody else up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from api_calls import ADMINISTRATOR, PAYLOAD_MAX, TOKENS
from sqlalchemy import text
from support.fakes import until
from support.jobstore.steps import Steps

from jobstore.api.auth import Tokens
from jobstore.api.job_service import JobService
from jobstore.api.server import create_server
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from jobstore.reads.job_logs import get_settled_cursor
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from signoff.v1 import job_service_pb2 as jobs_pb
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


async def test_a_watch_reads_more_at_once_as_it_is_taken(database: Database, runner: CommandRunner) -> None:
    steps = await Steps(database, runner).created()
    async with database.transaction() as connection:
        await connection.execute(_ADD, {"job_id": steps.job_id, "entries": 400, "size": 1})
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)"))
    watches = Watches(database)
    async with database.session() as session:
        watches.set_settled(await get_settled_cursor(session))
    pages = watches.read_changes(0, [steps.job_id], payloads=False)
    assert [len(await anext(pages)) for _ in range(6)] == [10, 20, 40, 50, 50, 50]
    await pages.aclose()


@pytest.mark.parametrize("batched", [True, False])
async def test_watches_that_nobody_reads_stand_still(database: Database, runner: CommandRunner, batched: bool) -> None:
    steps = await Steps(database, runner).created()
    async with database.transaction() as connection:
        await connection.execute(_ADD, {"job_id": steps.job_id, "entries": ENTRIES, "size": SIZE})
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)"))
    server, _ = create_server(Tokens(TOKENS))
    watches = Watches(database)
    service = Counted(
        database, runner, watches, Batches(database, runner, OperationWorker(database, runner)), PAYLOAD_MAX
    )
    service.handed = []
    add_JobServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with database.session() as session:
        watches.set_settled(await get_settled_cursor(session))
    request = jobs_pb.WatchJobsRequest(after=0, job_ids=[steps.job_id], batched=batched)
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
