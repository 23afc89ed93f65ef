"""The service `secrets` of Compose makes what nobody has set, once, and gives each service its own."""

import json
import os
import re
import runpy
import subprocess
import sys

import composition
import pytest
from composition import FOLDER, OF_0_2_0
from dockerfiles import ROOT, SERVICES

from cli.session import make_kafka_access, read_endpoints
from contracts.grants import USERS
from localstack import services

OWNED = ["postgres", "kafka", "kafka-users", *SERVICES, "traces", "signoff"]
#: Of users of Kafka: consoles do not call it.
KAFKA = {f"KAFKA_{user.upper()}_PASSWORD" for user in {"admin", *USERS} - {"console"}}
URLS = {"SIGNOFF_DATABASE_URL", "SIGNOFF_MIGRATE_DATABASE_URL"}


@pytest.fixture
def folder(tmp_path):
    composition.make_secrets(tmp_path, {})
    return tmp_path


def test_each_service_has_a_volume_with_its_own_secrets_and_no_others(folder):
    compose = composition.load({})["services"]
    mounted = dict(volume.split(":", 1) for volume in compose["secrets"]["volumes"][1:])
    assert mounted == {"secrets": "/secrets/kept"} | {f"secrets-{name}": f"/secrets/{name}" for name in OWNED}
    for name, service in compose.items():
        secret = {volume for volume in service.get("volumes", []) if "secrets" in volume}
        assert name == "secrets" or secret == ({f"secrets-{name}:{FOLDER}:ro"} if name in OWNED else set())
    assert {path.name for path in folder.iterdir()} == {"kept", *OWNED}


@pytest.mark.parametrize("service", OWNED)
def test_a_service_is_told_each_file_of_its_volume_and_gets_no_secret_by_the_environment(folder, service):
    given = composition.load({})["services"][service]["environment"]
    named = {name for value in given.values() for name in re.findall(rf"{FOLDER}[/:]([\w.]+)", value)}
    assert named | _name_users(service) == composition.read_secrets(folder, service).keys()
    secret = [name for name in given if re.search(r"TOKEN|SECRET|KEY|PASSWORD|DATABASE_URL", name)]
    assert [name for name in secret if not name.endswith("_FILE") and name != "SIGNOFF_JUDGE_WITHOUT_KEY"] == []


def _name_users(service):
    """Name the passwords that kafka-users.sh gives to users."""
    script = (ROOT / "deploy/compose/kafka-users.sh").read_text()
    users = re.search(r"for user in ([a-z ]+);", script).group(1).split()
    return {f"KAFKA_{user.upper()}_PASSWORD" for user in users} if service == "kafka-users" else set()


def test_a_file_is_for_the_user_of_its_service_alone(folder):
    for service in OWNED:
        for file in (folder / service).iterdir():
            status = file.stat()
            assert status.st_mode & 0o777 == 0o400
            user = {"postgres": 999, "kafka": 1000}.get(service, 10001) if os.geteuid() == 0 else os.geteuid()
            assert status.st_uid == user


def test_the_secrets_are_those_that_the_local_stack_makes(folder):
    optional = {"OPENAI_API_KEY", "SIGNOFF_UPSTREAM_SECRETS", "SIGNOFF_OIDC_CLIENT_SECRET"}
    for service in SERVICES:
        given = {name for name, value in composition.read_secrets(folder, service).items() if value}
        assert given - URLS - KAFKA == set(services.SECRETS[service])
        assert given & KAFKA == ({f"KAFKA_{service.upper()}_PASSWORD"} if service != "console" else set())
        assert composition.read_secrets(folder, service).keys() - given <= optional


def test_what_was_made_stays_and_no_two_are_the_same(folder):
    before = {service: composition.read_secrets(folder, service) for service in OWNED}
    told = composition.make_secrets(folder, {})
    assert {service: composition.read_secrets(folder, service) for service in OWNED} == before
    assert told.startswith("secrets: 0 given, 0 made, 16 kept\n")
    kept = composition.read_secrets(folder, "kept")
    assert len(set(kept.values())) == len(kept)
    assert all(len(value) >= 44 for value in kept.values())


def test_what_is_set_counts_and_is_kept(folder):
    composition.make_secrets(folder, {"SIGNOFF_TOKEN": "t" * 40, "OPENAI_API_KEY": "sk-mine"})
    for _ in range(2):
        assert composition.read_secrets(folder, "jobstore")["SIGNOFF_TOKEN"] == "t" * 40
        assert composition.read_secrets(folder, "validator")["OPENAI_API_KEY"] == "sk-mine"
        composition.make_secrets(folder, {})  # as from a shell that does not have them


def test_a_value_of_several_lines_is_kept_whole(tmp_path):
    given = tmp_path / "given"
    given.write_text("SIGNOFF_TOKEN=\nSIGNOFF_UPSTREAM_SECRETS=one:MTIz,\n  two:NDU2\nOPENAI_API_KEY=a=b\n")
    read_given = runpy.run_path(str(composition.SCRIPT))["read_given"]
    assert read_given(given) == {"SIGNOFF_UPSTREAM_SECRETS": "one:MTIz,\n  two:NDU2", "OPENAI_API_KEY": "a=b"}


def test_no_secret_is_printed_but_to_who_asks(folder):
    kept = composition.read_secrets(folder, "kept")
    told = composition.make_secrets(folder, {})
    assert not [value for value in kept.values() if value in told]
    shown = composition.make_secrets(folder, {}, "show")
    assert dict(line.split("=", 1) for line in shown.splitlines()) == kept


def test_what_is_shown_makes_the_same_secrets_on_another_machine(folder, tmp_path_factory):
    shown = composition.make_secrets(folder, {}, "show")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    composition.make_secrets(elsewhere, dict(line.split("=", 1) for line in shown.splitlines()))
    for service in OWNED:
        assert composition.read_secrets(elsewhere, service) == composition.read_secrets(folder, service)


def test_the_jobstores_role_is_no_superusers(folder):
    given = composition.read_secrets(folder, "jobstore") | composition.read_secrets(folder, "postgres")
    at = "@postgres:5432/signoff"
    assert given["SIGNOFF_DATABASE_URL"] == f"postgresql+asyncpg://jobstore:{given['JOBSTORE_PASSWORD']}{at}"
    migrating = f"postgresql+asyncpg://signoff_migrate:{given['MIGRATE_PASSWORD']}{at}"
    assert given["SIGNOFF_MIGRATE_DATABASE_URL"] == migrating


def test_with_an_env_of_0_2_0_everything_is_as_before(tmp_path):
    """Its database has no roles, so that the jobstore goes on as the superuser."""
    composition.make_secrets(tmp_path, OF_0_2_0)
    given = {
        name: value for service in OWNED for name, value in composition.read_secrets(tmp_path, service).items() if value
    }
    assert {name: given[name] for name in OF_0_2_0} == OF_0_2_0
    password = OF_0_2_0["POSTGRES_PASSWORD"]
    assert given["SIGNOFF_DATABASE_URL"] == f"postgresql+asyncpg://signoff:{password}@postgres:5432/signoff"
    made = given.keys() - OF_0_2_0.keys()
    assert made == KAFKA | {"SIGNOFF_CONSOLE_TOKEN", "SIGNOFF_DATABASE_URL", "endpoints.json"}


def test_a_database_elsewhere_is_the_one_that_is_named(tmp_path):
    url = "postgresql+asyncpg://me:mine@db.example/signoff"
    composition.make_secrets(tmp_path, {"SIGNOFF_DATABASE_URL": url})
    given = composition.read_secrets(tmp_path, "jobstore")
    assert (given["SIGNOFF_DATABASE_URL"], given["SIGNOFF_MIGRATE_DATABASE_URL"]) == (url, "")


@pytest.mark.parametrize(
    ("env", "page"),
    [
        ({}, "http://localhost:8080"),
        ({"SIGNOFF_HTTP_PORT": "9090"}, "http://localhost:9090"),
        ({"SIGNOFF_PAGE": "https://signoff.example"}, "https://signoff.example"),
    ],
)
def test_the_command_line_finds_all_addresses_and_the_one_of_the_page_is_for_a_browser(tmp_path, env, page):
    composition.make_secrets(tmp_path, env)
    target = read_endpoints(tmp_path / "signoff/endpoints.json")
    assert (target.jobstore, target.kafka) == ("jobstore:50051", "kafka:9092")
    assert (target.http, target.page) == ("http://console:8080", page)
    assert target.token == composition.read_secrets(tmp_path, "jobstore")["SIGNOFF_TOKEN"]
    operator = make_kafka_access(target)
    password = composition.read_secrets(tmp_path, "kafka-users")["KAFKA_OPERATOR_PASSWORD"]
    assert (operator.security, operator.user, operator.password) == ("SASL_PLAINTEXT", "operator", password)
    assert target.agents.keys() == {"writer", "drafter", "builder"}


def test_a_judge_is_named_to_the_command_line_only_while_it_judges(tmp_path):
    for env, judge in (({}, "http://judge:8090"), ({"OPENAI_API_KEY": "sk-mine"}, None)):
        composition.make_secrets(tmp_path, env)
        assert json.loads((tmp_path / "signoff/endpoints.json").read_text())["judge"] == judge


def test_the_script_needs_python_alone():
    checked = "import sys, runpy; runpy.run_path(sys.argv[1], run_name='read')"
    subprocess.run([sys.executable, "-I", "-S", "-c", checked, composition.SCRIPT], check=True)
