"""The jobstore does not start without the key of ids, nor with secrets of upstreams that are none."""

import base64
from typing import Any

import pytest
from pydantic import ValidationError

from jobstore.config import Settings

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "EXECUTOR_TOKEN", "VALIDATOR_TOKEN"):
        monkeypatch.setenv(f"SIGNOFF_{name}", f"{name}-of-at-least-32-characters-in-all")
    monkeypatch.setenv("SIGNOFF_SECRETS", f"own:{base64.b64encode(bytes(32)).decode()}")


def load(**fields: Any) -> Settings:
    return Settings(**fields)


def test_the_key_of_ids_is_required() -> None:
    with pytest.raises(ValidationError, match="id_key"):
        load()
    assert load(id_key=KEY).ids.value == bytes(range(32))


@pytest.mark.parametrize(
    "fields",
    [
        {"id_key": ""},
        {"id_key": "short"},
        {"id_key": KEY, "upstream_secrets": ""},
        {"id_key": KEY, "upstream_secrets": KEY},
        {"id_key": KEY, "upstream_secrets": f"a:{KEY},a:{KEY}"},
        {"id_key": KEY, "upstream_secrets": f"a@press:{KEY},a@radio:{KEY}"},
        {"id_key": KEY, "upstream_secrets": f"a@Press:{KEY}"},
        {"id_key": KEY, "secrets": f"a@press:{KEY}"},
    ],
)
def test_what_is_no_secret_stops_the_start(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        load(**fields)


def test_requests_are_open_until_upstreams_have_secrets() -> None:
    assert load(id_key=KEY).upstreams is None
    upstreams = load(id_key=KEY, upstream_secrets=f"a:{KEY}").upstreams
    assert upstreams is not None
    assert upstreams.signing.id == "a"
    assert KEY not in repr(load(id_key=KEY, upstream_secrets=f"a:{KEY}"))


def test_a_secret_of_an_upstream_may_be_of_some_tenants_alone() -> None:
    upstreams = load(id_key=KEY, upstream_secrets=f"a@press+radio:{KEY}").upstreams
    assert upstreams is not None
    assert upstreams.signing.tenants == {"press", "radio"}
