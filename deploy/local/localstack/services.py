"""Define Signoff's services as processes: their commands, their environment, their order."""

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from contracts.signing import FactKeys, Secrets
from localstack.datadir import DataDir
from localstack.process import ServiceSpec
from localstack.supervisor import probe_http
from servicekit.kafka.access import KafkaAccess
from signoff.tls import Tls

AGENT_NETWORKS = "127.0.0.0/8,::1/128"
JUDGE_MODEL = "local-rules"  # no name of a model that has a price
LAYERS = {"jobstore": 3, "executor": 4, "validator": 4, "traces": 4, "console": 5}
# What is run, where it has not the name of its kind.
MODULES = {"traces": "jobstore.tracing"}
# Traces are sent where one of these says where to.
RECEIVERS = ("SIGNOFF_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# The secrets that each kind of service is given.
SECRETS = {
    "jobstore": (
        "SIGNOFF_TOKEN",
        "SIGNOFF_EXECUTOR_TOKEN",
        "SIGNOFF_VALIDATOR_TOKEN",
        "SIGNOFF_CONSOLE_TOKEN",
        "SIGNOFF_SECRETS",
        "SIGNOFF_ID_KEY",
    ),
    "executor": ("SIGNOFF_EXECUTOR_TOKEN",),
    "validator": ("SIGNOFF_VALIDATOR_TOKEN",),
    "console": ("SIGNOFF_CONSOLE_TOKEN", "SIGNOFF_SESSION_SECRET"),
    "traces": (),
}
# What each service is given of the environment of `signoff up`: what programs need, and settings that are no secret.
INHERITED = re.compile(
    r"PATH|HOME|TMPDIR|LD_LIBRARY_PATH|LANG|LC_\w+|TZ|SSL_CERT_\w+|PYTHON\w+|COVERAGE_\w+"
    r"|SIGNOFF_(?!AGENT_|GRPC_C|JOBSTORE_C|KAFKA|\w*(TOKEN|SECRETS?|KEY|PASSWORD|URL)(_FILE)?$)\w+"
    r"|SIGNOFF_METRICS_TOKEN(_FILE)?"
)
# And what only services of one kind are given: an executor what agents are called with, a validator
# what a judge is, a jobstore the secrets of upstreams, a console the secret that a provider of identities gave it.
INHERITED_BY = {
    "console": re.compile(r"SIGNOFF_OIDC_CLIENT_SECRET(_FILE)?|SIGNOFF_TRACE_URL"),
    "executor": re.compile(r"SIGNOFF_AGENT_\w+"),
    "jobstore": re.compile(r"SIGNOFF_UPSTREAM_SECRETS(_FILE)?"),
    "traces": re.compile(r"OTEL_\w+|(?i:(https?|all|no)_proxy)"),
    "validator": re.compile(r"OPENAI_\w+|SIGNOFF_JUDGE_WITHOUT_KEY|(?i:(https?|all|no)_proxy)"),
}
STOP_GRACE_S = 25.0  # beyond the services' own

Port = Callable[[str], int]


@dataclass(frozen=True)
class Addresses:
    """The addresses of all parts, and the secrets."""

    kafka: str  # host:port, as are grpc and http
    grpc: str  # of several jobstores all, with commas between
    http: str
    postgres: str  # a URL, as are the next two
    agents: Mapping[str, str]
    judge: str | None
    secrets: Mapping[str, str]  # by the variable that each is set in
    # Of the jobstores' role, and of the role that migrates; None: jobstores have the superuser's for both.
    database: str | None = None
    migrating: str | None = None
    #: How each user reaches Kafka, where Kafka asks who connects, but for the address, which is `kafka`.
    kafka_users: Mapping[str, KafkaAccess] = field(default_factory=dict)
    #: The files of the CA of jobstores, of their certificate, and of its key; None: they are called without TLS.
    tls: tuple[Path, Path, Path] | None = None

    def reach_as(self, user: str) -> KafkaAccess:
        """Return how a user of Kafka reaches it."""
        return replace(self.kafka_users[user], servers=self.kafka) if self.kafka_users else KafkaAccess(self.kafka)

    @property
    def client_tls(self) -> Tls | None:
        """The files by which jobstores are called."""
        return None if self.tls is None else Tls(self.tls[0])

    @property
    def token(self) -> str:
        """The administrator's token."""
        return self.secrets["SIGNOFF_TOKEN"]


@dataclass(frozen=True)
class Fleet:
    """The numbers of workers, and extra environment variables by kind of service."""

    executors: int = 1
    validators: int = 1
    jobstores: int = 1
    env: Mapping[str, Mapping[str, str]] | None = None  # by kind: jobstore, executor, validator, console


def make_service_specs(addresses: Addresses, fleet: Fleet, port: Port) -> list[ServiceSpec]:
    """Return how each service is run; the jobstore, on which the others depend, has the lowest layer."""
    counts = {"jobstore": fleet.jobstores, "executor": fleet.executors, "validator": fleet.validators, "console": 1}
    counts["traces"] = int(any(map(os.environ.get, RECEIVERS)))
    services = []
    for kind, count in counts.items():
        env = {**_inherit(kind), **_make_env(kind, addresses), **(fleet.env or {}).get(kind, {})}
        names = [kind, *(f"{kind}-{number}" for number in range(2, count + 1))][:count]
        services += [_make_spec(kind, name, port(f"{name}-health"), env) for name in names]
    grpc = addresses.grpc.split(",")[: fleet.jobstores]
    jobstores = [
        replace(spec, env={**spec.env, "SIGNOFF_GRPC_ADDRESS": address})
        for spec, address in zip(services, grpc, strict=False)
    ]
    return [*jobstores, *services[len(jobstores) :]]


def make_secrets(data_dir: DataDir) -> dict[str, str]:
    """Return a stack's secrets, by the variable that each is set in; what the directory does not remember is made."""
    names = sorted({name for names in SECRETS.values() for name in names})
    made = {name: data_dir.get_secret(name.removeprefix("SIGNOFF_").lower()) for name in names}
    return made | {"SIGNOFF_SECRETS": f"local:{made['SIGNOFF_SECRETS']}"}


def _inherit(kind: str) -> dict[str, str]:
    """Return what a kind of service is given of the environment of `signoff up`."""
    patterns = [INHERITED, *filter(None, [INHERITED_BY.get(kind)])]
    return {name: value for name, value in os.environ.items() if any(p.fullmatch(name) for p in patterns)}


def _make_spec(kind: str, name: str, health_port: int, env: Mapping[str, str]) -> ServiceSpec:
    health = f"127.0.0.1:{health_port}"
    return ServiceSpec(
        name=name,
        argv=[sys.executable, "-m", MODULES.get(kind, kind)],
        env={**env, "SIGNOFF_HEALTH_ADDRESS": health, "PYTHONUNBUFFERED": "1"},
        layer=LAYERS[kind],
        ready=probe_http(f"http://{health}/readyz"),
        grace_s=STOP_GRACE_S,
    )


def _make_env(kind: str, addresses: Addresses) -> dict[str, str]:
    """Return the environment of one kind of service."""
    if kind == "traces":
        keys = FactKeys.derive(Secrets.parse(addresses.secrets["SIGNOFF_SECRETS"]))
        return addresses.reach_as("jobstore").to_environment() | {"SIGNOFF_FACT_KEYS": str(keys)}
    common = addresses.reach_as(kind).to_environment()
    dial, serve = common | {"SIGNOFF_JOBSTORE": addresses.grpc}, common
    if addresses.tls is not None:
        ca, certificate, key = map(str, addresses.tls)
        dial |= {"SIGNOFF_JOBSTORE_CA": ca}
        serve |= {"SIGNOFF_GRPC_CERTIFICATE": certificate, "SIGNOFF_GRPC_KEY": key}
    secrets = {name: addresses.secrets[name] for name in SECRETS[kind]}
    if kind == "jobstore":
        urls = {
            "SIGNOFF_DATABASE_URL": addresses.database or addresses.postgres,
            "SIGNOFF_MIGRATE_DATABASE_URL": addresses.migrating,
        }
        databases = {name: url.replace("postgresql:", "postgresql+asyncpg:", 1) for name, url in urls.items() if url}
        return serve | databases | secrets
    if kind == "console":
        return dial | secrets | {"SIGNOFF_HTTP_ADDRESS": addresses.http}
    if kind == "executor":
        return dial | secrets | {"SIGNOFF_AGENT_NETWORKS": AGENT_NETWORKS}
    if addresses.judge is None:
        return dial | secrets
    judge = {"OPENAI_API_KEY": "local", "OPENAI_BASE_URL": f"{addresses.judge}/v1", "SIGNOFF_JUDGE_MODEL": JUDGE_MODEL}
    return dial | secrets | judge
