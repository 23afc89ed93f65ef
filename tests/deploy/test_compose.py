"""docker-compose.yml follows its specification, and gives each service its own settings and no right it needs not."""

import json
import re
import subprocess
import sys

import composition
import pytest
from compose_spec.compose_spec import PyCompose
from composition import FOLDER, OF_0_2_0, OPENAI, SETTINGS
from dockerfiles import IMAGE, ROOT, SERVICES, clean_env, environment, values

from contracts.topics import MESSAGE_MAX_BYTES
from localstack import kafka
from servicekit.process.settings import split_address

#: What is made of the image that has the command line.
HELPERS = ["secrets", "kafka-users", "grpc", "traces", "judge", "agents", "signoff"]
BACKING = ["kafka", "postgres"]
#: Those that go on until they are stopped.
LASTING = [*BACKING, *SERVICES, "grpc", "traces", "jaeger", "judge", "agents"]
#: Within this time one that is not ready is unhealthy.
SEEN_WITHIN_S = 15


@pytest.fixture(scope="module")
def compose():
    return composition.load({})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folders of the volumes, with secrets that were made without any variable."""
    folder = tmp_path_factory.mktemp("secrets")
    composition.make_secrets(folder, {})
    return folder


def test_the_file_follows_the_compose_specification(compose):
    known = json.dumps(compose).replace(":host-gateway", ":127.0.0.1")  # a word of Docker's, which the library lacks
    PyCompose.from_json(known).validate()


def test_env_example_has_every_variable_and_no_other():
    named = set().union(*composition.variables(), *composition.variables(composition.PRODUCTION))
    assert composition.example().keys() == named - {"SIGNOFF_VERSION"} | {"COMPOSE_FILE"}  # which up.sh sets


def test_no_variable_is_required_and_no_secret_has_a_default():
    required, optional = composition.variables()
    assert required == set()
    assert OF_0_2_0.keys() <= optional
    assert all(not composition.example()[name][0] for name in OF_0_2_0)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_settings_that_it_has(compose, service):
    fields = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    given = compose["services"][service]["environment"].keys() | environment(service).keys()
    given = {name.removesuffix("_FILE") for name in given}
    assert {name for name in given if name.startswith("SIGNOFF_")} <= fields
    assert {name for name in given if name.startswith("OPENAI_")} <= (OPENAI if service == "validator" else set())


@pytest.mark.parametrize("env", [{}, OF_0_2_0], ids=["without any variable", "with an .env of 0.2.0"])
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_from_what_it_is_given(service, env, monkeypatch, tmp_path):
    composition.make_secrets(tmp_path, env)
    for name, value in {**environment(service), **composition.find_environment(tmp_path, service, env)}.items():
        monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    grace = composition.load(env)["services"][service]["stop_grace_period"]
    assert settings.grace_s < int(grace.removesuffix("s"))
    assert service == "jobstore" or settings.jobstore == "jobstore:50051"
    assert service == "console" or settings.kafka == "kafka:9092"


@pytest.mark.real
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_with_a_short_token_ends_with_a_sentence_and_does_not_show_it(service, tmp_path):
    name = "SIGNOFF_SESSION_SECRET" if service == "console" else f"SIGNOFF_{service.upper()}_TOKEN"
    name = "SIGNOFF_TOKEN" if service == "jobstore" else "SIGNOFF_CONSOLE_TOKEN" if service == "console" else name
    composition.make_secrets(tmp_path, {name: "5ec7e7"})
    env = clean_env(**composition.find_environment(tmp_path, service, {}))
    ended = subprocess.run([sys.executable, "-m", service], env=env, capture_output=True, text=True, check=False)
    sentence = f"error: {name} has fewer than 32 characters: `openssl rand -hex 32` makes one\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", sentence)


@pytest.mark.parametrize("service", SERVICES)
def test_health_is_asked_as_the_image_asks_it_and_where_the_service_answers(compose, service):
    options, _, image_command = values(service, IMAGE, "HEALTHCHECK")[0].partition(" CMD ")
    check = compose["services"][service]["healthcheck"]
    command = json.loads(image_command)
    assert check["test"] == ["CMD", *command]
    named = dict(option.removeprefix("--").split("=") for option in options.split())
    assert named.items() == {(name.replace("_", "-"), str(value)) for name, value in check.items() if name != "test"}
    port, path = command[2:] or ("8081", "/readyz")
    address = "SIGNOFF_HTTP_ADDRESS" if path == "/api/health" else "SIGNOFF_HEALTH_ADDRESS"
    assert split_address(environment(service)[address]) == ("0.0.0.0", int(port))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_that_is_not_ready_is_unhealthy_within_15_s_and_starts_no_python_for_that(compose, service):
    """It fails right after a check, and answers none from then on, each of which ends by itself after two seconds."""
    check = compose["services"][service]["healthcheck"]
    interval_s, timeout_s = (int(check[name].removesuffix("s")) for name in ("interval", "timeout"))
    (bound,) = re.findall(r"read -r -t (\d+)", (ROOT / "deploy/compose/ready.sh").read_text())
    assert int(bound) < timeout_s
    assert check["retries"] * (interval_s + int(bound)) <= SEEN_WITHIN_S
    assert check["test"][:3] == ["CMD", "bash", "/ready.sh"]


@pytest.mark.parametrize("service", [*SERVICES, *BACKING])
def test_a_health_check_is_one_that_every_engine_takes(compose, service):
    """Engines before 25 refuse start_interval; Podman 4 takes a command apart where it has spaces."""
    check = compose["services"][service]["healthcheck"]
    assert "start_interval" not in check
    assert [word for word in check["test"] if " " in word] == []


def test_nothing_is_asked_for_that_podman_refuses(compose):
    services = compose["services"].values()
    assert {service["logging"]["driver"] for service in services} == {"json-file"}
    assert all(service["logging"]["options"].keys() == {"max-size"} for service in services)
    # A short name is looked up in the registries of the machine; that of an image of one's own is found here.
    foreign = {service["image"] for service in services if not service["image"].startswith("signoff-")}
    assert {image.partition("/")[0] for image in foreign} == {"docker.io"}


def test_each_image_has_a_name_and_is_built_for_one_service_alone(compose):
    """Builds run beside each other, and where two make the same name one of them fails."""
    services = compose["services"]
    built = [(service["image"], service["build"]) for service in services.values() if "build" in service]
    images = [(f"signoff-{name}", f"services/{name}/Dockerfile") for name in ["cli", *SERVICES]]
    assert built == [(image, {"context": ".", "dockerfile": file}) for image, file in images]
    own = {name for name, each in services.items() if each["image"].startswith("signoff-") and "build" not in each}
    assert own == {*HELPERS} - {"secrets"}
    assert {services[name]["pull_policy"] for name in own} == {"never"}


def test_only_the_console_and_the_jobstores_are_published_and_only_to_this_machine(compose):
    """A jobstore itself takes no port of the machine, so that there may be several."""
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {
        "console": ["127.0.0.1:8080:8080"],
        "grpc": ["127.0.0.1:50051:50051"],
        "jaeger": ["127.0.0.1:16686:16686"],  # only with its profile
    }
    assert compose["services"]["grpc"]["entrypoint"][-2:] == ["50051", "jobstore:50051"]


@pytest.mark.parametrize("service", [*BACKING, *SERVICES, *HELPERS, "jaeger"])
def test_a_container_may_do_no_more_than_it_needs(compose, service):
    settings = compose["services"][service]
    assert settings["read_only"] is (service not in {"kafka", "secrets"})
    assert settings["cap_drop"] == ["ALL"]
    assert settings["security_opt"] == ["no-new-privileges:true"]
    assert settings["mem_limit"]
    assert settings["restart"] == ("unless-stopped" if service in LASTING else "no")


def test_root_writes_the_secrets_and_does_nothing_else(compose):
    services = compose["services"]
    assert {name: service["user"] for name, service in services.items() if "user" in service} == {
        "secrets": "0:0",
        "postgres": "postgres",
    }
    assert {name for name, service in services.items() if "cap_add" in service} == {"secrets"}
    assert services["secrets"]["cap_add"] == ["CHOWN", "DAC_OVERRIDE"]
    assert services["secrets"]["network_mode"] == "none"


def test_what_is_set_is_in_no_container_but_by_a_file_and_is_read_anew_when_it_changes():
    """Compose makes a container anew where its part of the file differs; the content of a config is elsewhere."""
    composed = composition.load(OF_0_2_0)
    secrets = composed["services"]["secrets"]
    assert secrets["configs"] == ["given"]
    assert secrets["deploy"] == {"labels": {"given": composed["configs"]["given"]["content"]}}
    for service in composed["services"].values():
        shown = json.dumps({name: value for name, value in service.items() if name != "deploy"})
        assert [name for name, value in OF_0_2_0.items() if value in shown] == []


def test_services_begin_once_their_secrets_are_there_and_again_when_those_change(compose):
    waiting = {
        name: service["depends_on"]["secrets"]
        for name, service in compose["services"].items()
        if "secrets" in service.get("depends_on", {})
    }
    first = {"condition": "service_completed_successfully"}
    # PostgreSQL's passwords count as its volume is made; Kafka's users are made anew each time.
    once = dict.fromkeys(["postgres", "kafka", "kafka-users"], first)
    assert waiting == once | dict.fromkeys([*SERVICES, "traces"], first | {"restart": True})


def test_kafka_is_set_as_in_the_local_stack(compose):
    given = compose["services"]["kafka"]["environment"]
    settings = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in given.items()}
    none = {"protocol": "", "port": 0, "advertised_port": 0, "controller_port": 0, **kafka.make_listeners({})}
    lines = kafka.PROPERTIES.format(logs="", message_max_bytes=kafka.MESSAGE_MAX_BYTES, **none)
    local = dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)
    same = [name for name in local if re.search(r"replication|isr|max.bytes|create.topics|rebalance|linger", name)]
    assert {name: settings.get(name) for name in same} == {name: local[name] for name in same}
    assert int(settings["message.max.bytes"]) > MESSAGE_MAX_BYTES
    assert not [name for name in settings if "threads" in name], "its machine may have many cores"


def test_kafka_asks_who_connects_at_each_of_its_ports(compose):
    given = compose["services"]["kafka"]["environment"]
    protocols = dict(pair.split(":") for pair in given["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    listeners = {pair.partition(":")[0] for pair in given["KAFKA_LISTENERS"].split(",")}
    assert protocols == dict.fromkeys(listeners, "SASL_PLAINTEXT")
    assert not re.search(r"SASL_.*://", given["KAFKA_ADVERTISED_LISTENERS"]), "the image then asks for a file of JAAS"
    settings = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in given.items()}
    local = dict(line.split("=", 1) for line in kafka.SECURED.format(admin="admin", keystore="", truststore="").split())
    same = [name for name in local if re.search(r"^(authorizer|allow|super|sasl\.enabled)", name)]
    assert {name: settings.get(name) for name in same} == {name: local[name] for name in same}
    assert len(same) == 4


def test_each_service_is_a_user_of_kafka_and_its_users_are_made_before(compose):
    services = compose["services"]
    named = {name: service["environment"].get("SIGNOFF_KAFKA_USER") for name, service in services.items()}
    assert {name: user for name, user in named.items() if user} == {
        "kafka-users": "admin",
        **{name: name for name in SERVICES if name != "console"},
        "traces": "jobstore",
    }
    assert services["jobstore"]["depends_on"]["kafka-users"] == {"condition": "service_completed_successfully"}
    assert "jobstore" in services["executor"]["depends_on"].keys() & services["validator"]["depends_on"].keys()


def test_without_a_key_fixed_rules_judge_and_with_one_its_model_does(made, monkeypatch, tmp_path):
    for name, value in composition.find_environment(made, "validator", {}).items():
        monkeypatch.setenv(name, value)
    config = SETTINGS["validator"]().judge_config
    assert (config.base_url, config.model) == ("http://judge:8090/v1", "local-rules")
    composition.make_secrets(tmp_path, {"OPENAI_API_KEY": "sk-of-mine"})
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(tmp_path / "validator/OPENAI_API_KEY"))
    config = SETTINGS["validator"]().judge_config
    assert (config.api_key, config.base_url) == ("sk-of-mine", None)
    assert config.model != "local-rules"


def test_agents_of_the_network_agents_may_be_called(compose):
    subnet = compose["networks"]["agents"]["ipam"]["config"][0]["subnet"]
    assert compose["services"]["executor"]["environment"]["SIGNOFF_AGENT_NETWORKS"] == subnet
    assert "agents" in compose["services"]["agents"]["networks"]
    assert compose["services"]["executor"]["extra_hosts"] == ["host.docker.internal:host-gateway"]


def test_the_command_line_is_no_part_of_what_is_started(compose):
    assert {name for name, service in compose["services"].items() if "profiles" in service} == {
        "signoff",
        "traces",
        "jaeger",
    }
    assert compose["services"]["traces"]["environment"]["SIGNOFF_OTLP_ENDPOINT"] == "http://jaeger:4318"
    assert compose["services"]["signoff"]["environment"]["SIGNOFF_ENDPOINTS"] == f"{FOLDER}/endpoints.json"


@pytest.mark.parametrize("service", ["jobstore", "executor", "validator"])
def test_a_readme_names_every_setting(service):
    _, _, table = (ROOT / "services" / service / "README.md").read_text().partition("## Settings")
    named = {name for row in table.splitlines() for name in re.findall(r"`([A-Z_]{3,})`", row.split(" | ")[0])}
    settings = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    if service == "validator":
        settings |= OPENAI
    # How Kafka is reached, all services read in the same way.
    of_all = set(re.findall(r"`(?:SIGNOFF_)?([A-Z_]{3,})`", (ROOT / "docs/operations/kafka.md").read_text()))
    full = {name if name.startswith(("SIGNOFF_", "OPENAI_")) else f"SIGNOFF_{name}" for name in named}
    assert full | ({f"SIGNOFF_{name}" for name in of_all} & settings) == settings
