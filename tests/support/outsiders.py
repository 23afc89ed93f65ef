"""What processes do that are frozen, that lie about themselves, or that are no part of the system."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psutil
from aiokafka import AIOKafkaConsumer

from contracts.topics import EXECUTOR_GROUP
from servicekit.process.runtime import VERSION
from signoff.channels import open_channel
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub
from support.fakes import until
from support.system import WAIT_S, System


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process and its children, which are there and do nothing."""
    process = psutil.Process(pid)
    process.suspend()
    children = process.children(recursive=True)
    for child in children:
        child.suspend()
    try:
        yield
    finally:  # else nothing works for any test that follows
        for one in (*children, process):
            with suppress(psutil.NoSuchProcess):
                one.resume()


@asynccontextmanager
async def reporting(system: System, **fields: Any) -> AsyncIterator[None]:
    """Another executor, which takes nothing, and says this of itself."""
    secrets = json.loads((system.endpoints_file.parent / "state.json").read_text())["secrets"]
    bearer = (("authorization", f"Bearer {secrets['executor_token']}"),)
    owner = str(uuid4())

    async def report(*, ends: bool) -> None:
        said = pb.ProcessReport(version=fields.get("version", VERSION), ends=ends)
        said.clock.FromDatetime(datetime.now(UTC) + fields.get("ahead", timedelta()))
        request = pb.RenewLeasesRequest(owner=owner, kind=pb.WORK_KIND_EXECUTING, report=said)
        await WorkServiceStub(channel).RenewLeases(request, timeout=5.0, metadata=bearer)

    async def go_on() -> None:
        """Report as workers do, since who is silent is not heard of any more."""
        while True:
            await asyncio.sleep(1)
            await report(ends=False)

    async with open_channel(system.endpoints["grpc"], 1 << 20) as channel:
        await report(ends=False)
        reports = asyncio.create_task(go_on())
        yield
        reports.cancel()
        await report(ends=True)


@asynccontextmanager
async def stealing(system: System, members: int) -> AsyncIterator[None]:
    """Strangers who join the executors' group, and read nothing of the partitions that they get."""
    async with AsyncExitStack() as stack:
        thieves = [
            await stack.enter_async_context(
                AIOKafkaConsumer(
                    "execute-requested",
                    bootstrap_servers=system.endpoints["kafka"],
                    group_id=EXECUTOR_GROUP,
                    client_id="thief",
                    enable_auto_commit=False,
                    heartbeat_interval_ms=500,
                )
            )
            for _ in range(members)
        ]
        for thief in thieves:
            await until(thief.assignment, WAIT_S)
        yield
