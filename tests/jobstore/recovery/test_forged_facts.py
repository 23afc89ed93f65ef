"""Whoever writes to the topics of facts without their key changes nothing in a database that is made of them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from support.jobstore.administered import put_agent
from support.jobstore.signed_facts import make_keys
from support.jobstore.steps import Steps
from told_facts import KEYS, TOPICS, Facts, Since, empty, rebuilding, verified
from told_lives import claimed_and_judged

from contracts.resources import NewAgent
from contracts.signing import SIGNATURE_HEADER, FactFilter, FactKeys, KeyUse, Secrets, is_marker, make_secret
from contracts.topics import TOPICS as CATALOGUE
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.recovery.database_age import check_age
from jobstore.recovery.verify import check_facts
from jobstore.subjects import STORES
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import Record
from servicekit.kafka.publisher import Outgoing
from signoff.status import Outcome
from signoff.values import new_execution_id

JOBS, AGENTS, REFUSALS, SETTINGS = TOPICS
PARTITIONS = {topic: CATALOGUE[topic].partitions for topic in TOPICS}
OLD, NEW = make_keys("old"), make_keys("new", "old")


@dataclass
class Scene:
    """A jobstore whose facts are told to topics on which others write, too."""

    postgres: str
    facts: Facts
    database: Database
    url: str
    runner: CommandRunner

    async def judged(self) -> Steps:
        """A job that came to its end."""
        steps = Steps(self.database, self.runner)
        await steps.requested()
        await claimed_and_judged(steps, Outcome.PASS)
        return steps

    async def tell(self, keys: FactKeys = KEYS) -> None:
        await self.facts.relay(self.database, keys)

    async def held(self, topic: str) -> list[Record]:
        """The records of a topic that are no markers."""
        async with Since(KafkaAccess(self.facts.kafka), topic) as history:
            read = [record async for batch in history.read(await history.offsets()) for record in batch]
        return [record for record in read if not is_marker(record)]

    async def forge(self, *records: Outgoing) -> None:
        assert not [ack for ack in await self.facts.publisher.send(records) if isinstance(ack, Exception)]

    async def rebuild(self, keys: FactKeys = KEYS, **options: bool) -> dict[str, Any]:
        """Make a database of the topics; it must be the same as the true one. What was left."""
        async with empty(self.postgres) as (database, url):
            result = await rebuilding(database, self.open, keys, **options).run()
            told = await verified(url, self.url)
            assert told["ok"], told
        return result["left"]

    def open(self, topic: str) -> Since:
        return Since(KafkaAccess(self.facts.kafka), topic)


@pytest.fixture
async def scene(
    postgres: str, facts: Facts, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Scene]:
    monkeypatch.setattr(Since, "began", {topic: await facts.topics.end_offsets(topic) for topic in TOPICS})
    async with empty(postgres) as (database, url):
        await database.migrate()
        async with database.transaction() as connection:
            await put_agent(connection, "writer", NewAgent(name="writer", url="http://127.0.0.1:1/"), create=True)
        yield Scene(postgres, facts, database, url, CommandRunner(database, STORES, runner.terms))


def copy(record: Record, **fields: Any) -> Outgoing:
    """The record again as it was, but for these fields."""
    assert record.value is not None
    again = Outgoing(record.topic, record.value, record.key, [(name, value or b"") for name, value in record.headers])
    return replace(again, **fields)


def edited(record: Record, change: Mapping[str, Any]) -> bytes:
    """A fact's value with some of its members changed."""
    value: dict[str, Any] = from_json(record.value or b"")
    for path, new in change.items():
        *parents, name = path.split(".")
        part = value
        for parent in parents:
            part = part[parent]
        part[name] = new
    return to_json(value)


def sign(record: Outgoing, keys: FactKeys) -> Outgoing:
    """The record with the signature that somebody makes of it who has these keys."""
    signature = keys.signing.sign(record.topic, record.key, record.value)
    return replace(record, headers=[(SIGNATURE_HEADER, signature.encode())])


async def test_forged_moved_and_replayed_facts_change_nothing_and_are_counted(scene: Scene) -> None:
    first, second = await scene.judged(), await scene.judged()
    unassigned = await Steps(scene.database, scene.runner).created(agent_id=None)
    with pytest.raises(RefusedError):
        await scene.runner.submit.run_one(
            ExecuteJob(unassigned.job_id, unassigned.execution_id, chosen=True, actor=SIGNOFF)
        )
    await scene.tell()
    facts = {(record.key, from_json(record.value)["version"]): record for record in await scene.held(JOBS)}
    (agent,) = await scene.held(AGENTS)
    (refusal,) = await scene.held(REFUSALS)
    last = facts[first.job_id.encode(), max(version for key, version in facts if key == first.job_id.encode())]
    version, cursor = from_json(last.value)["version"], 10**6
    follows = edited(last, {"version": version + 1, "log.version": version + 1, "log.cursor": cursor, "kind": "failed"})
    made = edited(facts[first.job_id.encode(), 1], {"job_id": "forged", "log.cursor": cursor + 1, "job.id": "forged"})
    address = edited(agent, {"agent.url": "http://10.0.0.1/", "cursor": cursor + 2})
    refused = edited(refusal, {"execution_id": str(new_execution_id()), "cursor": cursor + 3})
    report = Secrets.parse(make_secret("test", b"test".ljust(32, b"."))).make_key(
        KeyUse.EXECUTING, new_execution_id(), 1
    )

    forged = [
        *(copy(last, value=follows, headers=()), copy(last, value=made, key=b"forged", headers=())),
        *(copy(agent, value=address, headers=()), copy(refusal, value=refused, headers=())),
    ]
    expected = {(JOBS, "unsigned"): 2, (AGENTS, "unsigned"): 1, (REFUSALS, "unsigned"): 1}
    moved = [copy(last, value=follows), copy(last, key=second.job_id.encode()), copy(agent, topic=JOBS)]
    moved += [copy(last, value=follows, headers=[(SIGNATURE_HEADER, report.sign(follows).encode())])]
    moved += [copy(last, value=follows, headers=[(SIGNATURE_HEADER, b"v1,test," + b"0" * 64)])]
    expected[JOBS, "bad_signature"] = len(moved)
    moved += [copy(agent, value=address), copy(refusal, topic=AGENTS), copy(last, topic=AGENTS)]
    expected[AGENTS, "bad_signature"] = 3
    strange = [
        sign(copy(last, value=follows), make_keys("other")),
        sign(copy(agent, value=address), make_keys("other")),
    ]
    expected |= {(JOBS, "unknown_secret"): 1, (AGENTS, "unknown_secret"): 1}
    repeats = [copy(record) for record in (*facts.values(), agent, refusal)]
    repeats += [copy(record, partition=number) for record in (*facts.values(), agent) for number in (0, 7)]
    await scene.forge(*repeats, *forged, *moved, *strange, *reversed(repeats))

    assert _flat(await scene.rebuild()) == expected
    chosen = FactFilter(KEYS)
    await check_facts(scene.open, chosen)
    assert _flat(chosen.describe_left()) == expected


async def test_a_fact_forged_with_a_retired_secret_behind_the_marker_that_retired_it_changes_nothing(
    scene: Scene,
) -> None:
    steps = await scene.judged()
    await scene.tell(OLD)
    second = await scene.judged()
    await scene.tell(NEW)
    (agent,) = await scene.held(AGENTS)
    last = next(record for record in (await scene.held(JOBS))[::-1] if record.key == second.job_id.encode())
    version = from_json(last.value)["version"] + 1
    follows = edited(last, {"version": version, "log.version": version, "log.cursor": 10**6, "kind": "failed"})
    made = edited(last, {"version": 1, "job_id": "forged", "job.id": "forged"})
    stolen = [copy(last, value=follows), copy(last, value=made, key=b"forged"), copy(agent, value=agent.value)]
    markers = [
        Outgoing(topic, b"", None, OLD.signing.make_marker(topic, number), number)
        for topic in TOPICS
        for number in range(PARTITIONS[topic])
    ]
    await scene.forge(*(sign(record, OLD) for record in stolen), *markers, *(sign(record, OLD) for record in stolen))
    old = [record for record in await scene.held(JOBS) if record.key == steps.job_id.encode()]
    await scene.forge(*(copy(record) for record in old))

    left = await scene.rebuild(NEW)
    assert left == {
        JOBS: {"retired_secret": 4 + 8 + len(old)},
        AGENTS: {"retired_secret": 2 + 8},
        REFUSALS: {"retired_secret": 8},
        SETTINGS: {"retired_secret": 1},
    }


async def test_what_nobody_vouches_for_alone_is_told_by_a_rebuild_and_a_start(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    steps = await scene.judged()
    await scene.forge(Outgoing(JOBS, b"{}", steps.job_id.encode(), ()))
    async with scene.open(JOBS) as topic:
        await check_age(scene.database, topic, KEYS)
    assert "start with empty topics" in caplog.text
    async with empty(scene.postgres) as (database, _):
        with pytest.raises(PermanentError, match=r"1 of job-changed \(unsigned\).*start with empty topics") as refused:
            await rebuilding(database, scene.open).run()
    assert refused.value.code == "no_vouched_facts"


async def test_without_the_key_of_a_retired_secret_its_facts_are_missed_and_that_is_told(scene: Scene) -> None:
    steps = Steps(scene.database, scene.runner)
    await steps.requested()
    await scene.tell(OLD)
    await claimed_and_judged(steps, Outcome.PASS)
    await scene.tell(NEW)
    with pytest.raises(PermanentError, match=r"of job-changed \(unknown_secret\)"):
        await scene.rebuild(make_keys("new"))
    assert await scene.rebuild(NEW) == {}


async def test_a_rebuilt_database_knows_which_secret_signs_and_writes_no_marker_again(scene: Scene) -> None:
    await scene.judged()
    await scene.tell(OLD)
    await scene.tell(NEW)
    async with empty(scene.postgres) as (database, _):
        await rebuilding(database, scene.open, NEW).run()
        before = [await scene.facts.topics.end_offsets(topic) for topic in TOPICS]
        await scene.facts.relay(database, NEW)
        assert [await scene.facts.topics.end_offsets(topic) for topic in TOPICS] == before
        with pytest.raises(TransientError, match="'new' signs facts by now"):
            await scene.facts.relay(database, OLD)


async def test_markers_of_which_only_some_were_written_are_written_anew_from_the_rebuilt_database(scene: Scene) -> None:
    await scene.judged()
    await scene.tell(OLD)
    some = [Outgoing(JOBS, b"", None, NEW.signing.make_marker(JOBS, number), number) for number in range(5)]
    await scene.forge(*some)
    async with empty(scene.postgres) as (database, _):
        await rebuilding(database, scene.open, NEW).run()
        with pytest.raises(TransientError, match="'new' signs facts by now"):
            await scene.facts.relay(database, OLD)
        before = sum([sum((await scene.facts.topics.end_offsets(topic)).values()) for topic in TOPICS])
        await scene.facts.relay(database, NEW)
        assert sum([sum((await scene.facts.topics.end_offsets(topic)).values()) for topic in TOPICS]) == before + sum(
            PARTITIONS.values()
        )


def _flat(left: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    return {(topic, reason): count for topic, reasons in left.items() for reason, count in reasons.items()}
