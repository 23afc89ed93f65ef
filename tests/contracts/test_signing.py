"""What signs a record, and what a signature is worth."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from contracts.signing import FactKeys, KeyUse, Secrets, Signature, make_secret

EXECUTION = UUID("6f1d2c3b-0a49-4e5d-8c7b-112233445566")
OLD, NEW = make_secret("old", b"o" * 32), make_secret("new", b"n" * 32)
VECTORS = json.loads((Path(__file__).parents[2] / "proto/signing/vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors_hold(vector: dict[str, str]) -> None:
    secrets = Secrets.parse(vector["secret"])
    key = secrets.make_key(KeyUse(vector["use"]), UUID(vector["execution_id"]), int(vector["lease"]))
    assert (key.key.hex(), key.sign(vector["value"].encode())) == (vector["key"], vector["signature"])


def test_a_signature_verifies_for_its_use_lease_execution_and_value_alone() -> None:
    secrets = Secrets.parse(NEW)
    signature = Signature.parse(secrets.make_key(KeyUse.EXECUTING, EXECUTION, 3).sign(b"{}"))
    assert signature is not None
    assert secrets.verify(KeyUse.EXECUTING, signature, b"{}")
    assert not secrets.verify(KeyUse.JUDGING, signature, b"{}")
    assert not secrets.verify(KeyUse.EXECUTING, signature, b"{} ")
    assert not secrets.verify(KeyUse.EXECUTING, signature._replace(lease=4), b"{}")
    assert not secrets.verify(KeyUse.EXECUTING, signature._replace(execution=str(UUID(int=1))), b"{}")
    assert not secrets.verify(KeyUse.EXECUTING, signature._replace(secret_id="other"), b"{}")
    assert not Secrets.parse(OLD).verify(KeyUse.EXECUTING, signature, b"{}")


def test_the_first_secret_signs_and_all_verify() -> None:
    before, after = Secrets.parse(OLD), Secrets.parse(f"{NEW},{OLD}")
    old = Signature.parse(before.make_key(KeyUse.JUDGING, EXECUTION, 1).sign(b"{}"))
    new = Signature.parse(after.make_key(KeyUse.JUDGING, EXECUTION, 1).sign(b"{}"))
    assert old is not None
    assert new is not None
    assert (old.secret_id, new.secret_id) == ("old", "new")
    assert after.verify(KeyUse.JUDGING, old, b"{}")
    assert after.verify(KeyUse.JUDGING, new, b"{}")
    assert not before.verify(KeyUse.JUDGING, new, b"{}")


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"\xff",
        b"v2,a,6f1d2c3b-0a49-4e5d-8c7b-112233445566,1," + b"0" * 64,
        b"v1,a,6F1D2C3B-0A49-4E5D-8C7B-112233445566,1," + b"0" * 64,
        b"v1,a,6f1d2c3b-0a49-4e5d-8c7b-112233445566,-1," + b"0" * 64,
        b"v1,a,6f1d2c3b-0a49-4e5d-8c7b-112233445566,1," + b"0" * 63,
        b"v1,a,6f1d2c3b-0a49-4e5d-8c7b-112233445566,1," + b"0" * 64 + b"\n",
        b"v1,a,6f1d2c3b-0a49-4e5d-8c7b-112233445566,1," + b"0" * 64 + b",more",
        b"v1,,6f1d2c3b-0a49-4e5d-8c7b-112233445566,1," + b"0" * 64,
    ],
)
def test_another_form_is_no_signature(header: bytes | None) -> None:
    assert Signature.parse(header) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no id"),
        ("c2VjcmV0", "has no id"),
        (f"{NEW},{NEW}", "same id"),
        (f"{NEW},{make_secret('other', b'n' * 32)}", "same value"),
        (make_secret("short", b"s" * 31), "31 bytes"),
        ("a:!!!!", "not base64"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_repeated(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Secrets.parse(text)
    assert text.partition(":")[2] not in str(caught.value) or not text.partition(":")[2]


def test_a_secret_of_an_upstream_may_be_bound_to_tenants() -> None:
    bound = make_secret("shop@press+radio", b"s" * 32)
    of_all, of_two = Secrets.parse_upstreams(f"{OLD},{bound}")
    assert (of_all.id, of_all.tenants) == ("old", None)
    assert (of_two.id, of_two.tenants) == ("shop", frozenset({"press", "radio"}))
    signature = Secrets.parse(make_secret("shop", b"s" * 32)).make_key(KeyUse.EXECUTE, EXECUTION).sign(b"{}")
    assert Secrets.parse_upstreams(bound).make_key(KeyUse.EXECUTE, EXECUTION).sign(b"{}") == signature


@pytest.mark.parametrize("tenants", ["", "+", "press+", "Press", "a_b", "a b", "a@b", "t" * 41])
def test_a_secret_is_bound_to_names_of_tenants_alone(tenants: str) -> None:
    with pytest.raises(ValueError, match=r"`shop@<tenant>\+<tenant>:<base64>`|no id|not base64"):
        Secrets.parse_upstreams(make_secret(f"shop@{tenants}", b"s" * 32))


@pytest.mark.parametrize("parse", [Secrets.parse, FactKeys.parse], ids=["secrets", "keys of facts"])
def test_no_other_secret_is_bound_to_tenants(parse: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match="no id"):
        parse(make_secret("shop@press", b"s" * 32))


def test_no_secret_or_key_is_shown() -> None:
    secrets = Secrets.parse(NEW)
    assert "nnn" not in repr(secrets.signing)
    assert "key=" not in repr(secrets.make_key(KeyUse.EXECUTING, EXECUTION, 1))
