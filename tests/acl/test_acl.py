"""A broker with TLS, users and ACLs: what each user may, what who is refused is told, and how refusals end."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.protocol.admin import DeleteAclsRequest_v1
from aiokafka.protocol.api import Request
from support.fakes import until
from walk import Finding, is_given, walk

from cli.commands.kafka_checks import check_kafka
from cli.session import Target
from contracts.events import JobChanged, ResultProduced
from contracts.grants import USERS, Grant, Operation, Resource, list_grants
from contracts.topics import JOBSTORE_GROUPS, TOPIC_OF, TOPICS
from localstack.backing import secured_kafka
from localstack.kafka import ADMIN, Kafka
from servicekit import retry
from servicekit.errors import RefusedError
from servicekit.kafka import access
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.acls import KNOWN_WITHIN_S, apply_grants, make_users, read_grants
from servicekit.kafka.broker import Readers, Topics, ensure_topics, start_consuming, wait_for_topics
from servicekit.kafka.history import History
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.kafka.settings import Mechanism, Security
from servicekit.kafka.subscription import ConsumerDeadError, Subscription, make_broker, stop_consuming
from signoff.errors import ErrorCode

FACTS, RESULTS = TOPIC_OF[JobChanged], TOPIC_OF[ResultProduced]


@pytest.fixture(scope="module")
def secured() -> Iterator[Kafka]:
    """Run a Kafka with TLS, users and ACLs, whose topics the jobstore has made."""
    with secured_kafka() as kafka:
        asyncio.run(ensure_topics(kafka.reach_as("jobstore"), 1))
        yield kafka


async def test_each_user_may_what_the_catalogue_gives_and_nothing_else(secured: Kafka) -> None:
    findings = await walk(secured.reach_as)
    sys.stdout.write("\n".join(["", *_describe(findings), ""]))  # as `make acl` shows
    assert [each for each in findings if each.is_allowed != is_given(each)] == []


def _describe(findings: list[Finding]) -> Iterator[str]:
    """Yield a line for each user and operation, with what was allowed."""
    for user, operation in dict.fromkeys((each.user, each.operation) for each in findings):
        tried = [each for each in findings if (each.user, each.operation) == (user, operation)]
        allowed = [each.name for each in tried if each.is_allowed]
        yield f"{user:<10} {operation:<16} {len(allowed):>2} of {len(tried)}: {', '.join(allowed) or 'nothing'}"
    yield f"{len(findings)} tries, {sum(each.is_allowed for each in findings)} allowed"


async def test_who_is_refused_is_told_what_to_correct(secured: Kafka) -> None:
    good = secured.reach_as("operator")
    nobody = replace(good, user="", password="")
    told = {
        "SIGNOFF_KAFKA_USER and SIGNOFF_KAFKA_PASSWORD": [replace(good, password="wrong"), replace(good, user="ghost")],
        "SIGNOFF_KAFKA_MECHANISM, which is PLAIN": [replace(good, mechanism=Mechanism.PLAIN)],
        "under SIGNOFF_KAFKA_CA (those of the system)": [replace(good, ca=None)],
        "asks for a user by SCRAM-SHA-512: correct SIGNOFF_KAFKA_SECURITY": [replace(nobody, security=Security.SSL)],
        "speaks TLS alone: correct SIGNOFF_KAFKA_SECURITY, which is SASL_PLAINTEXT": [
            replace(good, security=Security.SASL_PLAINTEXT)
        ],
        "speaks TLS alone: correct SIGNOFF_KAFKA_SECURITY, which is PLAINTEXT": [KafkaAccess(good.servers)],
    }
    assert await good.find_refusal() is None
    for words, refused in told.items():
        for each in refused:
            refusal = await each.find_refusal()
            assert refusal is not None
            assert refusal.code == ErrorCode.KAFKA_UNAUTHENTICATED
            assert words in str(refusal)


async def test_a_broker_that_asks_for_nothing_says_so(kafka: str, secured: Kafka) -> None:
    asked = replace(secured.reach_as("operator"), servers=kafka)
    assert "speaks no TLS" in str(await asked.find_refusal())
    assert "asks for no user" in str(await replace(asked, security=Security.SASL_PLAINTEXT).find_refusal())
    assert await KafkaAccess(kafka).find_refusal() is None


async def test_a_broker_that_is_away_refuses_nobody() -> None:
    assert await KafkaAccess("127.0.0.1:1", Security.SSL).find_refusal() is None


async def test_what_an_acl_forbids_is_a_refusal_at_once(secured: Kafka) -> None:
    """Aiokafka itself waits for ever for offsets and metadata that are hidden."""
    executor = secured.reach_as("executor")
    topics, readers = Topics(executor), Readers(executor, {RESULTS: "signoff-validator"})

    async def read_facts() -> None:
        async with History(executor, FACTS) as history:
            await history.offsets()

    for asked in (topics.end_offsets(FACTS), topics.find_spans(FACTS), readers.describe(), read_facts()):
        with pytest.raises(RefusedError) as refused:
            await asyncio.wait_for(asked, 5)
        assert refused.value.code == ErrorCode.KAFKA_FORBIDDEN
    assert len(await topics.end_offsets(RESULTS)) == TOPICS[RESULTS].partitions
    await asyncio.gather(topics.close(), readers.close())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "REFUSAL_S", 0.2)
    monkeypatch.setattr(access, "WATCH_S", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_refusal_ends_whoever_waits_for_kafka(secured: Kafka) -> None:
    stranger, console = replace(secured.reach_as("jobstore"), password="wrong"), secured.reach_as("console")
    reading = make_broker(console, "test")
    reading.subscriber(RESULTS, group_id="signoff-validator")(lambda _: None)

    async def ensure() -> None:
        """Make nothing."""

    waits: dict[str, list[Callable[[], object]]] = {
        ErrorCode.KAFKA_UNAUTHENTICATED: [
            lambda: ensure_topics(stranger, 1),
            lambda: wait_for_topics(stranger, "jobstore"),
            Publisher(stranger, "test").start,
            stranger.watch,
        ],
        ErrorCode.KAFKA_FORBIDDEN: [
            lambda: ensure_topics(console, 1),
            lambda: wait_for_topics(console, "executor"),
            lambda: start_consuming(console, reading, ensure),
        ],
    }
    for code, begin in ((code, each) for code, some in waits.items() for each in some):
        with pytest.raises(RefusedError) as refused:
            async with asyncio.timeout(20):
                await begin()  # type: ignore[misc]
        assert refused.value.code == code


async def test_a_password_and_a_ca_are_read_again_when_their_files_change(secured: Kafka, tmp_path: Path) -> None:
    known = secured.reach_as("operator")
    assert known.ca is not None
    password, ca = tmp_path / "password", tmp_path / "ca.pem"
    password.write_text("the old one\n")
    ca.write_bytes(known.ca.read_bytes())
    kept = replace(known, password="", password_file=password, ca=ca)
    client = kept.make_client(client_id="test")
    assert "SIGNOFF_KAFKA_PASSWORD" in str(await kept.find_refusal())
    password.write_text(known.password)
    await client.bootstrap()  # of the client that was made before
    await client.close()
    ca.write_text("what is no certificate")  # as while it is written: what was there goes on
    assert await kept.find_refusal() is None


class _DeleteAcls(Request[DeleteAclsRequest_v1]):  # type: ignore[misc]
    API_KEY = 31

    def __init__(self, topic: str, user: str, operation: int) -> None:
        self._filter = (2, topic, 3, f"User:{user}", None, operation, 1)

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class([self._filter])


ANY, READ = 1, 3


async def delete_acls(kafka: Kafka, topic: str, user: str, operation: int = ANY) -> None:
    admin = kafka.reach_as(ADMIN).make_admin()
    await admin.start()
    before = await read_grants(admin) or set()
    await admin._send_request(_DeleteAcls(topic, user, operation))
    # The answer comes before the broker has forgotten them.
    while await read_grants(admin) == before:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await admin.close()


@asynccontextmanager
async def granted(kafka: Kafka, grant: Grant) -> AsyncIterator[None]:
    """Give a user an ACL more for the block."""
    await apply_grants(kafka.reach_as(ADMIN), [grant])
    try:
        yield
    finally:
        await delete_acls(kafka, grant.name, grant.user)
        await apply_grants(kafka.reach_as(ADMIN), list_grants())  # of what else it had there


async def until_refused(publisher: Publisher, record: Outgoing) -> None:
    async with asyncio.timeout(10):
        sent: object = None
        while not isinstance(sent, RefusedError):
            (sent,) = await publisher.send([record])


async def test_a_publisher_goes_on_once_its_acl_is_back(secured: Kafka) -> None:
    """Aiokafka's own producer fails for ever: the broker misses the numbers of the refused records."""
    publisher, record = Publisher(secured.reach_as("validator"), "test"), Outgoing(RESULTS, b"{}", partition=0)
    grant = Grant("validator", Operation.WRITE, Resource.TOPIC, RESULTS)
    await publisher.start()
    try:
        for _ in range(2):
            async with granted(secured, grant):
                (sent,) = await publisher.send([record])
                assert not isinstance(sent, Exception)
            await until_refused(publisher, record)
    finally:
        await publisher.stop()


@pytest.mark.usefixtures("impatient")
async def test_a_consumer_whose_acl_is_taken_away_ends_and_says_why(secured: Kafka) -> None:
    async def handle(records: Sequence[object]) -> Sequence[object]:
        return records

    jobstore = secured.reach_as("jobstore")  # it may write to the topic, and so see it, without reading
    publisher, broker = Publisher(jobstore, "test"), make_broker(jobstore, "test")
    subscription = Subscription[ResultProduced](publisher, ResultProduced, f"{JOBSTORE_GROUPS}-test", handle)
    subscription.attach(broker, max_records=10)
    await publisher.start()
    await broker.start()
    await until(lambda: bool((consumer := subscription.consumer()) and consumer.assignment()))
    try:
        await delete_acls(secured, RESULTS, "jobstore", READ)
        with pytest.raises(ConsumerDeadError, match=r"result-produced: its polls are refused: \[Error 29\]"):
            async with asyncio.timeout(30):
                await subscription.watch()
    finally:
        await apply_grants(secured.reach_as(ADMIN), list_grants())
        await stop_consuming(broker, [subscription])
        await publisher.stop()


async def test_applying_what_is_there_makes_nothing(secured: Kafka) -> None:
    assert await apply_grants(secured.reach_as(ADMIN), list_grants()) == 0
    with pytest.raises(RefusedError):
        await apply_grants(secured.reach_as("upstream"), list_grants())
    assert set(USERS) >= {grant.user for grant in list_grants()}


async def test_a_user_is_made_and_given_another_password(secured: Kafka) -> None:
    admin = secured.reach_as(ADMIN)
    for password in ("the first", "the second"):
        await make_users(admin, {"newcomer": password})
        newcomer = replace(admin, user="newcomer", password=password)
        async with asyncio.timeout(KNOWN_WITHIN_S):
            while await newcomer.find_refusal():  # noqa: ASYNC110 - brokers tell nobody what they have learned
                await asyncio.sleep(0.02)
    assert await replace(admin, user="newcomer", password="the first").find_refusal()
    with pytest.raises(RefusedError):
        await make_users(secured.reach_as("upstream"), {"newcomer": "the third"})


async def test_doctor_says_how_it_connects_and_what_acls_are_missing(secured: Kafka) -> None:
    operator = secured.reach_as("operator")
    target = Target(kafka=operator.servers, kafka_settings=operator.to_settings())
    checks = {check.part: check for check in await check_kafka(target)}
    assert {part for part, check in checks.items() if not check.ok} == set()
    assert checks["kafka"].found == f"{operator.servers} (SASL_SSL as operator)"
    await delete_acls(secured, RESULTS, "executor")
    lacking = next(check for check in await check_kafka(target) if check.part == "kafka ACLs")
    assert lacking.found == "executor lacks Write of topic result-produced"
    await apply_grants(secured.reach_as(ADMIN), list_grants())
    (refused,) = await check_kafka(replace(target, kafka_settings=target.kafka_settings | {"password": "wrong"}))
    assert "does not accept operator" in refused.found


async def test_topics_of_work_grow_and_never_shrink(secured: Kafka, caplog: pytest.LogCaptureFixture) -> None:
    jobstore = secured.reach_as("jobstore")
    readers = Readers(jobstore, {RESULTS: f"{JOBSTORE_GROUPS}-results"})
    assert len(await readers.find_ends()) == 8
    await ensure_topics(jobstore, 1, 10)

    async def find_new_ends() -> dict[TopicPartition, int]:
        return {place: end for place, end in (await readers.find_ends()).items() if place.partition >= 8}

    ends = await find_new_ends()
    assert (len(ends), await readers.have_read(ends)) == (2, True)
    publisher = Publisher(jobstore, "test")
    await publisher.start()
    await publisher.send([Outgoing(RESULTS, b"{}", partition=9)])
    await publisher.stop()
    assert not await readers.have_read(await find_new_ends())
    await ensure_topics(jobstore, 1)
    assert "none are taken away" in caplog.text
    assert len(await readers.find_ends()) == 10
    topics = Topics(jobstore)
    assert len(await topics.end_offsets(FACTS)) == 8
    await asyncio.gather(readers.close(), topics.close())
