"""Finds what would not work in the objects of a chart, though Kubernetes takes them."""

import os
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from charts import Object
from dockerfiles import environment

from console.config import ConsoleSettings
from executor.config import Settings as ExecutorSettings
from jobstore.config import BackupSettings
from jobstore.config import Settings as JobStoreSettings
from jobstore.tracing.exporter import Settings as TracesSettings
from localstack.certificates import Authority
from servicekit.errors import PermanentError
from servicekit.process.settings import ServiceSettings, load_settings
from servicekit.process.variables import find_unknown
from validator.config import Settings as ValidatorSettings

Rule = Callable[[Object, Sequence[Object]], Iterator[str]]

SETTINGS: dict[str, type[ServiceSettings]] = {
    "jobstore": JobStoreSettings,
    "executor": ExecutorSettings,
    "validator": ValidatorSettings,
    "console": ConsoleSettings,
    "traces": TracesSettings,
    "backup": BackupSettings,
}
#: Those that run whatever values say.
SERVICES = ("jobstore", "executor", "validator", "console")
#: What helps: the judge by rules.
HELPER = "judge"
#: Whose image is not its own.
IMAGES = {HELPER: "cli", "traces": "jobstore", "backup": "jobstore"}
#: Variables of services that their settings do not declare.
MORE = {
    "jobstore": {"PGSSLROOTCERT"},
    "backup": {"PGSSLROOTCERT"},
    "validator": {"OPENAI_API_KEY", "OPENAI_BASE_URL"},
}
KEYS = {name: b64encode(bytes([number] * 32)).decode() for number, name in enumerate("abcdefghi")}
#: Values of the Secret, by variable.
VALUES = {
    "SIGNOFF_TOKEN": KEYS["a"],
    "SIGNOFF_EXECUTOR_TOKEN": KEYS["b"],
    "SIGNOFF_VALIDATOR_TOKEN": KEYS["c"],
    "SIGNOFF_CONSOLE_TOKEN": KEYS["d"],
    "SIGNOFF_ID_KEY": KEYS["e"],
    "SIGNOFF_SESSION_SECRET": KEYS["f"],
    "SIGNOFF_SECRETS": f"2026-12:{KEYS['g']}",
    "SIGNOFF_UPSTREAM_SECRETS": f"press:{KEYS['h']}",
    "SIGNOFF_METRICS_TOKEN": KEYS["i"],
    "SIGNOFF_OIDC_CLIENT_SECRET": "the provider's",
    "SIGNOFF_DATABASE_URL": "postgresql+asyncpg://jobstore:x@db/signoff?ssl=verify-full",
    "SIGNOFF_MIGRATE_DATABASE_URL": "postgresql+asyncpg://signoff_migrate:x@db/signoff?ssl=verify-full",
    "OPENAI_API_KEY": "sk-x",
}
#: Where pods have Secrets and ConfigMaps.
FOLDER = "/run/secrets"
#: Where pods have volumes, and what is kept below.
KEPT = "/var/lib/signoff"
#: A pod that is not ready is found within so many seconds, and one that hangs is killed after as many at least.
UNREADY_WITHIN_S, HANGS_S = 15, 60
#: Seconds that a process may take beyond SIGNOFF_GRACE_S.
ENDS_WITHIN_S = 5
#: What the standard `restricted` of Kubernetes asks of a pod and a container, and more.
OF_POD = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
OF_CONTAINER = {
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
}
#: What a trigger of KEDA's may say: its definition takes any key.
OF_TRIGGER = {"serverAddress", "query", "threshold"}


def find_faults(objects: Sequence[Object]) -> Iterator[str]:
    """Yield a sentence for each fault."""
    for each in objects:
        name = f"{each['kind']} {each['metadata']['name']}"
        rules = RULES.get(each["kind"], ())
        yield from (f"{name}: {fault}" for rule in rules for fault in rule(each["spec"], objects))
    names = Counter((each["kind"], each["metadata"]["name"]) for each in objects)
    yield from (f"{' '.join(name)} is there {times} times" for name, times in names.items() if times > 1)
    services = {find_service(each["spec"]["template"]) for each in list_kind(objects, "Deployment")}
    yield from (f"{name} has no deployment" for name in {*SERVICES} - services)


def list_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    return [each for each in objects if each["kind"] == kind]


def find_service(pod: Object) -> str:
    """The service that a pod runs."""
    name: str = pod["spec"]["containers"][0]["name"]
    return name


def is_right(pod: Object, _: Sequence[Object]) -> Iterator[str]:
    """A pod has no right that it needs not, and its parts fit."""
    spec = pod["template"]["spec"]
    (container,) = spec["containers"]
    for given, wanted in ((spec, OF_POD), (container, OF_CONTAINER)):
        yield from (f"{key} is {given.get(key)}" for key, value in wanted.items() if given.get(key) != value)
    volumes, mounts = ([item["name"] for item in each] for each in (spec["volumes"], container["volumeMounts"]))
    if volumes != mounts:
        yield f"has volumes {volumes} and mounts {mounts}"
    image = container["image"].rpartition("/signoff-")[2].partition(":")[0]
    if image != IMAGES.get(container["name"], container["name"]):
        yield f"runs the image {image}"
    if "memory" not in container["resources"].get("limits", {}):
        yield "has no limit of memory"


def is_probed(pod: Object, _: Sequence[Object]) -> Iterator[str]:
    """It is asked whether it lives and is ready; the judge by rules, which holds nothing, only the latter."""
    (container,) = pod["template"]["spec"]["containers"]
    if find_service(pod["template"]) == HELPER:
        if container.get("readinessProbe", {}).get("httpGet") != {"path": "/readyz", "port": "http"}:
            yield "is not asked whether it is ready"
        return
    for name, path in {"livenessProbe": "/livez", "readinessProbe": "/readyz"}.items():
        if container.get(name, {}).get("httpGet") != {"path": path, "port": "health"}:
            yield f"is not asked {path} by its {name}"
            return
    ready, live = container["readinessProbe"], container["livenessProbe"]
    if ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"] > UNREADY_WITHIN_S:
        yield f"is not found unready within {UNREADY_WITHIN_S} s"
    if live["periodSeconds"] * live["failureThreshold"] < HANGS_S:
        yield f"is killed before it has hung for {HANGS_S} s"


def is_replaced_with_care(pod: Object, _: Sequence[Object]) -> Iterator[str]:
    if find_service(pod["template"]) == HELPER:
        return
    spec = pod["template"]["spec"]
    (container,) = spec["containers"]
    grace_s = next(float(each["value"]) for each in container["env"] if each["name"] == "SIGNOFF_GRACE_S")
    begins_s = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    if spec["terminationGracePeriodSeconds"] < begins_s + grace_s + ENDS_WITHIN_S:
        yield "is killed while it stops"
    if pod["strategy"].get("rollingUpdate") != {"maxSurge": 1, "maxUnavailable": 0}:
        yield "is stopped before another one is ready"
    spread = {each["topologyKey"] for each in spec["topologySpreadConstraints"]}
    if spread != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}:
        yield f"is spread over {spread}"


def starts(pod: Object, objects: Sequence[Object]) -> Iterator[str]:
    """A service's settings start from what its pod is given, and it is given nothing that they do not read."""
    spec, service = pod["template"]["spec"], find_service(pod["template"])
    if service == HELPER:
        return
    (container,) = spec["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    if len(given) < len(container["env"]):
        yield "is given a variable twice"
    own = {f"SIGNOFF_{name.upper()}" for name in SETTINGS[service].model_fields}
    own |= MORE.get(service, set())
    own -= {"SIGNOFF_TOKEN"} if service == "console" else set()  # which has one of its own
    items = {item["key"] for volume in spec["volumes"] for item in volume.get("secret", {}).get("items", ())}
    variables = {name.removesuffix("_FILE") for name in given} | {key for key in items if key.isupper()}
    if variables - own:
        yield f"is given what is not its own: {sorted(variables - own)}"
    if shown := given.keys() & VALUES.keys():
        yield f"shows {sorted(shown)}"
    mounts = [each["mountPath"] for each in container["volumeMounts"]]
    if given.get("SIGNOFF_ARCHIVE", "s3:").startswith("/") and KEPT not in mounts:
        yield f"writes into {given['SIGNOFF_ARCHIVE']}, which is no volume"
    with TemporaryDirectory() as folder:
        _lay_out(spec, objects, Path(folder))
        places = {**environment(IMAGES.get(service, service)), **given}
        here = {name: value.replace(FOLDER, folder).replace(KEPT, f"{folder}/kept") for name, value in places.items()}
        with patch.dict(os.environ, here, clear=True):
            if unknown := find_unknown(os.environ):
                yield f"is given variables that nothing reads: {unknown}"
            try:
                load_settings(SETTINGS[service])
            except PermanentError as error:
                yield f"does not start: {error}"
        here.pop("SIGNOFF_ARCHIVE", None)  # whoever writes there makes it
        yield from (f"{name} names a file that is not there" for name, path in here.items() if is_lost(path, folder))


def is_lost(value: str, folder: str) -> bool:
    return value.startswith(folder) and not Path(value).exists()


@cache
def make_certificate() -> dict[str, str]:
    """The keys of a Secret as cert-manager makes it."""
    with TemporaryDirectory() as folder:
        authority = Authority(Path(folder))
        certificate, key = authority.issue("server")
        made = {"ca.crt": authority.ca, "tls.crt": certificate, "tls.key": key}
        return {name: path.read_text() for name, path in made.items()}


def find_value(key: str) -> str:
    return VALUES.get(key) or make_certificate().get(key, "x")


def _lay_out(spec: Object, objects: Sequence[Object], folder: Path) -> None:
    """Write what a pod's volumes hold."""
    paths = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    maps = {each["metadata"]["name"]: each["data"] for each in list_kind(objects, "ConfigMap")}
    claims = {each["metadata"]["name"] for each in list_kind(objects, "PersistentVolumeClaim")}
    for volume in spec["volumes"]:
        if volume.get("persistentVolumeClaim", {}).get("claimName") in claims:
            Path(paths[volume["name"]].replace(KEPT, f"{folder}/kept")).mkdir()
        if not paths[volume["name"]].startswith(FOLDER):
            continue
        path = Path(paths[volume["name"]].replace(FOLDER, str(folder)))
        path.mkdir(parents=True)
        files = dict(maps[volume["configMap"]["name"]] if "configMap" in volume else {})
        files |= {item["path"]: find_value(item["key"]) for item in volume.get("secret", {}).get("items", ())}
        for name, text in files.items():
            (path / name).write_text(text)


def chooses_pods(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
    """Labels by which a Service, a budget or a policy chooses are those of pods, which have the ports that it names."""
    selector = spec.get("podSelector") or spec["selector"]
    chosen = _list_pods(selector.get("matchLabels", selector), objects)
    if not chosen:
        yield f"chooses no pods by {selector}"
    named = [port.get("targetPort", port.get("port")) for port in spec.get("ports", ())]
    for rule in spec.get("ingress") or ():  # none: nothing may come in
        named += [port["port"] for port in rule["ports"]]
        for peer in rule.get("from", ()):
            if peer.keys() == {"podSelector"} and not _list_pods(peer["podSelector"]["matchLabels"], objects):
                yield f"lets in no pods by {peer}"
    for pod in chosen:
        known = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        yield from (f"{find_service(pod)} has no port {port}" for port in named if port not in known)


def _list_pods(labels: Object, objects: Sequence[Object]) -> list[Object]:
    pods = [each["spec"]["template"] for each in list_kind(objects, "Deployment")]
    return [pod for pod in pods if labels.items() <= pod["metadata"]["labels"].items()]


def chooses_its_own_pods(pod: Object, _: Sequence[Object]) -> Iterator[str]:
    labels = pod["template"]["metadata"]["labels"]
    spread = (each["labelSelector"] for each in pod["template"]["spec"].get("topologySpreadConstraints", ()))
    for selector in (pod["selector"], *spread):
        if selector["matchLabels"] != labels:
            yield f"chooses others by {selector}"


def is_reached(pod: Object, objects: Sequence[Object]) -> Iterator[str]:
    """The name by which jobstores are called is that of a Service that gives all their addresses; a judge's, of one."""
    given = {each["name"]: each["value"] for each in pod["template"]["spec"]["containers"][0].get("env", ())}
    if judge := given.get("SIGNOFF_JUDGE_WITHOUT_KEY"):
        named = [(f"{each['metadata']['name']}.jobs.svc", each["spec"]) for each in list_kind(objects, "Service")]
        if judge not in {f"http://{host}:{port['port']}/v1" for host, spec in named for port in spec["ports"]}:
            yield f"no judge listens at {judge}"
    for address in [given["SIGNOFF_JOBSTORE"]] if "SIGNOFF_JOBSTORE" in given else []:
        host, _, port = address.rpartition(":")
        services = [each for each in list_kind(objects, "Service") if host == f"{each['metadata']['name']}.jobs.svc"]
        spec = services[0]["spec"] if services else {}
        if not (spec.get("clusterIP") == "None" and spec.get("publishNotReadyAddresses")):
            yield f"{host} does not give the address of each jobstore"
        if int(port) not in {each["port"] for each in spec.get("ports", ())}:
            yield f"nothing listens at {address}"


def of_job(*rules: Rule) -> Rule:
    """Rules of pods, of those that a CronJob makes."""

    def hold(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
        for rule in rules:
            yield from rule(spec["jobTemplate"]["spec"], objects)

    return hold


def is_claimed(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
    """A volume that several pods mount must be one that they can."""
    if spec["accessModes"] not in (["ReadWriteMany"], ["ReadWriteOnce"]):
        yield f"is mounted by {spec['accessModes']}"
    shared = [
        volume["persistentVolumeClaim"]["claimName"]
        for pod in _list_pods({}, objects)
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    own = {each["metadata"]["name"]: each["spec"] for each in list_kind(objects, "PersistentVolumeClaim")}
    for name in shared:
        if name not in own or "ReadWriteMany" not in own[name]["accessModes"]:
            yield f"several pods mount {name}, which is not ReadWriteMany"


def leads_to_a_service(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
    known = {each["metadata"]["name"]: each["spec"]["ports"] for each in list_kind(objects, "Service")}
    for path in (path for rule in spec["rules"] for path in rule["http"]["paths"]):
        backend = path["backend"]["service"]
        if backend["port"]["name"] not in {port["name"] for port in known.get(backend["name"], ())}:
            yield f"leads to {backend}"


def scrapes_all(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
    labels = spec["selector"]["matchLabels"].items()
    chosen = [each["spec"] for each in list_kind(objects, "Service") if labels <= each["metadata"]["labels"].items()]
    scraped = [pod for each in chosen for pod in _list_pods(each["selector"], objects)]
    if {*map(find_service, scraped)} != {*map(find_service, _list_pods({}, objects))} - {HELPER}:
        yield f"scrapes {[*map(find_service, scraped)]}"
    for endpoint in spec["endpoints"]:
        if not all(endpoint["port"] in {port["name"] for port in each["ports"]} for each in chosen):
            yield f"asks {endpoint}"


def scales_alone(spec: Object, objects: Sequence[Object]) -> Iterator[str]:
    named = {each["metadata"]["name"]: each["spec"] for each in list_kind(objects, "Deployment")}
    target = named.get(spec["scaleTargetRef"]["name"])
    if target is None or "replicas" in target:
        yield "scales what is not there, or what each upgrade scales back"
    for trigger in spec["triggers"]:
        if trigger["metadata"].keys() != OF_TRIGGER or "signoff_in_flight{" not in trigger["metadata"]["query"]:
            yield f"has {trigger}"


#: What must hold of the objects of a kind; a rule yields what does not.
RULES = {
    "Deployment": (is_right, is_probed, is_replaced_with_care, starts, chooses_its_own_pods, is_reached),
    "CronJob": (of_job(is_right, starts),),
    "PersistentVolumeClaim": (is_claimed,),
    "Service": (chooses_pods,),
    "PodDisruptionBudget": (chooses_pods,),
    "NetworkPolicy": (chooses_pods,),
    "Ingress": (leads_to_a_service,),
    "ServiceMonitor": (scrapes_all,),
    "ScaledObject": (scales_alone,),
}
