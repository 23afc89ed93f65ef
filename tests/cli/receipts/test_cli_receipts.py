"""`signoff receipt`: a receipt of a job, the keys, and whether a receipt is genuine, without any Signoff."""

import json
from datetime import UTC, datetime

import pytest
from support.fake_operations import Refusal, Status
from support.receipts_to_forge import NEW, OLD, RECEIPT, RESULT, STRANGERS, VERDICT, altered, encoded, signed, state

from contracts.criteria import hash_references
from contracts.events import hash_task
from contracts.receipts import PublicKey
from contracts.resources import NewJob
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb

KEYS = json.dumps({"items": [key.public.model_dump(mode="json") for key in (NEW, OLD)]})


@pytest.fixture
async def judged(jobstore):
    """A job with a receipt."""
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    jobstore.receipts["poem"] = RECEIPT.decode()
    at = datetime(2026, 11, 26, tzinfo=UTC)
    jobstore.receipt_keys = [PublicKey.of(key.public.value, key.public.secret_id, at) for key in (NEW, OLD)]
    return jobstore


@pytest.fixture
def files(tmp_path):
    (tmp_path / "keys.json").write_text(KEYS)
    (tmp_path / "receipt.json").write_bytes(RECEIPT)
    return tmp_path


@pytest.fixture
def offline(env):
    """No jobstore is known, and none is needed."""
    env["SIGNOFF_JOBSTORE"] = env["SIGNOFF_TOKEN"] = None


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("words", [["poem"], ["get", "poem"], ["poem", "--json"], ["--json", "poem"]])
async def test_the_receipt_of_a_job_is_printed(signoff, words):
    ran = await signoff("receipt", *words)
    assert (ran.status, ran.json) == (0, json.loads(RECEIPT)), ran.err


@pytest.mark.usefixtures("judged")
async def test_it_is_written_to_a_file_that_verifies(signoff, tmp_path, env):
    ran = await signoff("receipt", "poem", "--out", "poem.json")
    assert (ran.status, ran.out) == (0, "the receipt of poem, version 7, is in poem.json\n"), ran.err
    ran = await signoff("receipt", "verify", "poem.json")
    assert (ran.status, f"by the word of the jobstore at {env['SIGNOFF_JOBSTORE']}" in ran.out) == (0, True)
    told = (await signoff("receipt", "verify", "poem.json", "--json")).json
    assert told["keys_of"] == f"the jobstore at {env['SIGNOFF_JOBSTORE']}"
    kept = await signoff("receipt", "keys")
    (tmp_path / "keys.json").write_text(kept.out)
    assert [key["secret_id"] for key in kept.json["items"]] == ["new-", "old-"]
    assert (await signoff("receipt", "keys", "--json")).json == kept.json
    env["SIGNOFF_JOBSTORE"] = None
    ran = await signoff("receipt", "verify", "poem.json", "--keys", "keys.json")
    assert ran.status == 0, ran.err
    ran = await signoff("receipt", "poem", "--out", "no/such/folder")
    assert (ran.status, ran.out) == (2, "")


async def test_what_is_chosen_is_asked_for(signoff, judged):
    await signoff("receipt", "poem", "--submission", "2", "--without-texts")
    await signoff("receipt", "poem", "--version", "5")
    assert judged.asked(pb.GetReceiptRequest) == [
        pb.GetReceiptRequest(job_id="poem", submission=2, view=resources_pb.VIEW_BASIC),
        pb.GetReceiptRequest(job_id="poem", version=5, view=resources_pb.VIEW_FULL),
    ]


async def test_a_job_without_a_verdict_has_none(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    ran = await signoff("receipt", "poem", "--json")
    assert (ran.status, ran.out, "no_verdict" in ran.err) == (3, "", True)
    jobstore.refusals["GetReceipt"] = Refusal(Status.FAILED_PRECONDITION, "unjudged")
    ran = await signoff("receipt", "poem", "--json")
    assert (ran.status, ran.out, "unjudged" in ran.err) == (3, "", True)


@pytest.mark.usefixtures("offline", "files")
async def test_verifying_says_what_was_verified_and_needs_no_signoff(signoff):
    ran = await signoff("receipt", "verify", "receipt.json", "--keys", "keys.json")
    assert ran.status == 0, ran.err
    for word in (
        NEW.public.keyid,
        "poem",
        "press",
        "accepted",
        "a-judge",
        'Says "sea"',
        "optional: never: names",
        "was not compared",
        "by the word of keys.json",
    ):
        assert word in ran.out
    ran = await signoff("receipt", "verify", "-", "--key", NEW.public.public_key, "--json", stdin=RECEIPT.decode())
    assert (ran.status, ran.json["valid"], ran.json["keyid"]) == (0, True, NEW.public.keyid)
    assert ran.json["statement"]["predicateType"] == "urn:signoff:verdict:v1"


@pytest.mark.usefixtures("offline")
async def test_hashes_stand_in_the_place_of_texts_that_were_left_out(signoff, files):
    (files / "receipt.json").write_bytes(signed(state(with_texts=False).encode()))
    ran = await signoff("receipt", "verify", "receipt.json", "--keys", "keys.json")
    assert (ran.status, "Says" in ran.out, ran.out.count("sha256:")) == (0, False, 2)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("receipt", "code"),
    [
        (altered(payload=encoded(b"{}")), "bad_signature"),
        (signed(state().encode(), STRANGERS), "unknown_key"),
        (altered(payloadType="text/plain"), "other_payload_type"),
        (b"{}", "malformed_receipt"),
        (b"\x1b[2J", "malformed_receipt"),
    ],
)
async def test_what_is_forged_fails_with_a_code(signoff, files, receipt, code):
    (files / "receipt.json").write_bytes(receipt)
    ran = await signoff("receipt", "verify", "receipt.json", "--keys", "keys.json", "--json")
    assert (ran.status, ran.out, json.loads(ran.err)["code"]) == (1, "", code)
    ran = await signoff("receipt", "verify", "receipt.json", "--keys", "keys.json")
    assert (ran.status, ran.out, ran.err.startswith("error: not valid: ")) == (1, "", True)
    assert "\x1b" not in ran.err


@pytest.mark.usefixtures("offline", "files")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nowhere.json", "--keys", "keys.json"], "unreadable"),
        (["receipt.json", "--keys", "receipt.json"], "malformed_keys"),
        (["receipt.json", "--keys", "nowhere.json"], "unreadable"),
        (["receipt.json", "--key", "AAAA"], "malformed_keys"),
        (["receipt.json", "--key", OLD.public.public_key], "unknown_key"),
        (["receipt.json", "--key", "AAAA", "--keys", "keys.json"], "two_keys"),
        (["receipt.json"], "no_receipt_keys"),
        (["receipt.json", "--keys", "keys.json", "--result", "nowhere.json"], "unreadable"),
    ],
)
async def test_what_is_missing_or_wrong_is_told(signoff, arguments, code):
    ran = await signoff("receipt", "verify", *arguments, "--json")
    status = 1 if code in {"malformed_keys", "unknown_key"} else 2
    assert (ran.status, ran.out, json.loads(ran.err)["code"]) == (status, "", code)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("result", "file", "is_same"),
    [
        (RESULT, RESULT.encode(), True),
        (RESULT, b'{\n  "text": "The sea is blue."\n}\n', True),
        (RESULT, b'{"text": "The sea is red."}', False),
        (RESULT, b'{"text": "The sea is blue.", "more": 1}', False),
        ('"blue\\nsea"', b"blue\nsea", True),  # as it is downloaded
        ('"blue"', b"blue\n", True),
        ('"blue\\n"', b"blue\n", True),
        ('"blue"', b"Blue", False),
        ('"blue"', b"\xff", False),
        ("1", b"1", True),
        ('"1"', b"1", True),
    ],
)
async def test_a_result_is_compared_however_it_was_kept(signoff, files, result, file, is_same):
    (files / "receipt.json").write_bytes(signed(state(result=result).encode()))
    (files / "result").write_bytes(file)
    arguments = ["receipt.json", "--keys", "keys.json", "--result", "result"]
    ran = await signoff("receipt", "verify", *arguments)
    assert (ran.status, "which is result" in ran.out) == ((0, True) if is_same else (1, False)), ran.err
    assert is_same or "another result" in ran.err


@pytest.mark.usefixtures("offline")
async def test_a_job_is_compared_by_its_task_and_references(signoff, files):
    task = hash_task("a poem", "", '{"n":1.0}').hex()
    verdict = VERDICT.model_copy(update={"references_sha256": hash_references('{"1":"sea"}')})
    (files / "receipt.json").write_bytes(signed(state(verdict, task_sha256=task).encode()))
    asked = {"title": "a poem", "payload": {"n": 1.0}}
    for job, told in (
        (asked, ""),
        ({"job": {**asked, "references": {"1": "sea"}}}, ""),
        ({**asked, "title": "another"}, "other_task"),
        ({**asked, "references": {"2": "sea"}}, "other_references"),
        ([], "unreadable"),
    ):
        (files / "job.json").write_text(json.dumps(job))
        verify = ("receipt", "verify", str(files / "receipt.json"), "--keys", str(files / "keys.json"))
        ran = await signoff(*verify, "--job", str(files / "job.json"), "--json")
        status = 2 if told == "unreadable" else int(bool(told))
        assert (ran.status, told in ran.err) == (status, True), ran.err
