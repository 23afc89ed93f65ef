"""The jobstore does not start without the key of ids, nor with secrets of upstreams that are none."""

import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.topics import CATALOGUED, TopicBounds
from jobstore.config import Settings
from servicekit.errors import PermanentError
from servicekit.process.settings import load_settings

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


@pytest.mark.parametrize(
    "fields",
    [
        {"work_kept_s": 59},
        {"dead_letters_kept_s": -1},
        {"dead_letters_max_bytes": 1 << 20},
        {"disks": "/,/not/there"},
        {"database_max_bytes": 0},
        {"storage_full_at": 1.5},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_bounds_that_cannot_be_kept_stop_the_start(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        load(id_key=KEY, **fields)


def test_bounds_are_those_of_the_catalogue_unless_they_are_set(tmp_path: Path) -> None:
    assert load(id_key=KEY).topic_bounds == CATALOGUED
    assert load(id_key=KEY, work_kept_s=600).topic_bounds == TopicBounds(work_kept=timedelta(minutes=10))
    assert load(id_key=KEY, disks=f"/, {tmp_path}").disk_paths == [Path("/"), tmp_path]


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


RULE = '[[rule]]\nclaims = { groups = "a" }\nrole = "viewer"\ntenants = "all"\n'
PROVIDER = {"id_key": KEY, "oidc_issuer": "https://id.example", "oidc_client_id": "signoff"}


def test_a_provider_is_set_with_a_client_and_rules(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE)
    assert load(**PROVIDER, oidc_rules=str(rules)).oidc_rules is not None
    assert load(id_key=KEY).oidc_issuer is None
    for some in (PROVIDER, {**PROVIDER, "oidc_rules": str(rules), "oidc_client_id": ""}):
        with pytest.raises(ValidationError, match="needs SIGNOFF_OIDC_CLIENT_ID and SIGNOFF_OIDC_RULES"):
            load(**some)
    with pytest.raises(ValidationError, match="https://"):
        load(**{**PROVIDER, "oidc_issuer": "http://id.example"}, oidc_rules=str(rules))


def test_rules_that_are_wrong_are_refused_at_the_start_with_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE + RULE.replace("viewer", "admin"))
    monkeypatch.setenv("SIGNOFF_ID_KEY", KEY)
    monkeypatch.setenv("SIGNOFF_OIDC_RULES", str(rules))
    with pytest.raises(PermanentError, match=rf"SIGNOFF_OIDC_RULES is not valid: {rules}: line 5: role: "):
        load_settings(Settings)
    rules.unlink()
    with pytest.raises(PermanentError, match="No such file"):
        load_settings(Settings)
