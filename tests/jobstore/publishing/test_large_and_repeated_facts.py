"""Facts that unpack to much take bounded memory, and facts that are published again are news to no watch."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from support.jobstore.signed_facts import TopicsInMemory, make_keys
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing import fact_reader
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.publishing.watches import Watches
from servicekit.kafka.publisher import Outgoing

LARGE, SIZE = 500, 1 << 20
#: Of one character, so that PostgreSQL stores a hundredth of it.
_ADD_LARGE = text(
    "INSERT INTO job_logs (job_id, version, status, job_status, kind, response_payload, created_at) "
    "SELECT :job_id, v + 1, 'IN_PROGRESS', 'IN_PROGRESS', 'progress', "
    f"json_build_object('partial', repeat('x', {SIZE})), clock_timestamp() FROM generate_series(1, {LARGE}) v"
)


class Counted(TopicsInMemory):
    """Topics that keep no record, only how many there were and how many bytes came at once."""

    count, most = 0, 0

    async def send(self, outgoing: Sequence[Outgoing]) -> list[Any]:
        """As a Publisher does."""
        results = await super().send(outgoing)
        self.count, self.records = self.count + len(self.records), []
        self.most = max(self.most, sum(len(record.value or b"") for record in outgoing))
        return results


def make_relay(database: Database, topics: TopicsInMemory) -> Relay:
    async def make_topics() -> None:
        pass

    publisher: Any = topics
    return Relay(database, publisher, FactSigner(make_keys("a")), topics.end_offsets, make_topics)


async def test_bodies_that_unpack_to_much_are_read_a_few_at_a_time(database: Database, runner: CommandRunner) -> None:
    steps, topics = await Steps(database, runner).created(), Counted()
    async with database.transaction() as connection:
        await connection.execute(_ADD_LARGE, {"job_id": steps.job_id})
    relay = make_relay(database, topics)
    tracemalloc.start()
    async with database.session() as session:
        await relay.load(session)
        while await relay.relay(session):
            pass
        session.invalidate()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert topics.count > LARGE
    assert topics.most <= fact_reader.RECORDS_BYTES + 2 * SIZE
    assert peak < 64 << 20


async def test_a_watch_opened_while_all_is_published_again_begins_at_the_present(
    database: Database, runner: CommandRunner
) -> None:
    topics = TopicsInMemory()
    relay, watches = make_relay(database, topics), Watches(database)
    older = await Steps(database, runner).created()
    async with database.session() as session:
        await relay.load(session)
        while await relay.relay(session):
            pass
        present = await watches.resolve_cursor(None)
        topics.empty()
        await relay._begin_again(session)
        assert relay.published == 0
        assert await watches.resolve_cursor(None) == present
        newer = await Steps(database, runner).created()
        await make_relay(database, topics).load(session)  # another leads in the midst of it
        assert await watches.resolve_cursor(None) == present
        while await relay.relay(session):
            pass
        session.invalidate()
    watches.set_settled(relay.settled)
    (entry,) = await anext(aiter(watches.read_changes(present, [], payloads=False)))
    assert (entry["job_id"], older.job_id != newer.job_id) == (newer.job_id, True)
