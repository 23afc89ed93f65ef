"""Groups are watched: what should move and does not is told, and so is a member that no process of ours is."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.topics import EXECUTOR_GROUP
from jobstore.engine.database import Database
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.insights.processes import ConsumerGroups, Report
from jobstore.jobs.model import ExecutionStage
from servicekit.errors import TransientError
from servicekit.kafka.broker import Group, Member

TOPIC = "execute-requested"
OURS, STRANGE = Member("ours-1", "signoff-executor", "/10.0.0.1", 4), Member("x-1", "thief", "/10.0.0.9", 4)
MOMENT_S = 0.05


class Broker:
    """What a broker tells of one group of eight partitions with ten records each."""

    def __init__(self, name: str = EXECUTOR_GROUP) -> None:
        self.read, self.members, self.name, self.is_away = 10, [OURS], name, False

    async def describe(self) -> list[Group]:
        if self.is_away:
            raise TransientError("no answer", code="kafka_unavailable")
        progress = {TopicPartition(TOPIC, number): (self.read if number == 3 else 10, 10) for number in range(8)}
        return [Group(self.name, TOPIC, self.members, progress)]


def watching(database: Database, broker: Any) -> ConsumerGroups:
    return ConsumerGroups(database, [broker], 60.0, stalled_after_s=MOMENT_S, reported_within_s=MOMENT_S)


@pytest.fixture
async def database_of_one(database: Database) -> Database:
    """One executor, with room, which reports that it is a member."""
    async with database.session() as session:
        await session.execute(text("DELETE FROM workers"))
    await report(database, room=5)
    return database


async def report(database: Database, room: int, owner: Any = uuid4()) -> None:  # noqa: B008 - always the same
    said = Report(version="1", clock=datetime.now(UTC), members=[OURS.id]).model_dump_json()
    async with database.session() as session:
        await note_worker(session, owner, WorkerRoom(ExecutionStage.EXECUTING, room, report=said))


def metric(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"signoff_group_{name}", {"group": EXECUTOR_GROUP})


async def found(groups: ConsumerGroups) -> tuple[int, int, list[str]]:
    await groups.look()
    (findings,) = groups.findings
    told = findings.unread, len(findings.stalled), [each.id for each in findings.strangers]
    assert (metric("unread"), metric("stalled_partitions"), metric("strangers")) == (told[0], told[1], len(told[2]))
    return told


async def test_a_partition_that_does_not_move_although_its_reader_has_room_is_stalled(
    database_of_one: Database, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker()
    groups = watching(database_of_one, broker)
    broker.read = 7
    assert await found(groups) == (3, 0, [])
    await until_found(groups, (3, 1, []))
    assert [line.message for line in caplog.records] == [f"the consumer group {EXECUTOR_GROUP} does not move"]
    broker.read = 8
    assert await found(groups) == (2, 0, []), "it has moved"
    await until_found(groups, (2, 1, []))
    broker.read = 10
    assert await found(groups) == (0, 0, []), "nothing is left"


async def test_a_partition_whose_reader_is_full_waits_for_that(database_of_one: Database) -> None:
    broker = Broker()
    broker.read = 7
    groups = watching(database_of_one, broker)
    await until_found(groups, (3, 1, []))
    await report(database_of_one, room=0)
    assert await found(groups) == (3, 0, [])
    await report(database_of_one, room=1)
    await until_found(groups, (3, 1, []))


async def test_a_member_that_no_process_reports_is_a_stranger(database_of_one: Database) -> None:
    """But not at once: who has just joined reports it with the next renewal."""
    broker = Broker()
    broker.members = [OURS, STRANGE]
    groups = watching(database_of_one, broker)
    assert await found(groups) == (0, 0, [])
    await until_found(groups, (0, 0, [STRANGE.id]))
    broker.members = [OURS]
    assert await found(groups) == (0, 0, [])


async def test_a_jobstore_reports_its_own_members(database_of_one: Database) -> None:
    broker = Broker()
    broker.members = [STRANGE]
    groups = watching(database_of_one, broker)
    await until_found(groups, (0, 0, [STRANGE.id]))
    said = Report(version="1", clock=datetime.now(UTC), members=[STRANGE.id]).model_dump_json()
    database_of_one.epochs.describe = lambda: said
    await database_of_one.availability.probe()
    assert await found(groups) == (0, 0, [])


async def test_who_asks_while_the_broker_is_away_is_told_so(database_of_one: Database) -> None:
    broker = Broker()
    groups = watching(database_of_one, broker)
    assert (await groups.ask(), len(groups.findings)) == ("", 1)
    broker.is_away = True
    assert await groups.ask() == "", "it was looked at just now"
    groups = watching(database_of_one, broker)
    assert metric("unread") == 0
    assert (await groups.ask(), groups.findings) == ("no answer", ())
    assert [metric(name) for name in ("unread", "stalled_partitions", "position", "strangers")] == [None] * 4


async def until_found(groups: ConsumerGroups, told: tuple[int, int, list[str]]) -> None:
    async with asyncio.timeout(10):
        while await found(groups) != told:  # noqa: ASYNC110 - time alone tells
            await asyncio.sleep(0.01)
