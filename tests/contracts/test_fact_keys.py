"""Facts are signed, and whoever reads them takes no others (proto/signing/README.md)."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.signing import (
    MARKER_HEADER,
    SIGNATURE_HEADER,
    FactFilter,
    FactKeys,
    KeyUse,
    Secrets,
    Unvouched,
    make_secret,
)

OLD, NEW = make_secret("old", b"o" * 32), make_secret("new", b"n" * 32)
BEFORE, AFTER = FactKeys.derive(Secrets.parse(OLD)), FactKeys.derive(Secrets.parse(f"{NEW},{OLD}"))
VECTORS = json.loads((Path(__file__).parents[2] / "proto/signing/fact_vectors.json").read_text())


@dataclass(frozen=True)
class Record:
    """A record as a consumer has it."""

    topic: str = "job-changed"
    partition: int = 3
    key: bytes | None = b"j-1"
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def signed(self, keys: FactKeys) -> "Record":
        signature = keys.signing.sign(self.topic, self.key, self.value)
        return replace(self, headers=((SIGNATURE_HEADER, signature.encode()),))


def marker(keys: FactKeys, **fields: Any) -> Record:
    record = Record(key=None, value=b"", **fields)
    return replace(record, headers=keys.signing.make_marker(record.topic, record.partition))


def left(records: list[Record], keys: FactKeys = AFTER) -> list[str]:
    """Why each record is left; empty where it is taken, `marker` where it is one that counts."""
    told = []
    chosen = FactFilter(keys)
    for record in records:
        before = chosen.left.copy()
        taken = list(chosen.select([record]))
        reasons = [reason for _, reason in chosen.left - before]
        told.append("" if taken else reasons[0] if reasons else "marker")
    return told


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors_hold(vector: dict[str, Any]) -> None:
    keys = FactKeys.derive(Secrets.parse(vector["secret"]))
    assert str(keys) == vector["fact_key"]
    if "partition" in vector:
        headers = dict(keys.signing.make_marker(vector["topic"], vector["partition"]))
        assert {name: value.decode() for name, value in headers.items()} == vector["headers"]
    else:
        signature = keys.signing.sign(vector["topic"], vector["key"].encode(), vector["value"].encode())
        assert {SIGNATURE_HEADER: signature} == vector["headers"]


def test_keys_that_are_derived_and_printed_are_read_again_and_sign_alike() -> None:
    again = FactKeys.parse(str(AFTER))
    assert again.signing.sign("job-changed", b"k", b"v") == AFTER.signing.sign("job-changed", b"k", b"v")
    assert str(again) == str(AFTER)
    assert "nnn" not in repr(AFTER.signing)


@pytest.mark.parametrize(
    "moved",
    [
        {"topic": "agent-changed"},
        {"key": b"j-2"},
        {"key": None},
        {"value": b"{} "},
        {"key": b"j-1,{", "value": b"}"},
        {"key": b"", "value": b"j-1,{}"},
    ],
)
def test_a_fact_verifies_for_its_topic_key_and_value_alone(moved: dict[str, Any]) -> None:
    fact = Record().signed(BEFORE)
    assert left([fact, replace(fact, **moved)]) == ["", "bad_signature"]


def test_what_is_not_signed_by_a_known_key_of_facts_is_left_and_says_why() -> None:
    secrets = Secrets.parse(NEW)
    report = secrets.make_key(KeyUse.EXECUTING, UUID(int=1), 1).sign(b"{}")
    fact = Record()
    signature = fact.signed(FactKeys.derive(secrets)).headers[0][1]
    assert signature is not None
    forged = [
        (),
        ((SIGNATURE_HEADER, None),),
        ((SIGNATURE_HEADER, b""),),
        ((SIGNATURE_HEADER, report.encode()),),
        ((SIGNATURE_HEADER, signature[:-1] + b"0"),),
        ((SIGNATURE_HEADER, signature + b"\n"),),
        ((SIGNATURE_HEADER, signature.replace(b"new", b"old")),),
        ((SIGNATURE_HEADER, signature.replace(b"new", b"other")),),
        ((SIGNATURE_HEADER, b"\xff"),),
    ]
    told = left([marker(AFTER), *(replace(fact, headers=headers) for headers in forged)])
    assert told == ["marker", "unsigned", *["bad_signature"] * 6, "unknown_secret", "bad_signature"]


def test_a_retired_secret_vouches_for_what_stands_before_the_marker_of_a_newer_one() -> None:
    old, new = Record().signed(BEFORE), Record().signed(AFTER)
    records = [marker(BEFORE), old, new, marker(AFTER), old, new]
    assert left(records) == ["marker", "", "", "marker", "retired_secret", ""]
    other = [marker(AFTER, partition=4), replace(old, partition=4), replace(old, partition=5), old]
    assert left(other) == ["marker", "retired_secret", "", ""]


def test_a_marker_that_is_repeated_moved_or_forged_changes_nothing() -> None:
    old, new = Record().signed(BEFORE), Record().signed(AFTER)
    elsewhere = [replace(marker(AFTER, **place), topic="job-changed", partition=3) for place in PLACES]
    unsigned = replace(marker(AFTER), headers=((MARKER_HEADER, b"v1"),))
    as_fact = replace(marker(AFTER), headers=Record(value=b"", key=None).signed(AFTER).headers)
    records = [
        marker(BEFORE),
        *elsewhere,
        unsigned,
        replace(as_fact, headers=(*unsigned.headers, *as_fact.headers)),
        old,
    ]
    assert left(records) == ["marker", *["bad_signature"] * len(PLACES), "unsigned", "bad_signature", ""]
    assert left([marker(AFTER), marker(AFTER), new, marker(BEFORE), new, old]) == [
        *["marker", "marker", "", "retired_secret", "", "retired_secret"]
    ]


PLACES: list[dict[str, Any]] = [{"topic": "agent-changed"}, {"partition": 2}, {"partition": 33}]


def test_what_was_left_is_counted_by_topic_and_reason_and_the_secrets_that_were_seen_are_told() -> None:
    chosen = FactFilter(AFTER)
    records = [marker(BEFORE), Record(), Record(), Record(topic="agent-changed")]
    assert list(chosen.select(records)) == []
    counts = {"job-changed": {"unsigned": 2}, "agent-changed": {"unsigned": 1}}
    assert chosen.describe_left() == counts
    assert chosen.get_signers() == [BEFORE.signing.name]
    assert chosen.get_marked() == {("job-changed", 3)}
    assert list(chosen.select([marker(AFTER, partition=7)])) == []
    assert chosen.get_marked() == {("job-changed", 7)}
    assert chosen.get_signers() == [BEFORE.signing.name, AFTER.signing.name]


def test_a_reader_that_begins_in_the_midst_knows_which_secrets_were_replaced_by_then() -> None:
    chosen = FactFilter(AFTER)
    chosen.begin_behind({("job-changed", 3): AFTER.signing.name, ("job-changed", 4): BEFORE.signing.name})
    old = Record().signed(BEFORE)
    assert list(chosen.select([old, replace(old, partition=4), Record().signed(AFTER)])) == [
        replace(old, partition=4),
        Record().signed(AFTER),
    ]
    assert chosen.left == {("job-changed", Unvouched.RETIRED_SECRET): 1}
    assert chosen.get_marked() == {("job-changed", 3)}
    assert chosen.get_signers() == [BEFORE.signing.name, AFTER.signing.name]
    with pytest.raises(ValueError, match="'new', whose key is not given"):
        FactFilter(BEFORE).begin_behind({("job-changed", 3): AFTER.signing.name})


def test_a_manifest_is_vouched_for_by_the_key_that_signed_it_and_no_fact_is_taken_for_one() -> None:
    signature = BEFORE.signing.sign_manifest(b"{}")
    assert AFTER.find_manifest_signer(b"{}", signature) == BEFORE.signing
    fact = Record(key=None, topic="manifest").signed(BEFORE).headers[0][1]
    assert fact is not None
    for other in (
        "",
        "\N{SNOWMAN}" * 80,
        signature[:-1] + "\N{SNOWMAN}",
        signature.replace("old", "new"),
        fact.decode(),
    ):
        assert AFTER.find_manifest_signer(b"{}", other) is None
    assert AFTER.find_manifest_signer(b"{ }", signature) is None


def test_what_is_kept_has_the_markers_too_and_names_the_newest_key_of_each_partition() -> None:
    chosen = FactFilter(AFTER)
    records = [marker(BEFORE), Record().signed(BEFORE), Record(), marker(AFTER, partition=7)]
    assert list(chosen.keep(records)) == [records[0], records[1], records[3]]
    assert chosen.left == {("job-changed", Unvouched.UNSIGNED): 1}
    assert chosen.get_newest() == {
        ("job-changed", 3): BEFORE.signing.name,
        ("job-changed", 7): AFTER.signing.name,
    }


def test_a_secret_that_waits_for_its_turn_has_signed_nothing() -> None:
    """Else it could not sign after a rebuild: it would be taken for one that was replaced."""
    waiting = FactFilter(FactKeys.derive(Secrets.parse(f"{OLD},{NEW}")))
    assert list(waiting.select([marker(BEFORE)])) == []
    assert waiting.get_signers() == [BEFORE.signing.name]


def test_the_name_of_a_key_tells_its_secret_and_another_value_under_the_same_id() -> None:
    names = [FactKeys.derive(Secrets.parse(make_secret("a", letter * 32))).signing.name for letter in (b"x", b"y")]
    assert names[0] != names[1]
    assert {name.partition(":")[0] for name in names} == {"a"}


def test_the_reasons_are_few_and_fixed() -> None:
    """They stand in counts that programs read."""
    assert sorted(Unvouched) == ["bad_signature", "retired_secret", "unknown_secret", "unsigned"]
