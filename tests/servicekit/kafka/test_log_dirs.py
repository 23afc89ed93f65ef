"""Brokers tell how much of their disks is free."""

import shutil

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from servicekit.kafka.broker import list_log_dirs


async def test_a_broker_tells_how_much_is_free_where_its_logs_are(broker: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        (found,) = await list_log_dirs(admin)
    finally:
        await admin.close()
    assert found.broker == 1
    assert found.free_bytes == pytest.approx(shutil.disk_usage(found.path).free, rel=0.1)


class OldBroker:
    """A cluster of one broker that knows no such call."""

    async def describe_cluster(self) -> dict[str, object]:
        return {"brokers": [{"node_id": 1}]}

    async def _send_request(self, request: object, _: int) -> object:
        return request.prepare({35: (0, 3)})  # type: ignore[attr-defined]


async def test_of_a_broker_of_before_nothing_is_known() -> None:
    assert await list_log_dirs(OldBroker()) == []  # type: ignore[arg-type]
