"""Run the whole system on this machine: PostgreSQL, Kafka, a judge, small agents and the services, supervised."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contracts.grants import USERS
from contracts.topic_prefix import TOPIC_PREFIX
from localstack import agents
from localstack.backing import Infrastructure, infrastructure, make_backing
from localstack.certificates import Authority
from localstack.data_check import check_data
from localstack.datadir import DataDir, write_atomically
from localstack.errors import StackError
from localstack.kafka import ADMIN, Kafka
from localstack.postgres import Postgres
from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, Port, make_secrets, make_service_specs
from localstack.supervisor import READY_TIMEOUT_S, Progress, Supervisor, probe_http

__all__ = ["Fleet", "Infrastructure", "Stack", "StackSettings", "infrastructure", "run_stack"]

OPENAI_KEYS = ("OPENAI_API_KEY", "OPENAI_API_KEY_FILE")
HELPER_LAYER = 2  # judge and agents: above Kafka and PostgreSQL, below the services


def print_message(message: str) -> None:
    """Print a message on standard output."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class StackSettings:
    """The settings of a stack; port 0 means the port of last time, or a free one."""

    data_dir: Path
    endpoints_file: Path | None = None  # None: endpoints.json in the data directory
    kafka_port: int = 0
    kafka_advertised_port: int = 0  # of a proxy before the broker
    kafka_more_ports: Mapping[int, int] | None = None  # of the broker, each with that of a proxy of its own
    postgres_port: int = 0
    grpc_port: int = 0
    http_port: int = 0
    fleet: Fleet = field(default_factory=Fleet)
    secure: bool = False  # TLS and users, where the parts can
    short_lived: bool = False  # for a demonstration or tests: Kafka starts cheaper and stays slower
    local_judge: bool | None = None  # None: exactly when there is no key of OPENAI_KEYS
    ready_timeout_s: float = READY_TIMEOUT_S
    progress: Progress = print_message
    services: Callable[[Addresses, Fleet, Port], Sequence[ServiceSpec]] = make_service_specs


class Stack:
    """One stack; to be started under the data directory's lock."""

    def __init__(self, settings: StackSettings, data_dir: DataDir) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._endpoints_file = settings.endpoints_file or data_dir.path / "endpoints.json"
        self._ready_at: Addresses | None = None
        self._metrics: dict[str, str] = {}
        self._supervisor = Supervisor(
            data_dir.logs,
            changed=self._write_endpoints,
            progress=settings.progress,
            ready_timeout_s=settings.ready_timeout_s,
        )

    async def start(self) -> None:
        """Start everything from the bottom up, and write the endpoints file when all is ready."""
        self._endpoints_file.unlink(missing_ok=True)  # of a stack that was killed
        postgres, kafka = make_backing(
            self._data_dir,
            postgres_port=self._settings.postgres_port,
            kafka_port=self._settings.kafka_port,
            kafka_advertised_port=self._settings.kafka_advertised_port,
            kafka_more_ports=self._settings.kafka_more_ports,
            short_lived=self._settings.short_lived,
            secure=self._settings.secure,
            progress=self._settings.progress,
        )
        helpers = [self._make_helper_spec("agents")]
        if self._has_local_judge():
            helpers.append(self._make_helper_spec("judge"))
        await self._supervisor.start([postgres.make_spec(), kafka.make_spec(), *helpers])
        addresses = self._make_addresses(postgres, kafka)
        services = self._settings.services(addresses, self._settings.fleet, self._data_dir.get_port)
        self._metrics = {
            service.name: f"http://{address}/metrics"
            for service in services
            if (address := service.env.get("SIGNOFF_HEALTH_ADDRESS"))
        }
        first = min((service.layer for service in services), default=0)
        await self._supervisor.start(service for service in services if service.layer == first)
        await self._supervisor.start(service for service in services if service.layer != first)
        self._ready_at = addresses
        self._write_endpoints()

    async def stop(self) -> None:
        """End everything from the top down."""
        self._ready_at = None
        self._endpoints_file.unlink(missing_ok=True)
        await self._supervisor.stop()

    @property
    def processes(self) -> Mapping[str, int]:
        """Each part with the id of its latest process."""
        return self._supervisor.get_pids()

    async def kill(self, name: str, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Kill a part's process, and wait until its successor is ready."""
        await self._supervisor.kill(name, signal_number)

    def _has_local_judge(self) -> bool:
        local_judge = self._settings.local_judge
        return local_judge if local_judge is not None else not any(map(os.environ.get, OPENAI_KEYS))

    def _make_helper_spec(self, name: str) -> ServiceSpec:
        port = self._data_dir.get_port(name)
        return ServiceSpec(
            name=name,
            argv=[sys.executable, "-m", f"localstack.{name}", str(port)],
            layer=HELPER_LAYER,
            ready=probe_http(f"http://127.0.0.1:{port}/readyz"),
        )

    def _make_addresses(self, postgres: Postgres, kafka: Kafka) -> Addresses:
        port = self._data_dir.get_port
        agents_url = f"http://127.0.0.1:{port('agents')}"
        return Addresses(
            kafka=kafka.bootstrap,
            grpc=",".join(f"127.0.0.1:{each}" for each in self._get_grpc_ports()),
            http=f"127.0.0.1:{port('http', self._settings.http_port)}",
            postgres=postgres.url,
            agents={name: f"{agents_url}/{name}" for name in agents.NAMES},
            judge=f"http://127.0.0.1:{port('judge')}" if self._has_local_judge() else None,
            secrets=make_secrets(self._data_dir),
            database=postgres.jobstore_url,
            migrating=postgres.migrate_url,
            kafka_users={name: kafka.reach_as(name) for name in (ADMIN, *USERS)} if self._settings.secure else {},
            tls=self._make_certificate() if self._settings.secure else None,
        )

    def _get_grpc_ports(self) -> list[int]:
        first = self._data_dir.get_port("grpc", self._settings.grpc_port)
        return [
            first,
            *(self._data_dir.get_port(f"grpc-{nth}") for nth in range(2, self._settings.fleet.jobstores + 1)),
        ]

    def _make_certificate(self) -> tuple[Path, Path, Path]:
        authority = Authority(self._data_dir.path / "certificates")
        return authority.ca, *authority.issue("jobstore")

    def _write_endpoints(self) -> None:
        if self._ready_at is None:
            return
        endpoints = {
            "http": f"http://{self._ready_at.http}",
            "grpc": self._ready_at.grpc,
            "jobstore_ca": None if self._ready_at.tls is None else str(self._ready_at.tls[0]),
            "kafka": self._ready_at.kafka,
            "kafka_settings": self._ready_at.reach_as("operator").to_settings(),
            "topic_prefix": TOPIC_PREFIX,
            "postgres": self._ready_at.postgres,
            "token": self._ready_at.token,
            "secrets": self._ready_at.secrets["SIGNOFF_SECRETS"],
            "agents": dict(self._ready_at.agents),
            "judge": self._ready_at.judge,
            "metrics": self._metrics,
            "data_dir": str(self._data_dir.path),
            "processes": dict(self.processes),
        }
        self._endpoints_file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._endpoints_file, json.dumps(endpoints, indent=2))


async def run_stack(settings: StackSettings) -> int:
    """Run a stack until SIGINT or SIGTERM; the exit status is 0 when it was ready and ended cleanly."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    data_dir = DataDir(settings.data_dir)
    try:
        check_data(data_dir.path)
        with data_dir.lock():
            return await _run_until(stop, Stack(settings, data_dir), settings.progress)
    except StackError as error:
        settings.progress(f"error: {error}")
        return 1


async def _run_until(stop: asyncio.Event, stack: Stack, progress: Progress) -> int:
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            await stopping
        progress("stopping")
        return 0
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.wait({starting, stopping})
        await stack.stop()
