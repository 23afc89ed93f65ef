"""Each service is given the settings that are its own: no other's secrets, and none of the shell's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from console.config import ConsoleSettings
from executor.config import Settings as ExecutorSettings
from jobstore.config import Settings as JobStoreSettings
from localstack.datadir import DataDir
from localstack.services import INHERITED, INHERITED_BY, SECRETS, Addresses, Fleet, make_secrets, make_service_specs
from servicekit.process.settings import ServiceSettings, load_settings
from validator.config import Settings as ValidatorSettings

SETTINGS: dict[str, type[ServiceSettings]] = {
    "jobstore": JobStoreSettings,
    "executor": ExecutorSettings,
    "validator": ValidatorSettings,
    "console": ConsoleSettings,
}
DATABASES = ("SIGNOFF_DATABASE_URL", "SIGNOFF_MIGRATE_DATABASE_URL")
SHELL = {
    "SIGNOFF_LOG_LEVEL": "DEBUG",
    "SIGNOFF_FACT_KEY": "somebody's",
    "SIGNOFF_AGENT_SECRET": "an agent's",
    "OPENAI_API_KEY": "sk-real",
    "HTTPS_PROXY": "http://user:password@proxy",
    "AWS_SECRET_ACCESS_KEY": "anything",
    "TZ": "UTC",
    "SIGNOFF_OIDC_CLIENT_SECRET": "a provider's",
}


#: What the stack has of its own: how its Kafka and its jobstores are reached.
THE_STACKS = ("SIGNOFF_KAFKA", "SIGNOFF_GRPC_C", "SIGNOFF_GRPC_KEY", "SIGNOFF_JOBSTORE_")
#: What a provider of identities gave, and no stack can make, and what whoever asks for metrics is given: the shell's.
ISSUED, METRICS = "SIGNOFF_OIDC_CLIENT_SECRET", "SIGNOFF_METRICS_TOKEN"


def secrets_of(kind: str) -> set[str]:
    fields = SETTINGS[kind].model_fields.items()
    return {
        f"SIGNOFF_{name.upper()}"
        for name, field in fields
        if any(
            isinstance(a, type) and issubclass(a, SecretStr) for a in (field.annotation, *_arguments(field.annotation))
        )
    } - {ISSUED, METRICS, "SIGNOFF_KAFKA_PASSWORD"}


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


@pytest.fixture
def environments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    for name, value in SHELL.items():
        monkeypatch.setenv(name, value)
    for kind in SETTINGS:
        for name in secrets_of(kind) | {"SIGNOFF_KAFKA_PASSWORD"}:
            monkeypatch.setenv(name, "the shell's")
            monkeypatch.setenv(f"{name}_FILE", "the shell's")
    secrets = make_secrets(DataDir(tmp_path))
    addresses = Addresses(
        "k:1", "g:1", "h:1", "postgresql://u:p@h/db", {}, None, secrets, migrating="postgresql://m:p@h/db"
    )
    specs = make_service_specs(addresses, Fleet(), lambda _: 1)
    return {spec.name: dict(spec.env) for spec in specs}


def test_services_reach_each_of_several_jobstores_by_tls_where_these_have_a_certificate(tmp_path: Path) -> None:
    tls = tmp_path / "ca.pem", tmp_path / "jobstore.pem", tmp_path / "jobstore-key.pem"
    addresses = Addresses("k:1", "g:1,g:2", "h:1", "postgresql://u:p@h/db", {}, None, make_secrets(DataDir(tmp_path)))
    specs = make_service_specs(replace(addresses, tls=tls), Fleet(jobstores=2), lambda _: 1)
    served = {spec.name: spec.env["SIGNOFF_GRPC_ADDRESS"] for spec in specs if "SIGNOFF_GRPC_ADDRESS" in spec.env}
    assert served == {"jobstore": "g:1", "jobstore-2": "g:2"}
    for spec in specs:
        is_jobstore = spec.name in served
        files = ("SIGNOFF_GRPC_CERTIFICATE", "SIGNOFF_GRPC_KEY") if is_jobstore else ("SIGNOFF_JOBSTORE_CA",)
        assert [spec.env[name] for name in files] == [*map(str, tls[1:] if is_jobstore else tls[:1])]
        assert is_jobstore or spec.env["SIGNOFF_JOBSTORE"] == "g:1,g:2"


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_service_is_given_its_secrets_and_no_others(environments: dict[str, dict[str, str]], kind: str) -> None:
    given = environments[kind]
    known = {name for settings in SETTINGS for name in secrets_of(settings)}
    own = secrets_of(kind) - ({"SIGNOFF_TOKEN"} if kind == "console" else set())  # which it needed in 0.2.0
    assert {name for name in given if name.removesuffix("_FILE") in known} == own
    assert not {name for name, value in given.items() if value == "the shell's"}
    assert own == {*SECRETS[kind], *(DATABASES if kind == "jobstore" else ())}


@pytest.mark.parametrize("kind", SETTINGS)
def test_of_the_shell_a_service_is_given_what_is_its_own(environments: dict[str, dict[str, str]], kind: str) -> None:
    owns = {"executor": {"SIGNOFF_AGENT_SECRET"}, "validator": {"OPENAI_API_KEY", "HTTPS_PROXY"}, "console": {ISSUED}}
    own = owns.get(kind, set())
    given = {name for name, value in SHELL.items() if environments[kind].get(name) == value}
    assert given == {"SIGNOFF_LOG_LEVEL", "TZ"} | own


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_of_the_shell_reach_their_service(kind: str) -> None:
    """Settings that are no secret are set before `signoff up` (SIGNOFF_CAPACITY=10 signoff up)."""
    patterns = [INHERITED, *([INHERITED_BY[kind]] if kind in INHERITED_BY else [])]
    for name in SETTINGS[kind].model_fields:
        variable = f"SIGNOFF_{name.upper()}"
        is_own = variable not in secrets_of(kind) and not variable.startswith(THE_STACKS)
        assert any(p.fullmatch(variable) for p in patterns) is is_own, variable


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_service_starts_with_what_it_is_given(
    environments: dict[str, dict[str, str]], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {"SIGNOFF_KAFKA_PASSWORD"}.union(*map(secrets_of, SETTINGS))
    for name in [*SHELL, *(f"{name}{end}" for name in secrets for end in ("", "_FILE"))]:
        monkeypatch.delenv(name, raising=False)
    for name, value in environments[kind].items():
        monkeypatch.setenv(name, value)
    load_settings(SETTINGS[kind])


def test_a_directory_of_an_earlier_version_keeps_its_secrets_and_gets_those_that_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(
        '{"secrets": {"token": "kept-since-an-earlier-version-32", "worker_token": "w"}}'
    )
    first = make_secrets(DataDir(tmp_path))
    assert first["SIGNOFF_TOKEN"] == "kept-since-an-earlier-version-32"
    assert first == make_secrets(DataDir(tmp_path))
    assert len(set(first.values())) == len(first) == len({name for names in SECRETS.values() for name in names})
