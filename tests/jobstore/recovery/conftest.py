"""Lives that are all told to the topics, and databases to make of them again."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from support.jobstore.removed import RETENTION, archived
from support.jobstore.steps import Steps
from told_facts import TOPICS, Facts, Since, empty, rebuilding
from told_lives import ended_life, every_life

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.keeping.removal import RemoveJob
from jobstore.recovery.rebuild import OpenHistory
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.publisher import Publisher


@pytest.fixture(scope="module")
async def facts(kafka: str) -> AsyncIterator[Facts]:
    await ensure_topics(KafkaAccess(kafka), 1)
    made = Facts(kafka, Publisher(KafkaAccess(kafka), "test"), Topics(KafkaAccess(kafka)))
    await made.publisher.start()
    Since.began = {topic: await made.topics.end_offsets(topic) for topic in TOPICS}
    yield made
    await made.publisher.stop()
    await made.topics.close()


@pytest.fixture(scope="module")
async def live(database: Database, runner: CommandRunner, facts: Facts) -> dict[str, Steps]:
    """Jobs of every outcome, and some that are live, all told; by name."""
    lives = await every_life(database, runner)
    await facts.relay(database)
    gone = {name: await ended_life(Steps(database, runner)) for name in ("removed", "removed and cut", "removed late")}
    await facts.relay(database)
    await archived(database)
    for name in ("removed", "removed and cut"):
        await runner.administer.run_one(RemoveJob(gone[name].job_id, "tenant:* completed_s", actor=RETENTION))
    await facts.relay(database)
    async with database.transaction() as connection:
        cut = "DELETE FROM job_logs WHERE job_id = :id AND kind <> 'removed'"
        await connection.execute(text(cut), {"id": gone["removed and cut"].job_id})
    await runner.administer.run_one(RemoveJob(gone["removed late"].job_id, "by hand", actor=RETENTION))
    await facts.relay(database)
    return lives


@pytest.fixture(scope="module")
def history(live: dict[str, Steps], facts: Facts) -> OpenHistory:
    """What the topics hold, once all those lives are told."""
    assert live
    return lambda topic: Since(KafkaAccess(facts.kafka), topic)


@pytest.fixture
async def target(postgres: str) -> AsyncIterator[tuple[Database, str]]:
    async with empty(postgres) as made:
        yield made


@pytest.fixture(scope="module")
async def rebuilt_url(postgres: str, history: OpenHistory) -> AsyncIterator[str]:
    async with empty(postgres) as (database, url):
        await rebuilding(database, history).run()
        yield url
