"""aiokafka does what we need with its patches, and still not without: where that fails, a patch is needed no more."""

import asyncio
import gc
import re
from importlib.metadata import version

import aiokafka.errors
import pytest
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CommitFailedError, KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.record.memory_records import MemoryRecords
from faults.stack.links import Link
from subscribing import subscribed
from support.fakes import until
from support.kafka.batches import bomb, poison

from servicekit import patches
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics
from servicekit.patches import InvalidRecordError, commit_as_member_only, survive_lost_connections

#: Longer than the test: a fetch that failed waits to be tried again.
BACKOFF_MS = 60_000
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


async def test_without_the_patch_it_is_none(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AIOKafkaConnection, "send", patches._send)
    with pytest.raises(RuntimeError) as raised:
        await asyncio.to_thread(lambda: uvloop.run(_sent_until_it_fails(kafka)))
    assert not isinstance(raised.value, KafkaError)


async def _stopped_without_a_broker(kafka: str) -> None:
    """Stop a consumer whose fetch has failed."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, retry_backoff_ms=BACKOFF_MS)
    failing = asyncio.Event()

    async def fail(*_: object) -> None:
        failing.set()
        raise KafkaConnectionError

    await consumer.start()
    consumer._client.send = fail
    consumer.assign([TopicPartition("result-produced", 0)])
    consumer.seek(TopicPartition("result-produced", 0), 0)
    await asyncio.wait_for(failing.wait(), 30)
    try:
        await consumer.stop()
    finally:
        await consumer._client.close()


async def test_a_consumer_that_is_stopped_while_the_broker_is_away_does_not_cancel_who_stops_it(kafka: str) -> None:
    survive_lost_connections()
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    await _stopped_without_a_broker(kafka)


async def test_without_the_patch_it_does(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fetcher, "_proc_fetch_request", patches._fetch)
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    with pytest.raises(asyncio.CancelledError):
        await _stopped_without_a_broker(kafka)


async def _committed_by_a_stranger(place, handler) -> None:
    """Commit as one that a broker does not know, as one that came back empty."""
    async with subscribed(place, handler) as subscription:
        consumer = subscription.consumer()
        await until(consumer.assignment)
        coordinator = consumer._coordinator
        place.group = coordinator.group_id = f"{place.group}-unknown"
        coordinator.reset_generation()
        await consumer.commit(dict.fromkeys(consumer.assignment(), 1))


async def test_a_broker_that_does_not_know_a_consumer_takes_no_offsets_of_it(place, handler):
    """Whoever is in no group may commit to an empty one."""
    commit_as_member_only()
    with pytest.raises(CommitFailedError):
        await _committed_by_a_stranger(place, handler)


async def test_without_the_patch_it_takes_them(place, handler, monkeypatch):
    monkeypatch.setattr(GroupCoordinator, "_do_commit_offsets", patches._commit)
    await _committed_by_a_stranger(place, handler)


async def test_a_consumer_that_joins_a_group_again_commits_nothing_until_it_has_its_partitions(place, handler):
    """It has the new generation before: a broker that came back empty would take offsets of records that are gone."""
    commit_as_member_only()
    async with subscribed(place, handler) as subscription:
        consumer = subscription.consumer()
        await until(consumer.assignment)
        await consumer.commit(dict.fromkeys(consumer.assignment(), 0))
        coordinator = consumer._coordinator
        coordinator.generation += 1
        with pytest.raises(CommitFailedError):
            await consumer.commit(dict.fromkeys(consumer.assignment(), 1))


async def test_a_commit_whose_caller_has_given_up_fails_in_silence(place, handler, monkeypatch):
    """As one does that waits for a broker that is away: what it read comes again, and nobody is told of an error."""
    told, asked, lost = [], asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))

    async def fail_late(*_: object) -> None:
        asked.set()
        await lost.wait()
        raise KafkaConnectionError

    monkeypatch.setattr("servicekit.patches._commit", fail_late)
    commit_as_member_only()
    async with subscribed(place, handler) as subscription:
        consumer = subscription.consumer()
        await until(consumer.assignment)
        committing = asyncio.create_task(consumer.commit(dict.fromkeys(consumer.assignment(), 1)))
        await asked.wait()
        committing.cancel()
        monkeypatch.undo()
        lost.set()
        await until(committing.done)
        await until(lambda: not any("_commit_as_member" in repr(task) for task in asyncio.all_tasks()))
    gc.collect()
    assert told == []


def test_without_the_patch_a_batch_that_cannot_be_read_is_raised_for_ever_and_one_that_is_too_large_is_unpacked():
    place = TopicPartition("t", 0)
    reader = PartitionRecords(place, MemoryRecords(poison()), [], 0, None, None, True, 0)
    with pytest.raises(UnicodeDecodeError):
        next(reader)
    assert reader.next_fetch_offset == 0
    (record,) = PartitionRecords(place, MemoryRecords(bomb(65)), [], 0, None, None, True, 0)
    assert len(record.value) > patches.UNPACKED_MAX


def test_without_the_patch_a_refusal_of_a_record_is_unknown():
    known = {getattr(one, "errno", None) for one in vars(aiokafka.errors).values()}
    assert InvalidRecordError.errno not in known


def test_the_patches_are_of_the_versions_that_are_installed():
    named = re.findall(r"(aiokafka|grpcio|uvloop) (\d+\.\d+)", patches.__doc__ or "")
    assert named == [(name, ".".join(version(name).split(".")[:2])) for name in ("aiokafka", "grpcio", "uvloop")]


async def test_a_password_is_asked_for_at_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    patches.ask_for_credentials()
    assert AIOKafkaConnection("nowhere", 1, sasl_plain_password=lambda: "p")._sasl_plain_password == "p"
    monkeypatch.setattr(AIOKafkaConnection, "__init__", patches._init)
    assert callable(AIOKafkaConnection("nowhere", 1, sasl_plain_password=lambda: "p")._sasl_plain_password)


@pytest.mark.parametrize("is_patched", [True, False])
async def test_a_poll_that_raised_is_not_under_way(is_patched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    patches.note_failed_polls()
    if not is_patched:
        monkeypatch.setattr(SubscriptionState, "fetch_context", patches._fetch_context)
    polls = SubscriptionState()
    ended_at = polls._last_fetch_ended
    with pytest.raises(KafkaError), polls.fetch_context():
        raise KafkaError
    assert (polls.fetcher_idle_time > 0) is is_patched
    if is_patched:
        assert (polls._last_fetch_ended, type(polls.poll_error)) == (ended_at, KafkaError)
        with polls.fetch_context():
            assert polls.fetcher_idle_time == 0
        assert (polls._last_fetch_ended > ended_at, polls.poll_error) == (True, None)
