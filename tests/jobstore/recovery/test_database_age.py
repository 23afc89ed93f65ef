"""A jobstore does not run on a database that is older than its facts."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.older import older_copy
from support.jobstore.signed_facts import make_keys
from support.jobstore.steps import Steps
from told_facts import KEYS, Facts
from told_lives import claimed_and_judged

from contracts.signing import SIGNATURE_HEADER, FactKeys
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.recovery import rebuild
from jobstore.recovery.database_age import check_age, refuse_older_database
from jobstore.recovery.rebuild import OpenHistory
from jobstore.subjects import STORES
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Outgoing
from signoff.status import Outcome


@pytest.fixture
async def check(history: OpenHistory) -> AsyncIterator[Callable[..., Any]]:
    async with history(rebuild.JOBS) as topic:

        async def check(database: Database, keys: FactKeys = KEYS) -> None:
            await check_age(database, topic, keys)

        yield check


async def judged(database: Database, runner: CommandRunner) -> Steps:
    steps = Steps(database, runner)
    await steps.requested()
    await claimed_and_judged(steps, Outcome.PASS)
    return steps


async def test_a_database_that_lacks_what_a_fact_tells_is_refused(
    database: Database, database_url: str, runner: CommandRunner, facts: Facts, check: Any
) -> None:
    async with older_copy(database_url) as older:
        await check(older)
        steps = await judged(database, runner)
        await facts.relay(database)
        await check(database)
        with pytest.raises(PermanentError, match=steps.job_id) as refused:
            await check(older)
        assert refused.value.code == "database_older_than_facts"
        await judged(older, CommandRunner(older, STORES, runner.terms))  # however far it goes on by itself
        with pytest.raises(PermanentError, match=steps.job_id):
            await check(older)


async def test_a_relay_that_begins_to_lead_asks_again(
    database: Database, database_url: str, runner: CommandRunner, facts: Facts, kafka: str
) -> None:
    """A standby may have taken over since the process started; it then publishes nothing, and the process ends."""
    check = partial(refuse_older_database, KafkaAccess(kafka), database, KEYS)
    async with older_copy(database_url) as older:
        steps = await judged(database, runner)
        await facts.relay(database)
        await check()
        check = partial(refuse_older_database, KafkaAccess(kafka), older, KEYS)
        relay = Relay(older, facts.publisher, FactSigner(KEYS), facts.topics.end_offsets, check, check)
        with pytest.raises(PermanentError, match=steps.job_id) as refused:
            await relay.run()
        assert refused.value.code == "database_older_than_facts"


async def test_a_database_that_has_told_more_than_it_knows_of_is_taken(
    database: Database, runner: CommandRunner, facts: Facts, check: Any
) -> None:
    """As after a crash between what Kafka acknowledged and what the relay stored."""
    async with database.transaction() as connection:
        before = await connection.scalar(text("SELECT offsets::text FROM relay"))
    await judged(database, runner)
    await facts.relay(database)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET offsets = CAST(:offsets AS json)"), {"offsets": before})
    await check(database)


async def test_a_fact_of_ours_that_cannot_be_read_stops_nothing_and_hides_nothing(
    database: Database, runner: CommandRunner, facts: Facts, check: Any, caplog: pytest.LogCaptureFixture
) -> None:
    steps = await judged(database, runner)
    await facts.relay(database)
    key, torn = steps.job_id.encode(), b'{"job_id":"half of a fact"'
    header = (SIGNATURE_HEADER, KEYS.signing.sign(rebuild.JOBS, key, torn).encode())
    await facts.publisher.send([Outgoing(rebuild.JOBS, torn, key, [header])])
    await check(database)
    assert "a fact of ours cannot be read" in caplog.text


async def test_a_fact_of_a_stranger_or_of_a_replaced_secret_stops_nothing(
    database: Database, runner: CommandRunner, facts: Facts, history: OpenHistory, check: Any
) -> None:
    both = make_keys("new", "test")
    steps = await judged(database, runner)
    await facts.relay(database, both)  # from here on "test" is replaced
    async with history(rebuild.JOBS) as topic:
        told = [r async for batch in topic.read(await topic.offsets()) for r in batch if r.key == steps.job_id.encode()]
    unknown = told[-1].value.replace(b'"version":', b'"version":7')  # of the fact, its entry and its job
    signed = [make_keys(name).signing for name in ("stranger", "test", "new")]
    headers = [[(SIGNATURE_HEADER, key.sign(rebuild.JOBS, told[-1].key, unknown).encode())] for key in signed]
    for of in ([], *headers[:2]):
        await facts.publisher.send([Outgoing(rebuild.JOBS, unknown, told[-1].key, of)])
    await check(database, both)
    await facts.publisher.send([Outgoing(rebuild.JOBS, unknown, told[-1].key, headers[2])])
    with pytest.raises(PermanentError, match=steps.job_id):
        await check(database, both)
