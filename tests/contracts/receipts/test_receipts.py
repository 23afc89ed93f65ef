"""A receipt is a DSSE envelope of an in-toto statement: signed by a key of the jobstore, and by no other."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.receipts_to_forge import (
    BY_POLICY,
    NEW,
    OLD,
    RECEIPT,
    RESULT,
    STATEMENT,
    STRANGERS,
    TRUSTED,
    altered,
    encoded,
    restated,
    signature,
    signed,
    state,
)

from contracts.criteria import Criterion, format_criteria
from contracts.events import hash_result
from contracts.judging.policy import Verdict
from contracts.receipts import ENVELOPE_MAX_BYTES, PublicKey, PublicKeys, ReceiptError, derive_keys, encode, verify
from contracts.signing import FactKeys, Secrets, make_secret

VECTORS = json.loads((Path(__file__).parents[3] / "proto/signing/receipt_vectors.json").read_text())


def refused(receipt: bytes, keys: PublicKeys = TRUSTED) -> tuple[str, str]:
    """The code and the words with which a receipt is refused."""
    with pytest.raises(ReceiptError) as caught:
        verify(receipt, keys)
    return caught.value.code, str(caught.value)


def test_what_is_signed_is_what_dsse_says() -> None:
    """The vector of its specification; lengths are of bytes, and nothing may be empty by chance."""
    pae = encode("http://example.com/HelloWorld", b"hello world")
    assert pae == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert encode("a/\xe4", b"\x00\xff") == b"DSSEv1 4 a/\xc3\xa4 2 \x00\xff"
    assert encode("", b"") == b"DSSEv1 0  0 "


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors_hold(vector: dict[str, Any]) -> None:
    """Seed and key by key of a secret, and a whole receipt, for whoever verifies in another language."""
    (key,) = derive_keys(secrets := Secrets.parse(vector["secret"]))
    assert secrets.signing.derive("signoff,v1,receipts").hex() == vector["seed"]
    assert (key.public.public_key, key.public.keyid) == (vector["public_key"], vector["keyid"])
    assert key.public.secret_id == secrets.signing.id
    signer, statement = verify(json.dumps(vector["receipt"]).encode(), PublicKeys([key.public]))
    assert signer == key.public
    assert json.loads(statement.encode()) == vector["statement"]


def test_a_receipt_says_what_was_judged_by_whom_and_nothing_of_the_result() -> None:
    signer, statement = verify(RECEIPT, TRUSTED)
    assert (signer, statement) == (NEW.public, STATEMENT)
    assert statement.result_sha256 == hash_result(RESULT).hex()
    assert statement.subject[0].name == "poem/00000000-0000-0000-0000-000000000005"
    stated = statement.predicate
    assert (stated.is_valid, stated.submission, stated.version, stated.model) == (True, 2, 7, "a-judge")
    assert [(one.text, one.kind, one.required, one.outcome) for one in stated.criteria] == [
        ('Says "sea"', "meets", True, "pass"),
        ("names a colour", "never", False, "fail"),
    ]
    assert [str(one) for one in stated.criteria] == ['Says "sea"', "optional: never: names a colour"]
    text = base64.b64decode(json.loads(RECEIPT)["payload"]).decode()
    assert not [word for word in ("blue", "The sea", "it does", "one of two") if word in text]


def test_how_it_was_judged_is_stated_and_not_what_that_cost() -> None:
    statement = verify(signed(state(BY_POLICY).encode()), TRUSTED)[1]
    predicate = json.loads(statement.encode())["predicate"]
    assert {name: predicate[name] for name in ("judge", "model", "stages")} == {
        "judge": "strict@3",
        "model": "a-judge",
        "stages": [
            {
                "kind": "single",
                "outcomes": "pf",
                "asks": [{"model": "a-judge", "role": "judge", "prompt": 4, "outcomes": "pf"}],
            },
            {"kind": "refute", "outcomes": "p-", "asks": [{"model": "another", "role": "refute"}]},
        ],
    }
    assert (statement.predicate.submission, statement.predicate.submissions) == (2, 5)


@pytest.mark.parametrize("code", ["verdict_reused", "rejudged"])
def test_a_verdict_that_was_reused_or_given_again_says_so(code: str) -> None:
    statement = verify(signed(state(code=code).encode()), TRUSTED)[1]
    assert (statement.predicate.code, json.loads(statement.encode())["predicate"]["code"]) == (code, code)


@pytest.mark.parametrize("code", [None, "criteria_not_met"])
def test_no_other_code_is_stated_and_what_was_stated_before_is_stated_as_it_was(code: str | None) -> None:
    assert state(code=code) == STATEMENT
    assert "code" not in json.loads(STATEMENT.encode())["predicate"]


def test_the_hashes_of_criteria_are_of_their_text_form() -> None:
    """So that whoever has the criteria can compute them by `sha256sum`."""
    lines = ['Says "sea"', "optional: never: names a colour"]
    whole = format_criteria(
        [Criterion(text='Says "sea"'), Criterion(text="names a colour", required=False, kind="never")]
    )
    assert whole.split("\n") == lines
    stated = STATEMENT.predicate
    assert [one.sha256 for one in stated.criteria] == [hash_result(line).hex() for line in lines]
    assert stated.criteria_sha256 == hash_result(whole).hex()


def test_without_texts_the_hashes_stay() -> None:
    bare = state(with_texts=False)
    assert [one.text for one in bare.predicate.criteria] == [None, None]
    assert [one.sha256 for one in bare.predicate.criteria] == [one.sha256 for one in STATEMENT.predicate.criteria]
    assert b"colour" not in bare.encode()


def test_one_verdict_has_one_receipt() -> None:
    assert signed(state().encode()) == RECEIPT
    assert state(Verdict.model_validate_json(Verdict.of([], "").model_dump_json())).encode() != STATEMENT.encode()


def test_a_retired_key_still_verifies_what_it_signed() -> None:
    assert verify(signed(STATEMENT.encode(), OLD), TRUSTED)[0] == OLD.public


def test_the_key_is_for_receipts_alone() -> None:
    """It is not that of facts, and each secret has one of its own."""
    secrets = Secrets.parse(make_secret("new-", b"new-" * 8))
    assert secrets.signing.derive("signoff,v1,receipts") != FactKeys.derive(secrets).signing.key
    assert len({NEW.public.keyid, OLD.public.keyid, STRANGERS.public.keyid}) == 3
    assert "seed" not in repr(NEW)


FORGED = {
    "by another's key": (signed(STATEMENT.encode(), STRANGERS), "unknown_key"),
    "by another's key, in the name of one that is trusted": (
        altered(signatures=[signature(STRANGERS, keyid=NEW.public.keyid)]),
        "bad_signature",
    ),
    "in the name of the other key": (altered(signatures=[signature(keyid=OLD.public.keyid)]), "bad_signature"),
    "with another payload": (altered(payload=encoded(STATEMENT.encode() + b" ")), "bad_signature"),
    "with no payload": (altered(payload=""), "bad_signature"),
    "with another verdict": (
        altered(payload=encoded(STATEMENT.encode().replace(b'"is_valid":true', b'"is_valid":null'))),
        "bad_signature",
    ),
    "with a part of the signature": (altered(signatures=[signature(sig=encoded(NEW.sign(b"")[:63]))]), "bad_signature"),
    "with no signature": (altered(signatures=[signature(sig="")]), "bad_signature"),
    "with a signature that is no base64": (altered(signatures=[signature(sig="\u00e4")]), "malformed_receipt"),
    "with zeros": (altered(signatures=[signature(sig=encoded(bytes(64)))]), "bad_signature"),
    "with the signature of the payload alone": (
        altered(signatures=[signature(sig=encoded(NEW.sign(STATEMENT.encode())))]),
        "bad_signature",
    ),
    "of another type": (altered(payloadType="application/json"), "other_payload_type"),
    "of no type": (altered(payloadType=None), "other_payload_type"),
    "with two signatures": (altered(signatures=[signature(), signature()]), "malformed_receipt"),
    "with none": (altered(signatures=[]), "malformed_receipt"),
    "with signatures that are none": (altered(signatures=[1]), "malformed_receipt"),
    "with signatures by name": (altered(signatures={"0": signature()}), "malformed_receipt"),
    "without a keyid": (altered(signatures=[{"sig": signature()["sig"]}]), "malformed_receipt"),
    "with an empty keyid": (altered(signatures=[signature(keyid="")]), "malformed_receipt"),
    "with a keyid that is no text": (altered(signatures=[signature(keyid=["x"])]), "malformed_receipt"),
    "with a payload that is no base64": (altered(payload="a\u00e4=="), "malformed_receipt"),
    "with a payload that is no text": (altered(payload={}), "malformed_receipt"),
    "with a member twice": (RECEIPT[:-1] + b',"payload":""}', "malformed_receipt"),
    "with a member of a signature twice": (RECEIPT.replace(b'"keyid":', b'"keyid":"x","keyid":'), "malformed_receipt"),
    "cut off": (RECEIPT[:-1], "malformed_receipt"),
    "with something behind it": (RECEIPT + b"{}", "malformed_receipt"),
    "that is empty": (b"", "malformed_receipt"),
    "that is a list": (b"[" + RECEIPT + b"]", "malformed_receipt"),
    "that is deep": (b"[" * 100_000 + b"]" * 100_000, "malformed_receipt"),
    "that is no UTF-8": (b'{"payload":"\xff"}', "malformed_receipt"),
    "in UTF-16": (RECEIPT.decode().encode("utf-16"), "malformed_receipt"),
    "that is too large": (b" " * ENVELOPE_MAX_BYTES + RECEIPT, "malformed_receipt"),
    # What follows is signed by a trusted key: a fault of ours, or of another program that has the key.
    "of what is no JSON": (signed(b"hello"), "malformed_receipt"),
    "of a statement with a member twice": (signed(STATEMENT.encode()[:-1] + b',"subject":[]}'), "malformed_receipt"),
    "of a predicate with a member twice": (
        signed(STATEMENT.encode().replace(b'"is_valid":', b'"is_valid":false,"is_valid":')),
        "malformed_receipt",
    ),
    "of a list": (signed(b"[]"), "malformed_receipt"),
    "of another predicate": (signed(restated(predicateType="https://slsa.dev/provenance/v1")), "unknown_predicate"),
    "of a later predicate": (signed(restated(predicateType="urn:signoff:verdict:v2")), "unknown_predicate"),
    "of another kind of statement": (signed(restated(_type="https://in-toto.io/Statement/v0.1")), "unknown_predicate"),
    "of a statement by its Python name": (signed(restated(_type=None, type="x")), "unknown_predicate"),
    "of no subject": (signed(restated(subject=[])), "malformed_receipt"),
    "of two subjects": (signed(restated(subject=[STATEMENT.subject[0].model_dump()] * 2)), "malformed_receipt"),
    "of a subject without a hash": (signed(restated(subject=[{"name": "x", "digest": {}}])), "malformed_receipt"),
    "of half a verdict": (signed(restated(predicate={"is_valid": True})), "malformed_receipt"),
}


@pytest.mark.parametrize("name", FORGED)
def test_no_receipt_is_one(name: str) -> None:
    receipt, code = FORGED[name]
    told, words = refused(receipt)
    assert told == code
    assert len(words) < 400, "what a stranger wrote is not told at length"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("of another type", "'application/json'"),
        ("with a member twice", "an object names a member twice"),
        ("with a payload that is no base64", "envelope's payload is"),
        ("with a signature that is no base64", "envelope's sig is"),
        ("of another predicate", "'https://slsa.dev/provenance/v1'"),
        ("of half a verdict", "job_id"),
    ],
)
def test_a_refusal_says_what_is_wrong(name: str, says: str) -> None:
    assert says in refused(FORGED[name][0])[1]


@pytest.mark.parametrize(
    "receipt",
    [
        altered(payloadType="x" * 100),
        altered(signatures=[signature(keyid="x" * 100)]),
        signed(restated(predicateType="x" * 100)),
    ],
)
def test_of_what_a_stranger_wrote_the_beginning_is_told(receipt: bytes) -> None:
    assert f"'{'x' * 80}'" in refused(receipt)[1]


def test_a_receipt_has_as_many_bytes_as_it_may() -> None:
    assert verify(RECEIPT.ljust(ENVELOPE_MAX_BYTES), TRUSTED)[1] == STATEMENT


def test_what_is_added_later_is_passed_over() -> None:
    """In the envelope, as DSSE says, and in the statement, as in-toto does."""
    assert verify(altered(added=[1], signatures=[signature(extension={"kind": "x"})]), TRUSTED)[1] == STATEMENT
    assert verify(signed(restated(added=1)), TRUSTED)[1] == STATEMENT


def test_either_base64_is_read() -> None:
    urlsafe = {name: value.replace("+", "-").replace("/", "_").rstrip("=") for name, value in signature().items()}
    assert verify(altered(signatures=[urlsafe]), TRUSTED)[1] == STATEMENT


def test_keys_are_read_as_they_are_served() -> None:
    served = json.dumps({"items": [key.model_dump(mode="json") for key in TRUSTED], "added": 1}).encode()
    assert verify(RECEIPT, PublicKeys.parse(served))[0].keyid == NEW.public.keyid
    assert verify(RECEIPT, PublicKeys.parse_one(f" {NEW.public.public_key}\n"))[1] == STATEMENT
    assert refused(RECEIPT, PublicKeys.parse_one(OLD.public.public_key))[0] == "unknown_key"
    assert refused(RECEIPT, PublicKeys.parse(b'{"items":[]}'))[0] == "unknown_key"


def test_a_key_says_of_which_secret_it_is_and_since_when() -> None:
    since = datetime(2026, 11, 26, tzinfo=UTC)
    key = PublicKey.of(NEW.public.value, "a", since)
    assert (key.keyid, key.secret_id, key.added_at) == (NEW.public.keyid, "a", since)


PUBLIC = NEW.public.model_dump(mode="json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no keys of receipts"),
        (b"[]", "items"),
        (b"{}", "items"),
        (b'{"items":{}}', "items"),
        (json.dumps({"items": [PUBLIC | {"public_key": "AAAA"}]}).encode(), "32 bytes"),
        (json.dumps({"items": [PUBLIC | {"public_key": "\u00e4"}]}).encode(), "32 bytes"),
        (json.dumps({"items": [PUBLIC | {"public_key": STRANGERS.public.public_key}]}).encode(), "does not follow"),
        (json.dumps({"items": [PUBLIC | {"keyid": OLD.public.keyid}]}).encode(), "does not follow"),
        (json.dumps({"items": ["x"]}).encode(), "cannot be used"),
    ],
)
def test_what_is_no_key_is_not_trusted(text: bytes, says: str) -> None:
    with pytest.raises(ReceiptError) as caught:
        PublicKeys.parse(text)
    assert (caught.value.code, says in str(caught.value)) == ("malformed_keys", True), str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "\u00e4" * 44, "-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_key_by_itself_is_not_either(text: str) -> None:
    with pytest.raises(ReceiptError, match="32 bytes") as caught:
        PublicKeys.parse_one(text)
    assert caught.value.code == "malformed_keys"
