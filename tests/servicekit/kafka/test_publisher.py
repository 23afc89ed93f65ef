"""Publishing to a real broker, which may be away."""

import asyncio
import os
import signal
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidTimestampError, KafkaError, ProducerFenced, RecordListTooLargeError, for_code
from support.factories import execute_requested, lease, result_produced
from support.fakes import until
from support.kafka.topics import Place, count_requests

from contracts.events import ExecuteRequested
from contracts.topics import MESSAGE_MAX_BYTES, TOPICS
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics
from servicekit.kafka.publisher import SOON_MAX, Outgoing, Publisher
from servicekit.retry import retry_transient


@pytest.fixture(scope="module")
async def broker(kafka: str) -> str:
    await ensure_topics(KafkaAccess(kafka), 1)
    return kafka


@pytest.fixture
async def place(broker: str) -> Place:
    return await Place.now(broker, "execute-requested")


@pytest.fixture
async def publisher(broker: str):
    publisher = Publisher(KafkaAccess(broker), "test")
    await publisher.start()
    yield publisher
    await publisher.stop()


def breaks(publisher: Publisher) -> None:
    """As an error that an idempotent producer does not survive; the fault is planted."""
    publisher._producer._message_accumulator.fail_all(ProducerFenced())


def jobs(records) -> list[str]:
    return [ExecuteRequested.model_validate_json(record.value).job_id for record in records]


async def test_records_of_one_iteration_of_the_loop_share_a_request(publisher):
    events = [execute_requested(job_id=f"job-{number}") for number in range(20)]
    await publisher.publish(*events)  # until each partition, which may be new, has its leader
    requests = count_requests(publisher._producer)
    await asyncio.gather(*(publisher.publish(event) for event in events))
    assert requests == {"ProduceRequest": 1}


async def test_events_of_a_job_are_published_in_order(publisher, place):
    events = [execute_requested() for _ in range(50)]
    await publisher.publish(*events)
    records = await place.records(50)
    assert [ExecuteRequested.model_validate_json(record.value) for record in records] == events
    assert {record.key for record in records} == {b"job-1"}
    assert dict(records[0].headers)["ce_id"] == str(events[0].event_id).encode()


async def test_a_record_that_is_too_large_is_refused_for_good_and_delays_no_other(publisher, place):
    too_large = Outgoing(place.topic, bytes(MESSAGE_MAX_BYTES + 1))
    with pytest.raises(PermanentError) as refused:
        await publisher.publish(result_produced(result="x" * MESSAGE_MAX_BYTES))
    assert refused.value.code == "message_too_large"
    results = await publisher.send([too_large, Outgoing(place.topic, b"after")])
    assert [type(result) for result in results] == [PermanentError, TransientError]  # never before what it follows
    await publisher.publish(execute_requested(job_id="b"))
    assert jobs(await place.records(1)) == ["b"]


async def test_what_a_broker_takes_for_the_repeat_of_another_producers_record_is_sent_again(publisher, broker, place):
    """As after a broker came back empty, which gives the numbers of its producers once more; the fault is planted."""
    newer = Publisher(KafkaAccess(broker), "newer")
    await newer.start()
    await newer.publish(execute_requested(job_id="job"))
    publisher._producer._txn_manager._pid_and_epoch = newer._producer._txn_manager._pid_and_epoch
    with pytest.raises(TransientError, match="acknowledged as a repeat"):
        await publisher.publish(execute_requested(job_id="job"))
    await publisher.publish(execute_requested(job_id="job"))
    await newer.stop()
    await place.records(2)


async def test_a_topic_whose_records_have_the_brokers_time_is_published_to(publisher, broker):
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    stamped = {"message.timestamp.type": "LogAppendTime"}
    await admin.create_topics([NewTopic("stamped", num_partitions=1, replication_factor=1, topic_configs=stamped)])
    await admin.close()

    async def published():
        (result,) = await publisher.send([Outgoing("stamped", b"body")])
        if isinstance(result, Exception):
            raise result

    await retry_transient(published, on="kafka")
    for _ in range(3):
        await published()


async def test_a_producer_that_died_is_replaced_and_nothing_is_lost(publisher, place):
    await publisher.publish(execute_requested(job_id="a"))
    breaks(publisher)
    with pytest.raises(TransientError):
        await publisher.publish(execute_requested(job_id="b"))
    await publisher.publish(execute_requested(job_id="b"), execute_requested(job_id="c"))
    records = await place.records(3)
    assert sorted(jobs(records)) == ["a", "b", "c"]


async def test_many_that_meet_a_dead_producer_at_once_all_succeed_by_trying_again(publisher, place):
    breaks(publisher)

    async def stubbornly(number: int) -> None:
        while True:
            try:
                return await publisher.publish(execute_requested(job_id=f"job-{number}"))
            except TransientError:
                continue

    await asyncio.gather(*(stubbornly(number) for number in range(50)))
    assert sorted(jobs(await place.records(50))) == sorted(f"job-{number}" for number in range(50))


async def test_a_record_that_its_producer_never_takes_is_told_of_and_can_be_sent_again(broker, place):
    publisher = Publisher(KafkaAccess(broker), "test", enqueue_timeout_s=0.5)
    await publisher.start()
    await publisher._producer.stop()  # the fault is planted: it waits for ever for metadata of the topic
    with pytest.raises(TransientError):
        await publisher.publish(execute_requested(job_id="a"))
    await publisher.publish(execute_requested(job_id="a"))
    await publisher.stop()
    assert jobs(await place.records(1)) == ["a"]


async def test_what_is_published_without_waiting_is_sent_before_the_publisher_ends(broker, place):
    publisher = Publisher(KafkaAccess(broker), "test")
    await publisher.start()
    publisher.publish_report_soon(execute_requested(job_id="a"), lease())
    await publisher.stop()
    assert jobs(await place.records(1)) == ["a"]


async def test_nothing_piles_up_and_the_end_is_soon_while_the_broker_is_away(broker, servers, caplog):
    publisher = Publisher(KafkaAccess(broker), "test")
    await publisher.start()
    await publisher.publish(execute_requested())
    pid = servers.processes["kafka"]
    os.kill(pid, signal.SIGSTOP)
    try:
        event, key = execute_requested(), lease()
        for _ in range(SOON_MAX + 3):
            publisher.publish_report_soon(event, key)
        assert [r.message for r in caplog.records].count("event dropped") == 3
        started = time.monotonic()
        await publisher.stop()
        assert time.monotonic() - started < 5.0
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_told_to_stop_while_it_waits_for_the_broker_it_leaves_nothing_open():
    publisher = Publisher(KafkaAccess("127.0.0.1:1"), "test")
    starting = asyncio.create_task(publisher.start())
    await until(lambda: not starting.done())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await publisher.stop()


async def described(broker: str) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    """The settings and the number of partitions of each topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    try:
        await admin.start()
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in TOPICS])
        topics = await admin.describe_topics(list(TOPICS))
    except KafkaError as error:  # thawed, a broker serves nobody until its controller has heard of it again
        raise TransientError(str(error), code="kafka_unavailable") from error
    finally:
        await admin.close()
    settings = {name: {entry[0]: entry[1] for entry in entries} for *_, name, entries in answer.resources}
    return settings, {topic["topic"]: len(topic["partitions"]) for topic in topics}


async def test_topics_are_as_the_catalogue_says_however_often_they_are_ensured(broker):
    await ensure_topics(KafkaAccess(broker), 1)
    settings, partitions = await retry_transient(lambda: described(broker), on="kafka")
    for topic in TOPICS.values():
        assert settings[topic.name].items() >= topic.list_settings(1).items()
    assert partitions == {topic.name: topic.partitions for topic in TOPICS.values()}


async def test_what_the_broker_refuses_is_refused_for_good_and_what_follows_is_taken(publisher, broker):
    """The broker, and not the producer: the record has used up a number that the broker then misses."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    small = {"max.message.bytes": "300000"}
    await admin.create_topics([NewTopic("small", num_partitions=1, replication_factor=1, topic_configs=small)])
    await admin.close()
    await retry_transient(lambda: sent(publisher, Outgoing("small", b"before")), on="kafka")
    (refused,) = await publisher.send([Outgoing("small", bytes(400_000))])
    assert isinstance(refused, PermanentError)
    assert refused.code == "message_too_large"
    assert (await sent(publisher, Outgoing("small", b"after"))).offset == 1


async def sent(publisher, record):
    (result,) = await publisher.send([record])
    if isinstance(result, Exception):
        raise result
    return result


def test_what_is_no_record_to_a_broker_is_refused_for_good():
    for error in (RecordListTooLargeError(), InvalidTimestampError(), for_code(87)()):
        assert isinstance(Publisher(KafkaAccess(""), "test")._read_ack(None, error), PermanentError)
    assert isinstance(Publisher(KafkaAccess(""), "test")._read_ack(None, for_code(-1)()), TransientError)
