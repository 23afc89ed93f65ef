"""Facts are archived whole, once and in order, and nothing counts as archived that cannot be read back."""

import pytest
from support.jobstore.archiving import Archiving, name_record
from support.jobstore.signed_facts import Stored
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.keeping.archiver import take_archive
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive
from servicekit.errors import TransientError


async def test_every_record_is_archived_byte_for_byte_with_the_markers(published: Archiving) -> None:
    state = await published.run()

    assert sorted(await published.read()) == sorted(name_record(one) for one in published.topics.records)
    assert (state["part"], state["archived_seq"]) == (1, state["published_seq"])
    assert state["archived_seq"] > 0
    ((first, last, seq),) = await published.execute("SELECT first_seq, last_seq, seq FROM archive_parts")
    assert (last, seq) == (state["published_seq"], state["published_seq"])
    ((lowest,),) = await published.execute(
        "SELECT least((SELECT min(seq) FROM job_logs), (SELECT min(seq) FROM facts))"
    )
    assert first == lowest


async def test_a_part_is_written_once_there_is_something_new_in_topics(
    published: Archiving, database: Database, runner: CommandRunner
) -> None:
    await published.run()
    before = await published.run()
    assert before["part"] == 1

    await Steps(database, runner).running()
    await published.publish()
    state = await published.run()

    assert (state["part"], state["archived_seq"]) == (2, state["published_seq"])
    assert sorted(await published.read()) == sorted(name_record(one) for one in published.topics.records)


async def test_full_parts_follow_each_other_and_rows_are_archived_with_the_last(published: Archiving) -> None:
    published.part_bytes = 1

    state = await published.run()

    rows = await published.execute("SELECT number, seq FROM archive_parts ORDER BY number")
    assert [row.number for row in rows] == [*range(1, len(rows) + 1)]
    assert len(rows) > 2
    assert {row.seq for row in rows[:-1]} == {0}
    assert rows[-1].seq == state["published_seq"]
    assert sorted(await published.read()) == sorted(name_record(one) for one in published.topics.records)


async def test_what_nobody_vouches_for_is_counted_and_left_out(published: Archiving) -> None:
    forged = Stored("job-changed", 3, published.topics.ends["job-changed", 3], b"forged", b"{}", [])
    published.topics.records.append(forged)
    published.topics.ends["job-changed", 3] += 1

    await published.run()

    part = await published.archive.read_part(1)
    assert part.manifest.left == {"job-changed": {"unsigned": 1}}
    assert part.manifest.offsets["job-changed/3"] == forged.offset + 1
    assert name_record(forged) not in await published.read()


async def test_a_part_that_was_written_before_a_kill_is_taken_once(published: Archiving) -> None:
    before = await published.run()
    await published.execute(
        "UPDATE keeping SET part = 0, part_hash = NULL, offsets = '{}', newest = '{}', archived_seq = 0"
    )
    await published.execute("DELETE FROM archive_parts")

    state = await published.run()

    assert state == before
    assert len(await published.read()) == len(published.topics.records)


async def test_data_without_a_manifest_is_no_part(published: Archiving) -> None:
    await Objects.open(str(published.folder), creates=True).put(
        "parts/000000000001-0123456789abcdef.jsonl.zst", b"half"
    )

    await published.run()

    assert len(await published.read()) == len(published.topics.records)


async def test_parts_of_a_database_that_this_one_does_not_know_are_refused(published: Archiving) -> None:
    await published.run()
    await published.forget()
    await published.execute("DELETE FROM job_logs WHERE seq = (SELECT max(seq) FROM job_logs)")

    state = await published.run()

    assert state["archived_seq"] == 0
    assert "part 1 of the archive" in state["archive_error"]
    assert "has facts that this database lacks" in state["archive_error"]


async def test_what_was_published_and_can_no_longer_be_read_does_not_count_as_archived(
    published: Archiving, database: Database, runner: CommandRunner
) -> None:
    before = await published.run()
    await Steps(database, runner).running()
    await published.publish()
    lost = next(one for one in reversed(published.topics.records) if one.topic == "job-changed")
    published.topics.records.remove(lost)

    state = await published.run()

    assert "can no longer be read" in state["archive_error"]
    assert (state["archived_seq"], state["part"]) == (0, before["part"])
    published.topics.records.append(lost)
    state = await published.run()
    assert (state["archive_error"], state["archived_seq"]) == (None, state["published_seq"])


async def test_facts_that_parts_had_ahead_of_those_of_another_tenant_are_not_lost(published: Archiving) -> None:
    await published.run()
    ((number, last),) = await published.execute("SELECT number, last_seq FROM archive_parts")
    await published.execute(f"UPDATE archive_parts SET seq = 1 WHERE number = {number}")
    await published.execute("UPDATE keeping SET archived_seq = 1")

    state = await published.run()

    assert (state["archive_error"], state["archived_seq"]) == (None, last)


async def test_facts_that_a_part_had_ahead_of_the_relays_mark_are_known_without_reading_it(
    published: Archiving, database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a pass that failed, which has archived nothing."""
    archiver, state = published.archiver, await published.state()
    await published.execute(f"UPDATE relay SET published_seq = {state['published_seq'] - 2}")
    async with database.session() as session:
        await archiver.archive(session)
    await published.execute(f"UPDATE relay SET published_seq = {state['published_seq']}")
    await Steps(database, runner).running()
    await published.publish()
    lost = next(one for one in reversed(published.topics.records) if one.topic == "job-changed")
    published.topics.records.remove(lost)
    async with database.session() as session:
        await archiver.archive(session)
        assert "can no longer be read" in (await published.state())["archive_error"]
        published.topics.records.append(lost)
        monkeypatch.setattr(Archive, "read_data", None)  # what it looks for is in no other part
        await archiver.archive(session)
    state = await published.state()
    assert (state["archive_error"], state["archived_seq"]) == (None, state["published_seq"])


@pytest.mark.parametrize("number", [1, 2])
async def test_nothing_counts_as_archived_while_a_part_is_changed(published: Archiving, number: int) -> None:
    published.part_bytes = 1
    before = await published.run()
    assert before["part"] > 2
    (path,) = published.folder.glob(f"parts/{number:012}-*.jsonl.zst")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])

    while not (state := await published.run())["archive_error"]:  # a part at random is read again
        pass
    assert f"part {number} of the archive" in state["archive_error"]
    assert (state["archived_seq"], state["suspect"], state["part"]) == (0, number, before["part"])

    path.write_bytes(whole)
    assert await published.run() == before


async def test_nothing_counts_as_archived_while_the_newest_part_is_missing(published: Archiving) -> None:
    await published.run()
    (published.folder / "parts/000000000001.json").unlink()

    state = await published.run()

    assert "part 1 of the archive" in state["archive_error"]
    assert "is missing" in state["archive_error"]
    assert (state["archived_seq"], state["part"]) == (0, 1)


async def test_the_archive_of_another_installation_is_refused(published: Archiving) -> None:
    await published.run()
    published.installation = "there"

    state = await published.run()

    assert "is of the installation here, and this is there" in state["archive_error"]
    assert state["archived_seq"] == 0


async def test_what_was_archived_stays_so_while_the_place_cannot_be_written(published: Archiving) -> None:
    before = await published.run()
    published.folder.joinpath("parts").rename(published.folder / "away")
    published.folder.rename(published.folder.with_name("moved"))
    published.folder.write_text("no folder")

    with pytest.raises(TransientError) as caught:
        await published.run()

    assert caught.value.code == "archive_unavailable"
    state = await published.state()
    assert "cannot be read or written" in state["archive_error"]
    assert state["archived_seq"] == before["archived_seq"]


async def test_a_broker_that_came_back_empty_is_archived_as_another_incarnation(published: Archiving) -> None:
    before = await published.run()
    old = list(published.topics.records)
    published.topics.empty()

    with pytest.raises(TransientError, match="lost facts that were published"):
        await published.run()
    await published.publish()
    state = await published.run()

    assert state["incarnation"] != before["incarnation"]
    assert state["archived_seq"] == before["archived_seq"] == state["published_seq"]
    assert sorted(await published.read()) == sorted(name_record(one) for one in [*old, *published.topics.records])
    incarnations = [part.manifest.incarnation async for part in published.archive.read_chain()]
    assert incarnations == [before["incarnation"], state["incarnation"]]


async def test_of_two_that_archive_at_once_one_goes_on_from_the_others_part(published: Archiving) -> None:
    async with published.database.session() as session:
        stale = published.archiver
        state = await stale._load(session)
        await published.run()
        with pytest.raises(TransientError, match="another jobstore has archived part 1"):
            await stale._add_parts(session, published.archive, state)

    assert len(await published.read()) == len(published.topics.records)


async def test_facts_that_left_their_topic_before_they_were_archived_are_named(published: Archiving) -> None:
    await published.run()
    published.topics.ends["job-changed", 0] += 50
    published.first = published.topics.ends["job-changed", 0]

    state = await published.run()

    assert "job-changed/0 does not hold the offsets" in state["archive_error"]


async def test_a_jobstore_without_the_newest_secret_leaves_the_archive_to_others(published: Archiving) -> None:
    await published.run()
    await published.execute('UPDATE keeping SET newest = \'{"job-changed/0": "b:0123"}\'')
    published.topics.ends["job-changed", 0] += 1

    with pytest.raises(TransientError, match="SIGNOFF_SECRETS: facts were signed with the secret 'b'"):
        await published.run()


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_database_that_was_rebuilt_goes_on_behind_the_last_part(
    published: Archiving, database: Database, runner: CommandRunner, *, goes_on: bool
) -> None:
    published.part_bytes = 1
    before = await published.run()
    query = "SELECT number, first_seq, last_seq, facts_at, seq, bytes FROM archive_parts ORDER BY number"
    parts = await published.execute(query)
    await published.forget()
    await published.execute("UPDATE keeping SET incarnation = uuidv7()")

    async with database.transaction() as connection:
        await take_archive(connection, published.archive, goes_on=goes_on)

    state = await published.state()
    names = ("part", "part_hash", "archived_seq")
    assert [state[name] for name in names] == [before[name] for name in names]
    assert (state["incarnation"] == before["incarnation"]) is goes_on
    assert await published.execute(query) == parts
    await Steps(database, runner).running()
    await published.publish()
    await published.run()
    count = len(published.topics.records)
    first = sum(
        part.manifest.records for part in [one async for one in published.archive.read_chain()][: before["part"]]
    )
    assert len(await published.read()) == (count if goes_on else count + first)


async def test_an_empty_archive_is_nothing_to_go_on_with(published: Archiving, database: Database) -> None:
    async with database.transaction() as connection:
        await take_archive(connection, published.archive, goes_on=True)

    assert (await published.state())["part"] == 0
