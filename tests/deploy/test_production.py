"""What production.yml adds to docker-compose.yml: TLS in front, three brokers, backups, digests, bounds, metrics."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import composition
import pytest
import yaml
from compose_spec.compose_spec import PyCompose
from composition import PRODUCTION
from dockerfiles import ROOT, SERVICES
from support.compose_backup import ComposeBackup

ENV = {"SIGNOFF_DOMAIN": "signoff.example.com", "SIGNOFF_REGISTRY": "registry.example.com/signoff"}
METRICS = ROOT / "deploy/compose/metrics"
BROKERS = ["kafka", "kafka-2", "kafka-3"]
LEFT_OUT = ["agents", "grpc", "judge"]


@pytest.fixture(scope="module")
def production() -> Any:
    return composition.load_production(ENV)


@pytest.fixture(scope="module")
def running(production: Any) -> dict[str, Any]:
    """The services that begin without being asked for by name."""
    return {name: service for name, service in production["services"].items() if not service.get("profiles")}


def test_the_files_follow_the_compose_specification(production: Any) -> None:
    known = json.dumps(production).replace(":host-gateway", ":127.0.0.1")  # a word of Docker's, which the library lacks
    PyCompose.from_json(known).validate()


def test_two_variables_are_required_and_each_is_explained() -> None:
    required, optional = composition.variables(PRODUCTION)
    assert required == ENV.keys()
    known = composition.example().keys()
    assert (required | optional) - known <= {"SIGNOFF_VERSION"}  # up.sh sets it


def test_tls_is_in_front_and_nothing_else_is_published_but_the_dashboard_to_this_machine(
    running: dict[str, Any],
) -> None:
    published = {name: service["ports"] for name, service in running.items() if service.get("ports")}
    assert published == {"caddy": ["80:8080", "443:8443"], "grafana": ["127.0.0.1:3000:3000"]}
    assert running["caddy"]["environment"] == {
        "SIGNOFF_DOMAIN": "signoff.example.com",
        "SIGNOFF_TLS": "",
        "XDG_DATA_HOME": "/certificates",
    }
    assert running["secrets"]["environment"]["SIGNOFF_PAGE"] == "https://signoff.example.com"
    assert (
        sorted(composition.load({})["services"].keys() - running.keys() - {"signoff", "traces", "jaeger"}) == LEFT_OUT
    )


def test_a_broker_may_be_away_and_another_has_all_that_was_acknowledged(running: dict[str, Any]) -> None:
    brokers = [running[name]["environment"] for name in BROKERS]
    assert [broker["KAFKA_NODE_ID"] for broker in brokers] == ["1", "2", "3"]
    voters = ",".join(f"{number}@{name}:9093" for number, name in enumerate(BROKERS, 1))
    for name, broker in zip(BROKERS, brokers, strict=True):
        assert broker["KAFKA_CONTROLLER_QUORUM_VOTERS"] == voters
        assert broker["KAFKA_ADVERTISED_LISTENERS"] == f"INTERNAL://{name}:9092,BROKER://{name}:9095"
        assert broker["KAFKA_LISTENERS"] == "INTERNAL://:9092,BROKER://:9095,CONTROLLER://:9093"
        for setting, value in broker.items():
            if re.search("REPLICATION_FACTOR|_ISR$|INSYNC", setting):
                assert value == ("3" if setting.endswith("FACTOR") else "2")
    own = [{volume.split(":")[0] for volume in running[name]["volumes"] if ":/" in volume} for name in BROKERS]
    written = [{name for name in names if name.startswith("kafka")} for names in own]
    assert len(set().union(*written)) == sum(map(len, written)), "no two brokers write to one volume"
    assert running["jobstore"]["environment"]["SIGNOFF_TOPIC_REPLICATION"] == "3"
    for client in ("jobstore", "executor", "validator"):
        assert running[client]["environment"]["SIGNOFF_KAFKA"] == ",".join(f"{name}:9092" for name in BROKERS)


def test_brokers_are_set_alike_but_for_their_names(running: dict[str, Any]) -> None:
    own = ("KAFKA_NODE_ID", "KAFKA_ADVERTISED_LISTENERS")
    first, *others = (
        {name: value for name, value in running[broker]["environment"].items() if name not in own} for broker in BROKERS
    )
    assert others == [first, first]


def test_what_is_written_to_a_log_is_bounded(production: Any) -> None:
    for service in production["services"].values():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "20m"}}
    assert "--storage.tsdb.retention.size=2GB" in production["services"]["prometheus"]["command"]


def test_a_container_may_do_no_more_than_it_needs(production: Any) -> None:
    services = production["services"]
    for name, service in services.items():
        assert service["read_only"] is (name not in [*BROKERS, "secrets"])
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        for mounted in service.get("volumes", []):
            assert not mounted.startswith("./") or mounted.endswith(":ro"), "nothing writes into the checkout"
    assert {name for name, service in services.items() if service.get("user") == "0:0"} == {"folders", "secrets"}
    assert services["folders"]["network_mode"] == "none"
    added = {name: service["cap_add"] for name, service in services.items() if "cap_add" in service}
    assert added == {
        "secrets": ["CHOWN", "DAC_OVERRIDE"],
        "folders": ["CHOWN", "DAC_OVERRIDE"],
        "caddy": ["NET_BIND_SERVICE"],
    }


def test_without_a_key_production_judges_nothing(running: dict[str, Any]) -> None:
    assert "SIGNOFF_JUDGE_WITHOUT_KEY" not in running["validator"]["environment"]


def test_what_is_mounted_from_the_checkout_is_there(production: Any) -> None:
    mounted = chain.from_iterable(service.get("volumes", []) for service in production["services"].values())
    files = [Path(volume.split(":")[0]) for volume in mounted if volume.startswith("./")]
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_rules_and_dashboards_are_those_of_the_chart(running: dict[str, Any]) -> None:
    files = ROOT / "deploy/helm/signoff/files"
    mounted = dict(
        volume.split(":")[:2][::-1] for name in ("prometheus", "grafana") for volume in running[name]["volumes"]
    )
    (rules,) = yaml.safe_load((METRICS / "prometheus.yml").read_text())["rule_files"]
    assert (ROOT / mounted["/etc/prometheus/signoff"]).resolve() / Path(rules).name == files / "alerts.yml"
    assert (ROOT / mounted["/dashboards"]).resolve() == files / "dashboards"
    (provider,) = yaml.safe_load((METRICS / "dashboards.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/dashboards"
    home = Path(running["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (files / "dashboards" / home.name).is_file()


def test_prometheus_asks_each_process_of_signoff_and_finds_the_proxy(running: dict[str, Any]) -> None:
    signoff, caddy, backup = yaml.safe_load((METRICS / "prometheus.yml").read_text())["scrape_configs"]
    (asked,) = signoff["dns_sd_configs"]
    assert (sorted(asked["names"]), asked["port"]) == (sorted(SERVICES), 8081)
    (source,) = yaml.safe_load((METRICS / "datasource.yml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert (
        source["jsonData"]["timeInterval"]
        == yaml.safe_load((METRICS / "prometheus.yml").read_text())["global"]["scrape_interval"]
    )
    assert caddy["static_configs"] == backup["static_configs"] == [{"targets": ["caddy:9180"]}]
    caddyfile = (ROOT / "deploy/compose/Caddyfile").read_text()
    assert all(words in caddyfile for words in (":9180 {", f"handle {backup['metrics_path']} {{", "metrics /metrics"))
    for name in ("prometheus", "caddy", *SERVICES):
        assert "default" in running[name].get("networks", ["default"])


@pytest.fixture
def machine(tmp_path: Path) -> ComposeBackup:
    return ComposeBackup(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")


IMAGES = {"jobstore": "r.example:5000/signoff-jobstore:1", "postgres": "docker.io/library/postgres:18"}


async def test_images_are_pinned_by_digest_once_a_release(machine: ComposeBackup) -> None:
    """An upgrade, and a rollback: another checkout, and up.sh."""
    known = ["r.example:5000/signoff-jobstore@sha256:0a", "mirror.example/postgres@sha256:0b", "postgres@sha256:0c"]
    expected = {"jobstore": known[0], "postgres": "docker.io/library/postgres@sha256:0c"}
    machine.set_images(IMAGES, *known)
    for version, is_fetched in (("1.0.0", True), ("1.0.0", False), ("1.1.0", True), ("1.0.0", True)):
        machine.set_version(version)
        done = await machine.up()
        assert done.status == 0, done.err
        calls = machine.read_asked()
        fetched = [call.removeprefix("pull --quiet ") for call in calls if call.startswith("pull ")]
        assert fetched == ([*IMAGES.values()] if is_fetched else [])
        assert calls[-1] == "compose up --wait --detach"
        pinned = yaml.load((machine.folder / "images.yml").read_text(), composition.Overlay)
        assert {name: each["image"] for name, each in pinned["services"].items()} == expected
        assert {each["pull_policy"] for each in pinned["services"].values()} == {"missing"}


async def test_an_image_without_a_digest_is_not_run(machine: ComposeBackup) -> None:
    machine.set_images(IMAGES, "postgres@sha256:0c")
    refused = await machine.up()
    assert (refused.status, refused.out) == (1, "")
    assert "up.sh: r.example:5000/signoff-jobstore:1 has no digest" in refused.err
    assert not (machine.folder / "images.yml").exists()


async def test_a_pinned_file_that_compose_does_not_read_is_noticed(machine: ComposeBackup) -> None:
    machine.set_images({"postgres": "docker.io/library/postgres:18"}, "postgres@sha256:0c", movable="x:1\n")
    refused = await machine.up()
    assert (refused.status, refused.err.splitlines()[-1]) == (
        1,
        "up.sh: not by digest: x:1 - let COMPOSE_FILE in .env end with :images.yml",
    )
    assert not [call for call in machine.read_asked() if call.startswith("compose up")]


async def test_what_cannot_be_backed_up_is_not_replaced(machine: ComposeBackup) -> None:
    machine.set_running("backup\njobstore\n")
    refused = await machine.up()
    assert refused.status == 1
    assert "there is no backup to come back to" in refused.err
    assert machine.read_asked()[-1] == "compose exec -T backup bash /backup.sh make"


async def test_what_the_script_does_not_know_is_refused(machine: ComposeBackup) -> None:
    refused = await machine.up("--restore")
    assert refused.status == 2
    assert "up.sh --restore NUMBER" in refused.err


def test_the_settings_of_a_service_are_all_its_own(production: Any) -> None:
    for service in SERVICES:
        fields = {f"SIGNOFF_{name.upper()}" for name in composition.SETTINGS[service].model_fields}
        given = {name.removesuffix("_FILE") for name in production["services"][service]["environment"]}
        assert {name for name in given if name.startswith("SIGNOFF_")} <= fields
