"""Settings are read from the environment; a secret may be in a file, and one that is weak stops the start."""

import json
import os
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from console.config import ConsoleSettings
from contracts.topics import LIMIT_MAX_BYTES
from executor.config import Settings as ExecutorSettings
from jobstore.config import Settings as JobstoreSettings
from servicekit.errors import PermanentError
from servicekit.process.settings import (
    EnvironmentSettings,
    KeySetting,
    SecretSetting,
    ServiceSettings,
    load_settings,
    read_settings,
)

ONE, TWO = "1" * 32, "2" * 32
KEY = bytes(range(224, 256))


class Doors(ServiceSettings):
    token: SecretSetting
    other_token: SecretSetting | None = None
    key: KeySetting | None = None
    url: SecretStr = SecretStr("postgresql://nowhere")


def refusal() -> str:
    with pytest.raises(PermanentError) as caught:
        load_settings(Doors)
    assert caught.value.code == "bad_settings"
    return str(caught.value)


def test_a_secret_is_read_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    settings = load_settings(Doors)
    assert settings.token.first == ONE
    assert ONE not in repr(settings)


@pytest.mark.parametrize("text", [f"{ONE},{TWO}", f"{ONE} {TWO}", f" {ONE} ,\n{TWO}\n"])
def test_a_secret_has_two_values_while_one_is_replaced(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", text)
    assert load_settings(Doors).token.values == (ONE, TWO)
    assert load_settings(Doors).token.first == ONE


@pytest.mark.parametrize("text", ["", " ", ",", "1" * 31, "\u00e9" * 32, "$" * 32, f"{ONE},short", f"{ONE},{ONE}"])
def test_a_secret_that_is_empty_short_or_repeated_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", text)
    sentence = refusal()
    assert sentence.startswith("SIGNOFF_TOKEN ")
    assert "openssl rand -hex 32" in sentence
    assert ONE not in sentence
    assert "short" not in sentence


def test_two_secrets_that_are_the_same_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_OTHER_TOKEN", f"{TWO},{ONE}")
    assert refusal().startswith("SIGNOFF_OTHER_TOKEN has a value of SIGNOFF_TOKEN: ")


@pytest.mark.parametrize("text", [b64encode(KEY).decode(), urlsafe_b64encode(KEY).decode().rstrip("=")])
def test_a_key_is_32_bytes_in_base64_of_either_alphabet(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_KEY", text)
    key = load_settings(Doors).key
    assert key is not None
    assert key.keys == (KEY,)


@pytest.mark.parametrize("text", ["", "short", "k" * 64, "?" * 43, b64encode(KEY * 2).decode()])
def test_what_is_no_key_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_KEY", text)
    assert refusal().startswith("SIGNOFF_KEY is ")


def test_a_secret_that_is_missing_stops_the_start() -> None:
    assert refusal() == "SIGNOFF_TOKEN is required"


def test_any_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{ONE}\n")
    (tmp_path / "url").write_text("postgresql://somewhere\n")
    monkeypatch.setenv("SIGNOFF_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("SIGNOFF_URL_FILE", str(tmp_path / "url"))
    settings = load_settings(Doors)
    assert settings.token.values == (ONE,)
    assert settings.url.get_secret_value() == "postgresql://somewhere"


def test_a_secret_that_is_checked_and_may_be_missing_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the secrets of upstreams are: one that was passed by left a door open."""

    class Upstreams(EnvironmentSettings):
        model_config = SettingsConfigDict(env_prefix="SIGNOFF_")
        upstream_secrets: Annotated[SecretStr, AfterValidator(lambda text: text)] | None = None

    (tmp_path / "secrets").write_text("press:secret\n")
    monkeypatch.setenv("SIGNOFF_UPSTREAM_SECRETS_FILE", str(tmp_path / "secrets"))
    secrets = load_settings(Upstreams).upstream_secrets
    assert secrets is not None
    assert secrets.get_secret_value() == "press:secret"


def test_an_empty_file_has_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compose gives each service all files that it may have."""
    (tmp_path / "empty").touch()
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_KEY_FILE", str(tmp_path / "empty"))
    assert load_settings(Doors).key is None
    monkeypatch.setenv("SIGNOFF_TOKEN", "")
    monkeypatch.setenv("SIGNOFF_TOKEN_FILE", str(tmp_path / "empty"))
    assert refusal().startswith("SIGNOFF_TOKEN is ")


def test_other_settings_are_not_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_KAFKA_FILE", str(tmp_path / "missing"))
    assert load_settings(Doors).kafka == "localhost:9092"


def test_a_file_that_cannot_be_read_or_stands_beside_a_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN_FILE", str(tmp_path / "missing"))
    assert refusal().startswith("SIGNOFF_TOKEN_FILE names a file that cannot be read")
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    assert refusal() == "SIGNOFF_TOKEN and SIGNOFF_TOKEN_FILE are both set: set one of them"


def test_settings_of_others_have_files_under_their_own_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Judge(EnvironmentSettings):
        model_config = SettingsConfigDict(env_prefix="OPENAI_")
        api_key: SecretStr | None = None

    (tmp_path / "key").write_text("sk-short")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "key"))
    key = load_settings(Judge).api_key
    assert key is not None
    assert key.get_secret_value() == "sk-short"


def test_a_process_ends_with_the_sentence_alone() -> None:
    with pytest.raises(SystemExit) as caught:
        read_settings(Doors)
    assert caught.value.code == "error: SIGNOFF_TOKEN is required"


def test_what_is_not_valid_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    monkeypatch.setenv("SIGNOFF_GRACE_S", "soon")
    assert refusal().startswith("SIGNOFF_GRACE_S is not valid: ")


SECRETS = {f"SIGNOFF_{name}": name.ljust(32, "x") for name in ("TOKEN", "EXECUTOR_TOKEN", "VALIDATOR_TOKEN")}
SECRETS |= {f"SIGNOFF_{name}": b64encode(name[:1].encode() * 32).decode() for name in ("ID_KEY", "SESSION_SECRET")}
SECRETS |= {"SIGNOFF_SECRETS": f"test:{b64encode(b's' * 32).decode()}"}
LIMITS = [
    (JobstoreSettings, "PAYLOAD_MAX_BYTES"),
    (ExecutorSettings, "PAYLOAD_MAX_BYTES"),
    (ExecutorSettings, "RESULT_MAX_BYTES"),
    (ConsoleSettings, "PAYLOAD_MAX_BYTES"),
]


@pytest.mark.parametrize(("settings", "name"), LIMITS)
def test_a_limit_that_does_not_fit_the_topics_stops_the_start(
    settings: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv(f"SIGNOFF_{name}", str(LIMIT_MAX_BYTES))
    settings()
    monkeypatch.setenv(f"SIGNOFF_{name}", str(LIMIT_MAX_BYTES + 1))
    with pytest.raises(ValidationError, match=rf"{name.lower()}\n.*at most {LIMIT_MAX_BYTES}: records made of more"):
        settings()


RUN = """
from servicekit.process.runtime import run

async def main(stop):
    pass

run("jobstore", main, log_level="INFO")
"""


def test_a_service_names_the_variables_that_nothing_reads() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    given = {"SIGNOFF_LEASES_S": "9", "SIGNOFF_JUDGE_MODEL": "of validators", "SIGNOFF_AGENT_KEY": "of agents"}
    ended = subprocess.run([sys.executable, "-c", RUN], env=environment | given, capture_output=True, check=True)
    (line,) = [json.loads(line) for line in ended.stderr.splitlines()]
    told = "nothing reads the variables SIGNOFF_LEASES_S (is SIGNOFF_LEASE_S meant?)"
    assert (line["level"], line["message"]) == ("WARNING", told)


def test_a_console_needs_its_own_token_or_as_before_an_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_SESSION_SECRET", "A" * 43)
    with pytest.raises(PermanentError, match=r"^SIGNOFF_CONSOLE_TOKEN is required$"):
        load_settings(ConsoleSettings)
    monkeypatch.setenv("SIGNOFF_TOKEN", ONE)
    assert load_settings(ConsoleSettings).own_token == ONE
    monkeypatch.setenv("SIGNOFF_CONSOLE_TOKEN", TWO)
    assert load_settings(ConsoleSettings).own_token == TWO
