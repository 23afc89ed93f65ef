"""The chart is one that Helm takes, and what it makes of each example is what Kubernetes takes, and what works."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_faults import KEPT, SERVICES, find_faults, list_kind
from charts import CHART, EXAMPLES, VERSIONS, Object, find_schema, find_schema_faults, render, run_helm
from dockerfiles import ROOT

from contracts.grants import Grant, Resource, list_grants
from localstack import kafka

pytestmark = pytest.mark.real

README = ROOT / "deploy/helm/README.md"
SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
#: What has keys of a user's, or of another program's, whose names no schema knows.
FREE = re.compile(
    r"\.(labels|annotations|matchLabels|data|nodeSelector|limits|requests)$"
    r"|^Service\.spec\.selector$|^ScaledObject\.spec\.triggers\[\]\.metadata$"
    r"|^Kafka\.spec\.kafka\.config$|^Cluster\.spec\.postgresql\.parameters$"
)


@cache
def made(example: str, version: str = VERSIONS[-1]) -> list[Object]:
    return render(EXAMPLES[example], version=version)


@pytest.mark.parametrize("example", EXAMPLES)
def test_helm_finds_nothing_to_say_of_an_example(example: str) -> None:
    told = run_helm("lint", "--strict", CHART, "--values", EXAMPLES[example])
    assert (told.returncode, re.findall(r"\[(?:WARNING|ERROR)\].*", told.stdout)) == (0, []), told.stdout + told.stderr


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_kubernetes_takes_what_is_made_of_an_example(example: str, version: str) -> None:
    faults = [fault for each in made(example, version) for fault in find_schema_faults(each, version)]
    assert faults == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_is_made_of_an_example_works(example: str) -> None:
    """Settings start from what pods are given; names, labels and ports fit; no pod may do more than it needs."""
    assert [*find_faults(made(example))] == []


def test_an_older_kubernetes_is_refused() -> None:
    assert f'">={VERSIONS[0]}.0-0"' in (CHART / "Chart.yaml").read_text()
    with pytest.raises(ValueError, match=r"incompatible with Kubernetes v1\.29"):
        render(EXAMPLES["small"], version="1.29")


def test_the_chart_is_of_the_version_of_its_services() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert {chart["version"], chart["appVersion"]} == {version("signoff-servicekit")}


def test_the_examples_show_each_template() -> None:
    """What no example makes, nothing checks."""
    said = [run_helm("template", CHART, "--values", path).stdout for path in EXAMPLES.values()]
    shown = {name for text in said for name in re.findall(r"^# Source: signoff/templates/(.+)$", text, re.MULTILINE)}
    assert shown == {path.name for path in CHART.glob("templates/*.yaml")}


def list_keys(each: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield where each key is: in words without numbers, and as the way to it."""
    for key, value in each.items() if isinstance(each, dict) else enumerate(each) if isinstance(each, list) else ():
        here = f"{path}[]" if isinstance(each, list) else f"{path}.{key}"
        if isinstance(each, dict) and not FREE.search(path):
            yield here, [key]
        yield from ((words, [key, *way]) for words, way in list_keys(value, here))


def test_a_misspelt_key_is_found_wherever_it_is() -> None:
    """Each key of any object, once for all that are at the same place of a kind."""
    places = {
        words: (each, way) for name in EXAMPLES for each in made(name) for words, way in list_keys(each, each["kind"])
    }
    unnoticed = []
    for words, (each, [*way, key]) in places.items():
        changed = inner = deepcopy(each)
        for step in way:
            inner = inner[step]
        inner[f"{key}s"] = inner.pop(key)
        schema = find_schema(each["apiVersion"], each["kind"], VERSIONS[-1])
        if schema is not None and schema.is_valid(changed):
            unnoticed.append(words)
    assert len(places) > 200
    assert unnoticed == []


def test_values_are_those_of_the_schema_and_of_the_templates() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    templates = "".join(path.read_text("utf-8") for path in CHART.glob("templates/*"))
    assert list_objects(SCHEMA)
    assert [each for each in list_objects(SCHEMA) if each.get("additionalProperties") is None] == []
    assert values.keys() == SCHEMA["properties"].keys() - {"global"}
    for name, value in values.items():
        for key in value if isinstance(value, dict) else ():
            assert key in resolve(SCHEMA["properties"][name])["properties"]
            assert re.search(rf"\.{key}\b", templates), f"nothing reads {name}.{key}"


def list_objects(schema: Any) -> list[Any]:
    """The schemas of objects with keys that are declared."""
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    own = [schema] if isinstance(schema, dict) and schema.get("type") == "object" and "properties" in schema else []
    return own + [each for value in inner for each in list_objects(value)]


def resolve(schema: Any) -> Any:
    return SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("jobstore.replicsa=3", "jobstore.*replicsa"),
        ("unknown=1", "unknown"),
        ("image.registry=", "registry"),
        ("kafka.bootstrap=kafka", "bootstrap"),
        ("strimzi.enabled=true", "bootstrap"),
        ("keda.enabled=true", "prometheus"),
        ("ingress.host=x.example", "tlsSecret"),
        ("oidc.issuer=https://id.example", "clientId"),
        ("jobstore.env.SIGNOFF_LEASE_S=15", "SIGNOFF_LEASE_S"),
        ("archive.bucket=ftp://host/archive", "archive.*bucket"),
        ("archive.bucket=s3://a,archive.volume=1Gi", "archive.*volume"),
        ("archive.keptS=59", "keptS"),
        ("kept.removedS=86400", "removedS"),
        ("kept.fullAt=1.5", "fullAt"),
        ("backup.schedule=daily", "schedule"),
        ("backup.schedule=@daily", "backup"),
        ("traces.endpoint=collector:4318", "endpoint"),
    ],
)
def test_values_that_would_not_work_are_refused_by_name(options: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.compile(told, re.DOTALL)):
        render(EXAMPLES["small"], "--set", options)


def test_strimzis_kafka_is_set_as_in_the_local_stack() -> None:
    (broker,) = list_kind(made("operators"), "Kafka")
    said = kafka.PROPERTIES.replace("{message_max_bytes}", str(kafka.MESSAGE_MAX_BYTES))
    local = dict(re.findall(r"^([\w.]+)=(.+)$", said, re.MULTILINE))
    given = {name: str(value).lower() for name, value in broker["spec"]["kafka"]["config"].items()}
    replicated = {name: value for name, value in given.items() if re.search("replication|replicas|isr", name)}
    assert {name: local.get(name) for name in given.keys() - replicated} == {
        name: value for name, value in given.items() if name not in replicated
    }
    assert replicated == {name: "2" if "min" in name else "3" for name in replicated}


def test_strimzis_users_may_do_what_the_catalogue_gives_and_nothing_else() -> None:
    """SIGNOFF_WRITE_EXPECTED=1 writes the file of the chart anew."""
    acls: dict[str, list[Any]] = {}
    for (user, resource, name, is_prefix), grants in groupby(sorted(list_grants(), key=of_whom), of_whom):
        named = {"name": f"<prefix>{name}", "patternType": "prefix" if is_prefix else "literal"}
        of = {"type": str(resource), **(named if resource is not Resource.CLUSTER else {})}
        acls.setdefault(user, []).append(
            {"resource": of, "operations": sorted(str(grant.operation) for grant in grants)}
        )
    lines = {user: ",\n".join(f"  {json.dumps(acl)}" for acl in each) for user, each in acls.items()}
    text = "{\n" + ",\n".join(f' "{user}": [\n{each}\n ]' for user, each in lines.items()) + "\n}"
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        (CHART / "acls.json").write_text(f"{text}\n")
    users = {each["metadata"]["name"]: each["spec"] for each in list_kind(made("operators"), "KafkaUser")}
    given = {name.removeprefix("signoff-kafka-"): user["authorization"]["acls"] for name, user in users.items()}
    assert given == json.loads(text.replace("<prefix>", ""))


def of_whom(grant: Grant) -> tuple[str, Resource, str, bool]:
    return grant.user, grant.resource, grant.name, grant.is_prefix


def test_the_secret_that_the_page_makes_has_what_pods_read_and_nothing_else(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\n(.*?> signoff.env.*?)```", README.read_text("utf-8"), re.DOTALL)
    script = f"kubectl() {{ :; }}\n{block}"
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, env={**os.environ, "OPENAI_API_KEY": "x"}, check=True)
    lines = (tmp_path / "signoff.env").read_text().splitlines()
    assert {line.partition("=")[0] for line in lines} == {
        item["key"]
        for each in list_kind(made("small"), "Deployment")
        for volume in each["spec"]["template"]["spec"]["volumes"]
        for item in volume.get("secret", {}).get("items", ())
    }


def test_where_metrics_want_a_token_all_pods_have_it_and_prometheus_sends_it() -> None:
    def list_having(example: str) -> list[bool]:
        pods = (json.dumps(each) for each in list_kind(made(example), "Deployment"))
        return ["/run/secrets/signoff/SIGNOFF_METRICS_TOKEN" in pod for pod in pods]

    (monitor,) = list_kind(made("scaled"), "ServiceMonitor")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["authorization"] == {"credentials": {"name": "signoff", "key": "SIGNOFF_METRICS_TOKEN"}}
    assert list_having("scaled") == [True] * 4
    assert not any(list_having("small"))


def test_dashboards_and_rules_are_found_by_what_reads_them() -> None:
    boards = {name: text for each in list_kind(made("scaled"), "ConfigMap") for name, text in each["data"].items()}
    files = {f"signoff-{path.name}": path.read_text("utf-8") for path in CHART.glob("files/dashboards/*.json")}
    assert boards == files
    labels = [each["metadata"]["labels"]["grafana_dashboard"] for each in list_kind(made("scaled"), "ConfigMap")]
    assert labels == ["1"] * len(files)
    (rules,) = list_kind(made("scaled"), "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((CHART / "files/alerts.yml").read_text("utf-8"))
    assert rules["metadata"]["labels"]["release"] == "prometheus"
    assert not [each for each in made("small") if each["kind"] in {"ConfigMap", "PrometheusRule"}]


def read_given(example: str, name: str) -> dict[str, str]:
    """The variables that a service is given as texts."""
    (pod,) = (each for each in list_kind(made(example), "Deployment") if each["metadata"]["name"] == f"signoff-{name}")
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


def test_each_bound_of_what_is_kept_is_given_to_the_jobstores_and_none_unless_it_is_set() -> None:
    """Numbers are written out: Helm takes large ones for fractions."""
    bounds = yaml.safe_load(EXAMPLES["kept"].read_text("utf-8"))
    said = {**bounds["kept"], **{name: bounds["archive"][name] for name in ("checkpointEveryS", "keptS")}}
    given, without = read_given("kept", "jobstore"), read_given("small", "jobstore")
    assert {str(value) for value in said.values()} <= {*given.values()}
    named = {"REMOVED", "FACTS", "WORK", "DEAD_LETTERS", "DATABASE_MAX", "STORAGE", "ARCHIVE", "CHECKPOINT", "DISKS"}
    assert [name for name in without if name.removeprefix("SIGNOFF_").startswith((*named,))] == []
    of_volume = read_given("on-volumes", "jobstore")
    assert (of_volume["SIGNOFF_ARCHIVE"], of_volume["SIGNOFF_DISKS"]) == (f"{KEPT}/archive", KEPT)


def test_traces_are_sent_by_a_process_of_their_own_and_the_page_leads_to_them() -> None:
    assert read_given("kept", "traces")["SIGNOFF_OTLP_ENDPOINT"] == "http://collector.monitoring:4318"
    assert read_given("kept", "console")["SIGNOFF_TRACE_URL"] == "https://traces.example/trace/{trace_id}"
    assert {each["metadata"]["name"] for each in list_kind(made("small"), "Deployment")} == {
        f"signoff-{name}" for name in SERVICES
    }


def test_without_a_key_fixed_rules_judge_and_no_key_is_read() -> None:
    named = {each["metadata"]["name"]: each for each in list_kind(made("without-key"), "Deployment")}
    validator = named["signoff-validator"]
    (container,) = validator["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given["SIGNOFF_JUDGE_WITHOUT_KEY"] == "http://signoff-judge.jobs.svc:8090/v1"
    assert "OPENAI_API_KEY" not in json.dumps(validator)


def test_an_upgrade_can_begin_with_the_jobstores() -> None:
    (options,) = re.findall(r"(--set image.tag=OLD .*?) --wait", README.read_text("utf-8"))
    images = [
        each["spec"]["template"]["spec"]["containers"][0]["image"]
        for each in list_kind(render(EXAMPLES["small"], *options.split()), "Deployment")
    ]
    assert {image.rpartition("/signoff-")[2] for image in images} == {
        "jobstore:NEW",
        "executor:OLD",
        "validator:OLD",
        "console:OLD",
    }
