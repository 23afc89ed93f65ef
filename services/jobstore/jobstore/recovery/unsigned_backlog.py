"""Handle, once, what workers reported before reports were signed and no jobstore had read when it was upgraded."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from sqlalchemy import TextClause, text

from contracts.events import Event, JobStatusReported, ResultProduced
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secrets
from contracts.sizes import MESSAGE_MAX_BYTES
from jobstore.storage.database import Database
from servicekit.errors import PermanentError
from servicekit.kafka.subscription import Subscription, decode, is_replay
from servicekit.retry import retry_transient

log = logging.getLogger(__name__)

RECORDS_MAX = 200
#: The migration to signed reports leaves this to the first start after it.
_STEP: Final = {"step": "unsigned_backlog"}
_IS_PENDING: Final = text("SELECT EXISTS (SELECT FROM upgrades WHERE step = :step)")
_DONE: Final = text("DELETE FROM upgrades WHERE step = :step RETURNING step")


async def handle_unsigned_backlog(
    kafka: str, database: Database, subscriptions: Sequence[Subscription[Event]], secrets: Secrets
) -> None:
    """Handle the unsigned reports that lie in the topics as if they were signed, if reports were not until now.

    Where a topic ends is asked once. What is written behind that counts only signed, as ever.
    """
    if not await _ask(database, _IS_PENDING):
        return
    for subscription in subscriptions:
        if subscription.event in {JobStatusReported, ResultProduced}:
            await _drain(kafka, subscription, secrets)
    await _ask(database, _DONE)


async def _ask(database: Database, statement: TextClause) -> object:
    async def ask() -> object:
        async with database.transaction() as connection:
            return await connection.scalar(statement, _STEP)

    return await retry_transient(ask, on="postgres")


async def _drain(kafka: str, subscription: Subscription[Event], secrets: Secrets) -> None:
    topic = subscription.topic
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=subscription.group, enable_auto_commit=False, auto_offset_reset="none"
    )
    await consumer.start()
    subscription.consumer = lambda: consumer
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, max(begins[partition], await consumer.committed(partition) or 0))
        handled = 0
        while left := [p for p in partitions if await consumer.position(p) < ends[p]]:
            now = await consumer.end_offsets(left)
            if any(now[p] < ends[p] for p in left):  # its broker came back empty: what is there now is not of before
                break
            for partition, records in (await consumer.getmany(*left, timeout_ms=500, max_records=RECORDS_MAX)).items():
                old = [_sign(subscription, r, secrets) for r in records if r.offset < ends[partition]]
                if old:
                    await subscription.process(old)
                handled += len(old)
        log.warning("reports from before they were signed are handled", extra={"topic": topic.name, "records": handled})
    finally:
        subscription.consumer = lambda: None
        await consumer.stop()


def _sign(subscription: Subscription[Event], record: ConsumerRecord[bytes, bytes], secrets: Secrets) -> Any:
    """Return an unsigned report, signed; any other record as it is."""
    if is_replay(record) or SIGNATURE_HEADER in dict(record.headers):
        return record
    try:
        event: Any = decode(subscription.event, record, MESSAGE_MAX_BYTES).event
    except PermanentError:
        return record
    signature = secrets.make_key(KeyUse.EXECUTING, event.execution_id, event.lease).sign(record.value)
    return replace(record, headers=(*record.headers, (SIGNATURE_HEADER, signature.encode())))
