"""A worker before Kafka has its topics."""

import asyncio
import socket

import aiohttp
import pytest
from support.fakes import until
from support.free_ports import free_port

from servicekit.process.settings import WorkerSettings
from servicekit.process.worker_service import run_worker
from signoff.worker.v1 import work_service_pb2 as pb


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_worker_that_waits_for_kafka_is_alive_and_not_ready():
    """A probe of what is alive must not end it: it would only wait again."""
    port = free_port()
    settings = WorkerSettings(kafka=f"127.0.0.1:{free_port()}", health_address=f"127.0.0.1:{port}")

    async def subscribe(_):
        pytest.fail("nothing is subscribed to before Kafka has the topics")

    worker = run_worker(asyncio.Event(), settings, "executor", pb.WORK_KIND_EXECUTING, "", subscribe)
    running = asyncio.create_task(worker)
    try:
        await until(lambda: running.done() or listens(port))
        async with aiohttp.ClientSession() as session:
            live, ready = (
                await session.get(f"http://127.0.0.1:{port}/livez"),
                await session.get(f"http://127.0.0.1:{port}/readyz"),
            )
            assert (live.status, ready.status) == (200, 503)
            assert (await ready.json())["reasons"] == {"consuming": "waits for Kafka to have its topics"}
    finally:
        running.cancel()
        await asyncio.wait([running])
