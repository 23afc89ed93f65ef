"""aiokafka on uvloop survives connections that are lost at any moment."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from faults.stack.links import Link

from servicekit.kafka.uvloop_patch import survive_lost_connections

TICKS_MAX = 10_000


async def _sent_until_it_fails(kafka: str) -> None:
    """Cut a connection, and ask over it at each turn of the loop until that fails."""
    link = Link("kafka", int(kafka.rpartition(":")[2]))
    await link.start()
    connection = await create_conn("127.0.0.1", link.port)
    link.cut()
    try:
        for _ in range(TICKS_MAX):
            connection.send(MetadataRequest([])).close()
            await asyncio.sleep(0)
    finally:
        connection.close()
        await link.stop()


async def test_a_lost_connection_is_an_error_that_aiokafka_knows(kafka: str) -> None:
    survive_lost_connections()
    with pytest.raises(KafkaError):
        await asyncio.to_thread(lambda: uvloop.run(_sent_until_it_fails(kafka)))
