"""docker-compose.yml follows its specification, and gives each service its own settings and no right it needs not."""

import json
import re
import subprocess
import sys

import composition
import pytest
from compose_spec.compose_spec import PyCompose
from composition import OPENAI, SECRETS, SETTINGS
from dockerfiles import IMAGE, ROOT, SERVICES, clean_env, environment, values

from contracts.topics import MESSAGE_MAX_BYTES
from localstack import kafka
from servicekit.process.settings import split_address

OWN = [*SERVICES, "judge", "agents"]


@pytest.fixture(scope="module")
def compose():
    return composition.load(SECRETS)


def test_the_file_follows_the_compose_specification(compose):
    PyCompose.from_json(json.dumps(compose)).validate()


def test_env_example_has_every_variable_and_no_other():
    required, optional = composition.variables()
    assert composition.example().keys() - {"COMPOSE_PROFILES"} == required | optional


def test_secrets_are_required_and_have_no_default():
    required, _ = composition.variables()
    assert required == SECRETS.keys() - {"SIGNOFF_CONSOLE_TOKEN"}
    assert all(not composition.example()[name][0] for name in SECRETS)


def test_an_env_of_0_2_0_which_has_no_token_of_consoles_goes_on():
    earlier = {name: value for name, value in SECRETS.items() if name != "SIGNOFF_CONSOLE_TOKEN"}
    given = {name: composition.load(earlier)["services"][name]["environment"] for name in SERVICES}
    assert "SIGNOFF_CONSOLE_TOKEN" not in given["jobstore"]
    assert given["console"]["SIGNOFF_CONSOLE_TOKEN"] == earlier["SIGNOFF_TOKEN"]


def test_a_console_is_not_given_the_administrators_token(compose):
    assert SECRETS["SIGNOFF_TOKEN"] not in compose["services"]["console"]["environment"].values()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_settings_that_it_has(compose, service):
    fields = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    given = compose["services"][service]["environment"].keys() | environment(service).keys()
    assert {name for name in given if name.startswith("SIGNOFF_")} <= fields
    assert {name for name in given if name.startswith("OPENAI_")} <= (OPENAI if service == "validator" else set())


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_from_what_it_is_given(compose, service, monkeypatch):
    for name, value in {**environment(service), **compose["services"][service]["environment"]}.items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    assert settings.grace_s < int(compose["services"][service]["stop_grace_period"].removesuffix("s"))
    assert service == "jobstore" or settings.jobstore == "jobstore:50051"
    assert service == "console" or settings.kafka == "kafka:9092"


@pytest.mark.real
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_with_a_short_token_ends_with_a_sentence_and_does_not_show_it(compose, service):
    given = compose["services"][service]["environment"]
    token = next(name for name in given if name.endswith("_TOKEN"))
    env = clean_env(**given | {token: "5ec7e7"})
    ended = subprocess.run([sys.executable, "-m", service], env=env, capture_output=True, text=True, check=False)
    sentence = f"error: {token} has fewer than 32 characters: `openssl rand -hex 32` makes one\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", sentence)


@pytest.mark.parametrize("service", SERVICES)
def test_health_is_asked_as_the_image_asks_it_and_where_the_service_answers(compose, service):
    _, _, image_command = values(service, IMAGE, "HEALTHCHECK")[0].partition("CMD ")
    assert compose["services"][service]["healthcheck"]["test"] == ["CMD", *json.loads(image_command)]
    asked, path = re.search(r"', (\d+), .*'(/[a-z/]+)'", image_command).groups()
    address = "SIGNOFF_HTTP_ADDRESS" if path == "/api/health" else "SIGNOFF_HEALTH_ADDRESS"
    assert split_address(environment(service)[address]) == ("0.0.0.0", int(asked))


def test_only_the_console_and_the_jobstore_are_published_and_only_to_this_machine(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"console": ["127.0.0.1:8080:8080"], "jobstore": ["127.0.0.1:50051:50051"]}


@pytest.mark.parametrize("service", ["kafka", "postgres", *OWN])
def test_a_container_may_do_no_more_than_it_needs(compose, service):
    settings = compose["services"][service]
    assert settings["read_only"] is (service != "kafka")
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["mem_limit"]
    assert settings["restart"] == "unless-stopped"


def test_what_others_wait_for_has_a_health_check(compose):
    services = compose["services"]
    waited_for = {
        name for service in services.values() for name, how in service.get("depends_on", {}).items() if how["condition"]
    }
    assert waited_for == {"kafka", "postgres", "jobstore"}
    assert all(services[name]["healthcheck"]["test"] for name in waited_for)


def test_kafka_is_set_as_in_the_local_stack(compose):
    given = compose["services"]["kafka"]["environment"]
    settings = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in given.items()}
    none = {"port": 0, "advertised_port": 0, "controller_port": 0, **kafka.make_listeners({})}
    lines = kafka.PROPERTIES.format(logs="", message_max_bytes=kafka.MESSAGE_MAX_BYTES, **none)
    local = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
    same = [name for name in local if re.search(r"replication|isr|max.bytes|create.topics|rebalance|linger", name)]
    assert {name: settings.get(name) for name in same} == {name: local[name] for name in same}
    assert int(settings["message.max.bytes"]) > MESSAGE_MAX_BYTES
    assert not [name for name in settings if "threads" in name], "its machine may have many cores"


def test_without_a_key_the_profile_local_judges_and_has_agents(compose):
    assert {name for name, service in compose["services"].items() if service.get("profiles") == ["local"]} == {
        "judge",
        "agents",
    }
    assert composition.example()["OPENAI_BASE_URL"][-1] == "http://judge:8090/v1"
    subnet = compose["networks"]["agents"]["ipam"]["config"][0]["subnet"]
    assert compose["services"]["executor"]["environment"]["SIGNOFF_AGENT_NETWORKS"] == subnet


@pytest.mark.parametrize("service", ["jobstore", "executor", "validator"])
def test_a_readme_names_every_setting(service):
    _, _, table = (ROOT / "services" / service / "README.md").read_text().partition("## Settings")
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]{3,})`", row.split(" | ")[0])}
    settings = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    if service == "validator":
        settings |= OPENAI
    assert {name if name.startswith(("SIGNOFF_", "OPENAI_")) else f"SIGNOFF_{name}" for name in named} == settings
