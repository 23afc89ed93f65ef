"""A database is made again of a snapshot and of what facts have told since: the same, without the facts before."""

import json
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.removed import removed, rows_of
from support.jobstore.signed_facts import make_keys
from support.jobstore.steps import Steps, verdict
from told_facts import KEYS, TOPICS, Facts, Since, empty, list_definitions, rebuilding, verified
from told_lives import claimed_and_judged

from contracts.signing import FactKeys
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import SIGNOFF
from jobstore.keeping.archiver import Archiver
from jobstore.keeping.snapshots import Snapshot, Snapshots, name_manifest
from jobstore.recovery.verify import open_snapshot
from jobstore.subjects import STORES
from servicekit.archive.history import ArchivedHistory, ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History, Record
from signoff.status import Outcome, ReportKind


class Behind(Since):
    """A topic of which nothing is read at offsets below some."""

    below: dict[str, int]

    async def read(self, offsets: Any) -> AsyncIterator[list[Record]]:
        assert all(span.start >= self.below.get(f"{self.topic}/{n}", 0) for n, span in offsets.items())
        async for records in super().read(offsets):
            yield records


@pytest.fixture
def place(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "archive"), creates=True)


async def take(url: str, place: Objects, keys: FactKeys = KEYS, installation: str = "") -> Snapshot:
    async with open_snapshot(url) as connection:
        return await Snapshots(place, keys, installation).write(connection, "0.0.0")


async def reopen(place: Objects, keys: FactKeys = KEYS, installation: str = "") -> Snapshot:
    snapshot = await Snapshots(place, keys, installation).open()
    assert snapshot is not None
    return snapshot


@pytest.mark.usefixtures("live")
async def test_a_snapshot_and_the_facts_behind_it_make_the_same_database(
    database: Database, database_url: str, runner: CommandRunner, facts: Facts, postgres: str, place: Objects
) -> None:
    """What was live by then has ended since, or is live; and what facts do not tell comes with the snapshot."""
    async with database.transaction() as connection:
        await connection.execute(text("INSERT INTO request_keys (id, body_hash) VALUES (uuidv7(), 'x')"))
    steps = Steps(database, runner)
    ending = [Steps(database, runner) for _ in range(3)]
    for each in ending:
        await each.running()
    judging = Steps(database, runner)
    await judging.result(await judging.running())
    await judging.claim_judging(1)
    await facts.relay(database)
    await take(database_url, place)

    await runner.submit.run_one(CancelJob(ending[0].job_id, reason="late", actor=SIGNOFF))
    await ending[1].report((await ending[1].row()).lease, ReportKind.DECLINED, message="no")
    await judging.report((await judging.row()).lease, ReportKind.VERDICT, verdict=verdict())
    await steps.requested()
    await claimed_and_judged(steps, Outcome.PASS)
    await facts.relay(database)
    snapshot = await reopen(place)
    Behind.below = {at: offset + 1 for at, offset in snapshot.manifest.offsets.items()}
    async with empty(postgres) as (made, url):
        result = await rebuilding(made, lambda topic: Behind(KafkaAccess(facts.kafka), topic), snapshot=snapshot).run()
        assert (result["gaps"], result["left"], result["published_again"]) == (0, {}, 0)
        assert (await verified(url, database_url))["ok"]
        assert await list_definitions(url) == await list_definitions(database_url)
        async with made.session() as session:
            assert await session.scalar(text("SELECT count(*) FROM request_keys")) >= 1
            relay = (await session.execute(text("SELECT published_seq, signers::text FROM relay"))).one()
        assert json.loads(relay.signers) == [KEYS.signing.name]
    assert result["queued"] > 9


async def test_jobs_that_were_removed_before_a_snapshot_or_after_it_stay_removed(
    database: Database, database_url: str, runner: CommandRunner, facts: Facts, postgres: str, place: Objects
) -> None:
    before, after = Steps(database, runner), Steps(database, runner)
    for steps in (before, after):
        await steps.requested(title=f"Secret {steps.job_id}")
        await claimed_and_judged(steps, Outcome.PASS)
    async with database.transaction() as connection:
        judging = "INSERT INTO judgings (id, kind, group_id, item, urgency, state, job_id) SELECT "
        judging += "uuidv7(), 'rejudge', uuidv7(), 0, 0, 'DONE', :job_id"
        await connection.execute(text(judging), {"job_id": after.job_id})
    await facts.relay(database)
    assert await removed(database, runner, before.job_id) == {}
    await facts.relay(database)
    await take(database_url, place)
    assert await removed(database, runner, after.job_id) == {}
    await facts.relay(database)
    async with empty(postgres) as (made, url):
        result = await rebuilding(
            made, lambda topic: Since(KafkaAccess(facts.kafka), topic), snapshot=await reopen(place)
        ).run()
        assert result["gaps"] == 0
        assert (await verified(url, database_url))["differences"] == []
        for steps in (before, after):
            rows = await rows_of(made, "job_logs", "job_id = :id", id=steps.job_id)
            assert [row.kind for row in rows] == ["removed"]
            assert await rows_of(made, "judgings", "job_id = :id", id=steps.job_id) == []


async def test_on_a_broker_that_came_back_empty_every_fact_of_the_snapshot_is_published_again(
    live: dict[str, Steps], database_url: str, facts: Facts, postgres: str, place: Objects
) -> None:
    assert live
    await take(database_url, place)

    class Nothing(Since):
        async def offsets(self, _: Any = None) -> dict[int, range]:
            raise PermanentError("no topic", code="unknown_topic")

    async with empty(postgres) as (made, url):
        await rebuilding(
            made, lambda topic: Nothing(KafkaAccess(facts.kafka), topic), snapshot=await reopen(place)
        ).run()
        assert (await verified(url, database_url))["ok"]
        async with made.session() as session:
            query = "SELECT published_seq, relay.offsets::text, signers::text FROM relay"
            assert tuple((await session.execute(text(query))).one()) == (0, "{}", f'["{KEYS.signing.name}"]')
        query = text("SELECT incarnation FROM keeping")
        async with open_snapshot(url) as one, open_snapshot(database_url) as other:
            assert await one.scalar(query) != await other.scalar(query)


async def test_records_that_left_their_topic_behind_a_snapshot_are_missed(
    live: dict[str, Steps], database_url: str, facts: Facts, postgres: str, place: Objects
) -> None:
    assert live
    await take(database_url, place)

    class Cut(Since):
        async def offsets(self, since: Any = None) -> dict[int, range]:
            return {n: range(span.stop + 1, span.stop + 1) for n, span in (await super().offsets(since)).items()}

    async with empty(postgres) as (made, _):
        with pytest.raises(PermanentError, match="records are gone that follow checkpoint 1") as error:
            await rebuilding(
                made, lambda topic: Cut(KafkaAccess(facts.kafka), topic), snapshot=await reopen(place)
            ).run()
    assert error.value.code == "gaps"


async def test_snapshots_follow_each_other_and_the_newest_is_taken(database_url: str, place: Objects) -> None:
    first, second = await take(database_url, place), await take(database_url, place, installation="abc")
    assert (first.manifest.number, second.manifest.number, second.manifest.before) == (1, 2, first.hash)
    assert (await reopen(place)).hash == second.hash
    found = await Snapshots(place, KEYS).open(1)
    assert found is not None
    assert found.hash == first.hash
    assert await Snapshots(Objects.open(f"{place.place}/other", creates=True), KEYS).open() is None
    with pytest.raises(PermanentError, match="there is no checkpoint 7"):
        await Snapshots(place, KEYS).open(7)
    with pytest.raises(PermanentError, match="another installation's: abc, not def"):
        await reopen(place, installation="def")
    async with open_snapshot(database_url) as connection:
        writing = Snapshots(place, KEYS)
        writing.list_numbers = _list_none  # type: ignore[method-assign] # it looked before the others wrote
        with pytest.raises(TransientError, match=r"another checkpoint 1 of .* was written meanwhile"):
            await writing.write(connection, "0.0.0")
    assert (await reopen(place)).hash == second.hash
    await second.check()
    await first.check()


class Dying(Objects):
    """A place whose writer is killed after so many objects."""

    left = 0

    async def put(self, name: str, content: Any) -> None:
        self._count()
        await super().put(name, content)

    async def create(self, name: str, content: bytes) -> bool:
        self._count()
        return await super().create(name, content)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KilledError


class KilledError(Exception):
    """The process is gone."""


async def test_a_writer_that_is_killed_anywhere_leaves_the_snapshot_before(database_url: str, place: Objects) -> None:
    first = await take(database_url, place)
    dying = Dying.open(place.place)
    for left in range(len(first.manifest.tables) + 1):
        dying.left = left
        with pytest.raises(KilledError):
            await take(database_url, dying)
        assert (await reopen(place)).hash == first.hash
    second = await take(database_url, place)
    await Snapshots(place, KEYS).forget(None)
    named = {table.object for snapshot in (first, second) for table in snapshot.manifest.tables}
    assert await list_names(place) == {*named, name_manifest(1), name_manifest(2)}


async def list_names(place: Objects) -> set[str]:
    return {each.name async for each in place.list("checkpoints")}


async def test_old_snapshots_go_and_so_does_what_killed_writers_left(database_url: str, place: Objects) -> None:
    """The newest stays, however old it is, and what another writer writes now."""
    assert await Snapshots(place, KEYS).forget(60) == 0
    folder = Path(place.place)
    taken = [await take(database_url, place) for _ in range(3)]
    for left in (1, 3, 4):
        await place.put(f"checkpoints/{left:012}/killed/jobs.copy.zst", b"")
    assert await Snapshots(place, KEYS).forget(None) == 0
    for snapshot in taken:
        await snapshot.check()
    assert {name for name in await list_names(place) if "killed" in name} == {
        f"checkpoints/{left:012}/killed/jobs.copy.zst" for left in (1, 4)
    }
    for snapshot in taken:
        os.utime(folder / name_manifest(snapshot.manifest.number), (snapshot.manifest.number * 1000,) * 2)
    assert await Snapshots(place, KEYS).forget(1500) == 1
    assert await Snapshots(place, KEYS).list_numbers() == [2, 3]
    named = {table.object for snapshot in taken[1:] for table in snapshot.manifest.tables}
    left_now = {*named, name_manifest(2), name_manifest(3), "checkpoints/000000000004/killed/jobs.copy.zst"}
    assert await list_names(place) == left_now
    await taken[1].check()
    assert (await reopen(place)).hash == taken[2].hash


async def _list_none() -> list[int]:
    return []


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty_out(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [change, shorten, empty_out, Path.unlink], ids=["changed", "cut", "empty", "gone"])
async def test_a_changed_byte_and_a_missing_object_are_found_before_anything_is_taken(
    live: dict[str, Steps], database_url: str, place: Objects, damage: Callable[[Path], None]
) -> None:
    assert live
    snapshot = await take(database_url, place)
    for table in snapshot.manifest.tables:
        if not table.bytes:
            continue
        path = Path(place.place) / table.object
        kept = path.read_bytes()
        damage(path)
        with pytest.raises(PermanentError, match=table.object) as error:
            await (await reopen(place)).check()
        assert error.value.code == "wrong_archive"
        path.write_bytes(kept)
    damage(Path(place.place) / name_manifest(1))
    if damage is Path.unlink:
        assert await Snapshots(place, KEYS).open() is None
    else:
        with pytest.raises(PermanentError, match=r"checkpoint 1 of .*") as error:
            await reopen(place)
        assert error.value.code == "wrong_archive"


async def test_a_snapshot_of_somebody_else_or_of_a_newer_version_is_refused(
    database_url: str, place: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(database_url, place)
    with pytest.raises(PermanentError, match="no given key has signed checkpoint 1"):
        await reopen(place, make_keys("other"))
    async with open_snapshot(database_url) as connection:
        with pytest.raises(PermanentError, match="facts are signed with 'test'") as error:
            await Snapshots(place, make_keys("newer", "test")).write(connection, "0.0.0")
    assert error.value.code == "wrong_secrets"
    monkeypatch.setattr(
        "jobstore.keeping.snapshots._STATE",
        text(
            "SELECT '{}' AS offsets, '[]' AS signers, 0 AS published_seq, incarnation, signoff_now() AS now, "
            "'9999' AS revision, 0 AS last_seq, 0 AS behind FROM keeping"
        ),
    )
    await take(database_url, place)
    with pytest.raises(
        PermanentError, match=r"revision 9999, which this version does not know: take Signoff 0"
    ) as newer:
        await reopen(place)
    assert newer.value.code == "unknown_revision"


@pytest.mark.parametrize("is_lost", [False, True], ids=["topics", "no topics"])
async def test_what_followed_a_snapshot_is_taken_from_the_archive_where_the_topics_are_gone(
    runner: CommandRunner, facts: Facts, postgres: str, place: Objects, *, is_lost: bool
) -> None:
    async with empty(postgres) as (live, live_url), empty(postgres) as (made, url):
        await live.migrate()
        begun = {f"{topic}/{n}": end for topic in TOPICS for n, end in (await facts.topics.end_offsets(topic)).items()}
        async with live.transaction() as connection:
            await connection.execute(text("UPDATE keeping SET offsets = :offsets"), {"offsets": json.dumps(begun)})
        archive, kafka = Archive(place, KEYS, "here"), KafkaAccess(facts.kafka)
        archiver = Archiver(
            live, lambda: archive, partial(History, kafka), facts.topics.end_offsets, KEYS, "here", every_s=60
        )

        async def go_on(*, taken: bool = False) -> None:
            steps = Steps(live, CommandRunner(live, STORES, runner.terms))
            await steps.created(agent_id=None)
            await facts.relay(live)
            async with live.session() as session:
                await archiver.archive(session)
            if taken:
                await take(live_url, place)
            await steps.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))

        await go_on()
        await go_on(taken=True)
        await go_on()
        if not is_lost:
            await facts.relay(live)  # what is in no part yet is in the topics
        snapshot = await reopen(place)
        parts = await ArchivedParts.load(archive, snapshot.manifest.published_seq)
        kind = Gone if is_lost else ArchivedHistory
        options: Any = {"snapshot": snapshot, "parts": parts}
        result = await rebuilding(made, lambda topic: kind(kafka, topic, parts), **options).run()
        assert result["began_at"]["goes_on"] is not is_lost
        found = await verified(url, live_url)
        assert found["differences"] == []
        assert found["older"] == ({"jobs": 1, "ends_at": found["older"]["ends_at"]} if is_lost else None)


class Gone(ArchivedHistory):
    """A topic that the broker does not have any more."""

    async def offsets(self, _: Any = None) -> dict[int, range]:
        raise PermanentError("no topic", code="unknown_topic")


async def test_what_was_recorded_and_not_published_by_then_is_published_by_the_database_that_is_made(
    runner: CommandRunner, facts: Facts, postgres: str, place: Objects
) -> None:
    async with empty(postgres) as (lost, lost_url):
        await lost.migrate()
        its_own = CommandRunner(lost, STORES, runner.terms)
        topics = {topic: await facts.topics.end_offsets(topic) for topic in TOPICS}
        told, untold = Steps(lost, its_own), Steps(lost, its_own)
        for each in (told, untold):
            await each.created(agent_id=None)
        await facts.relay(lost)
        await untold.runner.submit.run_one(CancelJob(untold.job_id, actor=SIGNOFF))
        await take(lost_url, place)

        class Topic(Since):
            began = topics

        def history(topic: str) -> Topic:
            return Topic(KafkaAccess(facts.kafka), topic)

        async with empty(postgres) as (made, url):
            result = await rebuilding(made, history, snapshot=await reopen(place)).run()
            assert result["published_again"] == 1
            async with made.session() as session:
                query = (
                    "SELECT min(seq) - 1 FROM job_logs WHERE kind = 'cancelled' UNION SELECT published_seq FROM relay"
                )
                assert len(await session.scalars(text(query))) == 1
            await facts.relay(made)
            async with empty(postgres) as (again, again_url):
                await rebuilding(again, history).run()
                assert (await verified(again_url, url))["ok"]
