"""Rebuild where facts stand as stubs: their jobs are set aside, and go on in order once the whole has come."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_agent
from support.jobstore.edited import edited
from support.jobstore.limited_topic import LOW, limit_topic
from support.jobstore.steps import Steps
from told_facts import Facts, Since, empty, rebuilding, verified
from told_lives import claimed_and_judged

from contracts.events import AgentChanged
from contracts.resources import NewAgent
from contracts.topics import MESSAGE_MAX_BYTES, TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.recovery import projection
from jobstore.recovery.rebuild import OpenHistory
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from signoff.status import Outcome

AGENTS = TOPIC_OF[AgentChanged]


@pytest.fixture(scope="module")
async def stubbed(database: Database, runner: CommandRunner, facts: Facts) -> AsyncIterator[dict[str, Steps]]:
    """A large job whose first facts are stubs, a small one, and an agent that is a stub; by name."""
    lives = {name: Steps(database, runner) for name in ("large", "small")}
    await limit_topic(facts.kafka, LOW)
    large = await lives["large"].created(payload="x" * 1_000_000)
    await edited(large, payload="y" * 1_000_000)  # more than a consumer asks for at once
    await runner.submit.run_one(ExecuteJob(large.job_id, large.execution_id, chosen=True, actor=SIGNOFF))
    await lives["small"].requested()
    for steps in lives.values():
        await claimed_and_judged(steps, Outcome.PASS)
    await facts.relay(database)
    yield lives
    await limit_topic(facts.kafka, MESSAGE_MAX_BYTES)
    await limit_topic(facts.kafka, MESSAGE_MAX_BYTES, AGENTS)


@pytest.fixture(scope="module")
def told(stubbed: dict[str, Steps], facts: Facts) -> OpenHistory:
    assert stubbed
    return lambda topic: Since(KafkaAccess(facts.kafka), topic)


@pytest.fixture
async def complete(stubbed: dict[str, Steps], facts: Facts, database: Database) -> None:
    """The topic takes what it did not, and is told."""
    assert stubbed
    await limit_topic(facts.kafka, MESSAGE_MAX_BYTES)
    await facts.relay(database)


async def test_a_job_that_stays_aside_is_named_and_stops_the_rebuild(
    stubbed: dict[str, Steps], told: OpenHistory, target: tuple[Database, str], database_url: str
) -> None:
    database, url = target
    large, small = stubbed["large"].job_id, stubbed["small"].job_id
    with pytest.raises(PermanentError, match=rf"{large} version 1 \(a stub\)") as error:
        await rebuilding(database, told).run()
    assert (error.value.code, small in str(error.value)) == ("gaps", False)

    result = await rebuilding(database, told, accept_gaps=True).run()
    assert (result["gaps"], result["aside"]) == (1, [f"{large} version 1 (a stub)"])
    async with database.session() as session:
        assert list(await session.scalars(text("SELECT id FROM jobs"))) == [small]
    compared = await verified(url, database_url)
    assert (compared["ok"], compared["stubs"]) == (False, [f"{large} version {version}" for version in (1, 2, 3)])


async def test_a_job_goes_on_in_order_once_the_whole_has_come(
    told: OpenHistory,
    target: tuple[Database, str],
    complete: None,
    database_url: str,
    postgres: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del complete
    rebuilt, url = target
    result = await rebuilding(rebuilt, told).run()
    assert (result["gaps"], result["aside"]) == (0, [])
    compared = await verified(url, database_url)
    assert (compared["ok"], compared["stubs"]) == (True, []), compared
    monkeypatch.setattr(projection, "BATCH", 1)
    async with empty(postgres) as (again, url):
        await rebuilding(again, told).run()
        assert (await verified(url, database_url))["ok"]


async def test_an_agent_that_is_a_stub_is_named_and_is_disabled_where_that_is_accepted(
    told: OpenHistory, target: tuple[Database, str], facts: Facts, database: Database, database_url: str, postgres: str
) -> None:
    await limit_topic(facts.kafka, 2_000, AGENTS)
    async with database.transaction() as connection:
        new = NewAgent(name="large", url="http://127.0.0.1:1/", capabilities=["x" * 100 + str(n) for n in range(30)])
        await put_agent(connection, "large", new, create=True)
    await facts.relay(database)
    rebuilt, url = target
    with pytest.raises(PermanentError, match="agent-changed large"):
        await rebuilding(rebuilt, told).run()
    await rebuilding(rebuilt, told, accept_gaps=True).run()
    async with rebuilt.session() as session:
        row = (await session.execute(text("SELECT enabled, capabilities FROM agents WHERE id = 'large'"))).one()
        assert (row.enabled, row.capabilities) == (False, [])
    assert (await verified(url, database_url))["stubs"] == ["agent-changed large"]

    await limit_topic(facts.kafka, MESSAGE_MAX_BYTES, AGENTS)
    await facts.relay(database)
    async with empty(postgres) as (whole, url):
        await rebuilding(whole, told).run()
        assert (await verified(url, database_url))["ok"]
