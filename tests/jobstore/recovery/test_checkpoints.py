"""Checkpoints are written into the archive when they are due, and facts that these have leave their topics in time."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import text
from support.archived import make_record, write_parts
from support.jobstore.losing import LosingConnection, Losses
from support.jobstore.steps import Steps
from support.kafka.topics import Place
from told_facts import KEYS, TOPICS, Facts, empty, rebuilding, verified

from jobstore.config import RebuildSettings
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.keeping.archiver import Archiver
from jobstore.keeping.checkpoints import Checkpoints, CheckpointTerms, Offsets, find_behind
from jobstore.keeping.snapshots import Snapshots, name_manifest
from jobstore.recovery.rebuild import find_parts
from jobstore.recovery.verify import open_snapshot
from jobstore.subjects import STORES
from servicekit import clock
from servicekit.archive.history import ArchivedHistory, ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive, Beginning
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import delete_records, read_committed
from servicekit.kafka.history import History

DAY_S = 86_400.0


@dataclass
class Kept:
    """A database whose facts are archived, and whose jobstore writes checkpoints."""

    database: Database
    url: str
    facts: Facts
    place: Objects
    runner: CommandRunner

    def __post_init__(self) -> None:
        self.terms = CheckpointTerms(DAY_S, facts_kept_s=DAY_S)
        self.kafka = KafkaAccess(self.facts.kafka)
        self.archive = Archive(self.place, KEYS, "here")
        history, read, delete = (partial(each, self.kafka) for each in (History, read_committed, delete_records))
        self.parts: dict[str, Any] = {
            "open_snapshot": partial(open_snapshot, self.url),
            "open_snapshots": lambda: Snapshots(self.place, KEYS, "here"),
            "open_archive": lambda: self.archive,
            "history": history,
            "read_committed": read,
            "delete_records": delete,
        }

    async def tell(self) -> None:
        """Record something, publish it, and archive it."""
        await Steps(self.database, CommandRunner(self.database, STORES, self.runner.terms)).created(agent_id=None)
        await self.facts.relay(self.database)
        await self.archived()

    async def archived(self) -> None:
        ends = self.facts.topics.end_offsets
        history = partial(History, self.kafka)
        archiver = Archiver(self.database, lambda: self.archive, history, ends, KEYS, "here", every_s=60)
        async with self.database.session() as session:
            await archiver.archive(session)

    async def look(self, **parts: Any) -> Checkpoints:
        made = Checkpoints(self.database, terms=self.terms, **(self.parts | parts))
        async with self.database.session() as session:
            await made.look(session)
        return made

    async def execute(self, statement: str, **values: Any) -> list[Any]:
        async with self.database.session() as session:
            return list(await session.execute(text(statement), values))

    async def begins(self) -> Offsets:
        found = Offsets()
        for topic in TOPICS:
            async with History(self.kafka, topic) as history:
                found |= {(topic, number): span.start for number, span in (await history.offsets()).items()}
        return found


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> Offsets:
    """The offsets at which topics begin, as if what stands before were deleted: other tests read these topics, too."""
    begins = Offsets()
    find, read = History.offsets, History.read

    async def find_cut(history: History, since: datetime | None = None) -> dict[int, range]:
        held = await find(history, since)
        return {n: range(max(span.start, begins.get((history.topic, n), 0)), span.stop) for n, span in held.items()}

    async def read_cut(history: History, offsets: Any) -> AsyncIterator[Any]:
        assert all(not span or span.start >= begins.get((history.topic, n), 0) for n, span in offsets.items())
        async for records in read(history, offsets):
            yield records

    monkeypatch.setattr(History, "offsets", find_cut)
    monkeypatch.setattr(History, "read", read_cut)
    return begins


@pytest.fixture
async def kept(facts: Facts, postgres: str, runner: CommandRunner, tmp_path: Path) -> AsyncIterator[Kept]:
    async with empty(postgres) as (database, url):
        await database.migrate()
        begun = {f"{topic}/{n}": end for topic in TOPICS for n, end in (await facts.topics.end_offsets(topic)).items()}
        made = Kept(database, url, facts, Objects.open(str(tmp_path / "archive"), creates=True), runner)
        await made.execute("UPDATE keeping SET offsets = :begun", begun=json.dumps(begun))
        yield made


async def test_a_checkpoint_is_written_when_it_is_due_and_where_facts_are_archived(kept: Kept) -> None:
    await kept.look()
    assert await Snapshots(kept.place, KEYS).list_numbers() == []
    await kept.tell()
    for _ in range(2):
        await kept.look()
    ((number, seq, at, published),) = await kept.execute(
        "SELECT checkpoint, checkpoint_seq, checkpoint_at, published_seq FROM keeping, relay"
    )
    assert (number, seq) == (1, published)
    assert at is not None
    await kept.execute("UPDATE keeping SET checkpoint_at = signoff_now() - interval '25 hours'")
    await kept.look()
    assert await Snapshots(kept.place, KEYS).list_numbers() == [1, 2]
    await kept.execute("UPDATE keeping SET checkpoint_at = NULL, archive_error = 'a part is missing'")
    await kept.look()
    assert await Snapshots(kept.place, KEYS).list_numbers() == [1, 2]


async def test_one_that_was_written_before_its_writer_was_killed_does_not_count_and_does_no_harm(kept: Kept) -> None:
    await kept.tell()
    async with open_snapshot(kept.url) as connection:
        await Snapshots(kept.place, KEYS, "here").write(connection, "0.0.0")
    await kept.look()
    ((number,),) = await kept.execute("SELECT checkpoint FROM keeping")
    assert (number, await Snapshots(kept.place, KEYS).list_numbers()) == (2, [1, 2])


async def test_a_place_where_the_one_before_was_changed_is_told_and_nothing_leaves_the_topics(kept: Kept) -> None:
    await kept.tell()
    await kept.look()
    await kept.place.put(name_manifest(1), b"{}")
    await kept.execute("UPDATE keeping SET checkpoint_at = NULL")

    async def delete(_: Offsets) -> None:
        pytest.fail("nothing may go")

    await kept.look(delete_records=delete)
    assert await Snapshots(kept.place, KEYS).list_numbers() == [1]


async def test_parts_in_front_of_the_oldest_checkpoint_go_once_they_are_old_by_both_clocks(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows say how old facts are, one a day; the archive is whole without them, and is read on."""

    async def look() -> list[int]:
        await kept.execute("UPDATE keeping SET checkpoint_at = NULL")
        await kept.look()
        return await kept.archive.list_numbers()

    for _ in range(4):
        await kept.tell()
    assert await look() == [1, 2, 3, 4], "without a setting all stay"
    kept.terms = replace(kept.terms, archive_kept_s=DAY_S)
    assert await look() == [1, 2, 3, 4], "they are young"
    await kept.execute("UPDATE archive_parts SET created_at = signoff_now() - interval '2 days'")
    assert await look() == [1, 2, 3, 4], "they are young by the jobstores' clocks"
    await kept.execute("UPDATE archive_parts SET facts_at = facts_at - interval '2 days' WHERE number < 3")
    assert await look() == [3, 4]

    beginning = await kept.archive.find_beginning()
    assert beginning is not None
    assert (beginning.number, beginning.checkpoint) == (3, 1)
    assert [part.number async for part in kept.archive.read_chain()] == [3, 4]
    assert await kept.execute("SELECT number, bytes FROM archive_parts WHERE bytes = 0") == [(2, 0)]
    await kept.execute("UPDATE archive_parts SET facts_at = facts_at - interval '2 days' WHERE number >= 3")
    await kept.place.delete(["parts/000000000003.json"])
    monkeypatch.setattr("random.randint", lambda first, _: first)
    await kept.archived()
    assert "part 3 of the archive" in (await kept.execute("SELECT archive_error FROM keeping"))[0][0]


async def test_a_part_with_a_fact_that_the_oldest_checkpoint_lacks_stays(kept: Kept) -> None:
    await kept.tell()
    await kept.look()
    kept.terms = replace(kept.terms, archive_kept_s=DAY_S)
    for _ in range(3):
        await kept.tell()
    await kept.execute("UPDATE archive_parts SET created_at = signoff_now() - interval '2 days'")
    await kept.execute("UPDATE archive_parts SET facts_at = facts_at - interval '2 days'")
    await kept.execute("UPDATE keeping SET checkpoint_at = NULL")
    await kept.look()
    assert await kept.archive.list_numbers() == [2, 3, 4]


async def test_a_rebuild_that_begins_before_the_archive_is_refused(tmp_path: Path) -> None:
    archive = Archive(Objects.open(str(tmp_path), creates=True), KEYS, "here")
    first, _ = await write_parts(archive, [make_record(KEYS, 0)], [make_record(KEYS, 1)])
    await archive.begin_at(Beginning(number=2, before=first.sha256, installation="here", checkpoint=1, seq=7))
    given = {"database_url": "postgresql://nobody@localhost/none", "archive": str(tmp_path), "fact_keys": str(KEYS)}
    settings = RebuildSettings.model_validate(given)
    with pytest.raises(PermanentError, match="let go of facts up to number 7, ") as error:
        await find_parts(settings, None)
    assert error.value.code == "gaps"
    accepting = settings.model_copy(update={"accept_gaps": True})
    assert await find_parts(accepting, None) is not None


async def test_an_archive_that_is_away_is_tried_again(kept: Kept) -> None:
    await kept.tell()

    def open_snapshots() -> Snapshots:
        raise TransientError("it is away", code="archive_unavailable")

    with pytest.raises(TransientError):
        await kept.look(open_snapshots=open_snapshots)
    await kept.look()
    assert await Snapshots(kept.place, KEYS).list_numbers() == [1]


@pytest.mark.keeping
@pytest.mark.timeout(600)  # half a minute, where nobody else loads the machine
async def test_one_that_is_cut_off_at_any_statement_or_request_writes_one_and_lets_the_same_go_the_next_time(
    kept: Kept, cut: Offsets
) -> None:
    kept.terms = replace(kept.terms, facts_kept_s=-DAY_S)
    await kept.tell()
    ends = {(topic, n): end for topic in TOPICS for n, end in (await kept.facts.topics.end_offsets(topic)).items()}
    before = await kept.begins()
    losses = 0
    while True:
        cut.clear()
        await kept.execute("UPDATE keeping SET checkpoint = 0, checkpoint_at = NULL")
        failing = Losses(losses)

        async def delete(offsets: Offsets, failing: Losses = failing) -> None:
            failing.step()
            cut.update(offsets)
            failing.step()

        def open_history(topic: str, failing: Losses = failing) -> History:
            failing.step()
            return History(kept.kafka, topic)

        made = Checkpoints(
            kept.database, terms=kept.terms, **(kept.parts | {"delete_records": delete, "history": open_history})
        )
        async with kept.database.session() as session:
            try:
                await made.look(LosingConnection(session, failing))
            except TransientError:
                losses += 1
                failing = Losses(-1)
                await kept.look(delete_records=partial(delete, failing=failing))
            else:
                break
        assert await kept.begins() == {place: max(before[place], end - 1) for place, end in ends.items()}
        ((number,),) = await kept.execute("SELECT checkpoint FROM keeping")
        assert number == (await Snapshots(kept.place, KEYS).list_numbers())[-1]
    assert losses > 10


async def test_a_group_holds_back_what_it_has_not_read_of_the_topics_that_it_reads() -> None:
    bounds = {("job-changed", 0): 10, ("job-changed", 1): 10, ("agent-changed", 0): 10}
    assert find_behind(bounds, {("job-changed", 0): 7, ("job-changed", 1): 10, ("other", 0): 1}) == {
        ("job-changed", 0): 7
    }
    assert find_behind(bounds, {("job-changed", 0): 10}) == {("job-changed", 1): 0}
    assert find_behind(bounds, {}) == dict.fromkeys(bounds, 0)


async def test_records_in_front_of_an_offset_are_deleted(kafka: str) -> None:
    place = Place(kafka, "cancel-requested-dlq")
    await place.put(b"1", b"2", partition=0)
    async with History(KafkaAccess(kafka), place.topic) as history:
        end = (await history.offsets())[0].stop
        await delete_records(KafkaAccess(kafka), {(place.topic, 0): end - 1})
        assert (await history.offsets())[0] == range(end - 1, end)


async def test_facts_leave_their_topics_once_all_have_them_and_a_rebuild_has_them_from_the_archive(
    kept: Kept, cut: Offsets, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old enough by both clocks, in the checkpoint, archived, and read by the groups that are named."""

    async def delete(offsets: Offsets) -> None:
        cut.update(offsets)

    kept.parts["delete_records"] = delete
    group, before = f"upstream-{uuid4().hex}", await kept.begins()
    await kept.tell()
    await kept.look()
    assert await kept.begins() == before, "they are young"

    later = datetime.now(UTC) + timedelta(days=400)
    monkeypatch.setattr(clock, "now", lambda: later)
    await kept.look()
    assert await kept.begins() == before, "they are young by the database's clock"

    ends = {(topic, n): end for topic in TOPICS for n, end in (await kept.facts.topics.end_offsets(topic)).items()}
    async with AIOKafkaConsumer("job-changed", bootstrap_servers=kept.facts.kafka, group_id=f"{group}-other"):
        pass  # the first group of a broker has it make the topic of groups
    kept.terms = replace(kept.terms, facts_kept_s=-DAY_S, groups=(group,))
    looked = await kept.look()
    assert await kept.begins() == before, "one has not read them"
    assert looked.advise() == (
        f"facts stay in their topics until {group} have read them: let these groups go on, or take them out of "
        "SIGNOFF_FACTS_GROUPS"
    )
    ((told,),) = await kept.execute("SELECT held_back::text FROM keeping")
    held_back = json.loads(told)
    assert held_back == looked.held_back
    async with AIOKafkaConsumer(bootstrap_servers=kept.facts.kafka, group_id=group) as consumer:
        consumer.assign([TopicPartition(*place) for place in ends])
        await consumer.commit({TopicPartition(*place): end for place, end in ends.items()})
    looked = await kept.look()
    assert looked.advise() is None
    assert await kept.execute("SELECT held_back::text FROM keeping") == [("{}",)]
    gone = await kept.begins()
    assert gone == {place: max(before[place], end - 1) for place, end in ends.items()}, "but for the last of each"
    assert held_back == {group: sum(gone.values()) - sum(before.values())}

    await kept.tell()
    await kept.facts.relay(kept.database)
    for begins_at_checkpoint in (True, False):
        async with empty(postgres) as (made, url):
            snapshot = await Snapshots(kept.place, KEYS).open() if begins_at_checkpoint else None
            parts = await ArchivedParts.load(kept.archive, snapshot.manifest.published_seq if snapshot else 0)
            history = partial(ArchivedHistory, kept.kafka, parts=parts)
            await rebuilding(made, history, snapshot=snapshot, parts=parts).run()
            assert (await verified(url, kept.url))["ok"]
    async with empty(postgres) as (made, _):
        with pytest.raises(PermanentError, match=r"has let its first facts go, .* give the archive") as error:
            await rebuilding(made, partial(History, kept.kafka), refuses_cut=True).run()
    assert error.value.code == "gaps"
