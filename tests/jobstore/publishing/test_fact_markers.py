"""The relay signs each fact, and writes markers into every partition before the first fact under another key."""

from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.signed_facts import Stored, TopicsInMemory, make_keys
from support.jobstore.steps import Steps

from contracts.signing import FactFilter, FactKeys, Secrets, is_marker, make_secret
from contracts.topics import FACT_TOPICS, TOPICS
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.relay import FactSigner, Relay
from servicekit.errors import TransientError

PLACES = {(topic, number) for topic in FACT_TOPICS for number in range(TOPICS[topic].partitions)}


@pytest.fixture
async def topics(database: Database) -> TopicsInMemory:
    """Empty topics, and a relay that has never published."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET published_seq = 0, offsets = '{}', signers = '[]'"))
    return TopicsInMemory()


class Jobstore:
    """A jobstore with these secrets, the newest first."""

    def __init__(self, database: Database, topics: TopicsInMemory, keys: FactKeys) -> None:
        async def make_topics() -> None:
            pass

        publisher: Any = topics
        self.database = database
        self.relay = Relay(database, publisher, FactSigner(keys), topics.end_offsets, make_topics)

    async def lead(self) -> None:
        """Publish all that there is, as the leader."""
        async with self.database.session() as session:
            await self.relay.load(session)
            await self.relay._probe(session)
            while await self.relay.relay(session) or self.relay.has_gaps:
                pass


def taken(topics: TopicsInMemory, *secret_ids: str) -> list[Stored]:
    """The facts that somebody takes who has the keys of these secrets; nothing else is there but markers."""
    chosen = FactFilter(make_keys(*secret_ids))
    facts = list(chosen.select(topics.records))
    assert not chosen.left, chosen.left
    return facts


def markers(records: list[Stored]) -> set[tuple[str, int]]:
    return {(record.topic, record.partition) for record in records if is_marker(record)}


async def test_every_fact_is_signed_and_stands_behind_the_markers_of_all_partitions(
    database: Database, runner: CommandRunner, topics: TopicsInMemory
) -> None:
    await Steps(database, runner).running()
    await Jobstore(database, topics, make_keys("a")).lead()
    assert markers(topics.records[: len(PLACES)]) == PLACES
    assert all((record.key, record.value) == (None, b"{}") for record in topics.records[: len(PLACES)])
    assert {fact.topic for fact in taken(topics, "a")} >= {"job-changed", "agent-changed"}
    assert len(taken(topics, "a")) == len(topics.records) - len(PLACES)


async def test_markers_are_written_also_where_there_is_nothing_to_tell(
    database: Database, topics: TopicsInMemory
) -> None:
    jobstore = Jobstore(database, topics, make_keys("a"))
    await jobstore.lead()
    topics.records.clear()
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    assert markers(topics.records) == PLACES
    assert len(topics.records) == len(PLACES)


async def test_another_secret_signs_behind_its_own_markers_which_are_written_once(
    database: Database, runner: CommandRunner, topics: TopicsInMemory
) -> None:
    await Steps(database, runner).created()
    await Jobstore(database, topics, make_keys("a")).lead()
    before = len(topics.records)
    await Steps(database, runner).created()
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    assert markers(topics.records[before : before + len(PLACES)]) == PLACES
    assert len(taken(topics, "b", "a")) == len(topics.records) - 2 * len(PLACES)
    before = len(topics.records)
    await Steps(database, runner).created()
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    assert not markers(topics.records[before:])


async def test_no_fact_is_published_before_all_markers_are_acknowledged(
    database: Database, runner: CommandRunner, topics: TopicsInMemory
) -> None:
    await Jobstore(database, topics, make_keys("a")).lead()
    await Steps(database, runner).created()
    before = len(topics.records)
    topics.acknowledges = len(PLACES) - 1
    with pytest.raises(TransientError):
        await Jobstore(database, topics, make_keys("b", "a")).lead()
    assert len(topics.records) == before + len(PLACES) - 1
    topics.acknowledges = 10**9
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    assert markers(topics.records[before + len(PLACES) - 1 : before + 2 * len(PLACES) - 1]) == PLACES
    assert len(taken(topics, "b", "a")) == len(topics.records) - 3 * len(PLACES) + 1


@pytest.mark.parametrize("secret_ids", [("a",), ("b", "a")])
async def test_a_broker_that_came_back_empty_is_given_the_markers_first(
    database: Database, runner: CommandRunner, topics: TopicsInMemory, secret_ids: tuple[str, ...]
) -> None:
    """Whatever the order in which it is noticed: by the ends of the topics, or by an offset that does not rise."""
    await Steps(database, runner).created()
    await Jobstore(database, topics, make_keys("a")).lead()
    facts = len(taken(topics, "a"))
    topics.empty()
    await Jobstore(database, topics, make_keys(*secret_ids)).lead()
    assert markers(topics.records[: len(PLACES)]) == PLACES
    assert len(taken(topics, secret_ids[0])) == facts

    topics.empty()
    await Steps(database, runner).created()
    unnoticed = Jobstore(database, topics, make_keys(*secret_ids))
    async with database.session() as session:
        await unnoticed.relay.load(session)
        while await unnoticed.relay.relay(session) or unnoticed.relay.has_gaps:
            pass
    again = next(place for place, record in enumerate(topics.records) if is_marker(record))
    assert markers(topics.records[again : again + len(PLACES)]) == PLACES
    assert len(taken(topics, secret_ids[0])[again:]) == facts + 1


async def test_a_jobstore_that_has_not_been_told_of_the_new_secret_publishes_nothing(
    database: Database, runner: CommandRunner, topics: TopicsInMemory
) -> None:
    await Jobstore(database, topics, make_keys("a")).lead()
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    before = len(topics.records)
    await Steps(database, runner).created()
    for stale in (make_keys("a"), make_keys("a", "b")):
        with pytest.raises(TransientError, match="'b' signs facts by now") as error:
            await Jobstore(database, topics, stale).lead()
        assert error.value.code == "wrong_secrets"
    assert len(topics.records) == before
    await Jobstore(database, topics, make_keys("b")).lead()
    assert len(topics.records) == before + 1


async def test_secrets_in_another_order_or_with_another_value_under_an_id_are_refused(
    database: Database, topics: TopicsInMemory
) -> None:
    """Whoever rebuilds with such secrets would find honest facts unsigned."""
    await Jobstore(database, topics, make_keys("a")).lead()
    await Jobstore(database, topics, make_keys("b", "a")).lead()
    with pytest.raises(TransientError, match="newest first"):
        await Jobstore(database, topics, make_keys("c", "a", "b")).lead()
    other = FactKeys.derive(Secrets.parse(f"{make_secret('c', b'c' * 32)},{make_secret('b', b'x' * 32)}"))
    with pytest.raises(TransientError, match="'b' has another value"):
        await Jobstore(database, topics, other).lead()
    await Jobstore(database, topics, make_keys("c", "b", "a")).lead()
