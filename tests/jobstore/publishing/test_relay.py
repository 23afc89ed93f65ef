"""The relay publishes every version in order on a real broker, also when commits or acknowledgements come late."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from random import randbytes
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy import text
from support.jobstore.administered import add_old_agent
from support.jobstore.edited import edited
from support.jobstore.signed_facts import make_keys
from support.jobstore.statements import recorded_statements
from support.jobstore.steps import Steps, verdict

from contracts.events import JobChanged
from contracts.resources import NewAgent
from contracts.signing import FactFilter
from contracts.topics import TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.relay import FactSigner, Relay
from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.publisher import Publisher
from servicekit.patches import skip_unreadable_batches
from signoff.status import JobLogStatus, ReportKind

TOPIC = TOPIC_OF[JobChanged]
#: An entry of a job's log as the next version.
ADD_ENTRY = text(
    "INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at) "
    "SELECT id, version + 1, 'PENDING', 'PENDING', 'progress', now() FROM jobs WHERE id = :job_id FOR UPDATE"
)
KEYS = make_keys("test")


class Lossy:
    """A publisher that fails to publish some records."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.fails: set[int] = set()
        self.sent = 0

    async def send(self, records: Any) -> list[Any]:
        results = list(await self.publisher.send(records))
        for place in range(len(records)):
            if self.sent + place in self.fails:
                results[place] = TransientError("not acknowledged")
        self.sent += len(records)
        return results


@pytest.fixture(scope="module")
async def publisher(kafka: str) -> AsyncIterator[Publisher]:
    await ensure_topics(KafkaAccess(kafka), 1)
    made = Publisher(KafkaAccess(kafka), "test")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def relay(database: Database, publisher: Publisher, kafka: str) -> AsyncIterator[Relay]:
    topics = Topics(KafkaAccess(kafka))
    signer = FactSigner(KEYS)
    yield Relay(database, Lossy(publisher), signer, topics.end_offsets, lambda: ensure_topics(KafkaAccess(kafka), 1))  # type: ignore[arg-type]
    await topics.close()


async def facts(kafka: str, jobs: set[str], count: int) -> dict[str, list[JobChanged]]:
    """The facts of some jobs, as a reader takes them, once there are so many: only the version after its last."""
    found: defaultdict[str, list[JobChanged]] = defaultdict(list)
    vouched = FactFilter(KEYS)
    skip_unreadable_batches()  # which other tests leave in the topic
    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            while sum(map(len, found.values())) < count:
                for record in vouched.select([await consumer.getone()]):
                    if (record.key or b"").decode() not in jobs:
                        continue  # another test's, which may be no fact
                    fact = JobChanged.model_validate_json(record.value)
                    if fact.version == len(found[fact.job_id]) + 1:
                        found[fact.job_id].append(fact)
    finally:
        await consumer.stop()
    return found


async def relayed(relay: Relay, database: Database) -> None:
    """Lead, and relay until nothing is left."""
    async with database.session() as session:
        while await relay.relay(session) or relay.has_gaps:
            pass


async def test_every_transition_is_published_in_order_with_what_it_says(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    steps = Steps(database, runner)
    lease = await steps.judging(payload={"n": 2**80}, labels={"team": "a"})
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
    await relayed(relay, database)

    told = (await facts(kafka, {steps.job_id}, 5))[steps.job_id]
    first, last = told[0], told[-1]
    assert [fact.version for fact in told] == [1, 2, 3, 4, 5]
    assert (first.job.payload, first.job.labels, first.job.title) == ({"n": 2**80}, {"team": "a"}, "A title")
    assert first.agent is not None
    assert first.agent.id == "writer"
    assert (last.log.status, last.job.status, last.job.version) == (JobLogStatus.COMPLETED, "COMPLETED", 5)
    assert last.log.result == "blue"
    assert (last.log.spent_calls, last.log.max_calls) == (0, 3)
    assert (first.log.actor, last.log.actor) == ("signoff", "validator")  # the test asks by no door
    cursors = [fact.log.cursor for fact in told]
    assert cursors == sorted(cursors)


async def test_large_bodies_are_read_some_at_a_time(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    await relayed(relay, database)
    steps = [Steps(database, runner) for _ in range(8)]
    for one in steps:
        await one.created(payload=randbytes(450_000).hex())
    sent = [relay._publisher.sent]  # type: ignore[attr-defined]
    async with database.session() as session:
        while await relay.relay(session) or relay.has_gaps:
            sent.append(relay._publisher.sent)  # type: ignore[attr-defined]
    assert max(after - before for before, after in pairwise(sent)) <= 5
    told = await facts(kafka, {one.job_id for one in steps}, 8)
    assert {len(versions) for versions in told.values()} == {1}


async def test_a_row_that_commits_late_is_not_passed_over_and_holds_no_other_back(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    """Rule `settled-before-published`: the marks wait for it, and the facts of others do not."""
    await relayed(relay, database)
    late, early = await Steps(database, runner).created(), Steps(database, runner)
    await relayed(relay, database)
    async with database.transaction() as connection:  # takes a number, and commits after the other one
        await connection.execute(ADD_ENTRY, {"job_id": late.job_id})
        await early.created()
        async with database.session() as session:
            for _ in range(3):
                await relay.relay(session)
        assert len((await facts(kafka, {early.job_id}, 1))[early.job_id]) == 1
        marks = relay.published, relay.settled
    await relayed(relay, database)
    told = await facts(kafka, {early.job_id, late.job_id}, 3)
    cursor = told[late.job_id][1].log.cursor
    assert cursor is not None
    assert marks == (cursor - 1, cursor - 1)
    assert relay.settled == told[early.job_id][0].log.cursor


async def test_numbers_that_were_rolled_back_are_given_up_once_nobody_writes_who_may_have_drawn_them(
    relay: Relay, database: Database, runner: CommandRunner
) -> None:
    steps = await Steps(database, runner).created()
    await relayed(relay, database)
    async with database.session() as writing:
        await writing.execute(text("BEGIN"))
        await writing.execute(ADD_ENTRY, {"job_id": steps.job_id})
        await Steps(database, runner).created()
        async with database.session() as session:
            for _ in range(3):
                await relay.relay(session)
            assert relay.has_gaps
            await writing.execute(text("ROLLBACK"))
            await relayed(relay, database)
    assert not relay.has_gaps


@pytest.mark.parametrize(
    ("elsewhere", "write"),
    [
        (True, "SELECT pg_current_xact_id()"),
        (False, "INSERT INTO starts (name, began_at, count) VALUES ('a test', now(), 1)"),
    ],
    ids=["another database", "another table"],
)
async def test_what_others_write_holds_nothing_back(
    relay: Relay, database: Database, database_url: str, runner: CommandRunner, elsewhere: bool, write: str
) -> None:
    """No mark waits for a transaction that has written, but not the log: not on the whole server."""
    await relayed(relay, database)
    url = urlsplit(database_url)
    url = url._replace(scheme="postgresql", path="/postgres" if elsewhere else url.path)
    other = await asyncpg.connect(url.geturl())
    transaction = other.transaction()
    await transaction.start()
    try:
        await other.execute(write)
        steps = await Steps(database, runner).created()
        await relayed(relay, database)
        (entry,) = await steps.logs()
        assert (relay.published, relay.settled) == (entry.seq, entry.seq)
    finally:
        await transaction.rollback()
        await other.close()


async def test_a_quiet_pass_takes_three_statements_and_one_where_nothing_is_new_takes_one(
    relay: Relay, database: Database, runner: CommandRunner
) -> None:
    await relayed(relay, database)
    steps = await Steps(database, runner).requested()
    async with database.session() as session:
        with recorded_statements() as asked:
            assert not await relay.relay(session)
            assert not await relay.complete_stubs(session)
            assert relay.published == (await steps.logs())[-1].seq
            looked, read, stored = [statement for statement in asked if "relay" in statement or "unnest" in statement]
        assert ("unseen" in looked, "taken" in read, "pg_notify" in stored) == (True, True, True)
        with recorded_statements() as asked:
            assert not await relay.relay(session)
        assert len(asked) == 1


async def test_what_was_not_acknowledged_is_published_again_from_the_first_on(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    """Rule `publish-from-first-unacknowledged`."""
    steps = Steps(database, runner)
    await relayed(relay, database)
    await steps.running()
    lossy: Any = relay._publisher
    lossy.fails = {lossy.sent + 1}
    with pytest.raises(TransientError):
        await relayed(relay, database)
    await relayed(relay, database)
    told = await facts(kafka, {steps.job_id}, 3)
    assert [fact.version for fact in told[steps.job_id]] == [1, 2, 3]


async def test_a_topic_that_lost_its_records_is_filled_again_from_version_1(
    relay: Relay, database: Database, runner: CommandRunner
) -> None:
    """Rule `begin-again`: acknowledged offsets that lie beyond the topic's end, or do not rise."""
    steps = Steps(database, runner)
    await steps.running()
    await relayed(relay, database)
    relay._marks.offsets = dict.fromkeys(relay._marks.offsets, 10**9)
    async with database.session() as session:
        await relay._probe(session)
    assert relay.published == 0
    await relayed(relay, database)
    assert relay.published > 0

    relay._marks.offsets = {f"{TOPIC}/{partition}": 10**9 for partition in range(8)}
    await Steps(database, runner).created()
    await relayed(relay, database)
    assert all(offset < 10**9 for offset in relay._marks.offsets.values())


async def test_a_relay_that_gives_up_leaves_neither_its_lock_nor_its_settings_behind(
    relay: Relay, database: Database, runner: CommandRunner
) -> None:
    """Otherwise nobody would lead for a while, and commits that others share would not be durable."""
    await Steps(database, runner).created()

    async def away(_: Any) -> list[Any]:
        return [TransientError("not acknowledged")] * 1_000

    relay._publisher = SimpleNamespace(send=away)  # type: ignore[assignment]
    with pytest.raises(TransientError):
        await relay._lead()
    async with database.session() as session:
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        locks = text(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here}")
        async with asyncio.timeout(10):
            while await session.scalar(locks):  # noqa: ASYNC110 - the server ends its session soon
                await asyncio.sleep(0.01)
        assert await session.scalar(text("SHOW synchronous_commit")) == "on"


async def test_a_fact_of_a_job_shows_no_password_of_its_agent(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    async with database.transaction() as connection:
        new = NewAgent(name='o"l@d', url="http://user:s3cret@127.0.0.1:1/", headers={"X-Key": "env:SIGNOFF_AGENT_X"})
        await add_old_agent(connection, "old", new)
    steps = await Steps(database, runner).created(agent_id="old")
    await relayed(relay, database)
    (fact,) = (await facts(kafka, {steps.job_id}, 1))[steps.job_id]
    assert fact.agent is not None
    assert (fact.agent.url, fact.agent.name) == ("http://***@127.0.0.1:1/", 'o"l@d')
    assert fact.agent.headers == {"X-Key": "env:SIGNOFF_AGENT_X"}


async def test_what_is_stored_small_and_is_large_is_read_some_at_a_time(
    relay: Relay, database: Database, runner: CommandRunner
) -> None:
    """A text of one letter takes a hundredth of its size in the table: what counts is what a pass reads."""
    await relayed(relay, database)
    for _ in range(12):
        await Steps(database, runner).created(payload="a" * 900_000)
    sent = [relay._publisher.sent]  # type: ignore[attr-defined]
    async with database.session() as session:
        while await relay.relay(session) or relay.has_gaps:
            sent.append(relay._publisher.sent)  # type: ignore[attr-defined]
    assert max(after - before for before, after in pairwise(sent)) <= 5


async def test_texts_of_jobs_count_too_and_only_a_little_of_many_edits_is_read(
    relay: Relay, database: Database, runner: CommandRunner, kafka: str
) -> None:
    """Facts that are told late show what was asked for then, and a pass is small however large that is."""
    await relayed(relay, database)
    steps = Steps(database, runner)
    await steps.created(description="a" * 900_000, labels={"n": "0"})
    for number in range(1, 9):
        await edited(steps, payload="p" * number * 1_000)
    await edited(steps, description="b" * 900_000, title="Another")
    for number in range(9, 13):
        await edited(steps, payload="p" * number * 1_000, labels={"n": str(number)})
    sent = [relay._publisher.sent]  # type: ignore[attr-defined]
    with recorded_statements() as asked:
        async with database.session() as session:
            while await relay.relay(session) or relay.has_gaps:
                sent.append(relay._publisher.sent)  # type: ignore[attr-defined]
    assert max(after - before for before, after in pairwise(sent)) <= 5
    told = (await facts(kafka, {steps.job_id}, 14))[steps.job_id]
    asks = [(fact.job.title, fact.job.description[0], fact.job.labels["n"], len(fact.job.payload)) for fact in told[1:]]
    assert asks[:8] == [("A title", "a", "0", number * 1_000) for number in range(1, 9)]
    assert asks[8] == ("Another", "b", "0", 8_000)
    assert asks[9:] == [("Another", "b", str(number), number * 1_000) for number in range(9, 13)]
    assert told[0].job.description == "a" * 900_000
    assert 0 < len([statement for statement in asked if "string_to_array" in statement]) <= 3 * len(sent)
