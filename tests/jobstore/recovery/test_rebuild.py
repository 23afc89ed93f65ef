"""A database made again from the facts in Kafka, and held against the one that told them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from costly import costly_and_reused
from sqlalchemy import text
from support.jobstore.edited import edited_lives
from support.jobstore.steps import Steps, able_agents, verdict

from contracts.identity import new_execution_id
from contracts.resources import NewAgent
from contracts.status import Outcome, ReportKind
from jobstore.commands.executions import CancelJob, ExecuteJob
from jobstore.commands.jobs import AssignAgent, MatchJob
from jobstore.commands.resubmission import next_id
from jobstore.domain.model import TransitionKind
from jobstore.errors import RefusedError
from jobstore.publishing.relay import Relay
from jobstore.recovery import rebuild
from jobstore.recovery.rebuild import Opens, Rebuild
from jobstore.recovery.verify import TABLES, Verify, at_one_moment
from jobstore.runner import CommandRunner
from jobstore.storage.agents import disable_agent, put_agent
from jobstore.storage.database import Database
from servicekit.errors import PermanentError
from servicekit.kafka.history import History, Record
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.topics import Topics, ensure_topics

TOPICS = (rebuild.JOBS, *rebuild.FACTS)
AT_MOST_ONCE = {"delivery": "at_most_once"}


class Since(History):
    """What a topic holds since this module began: other tests' databases told of themselves before."""

    began: Mapping[str, Mapping[int, int]]
    drops: Callable[[Record], bool] = staticmethod(lambda _: False)
    rubbish: Sequence[bytes | None] = ()

    async def offsets(self, since: Any = None) -> dict[int, range]:
        held = await super().offsets(since)
        return {number: range(self.began[self.topic][number], span.stop) for number, span in held.items()}

    async def read(self, offsets: Mapping[int, range]) -> AsyncIterator[list[Record]]:
        async for records in super().read(offsets):
            yield [*(replace(records[0], value=v) for v in self.rubbish), *(r for r in records if not self.drops(r))]


@dataclass
class Facts:
    """The topics, and the relays that publish to them."""

    kafka: str
    publisher: Publisher
    topics: Topics

    async def relay(self, database: Database) -> None:
        """Publish all that a database has yet to tell."""
        relay = Relay(database, self.publisher, self.topics.end_offsets, lambda: ensure_topics(self.kafka, 1))
        async with database.session() as session:
            row = (await session.execute(text("SELECT published_seq, offsets FROM relay"))).one()
            relay.published, relay._offsets = row.published_seq, row.offsets
            while await relay.relay(session) or relay._pending is not None:
                pass


@pytest.fixture(scope="module")
async def facts(kafka: str) -> AsyncIterator[Facts]:
    await ensure_topics(kafka, 1)
    made = Facts(kafka, Publisher(kafka, "test"), Topics(kafka))
    await made.publisher.start()
    Since.began = {topic: await made.topics.end_offsets(topic) for topic in TOPICS}
    yield made
    await made.publisher.stop()
    await made.topics.close()


@pytest.fixture(scope="module")
async def live(database: Database, runner: CommandRunner, facts: Facts) -> dict[str, Steps]:
    """Jobs of every outcome, and some that are live, all told; by name."""
    lives: dict[str, Steps] = {}

    def life(name: str) -> Steps:
        return lives.setdefault(name, Steps(database, runner))

    await _at_rest(life, runner)
    await edited_lives(life)
    await _live(life)
    await _by_policy(life, database)
    await _agents(database)
    await facts.relay(database)
    return lives


@pytest.fixture(scope="module")
def history(live: dict[str, Steps], facts: Facts) -> Opens:
    """What the topics hold, once all those lives are told."""
    assert live
    return lambda topic: Since(facts.kafka, topic)


async def _at_rest(life: Callable[[str], Steps], runner: CommandRunner) -> None:
    await _judged(life("completed"), Outcome.PASS, payload={"n": 2**70, "nul": "\0", "x": 1e300}, labels={"a": "b"})
    await _judged(life("rejected"), Outcome.FAIL, policy={"max_submissions": 1})
    steps = life("resubmitted")
    await _judged(steps, Outcome.FAIL, policy={"deadline_s": 3600.25}, priority=9, tenant="other", description="d")
    steps.execution_id = new_execution_id()
    await runner.submit.one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, resubmission=True))
    await _claimed_and_judged(steps, Outcome.PASS)

    steps = life("retried, lapsed and failed")
    lease = await steps.running()
    await steps.report(lease, ReportKind.CALL_BEGUN)
    await steps.report(lease, ReportKind.PROGRESS, seq=2, progress=0.25, message="a quarter")
    await steps.report(lease, ReportKind.PROGRESS, seq=3, message="more", partial={"text": "\0", "n": 2**70})
    await steps.report(lease, ReportKind.ATTEMPT_FAILED, seq=4, code="agent_status", message="503")
    lease = await _claimed(steps)
    await steps.due(-1)
    await runner.notice(TransitionKind.LAPSED, [(steps.execution_id, lease, False)])
    await steps.report(await _claimed(steps), ReportKind.FAILED, code="agent_status", message="\N{SNOWMAN} \\ \"'")

    await life("declined").report(await life("declined").running(), ReportKind.DECLINED, message="not mine")
    steps = life("cancelled, with a late result")
    lease = await steps.running()
    await runner.submit.one(CancelJob(steps.job_id, reason="not needed"))
    await steps.result(lease, {"late": True})
    steps = life("assigned again")
    await _judged(steps, Outcome.FAIL)
    await runner.submit.one(AssignAgent(steps.job_id, "writer", '{"other":[1.50,"\\u00e9"]}'))
    await costly_and_reused(life, runner)
    await life("pending").created(agent_id=None)
    await life("pending, cancelled").created(agent_id=None)
    await runner.submit.one(CancelJob(life("pending, cancelled").job_id))
    refused = life("refused")
    await refused.created(agent_id=None)
    with pytest.raises(RefusedError):
        await runner.submit.one(ExecuteJob(refused.job_id, refused.execution_id, chosen=True))
    await runner.submit.one(CancelJob(None, life("cancelled before it came").execution_id))


async def _live(life: Callable[[str], Steps]) -> None:
    await life("queued").requested()
    await life("running").running()
    steps = life("in progress")
    await steps.report(await steps.running(), ReportKind.PROGRESS, message="begun")
    await life("judging").judging()
    await life("once, queued").requested(policy=AT_MOST_ONCE)
    await life("once, running").running(policy=AT_MOST_ONCE)
    await life("once, judging").judging(policy=AT_MOST_ONCE)


async def _by_policy(life: Callable[[str], Steps], database: Database) -> None:
    """Jobs that are matched, handed on and submitted again by nobody's hand."""
    missed = await life("no agent matches").created(agent_id=None, capabilities=["able", 'a "b"'])
    await able_agents(database)
    await missed.runner.match.one(MatchJob(missed.job_id, 2))
    await life("matched, with a payload").created(agent_id=None, capabilities=["able"], payload={"n": [1.50]})
    steps, policy = life("handed on, without progress"), {"resubmit": "automatic", "hand_over_after": 1}
    await _judged(steps, Outcome.FAIL, agent_id=None, capabilities=["able"], policy=policy)
    steps.execution_id = next_id(steps.execution_id)
    await _claimed_and_judged(steps, Outcome.FAIL)
    assert [row.code for row in await steps.logs() if row.code] == ["matched", "handed_on", "no_progress"]
    await _judged(life("queued by policy"), Outcome.FAIL, policy={"resubmit": "automatic"})


async def _agents(database: Database) -> None:
    async with database.transaction() as connection:
        for name in ("unused", "changed"):
            await put_agent(connection, name, NewAgent(name=name, url="http://127.0.0.1:1/"), create=True)
    async with database.transaction() as connection:
        new = NewAgent(name="newer", url="http://127.0.0.1:2/", capabilities=["b", 'a "c"'], policy={"max_attempts": 2})
        await put_agent(connection, "changed", new, create=False)
        await disable_agent(connection, "unused")


async def _judged(steps: Steps, outcome: Outcome, **fields: Any) -> None:
    await steps.requested(**fields)
    await _claimed_and_judged(steps, outcome)


async def _claimed(steps: Steps) -> int:
    answer = await steps.claim()
    assert answer.execution is not None, answer
    return answer.execution.lease


async def _claimed_and_judged(steps: Steps, outcome: Outcome) -> None:
    judged = await steps.claim_judging(await _claimed(steps))
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(outcome))


@asynccontextmanager
async def empty(postgres: str) -> AsyncIterator[tuple[Database, str]]:
    name = f"rebuilt_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=3)
    yield database, url
    await database.close()
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.fixture
async def target(postgres: str) -> AsyncIterator[tuple[Database, str]]:
    async with empty(postgres) as made:
        yield made


@pytest.fixture(scope="module")
async def rebuilt_url(postgres: str, history: Opens) -> AsyncIterator[str]:
    async with empty(postgres) as (database, url):
        await Rebuild(database, history, print).run()
        yield url


async def verified(one: str, other: str) -> Mapping[str, Any]:
    async with at_one_moment(one) as rebuilt, at_one_moment(other) as source:
        return await Verify(rebuilt, source).run()


async def test_a_database_made_again_from_the_facts_is_the_same(rebuilt_url: str, database_url: str) -> None:
    result = await verified(rebuilt_url, database_url)
    assert result["ok"], result
    assert (result["ended"], result["behind"]) == (2, 0)
    assert all(count > 2 for count in result["counts"].values())


PLANTED = {
    "agents": ("UPDATE agents SET capabilities = '{}' WHERE id = 'changed'", "capabilities"),
    "jobs": ("UPDATE jobs SET payload = '{\"n\": 1}' WHERE NOT live", "payload"),
    "job_logs": ("UPDATE job_logs SET message = 'another' WHERE code = 'agent_status'", "message"),
    "executions": ("UPDATE executions SET answer = 'failed' WHERE answer = 'completed'", "answer"),
    "facts": ("UPDATE facts SET body = '{}'", "body"),
}


@pytest.mark.parametrize("table", [compared.name for compared in TABLES])
@pytest.mark.parametrize("how", ["another value", "missing", "live missing"])
async def test_a_difference_in_any_table_is_found_and_explained(
    rebuilt_url: str, database_url: str, table: str, how: str
) -> None:
    change, column = PLANTED[table]
    if how != "another value":
        where = "kind = 'result'" if table == "job_logs" else "true"
        change, column = f"DELETE FROM {table} WHERE {where}", None
    urls = (rebuilt_url, database_url) if how != "live missing" else (database_url, rebuilt_url)
    async with at_one_moment(urls[1]) as other, planted(urls[0]) as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(change))
        pair = (other, connection) if how == "live missing" else (connection, other)
        result = await Verify(*pair).run()
    assert not result["ok"]
    difference = result["difference"]
    assert (difference["table"], difference["column"]) == (table, column)
    assert difference["rebuilt"] != difference["live"]
    if how != "another value":
        words = ("there", "missing") if how == "live missing" else ("missing", "there")
        assert (difference["rebuilt"], difference["live"]) == words


@asynccontextmanager
async def planted(url: str) -> AsyncIterator[Any]:
    """A transaction in which anything may be changed; nothing of it stays."""
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=1)
    async with database.engine.connect() as connection:
        await connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        yield connection
        await connection.rollback()
    await database.close()


async def test_a_topic_that_was_begun_again_and_holds_rubbish_makes_the_same_database(
    database: Database,
    database_url: str,
    facts: Facts,
    history: Opens,
    target: tuple[Database, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Since, "rubbish", [None, b"no json", b"{}", b'{"job_id":"a","version":1}', b"\xff"])
    for _ in range(2):
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE relay SET published_seq = 0"))
        await facts.relay(database)
    again, url = target
    result = await Rebuild(again, history, print).run()
    assert (result["unreadable"] >= 15, result["gaps"]) == (True, 0)
    assert (await verified(url, database_url))["ok"]


async def test_what_was_live_is_queued_again_and_goes_on_unless_its_agent_must_not_be_called_twice(
    live: dict[str, Steps], runner: CommandRunner, history: Opens, target: tuple[Database, str]
) -> None:
    database, _ = target
    result = await Rebuild(database, history, print).run()
    assert (result["queued"], result["failed"]) == (6, 2)
    anew = {name: _in(steps, database, runner) for name, steps in live.items()}
    for name in ("once, queued", "once, running"):
        last = (await anew[name].logs())[-1]
        assert ((await anew[name].job()).status, last.code) == ("FAILED", "rebuilt")
        assert (await anew[name].claim()).outcome == "DUPLICATE"
    for name in ("queued", "running", "in progress"):
        before = await live[name].row()
        row = await anew[name].row()
        assert (row.stage, row.state, row.attempt) == ("EXECUTING", "QUEUED", before.attempt)
        assert row.lease > before.lease + 100
        assert (await anew[name].result(before.lease or 1)).code in {"fenced", "illegal_transition"}
        await _claimed_and_judged(anew[name], Outcome.PASS)
        assert (await anew[name].job()).status == "COMPLETED"
    for name in ("judging", "once, judging"):
        row = await anew[name].row()
        assert (row.stage, row.state) == ("JUDGING", "QUEUED")
        judged = await anew[name].claim_judging(row.result_lease)
        assert judged.execution is not None
        await anew[name].report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict())
        assert (await anew[name].job()).status == "COMPLETED"
    refused = await anew["refused"].claim()
    assert (refused.outcome, refused.code) == ("REFUSED", "illegal_transition")
    assert (await anew["cancelled before it came"].claim()).outcome in {"DUPLICATE", "REFUSED"}


def _in(steps: Steps, database: Database, runner: CommandRunner) -> Steps:
    """The same life in another database."""
    same = Steps(database, CommandRunner(database, runner.terms))
    same.job_id, same.execution_id = steps.job_id, steps.execution_id
    return same


async def test_what_happens_afterwards_is_published_behind_what_was(
    runner: CommandRunner, history: Opens, target: tuple[Database, str]
) -> None:
    database, _ = target
    await Rebuild(database, history, print).run()
    async with database.session() as session:
        told = (await session.execute(text("SELECT published_seq, offsets FROM relay"))).one()
        new = list(await session.scalars(text("SELECT kind FROM job_logs WHERE seq > :s"), {"s": told.published_seq}))
    assert new == ["rebuilt", "rebuilt"]
    assert {place.partition("/")[0] for place in told.offsets} == set(TOPICS)
    await _in(Steps(database, runner), database, runner).created()


async def test_only_an_empty_database_is_filled(history: Opens, target: tuple[Database, str]) -> None:
    database, _ = target
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE something (n int)"))
    with pytest.raises(PermanentError, match="something else"):
        await Rebuild(database, history, print).run()
    async with database.transaction() as connection:
        await connection.execute(text("DROP TABLE something"))
    await Rebuild(database, history, print).run()
    with pytest.raises(PermanentError, match="not empty: it holds rows in agents, jobs") as error:
        await Rebuild(database, history, print).run()
    assert error.value.code == "database_not_empty"


async def test_a_version_that_is_missing_is_told_and_nothing_is_filled_unless_that_is_accepted(
    live: dict[str, Steps],
    history: Opens,
    target: tuple[Database, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database, _ = target
    lost = live["completed"].job_id

    def drops(record: Record) -> bool:
        return b'"version":3,' in record.value and record.key == lost.encode()

    monkeypatch.setattr(Since, "drops", staticmethod(drops))
    with pytest.raises(PermanentError, match=lost):
        await Rebuild(database, history, print).run()
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM agents")) == 0
    result = await Rebuild(database, history, print, accept_gaps=True).run()
    assert result["gaps"] == 1
    async with database.session() as session:
        assert await session.scalar(text("SELECT version FROM jobs WHERE id = :id"), {"id": lost}) == 2


async def test_one_fact_at_a_time_makes_the_same_database_as_many_at_once(
    history: Opens,
    target: tuple[Database, str],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "BATCH", 1)
    database, url = target
    await Rebuild(database, history, print).run()
    assert (await verified(url, database_url))["ok"]
