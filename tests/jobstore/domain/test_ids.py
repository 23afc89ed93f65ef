"""Ids that nobody outside can foretell: the same for the same names under one key, and no others."""

import base64
from uuid import RFC_4122, UUID

import pytest

from jobstore.jobs.model import IdKey

KEY = bytes(range(32))
#: Of which + and / are digits, - and _ where base64 stands in a URL.
ODD = b"\xfb\xff" * 16


def test_an_id_follows_from_the_key_the_purpose_and_the_names():
    ids = IdKey(KEY)
    made = [
        ids.derive("job", "tenant", "key"),
        ids.derive("job", "other", "key"),
        ids.derive("job", "tenant", "another"),
        ids.derive("batch", "tenant", "key"),
        ids.derive("job", "tenantkey", ""),
        ids.derive("job", "tenantkey"),
        IdKey(ODD).derive("job", "tenant", "key"),
    ]
    assert len(set(made)) == len(made)
    assert ids.derive("job", "tenant", "key") == made[0]
    assert {(one.version, one.variant) for one in made} == {(8, RFC_4122)}


def test_ids_never_change():
    """A repeat after an upgrade must find what was made before."""
    execution_id = UUID("0192f0c4-7b1e-7c3a-9f52-3a6f0d1e8b47")
    assert str(IdKey(KEY).derive("job", "tenant", "key")) == "a8ac24cb-72cf-8c8c-84ee-2cc6729c6746"
    assert str(IdKey(KEY).derive_next(execution_id)) == "b1a93b50-b8ca-8c0f-b052-a83420fed09c"


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(ODD).decode(),
        base64.urlsafe_b64encode(ODD).decode().rstrip("="),
        f" {base64.b64encode(ODD).decode()}\n",
    ],
    ids=["base64", "for URLs", "with white space"],
)
def test_a_key_is_read_from_base64(text):
    assert IdKey.parse(text).value == ODD


@pytest.mark.parametrize("text", ["", "short", "%" * 44, base64.b64encode(bytes(31)).decode(), "é" * 44])
def test_what_is_no_key_is_refused_without_being_repeated(text):
    with pytest.raises(ValueError, match=r"openssl rand -base64 32") as refused:
        IdKey.parse(text)
    assert not text or text not in str(refused.value)


def test_a_key_is_not_shown():
    assert repr(IdKey.parse(base64.b64encode(KEY).decode())) == "IdKey()"


def test_an_installation_has_one_id_for_as_long_as_its_key():
    first, again, other = (IdKey(key).installation for key in (KEY, KEY, ODD))
    assert first == again != other
    assert len(first) == 12
