"""An archive and what was removed, from the command line."""

import json
from datetime import UTC, datetime

import pytest
from support.archived import make_record, write_parts
from support.jobstore.signed_facts import make_keys

from contracts.signing import make_secret
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive, Beginning
from signoff.keeping import RemovedJob
from signoff.types import Job, JobLog

KEYS = make_keys("a")
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
async def folder(tmp_path, env):
    env["SIGNOFF_SECRETS"] = make_secret("a", b"a".ljust(32, b"."))
    archive = Archive(Objects.open(str(tmp_path / "archive"), creates=True), KEYS)
    await write_parts(archive, [make_record(KEYS, 0)], [make_record(KEYS, 1), make_record(KEYS, 2)])
    return tmp_path / "archive"


async def test_the_parts_of_an_archive_are_listed(signoff, folder):
    ran = await signoff("archive", "show", "--archive", str(folder))
    assert (ran.status, ran.err) == (0, "")
    assert "2 job-changed" in ran.out
    assert ran.out.endswith("2 parts\n")
    ran = await signoff("archive", "show", "--archive", str(folder), "--from", "2")
    assert ran.out.endswith("1 part\n")
    ran = await signoff("archive", "show", "--archive", str(folder), "--from", "2", "--json")
    assert (ran.json["number"], ran.json["records"], ran.json["topics"]) == (2, 2, {"job-changed": 2})


async def test_an_archive_that_is_whole_is_verified(signoff, folder, env):
    env["SIGNOFF_ARCHIVE"] = str(folder)
    ran = await signoff("archive", "verify", "--json")
    assert (ran.status, ran.json["parts"], ran.json["records"]) == (0, 2, 3)
    assert "ok: 2 parts with 3 records" in (await signoff("archive", "verify")).out


async def test_an_archive_whose_first_parts_were_let_go_says_where_it_begins(signoff, folder):
    archive = Archive(Objects.open(str(folder)), KEYS)
    before = (await archive.read_part(2)).manifest.before
    await archive.begin_at(Beginning(number=2, before=before, installation="", checkpoint=4, seq=1))
    await archive.clear()
    ran = await signoff("archive", "verify", "--archive", str(folder), "--json")
    assert (ran.status, ran.json["parts"], ran.json["begins_with"], ran.json["checkpoint"]) == (0, 1, 2, 4)
    for command in ("show", "verify"):
        ran = await signoff("archive", command, "--archive", str(folder))
        assert "it begins with part 2: those in front were let go, and checkpoint 4 has what they told" in ran.out


async def test_a_changed_part_is_named(signoff, folder):
    (path,) = folder.glob("parts/000000000001-*.jsonl.zst")
    path.write_bytes(path.read_bytes()[:-1])

    ran = await signoff("archive", "verify", "--archive", str(folder))
    assert (ran.status, "part 1 of the archive" in ran.err) == (3, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "SIGNOFF_ARCHIVE"), (["--archive", "ftp://x"], "is no place for objects"), (["--archive", "/none"], "/none")],
)
async def test_a_place_that_is_none_is_named(signoff, env, options, words):
    env["SIGNOFF_SECRETS"] = make_secret("a", b"a".ljust(32, b"."))
    ran = await signoff("archive", "show", *options)
    assert ran.status != 0
    assert words in ran.err


@pytest.fixture
def removed(jobstore):
    job = Job(id="j-1", title="A title", status="COMPLETED", version=3, created_at=AT, updated_at=AT)
    entries = [
        JobLog(
            id=f"00000000-0000-0000-0000-00000000000{version}", job_id="j-1", version=version, status="COMPLETED",
            job_status="COMPLETED", kind="result", submission=1, result="the text", created_at=AT,
        )
        for version in (1, 2)
    ]  # fmt: skip
    payload = "eyJwcmVkaWNhdGUiOiB7InZlcnNpb24iOiAyfX0="
    receipt = json.dumps({"payload": payload, "payloadType": "x", "signatures": []})
    jobstore.removed["j-1"] = RemovedJob(job=job, logs=entries, removed_at=AT, receipt=receipt, parts=[4, 7])
    return receipt


async def test_a_removed_job_is_shown_on_request_with_where_it_comes_from(signoff, removed):
    assert removed
    ran = await signoff("jobs", "show", "j-1", "--archived")
    assert (ran.status, ran.err) == (0, "")
    assert "from the archive, part 4, 7" in ran.out
    assert "the text" in ran.out
    assert (await signoff("jobs", "show", "j-1", "--archived", "--json")).json["job"]["title"] == "A title"
    assert (await signoff("jobs", "show", "j-2", "--archived")).status == 3


async def test_the_receipt_of_a_removed_job_is_made_again(signoff, removed, tmp_path, jobstore):
    ran = await signoff("receipt", "j-1", "--archived")
    assert (ran.status, ran.out) == (0, removed + "\n")
    ran = await signoff("receipt", "j-1", "--archived", "--output", str(tmp_path / "r.json"), "--json")
    assert ran.json["version"] == 2
    assert (await signoff("receipt", "j-1", "--archived", "--version", "2")).status == 2
    jobstore.removed["j-1"] = jobstore.removed["j-1"].model_copy(update={"receipt": None})
    assert "did not end with a verdict" in (await signoff("receipt", "j-1", "--archived")).err
