"""Parts of the archive keep records byte for byte; a part that was changed, is missing or is foreign is named."""

import pytest
from support.archived import make_part, make_record, write_parts
from support.buckets import BUCKET, serve_s3
from support.jobstore.signed_facts import make_keys

from contracts.signing import FactKeys
from servicekit.archive.history import ArchivedParts
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive, Beginning, iterate_records
from servicekit.errors import PermanentError

KEYS = make_keys("a")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def archive(folder) -> Archive:
    return Archive(Objects.open(str(folder), creates=True), KEYS, "here")


def refuse(words: str):
    return pytest.raises(PermanentError, match=words)


async def read_all(archive: Archive) -> list[int]:
    return [part.number for part in [part async for part in archive.read_chain()] if await archive.read_data(part)]


ODD = [
    make_record(KEYS, 0, b'{"a": "\\u00e9\xc3\xa9"}'),
    make_record(KEYS, 3, b"\xff\x00 no text", key=None),
    make_record(KEYS, 4, b"line\nline\r\n\xe2\x80\xa8", partition=1),
    make_record(KEYS, 5, b"", topic="agent-changed", timestamp=9_000),
]


@pytest.mark.parametrize("where", ["directory", "s3"])
async def test_records_come_back_byte_for_byte(where, folder):
    if where == "directory":
        archive = Archive(Objects.open(str(folder), creates=True), KEYS, "here")
        (part,) = await write_parts(archive, ODD)
        data = await archive.read_data(part)
    else:
        with serve_s3():
            archive = Archive(Objects.open(f"s3://{BUCKET}/x"), KEYS, "here")
            (part,) = await write_parts(archive, ODD)
            data = await archive.read_data(part)

    assert [*iterate_records(data, "job-changed"), *iterate_records(data, "agent-changed")] == ODD
    assert [(span.topic, span.partition, span.first, span.last, span.count) for span in part.manifest.spans] == [
        ("agent-changed", 0, 5, 5, 1),
        ("job-changed", 0, 0, 3, 2),
        ("job-changed", 1, 4, 4, 1),
    ]
    assert part.manifest.facts_at.timestamp() == 9


async def test_of_two_writers_of_a_number_one_succeeds(archive):
    (first,) = await write_parts(archive, ODD)

    assert await archive.write(*make_part(ODD[:1])) is None
    assert await archive.read_part(1) == first
    assert await archive.read_data(first)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], "part 2 of the archive .* was changed: parts/000000000002-"),
        (lambda data: data[:30] + bytes([data[30] ^ 1]) + data[31:], "part 2 of the archive .* was changed"),
        (lambda data: data + b"x", "part 2 of the archive .* was changed"),
        (None, "part 2 of the archive .* has no data any more"),
    ],
)
async def test_changed_data_is_named(archive, folder, change, words):
    await write_parts(archive, ODD, ODD, ODD)
    (path,) = folder.glob("parts/000000000002-*.jsonl.zst")
    path.write_bytes(change(path.read_bytes())) if change else path.unlink()

    with refuse(words):
        await read_all(archive)


async def test_a_missing_part_is_named(archive, folder):
    await write_parts(archive, ODD, ODD, ODD)
    (folder / "parts/000000000002.json").unlink()

    with refuse("part 2 of the archive .* is missing"):
        await read_all(archive)


async def test_a_changed_manifest_is_named_also_if_its_key_is_not_known(archive, folder):
    await write_parts(archive, ODD, ODD)
    path = folder / "parts/000000000001.json"
    path.write_bytes(path.read_bytes().replace(b'"seq":0', b'"seq":9'))

    with refuse("part 1 of the archive .* was changed: it is not the one that part 2 follows"):
        await read_all(archive)


@pytest.mark.parametrize("document", [b"{}", b"", b"[]\n[]", b"\xff\n\n"])
async def test_a_manifest_that_cannot_be_read_is_named(archive, folder, document):
    await write_parts(archive, ODD)
    (folder / "parts/000000000001.json").write_bytes(document)

    with refuse("part 1 of the archive .* was changed: its manifest cannot be read"):
        await archive.read_part(1)


async def test_a_manifest_of_another_number_is_named(archive, folder):
    await write_parts(archive, ODD, ODD)
    (folder / "parts/000000000001.json").write_bytes((folder / "parts/000000000002.json").read_bytes())

    with refuse("part 1 of the archive .* its manifest is that of part 2"):
        await read_all(archive)


async def test_parts_of_another_installation_are_named(archive, folder):
    await write_parts(archive, ODD)
    other = Archive(Objects.open(str(folder)), KEYS, "there")

    with refuse("part 1 of the archive .* is of the installation here, and this is there"):
        await other.read_part(1)


async def test_hashes_vouch_for_parts_that_a_forgotten_secret_signed(folder):
    objects = Objects.open(str(folder), creates=True)
    (old,) = await write_parts(Archive(objects, KEYS), ODD)
    newer = Archive(objects, make_keys("b"))

    with refuse("part 1 of the archive .* is signed by no key that is known here"):
        await read_all(newer)
    await write_parts(newer, ODD, before=old)
    assert await read_all(newer) == [1, 2]


async def begin_at(archive, number):
    part = await archive.read_part(number)
    beginning = Beginning(number=number, before=part.manifest.before, installation="here", checkpoint=7, seq=70)
    await archive.begin_at(beginning)
    return beginning


async def test_an_archive_may_begin_with_a_part_that_it_says(archive):
    await write_parts(archive, ODD, ODD, ODD)
    beginning = await begin_at(archive, 2)

    assert await read_all(archive) == [2, 3], "those in front are not read, though they are still there"
    assert await archive.clear() == 1
    assert await archive.clear() == 0
    assert await archive.list_numbers() == [2, 3]
    assert await read_all(archive) == [2, 3]
    assert [part.number async for part in archive.read_chain(3)] == [3]
    assert (await ArchivedParts.load(archive)).gone_seq == 70
    assert await archive.find_beginning() == beginning


async def test_a_part_that_is_missing_behind_the_beginning_is_named(archive, folder):
    await write_parts(archive, ODD, ODD, ODD, ODD)
    await begin_at(archive, 2)
    await archive.clear()
    (folder / "parts/000000000002.json").unlink()

    with refuse("part 2 of the archive .* is missing"):
        await read_all(archive)


async def test_a_beginning_that_was_changed_or_is_of_others_is_named(archive, folder):
    await write_parts(archive, ODD, ODD, ODD)
    await begin_at(archive, 2)
    path = folder / "parts/beginning.json"
    document = path.read_bytes()

    for changed in (document.replace(b'"number":2', b'"number":3'), b"{}", b""):
        path.write_bytes(changed)
        with refuse("beginning.json of the archive"):
            await read_all(archive)
    path.write_bytes(document)
    with refuse("beginning.json of the archive .* is of the installation here"):
        await Archive(Objects.open(str(folder)), KEYS, "there").find_beginning()
    part = await archive.read_part(3)
    await archive.begin_at(Beginning(number=2, before=part.sha256, installation="here", checkpoint=7, seq=70))
    with refuse("part 2 of the archive .* is not the one with which the archive begins"):
        await read_all(archive)


async def test_a_beginning_is_signed_anew_once_the_secret_is_replaced(archive, folder):
    await write_parts(archive, ODD, ODD)
    await begin_at(archive, 2)
    newer = make_keys("b")

    await archive.renew_beginning()
    with refuse("is signed by no key that is known here"):
        await Archive(Objects.open(str(folder)), newer).find_beginning()
    await Archive(Objects.open(str(folder)), FactKeys([*newer, *KEYS])).renew_beginning()
    assert (await Archive(Objects.open(str(folder)), newer).find_beginning()).number == 2


async def test_an_empty_manifest_of_a_loss_of_power_is_written_anew(archive, folder):
    (folder / "parts").mkdir()
    (folder / "parts/000000000001.json").write_bytes(b"\0" * 40)

    assert await archive.find_part(1) is None
    (part,) = await write_parts(archive, ODD)
    assert await archive.find_part(1) == part


async def test_a_place_that_lies_about_what_it_wrote_is_named(archive, monkeypatch):
    put = Objects.put

    async def lose_a_byte(self, name, content):
        await put(self, name, content[:-1])

    monkeypatch.setattr(Objects, "put", lose_a_byte)
    with refuse("part 1 of the archive .* was changed"):
        await write_parts(archive, ODD)


async def test_the_first_part_follows_none_and_each_other_the_one_before(archive):
    first, second = await write_parts(archive, ODD, ODD)

    archive.check_successor(None, first)
    archive.check_successor(first, second)
    with refuse("part 2 of the archive .* follows a part that is not there"):
        archive.check_successor(None, second)
    with refuse("part 2 of the archive .* was changed"):
        archive.check_successor(second, second)
