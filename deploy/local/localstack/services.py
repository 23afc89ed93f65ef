"""Define Signoff's services as processes: their commands, their environment, their order."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localstack.process import ServiceSpec
from localstack.supervisor import probe_http

AGENT_NETWORKS = "127.0.0.0/8,::1/128"
JUDGE_MODEL = "local-rules"  # no name of a model that has a price
LAYERS = {"jobstore": 3, "executor": 4, "validator": 4, "console": 5}
# Services inherit the environment of `signoff up` without these secrets: each is given those that it needs.
NOT_INHERITED = {
    *("SIGNOFF_TOKEN", "SIGNOFF_WORKER_TOKEN", "SIGNOFF_DATABASE_URL", "SIGNOFF_ID_KEY", "SIGNOFF_UPSTREAM_SECRETS"),
}
STOP_GRACE_S = 25.0  # beyond the services' own

Port = Callable[[str], int]


@dataclass(frozen=True)
class Addresses:
    """The addresses of all parts, and the tokens."""

    kafka: str  # host:port, as are grpc and http
    grpc: str
    http: str
    postgres: str  # a URL, as are the next two
    agents: Mapping[str, str]
    judge: str | None
    token: str
    worker_token: str
    id_key: str


@dataclass(frozen=True)
class Fleet:
    """The numbers of workers, and extra environment variables by kind of service."""

    executors: int = 1
    validators: int = 1
    env: Mapping[str, Mapping[str, str]] | None = None  # by kind: jobstore, executor, validator, console


def make_service_specs(addresses: Addresses, fleet: Fleet, port: Port) -> list[ServiceSpec]:
    """Return how each service is run; the jobstore, on which the others depend, has the lowest layer."""
    counts = {"jobstore": 1, "executor": fleet.executors, "validator": fleet.validators, "console": 1}
    inherited = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
    services = []
    for kind, count in counts.items():
        env = {**inherited, **_make_env(kind, addresses), **(fleet.env or {}).get(kind, {})}
        names = [kind, *(f"{kind}-{number}" for number in range(2, count + 1))][:count]
        services += [_make_spec(kind, name, port(f"{name}-health"), env) for name in names]
    return services


def _make_spec(kind: str, name: str, health_port: int, env: Mapping[str, str]) -> ServiceSpec:
    health = f"127.0.0.1:{health_port}"
    return ServiceSpec(
        name=name,
        argv=[sys.executable, "-m", kind],
        env={**env, "SIGNOFF_HEALTH_ADDRESS": health, "PYTHONUNBUFFERED": "1"},
        layer=LAYERS[kind],
        ready=probe_http(f"http://{health}/readyz"),
        grace_s=STOP_GRACE_S,
    )


def _make_env(kind: str, addresses: Addresses) -> dict[str, str]:
    """Return the environment of one kind of service."""
    common = {"SIGNOFF_KAFKA": addresses.kafka}
    dial = common | {"SIGNOFF_JOBSTORE": addresses.grpc}
    token, worker_token = {"SIGNOFF_TOKEN": addresses.token}, {"SIGNOFF_WORKER_TOKEN": addresses.worker_token}
    if kind == "jobstore":
        database = addresses.postgres.replace("postgresql://", "postgresql+asyncpg://", 1)
        listen = {"SIGNOFF_DATABASE_URL": database, "SIGNOFF_GRPC_ADDRESS": addresses.grpc}
        upstreams = {name: value for name, value in os.environ.items() if name == "SIGNOFF_UPSTREAM_SECRETS"}
        return common | listen | token | worker_token | {"SIGNOFF_ID_KEY": addresses.id_key} | upstreams
    if kind == "console":
        return dial | token | {"SIGNOFF_HTTP_ADDRESS": addresses.http}
    if kind == "executor":
        return dial | worker_token | {"SIGNOFF_AGENT_NETWORKS": AGENT_NETWORKS}
    if addresses.judge is None:
        return dial | worker_token
    judge = {"OPENAI_API_KEY": "local", "OPENAI_BASE_URL": f"{addresses.judge}/v1", "SIGNOFF_JUDGE_MODEL": JUDGE_MODEL}
    return dial | worker_token | judge
