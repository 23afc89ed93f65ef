"""The real stack, with a link before each part of it, and strangers of our own."""

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from support.free_ports import free_port

from faults.checking.canaries import HOSTILE, KEY
from faults.checking.observed import FUNCTION, Death, Fault, Stop, Terms
from faults.stack import function, upstreams
from faults.stack.disk import Disk
from faults.stack.links import Link
from faults.stack.newer import of_newer
from faults.stack.strangers import KEY_VARIABLE, Agents, Judge, serve
from jobstore.config import AGE_MIN_S
from localstack.datadir import DataDir
from localstack.process import ServiceSpec, end, make_plain_env, spawn
from localstack.services import Addresses, Fleet, Port, make_service_specs
from localstack.stack import Stack, StackSettings
from localstack.supervisor import probe_http

WORKERS = ("executor", "executor-2", "validator", "validator-2")
CONSOLES = ("console", "console-2")
#: The link between a jobstore and the broker, which leads through the one that all share.
KAFKA_OF = "kafka-of-jobstore"
EXTRA_READY_S = 30.0
SAMPLE_S = 0.5
ARCHIVE_EVERY_S = 2.0
STARVED_S = 1.5
TESTS = Path(__file__).parents[2]
OWN_ENV = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


def numbered(name: str, count: int) -> list[str]:
    """The names of so many of a kind, as `signoff up` names its workers."""
    return [name, *(f"{name}-{number}" for number in range(2, count + 1))]


def service_names(jobstores: int) -> list[str]:
    return [*numbered("jobstore", jobstores), *WORKERS, *CONSOLES]


def _make_function(agents_port: int, port: int, directory: Path, layer: int) -> ServiceSpec:
    """Return the agent that is a function, which asks the other agents' server what it is to do."""
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {
        function.STORE: str(directory / "function.sqlite3"),
        function.SCRIPT: f"http://127.0.0.1:{agents_port}",
        function.PORT: str(port),
    }
    env = {**make_plain_env(), "PYTHONPATH": path, **own}
    argv = [sys.executable, "-m", function.__name__]
    return ServiceSpec(FUNCTION, argv, env, layer, ready=probe_http(f"http://127.0.0.1:{port}/"))


def link_names(jobstores: int) -> list[str]:
    """Of each jobstore there is one before it, and one to the database and to the broker each; all share the others."""
    of_each = (*numbered("grpc", jobstores), *numbered("postgres", jobstores), *numbered(KAFKA_OF, jobstores))
    return [*of_each, "kafka", "agent", "judge"]


@dataclass(slots=True)
class World:
    """What runs, and the means to disturb it."""

    directory: Path
    terms: Terms
    links: dict[str, Link]
    agents: Agents
    judge: Judge
    stack: Stack
    addresses: Addresses
    specs: dict[str, ServiceSpec]
    deaths: list[Death]
    #: Where facts are archived; None: nowhere.
    archive: Path | None
    #: Where the agent that is a function is called.
    function_url: str
    #: The database's own disk; None: it has none, or this machine does not let us mount one.
    disk: Disk | None = None
    executors: dict[int, str] = field(default_factory=dict)
    rss: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: The jobstores in the order in which each began to publish facts.
    leaders: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    #: When this very process, through which all connections lead, had no turn; when the database was late by itself.
    starved: list[Fault] = field(default_factory=list)
    extras: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _callers: dict[tuple[int, int], int | None] = field(default_factory=dict)

    @property
    def pids(self) -> dict[str, int]:
        running = {name: process.pid for name, process in self.extras.items() if process.returncode is None}
        return {**self.stack.processes, **running}

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def rebalances(self) -> Counter[str]:
        """How often the broker assigned a group's partitions anew, by its own log."""
        logs = [path.read_text() for path in self.directory.glob("logs/kafka.log*")]
        return Counter(group for log in logs for group in re.findall(r"Preparing to rebalance group (\S+)", log))

    def caller(self, port: int) -> int | None:
        """The executor behind the connection that an agent sees at a port; None when it is gone already."""
        client_port = self.links["agent"].client_port_of(port)
        if client_port is None:
            return None
        if self._callers.get((port, client_port)) is None and (socket := _socket_of(client_port)) is not None:
            self._callers[port, client_port] = next((pid for pid in self.executors if _holds(pid, socket)), None)
        return self._callers.get((port, client_port))

    async def sample(self) -> None:
        """Note, for ever, who is an executor, how much memory each process holds, and whether this one stood still."""
        while True:
            began_at = time.time()
            for name, pid in self.pids.items():
                if name.startswith("executor"):
                    self.executors[pid] = name
                try:
                    self.rss[name] = max(self.rss[name], psutil.Process(pid).memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            await asyncio.sleep(SAMPLE_S)
            self.note_late("machine", began_at + SAMPLE_S)

    def note_late(self, what: str, due_at: float) -> None:
        """Note that something which takes no time of its own came late."""
        if time.time() - due_at > STARVED_S:
            self.starved.append(Fault("starved", what, due_at, time.time()))

    def note_leader(self, port: int) -> None:
        """Note which jobstore publishes facts, by the port from which the database sees it come."""
        count = sum(name.startswith("jobstore") for name in self.specs)
        for name, link in zip(numbered("jobstore", count), numbered("postgres", count), strict=True):
            if self.links[link].client_port_of(port) is not None and self.leaders[-1:] != [name]:
                self.leaders.append(name)

    @property
    def console_addresses(self) -> list[str]:
        return [self.specs[name].env["SIGNOFF_HTTP_ADDRESS"] for name in CONSOLES]

    @property
    def metrics(self) -> dict[str, str]:
        """By process, where its metrics are."""
        health = {name: spec.env.get("SIGNOFF_HEALTH_ADDRESS") for name, spec in self.specs.items()}
        return {name: f"http://{address}/metrics" for name, address in health.items() if address}

    @property
    def jobstore_addresses(self) -> str:
        """All of them, as a client is given them."""
        return ",".join(link.address for name, link in self.links.items() if name.startswith("grpc"))

    async def told_to_stop(self, name: str, pid: int, told_at: float) -> Stop:
        """Wait until a process is gone that was told to stop; it is reaped by whoever started it."""
        within_s = self.terms.grace_s + self.terms.ending_s
        while time.time() - told_at < within_s and psutil.pid_exists(pid):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
        took_s = None if psutil.pid_exists(pid) else time.time() - told_at
        await asyncio.sleep(0.1)  # the supervisor says how it ended
        stop = Stop(name, pid, told_at, took_s, self._status(name))
        self.stops.append(stop)
        return stop

    def _status(self, name: str) -> int | None:
        if name in self.extras:
            return self.extras[name].returncode
        return next((death.status for death in reversed(self.deaths) if death.name == name), None)

    async def start_extra(self, kind: str, version: str) -> str:
        """One more worker, which nobody starts again; ready, unless that takes too long."""
        name, today = f"{kind}-{version}", self.specs[kind]
        made = of_newer(today, kind) if version == "newer" else today
        spec = _at_health_port(replace(made, name=name), free_port())
        self.extras[name] = await spawn(spec, self.log(name))
        with suppress(TimeoutError):
            async with asyncio.timeout(EXTRA_READY_S):
                while not await spec.ready():  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.1)
        return name

    async def stop_extra(self, name: str) -> None:
        process = self.extras[name]
        told_at = time.time()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await self.told_to_stop(name, process.pid, told_at)
            await end(process, signal.SIGKILL, 5)
        else:  # it has ended by itself
            self.deaths.append(Death(name, told_at, process.returncode))
        del self.extras[name]


@asynccontextmanager
async def world(
    directory: Path,
    seed: int,
    terms: Terms,
    jobstores: int,
    *,
    on_small_disk: bool = False,
    secure: bool = False,
    archives: bool = False,
) -> AsyncIterator[World]:
    """Start everything; the links are open. `archives`: facts are archived, and checkpoints written."""
    async with AsyncExitStack() as stack:
        links = {name: Link(name) for name in link_names(jobstores)}
        for link in links.values():
            await link.start()
            stack.push_async_callback(link.stop)
        agents = Agents(seed, lambda port: made.caller(port))  # noqa: PLW0108 - made below
        judge = Judge(seed, hear=lambda text: agents.hostile.hear("judge", text))
        for name, app in (("agent", agents.app()), ("judge", judge.app())):
            runner, links[name].upstream_port = await serve(app)
            stack.push_async_callback(runner.cleanup)
        disk = Disk.mount(directory / "postgres") if on_small_disk else None
        if disk is not None:
            stack.callback(disk.unmount)
        archive = directory / "archive" if archives else None
        made = await _started(stack, directory, terms, links, agents, judge, secure=secure, archive=archive)
        made.disk = disk
        yield made


async def _started(
    stack: AsyncExitStack,
    directory: Path,
    terms: Terms,
    links: dict[str, Link],
    agents: Agents,
    judge: Judge,
    *,
    secure: bool,
    archive: Path | None,
) -> World:
    data_dir = DataDir(directory)
    stack.enter_context(data_dir.lock())
    function_port = data_dir.get_port(FUNCTION)
    links["kafka"].upstream_port = data_dir.get_port("kafka")  # by which the broker's ACLs are made, before all else
    door = await links["agent"].open_door(function_port)
    seen: dict[str, Addresses] = {}
    specs: dict[str, ServiceSpec] = {}
    deaths: list[Death] = []

    def services(addresses: Addresses, fleet: Fleet, port: Port) -> Sequence[ServiceSpec]:
        seen["addresses"] = addresses
        made = _behind_links(addresses, fleet, port, links)
        top = max(spec.layer for spec in made)
        made.append(_make_function(links["agent"].upstream_port, function_port, directory, top))
        specs.update({spec.name: spec for spec in made})
        return made

    settings = StackSettings(
        directory,
        fleet=Fleet(executors=2, validators=2, env=_env(terms, links, archive)),
        kafka_advertised_port=links["kafka"].port,
        kafka_more_ports=await _lead_to_broker(links, data_dir.get_port),
        short_lived=True,
        secure=secure,
        local_judge=False,
        progress=lambda words: deaths.extend(_death(words)),
        ready_timeout_s=240,
        services=services,
    )
    running = Stack(settings, data_dir)
    stack.push_async_callback(running.stop)
    await running.start()
    function_url = f"http://127.0.0.1:{door}/"
    return World(
        directory, terms, links, agents, judge, running, seen["addresses"], specs, deaths, archive, function_url
    )


async def _lead_to_broker(links: dict[str, Link], port: Port) -> dict[int, int]:
    """The broker's ports for single jobstores, each with that of the link to it, which the broker tells who comes."""
    ports = {port(name): link for name, link in links.items() if name.startswith(KAFKA_OF)}
    for broker, link in ports.items():
        link.upstream_port = await links["kafka"].open_door(broker)
    return {broker: link.port for broker, link in ports.items()}


def _death(words: str) -> list[Death]:
    """What the supervisor tells of a death; nothing where it tells of something else."""
    found = re.match(r"(\S+) (ended with status|was ended by signal) (\d+)", words)
    return [Death(found[1], time.time(), int(found[3]) * (1 if "status" in found[2] else -1))] if found else []


def _behind_links(addresses: Addresses, fleet: Fleet, port: Port, links: dict[str, Link]) -> list[ServiceSpec]:
    """The services, which reach all jobstores, the database and the broker through links alone."""
    jobstore, *others = make_service_specs(replace(addresses, kafka=links["kafka"].address), fleet, port)
    before = [name for name in links if name.startswith("grpc")]
    jobstores = [_jobstore(jobstore, name.removeprefix("grpc"), addresses, port, links) for name in before]
    dialled = ",".join(links[name].address for name in before)
    services = [_with_env(spec, SIGNOFF_JOBSTORE=dialled) for spec in others]
    console = next(spec for spec in services if spec.name == CONSOLES[0])
    another = replace(_with_env(console, SIGNOFF_HTTP_ADDRESS=f"127.0.0.1:{port('http-2')}"), name=CONSOLES[1])
    return [*jobstores, *services, _at_health_port(another, port(f"{another.name}-health"))]


def _jobstore(spec: ServiceSpec, nth: str, addresses: Addresses, port: Port, links: dict[str, Link]) -> ServiceSpec:
    """One of several, between links of its own."""
    name, grpc, postgres = f"{spec.name}{nth}", links[f"grpc{nth}"], links[f"postgres{nth}"]
    grpc.upstream_port, postgres.upstream_port = port(f"grpc{nth}"), urlsplit(addresses.postgres).port or 5432
    database = spec.env["SIGNOFF_DATABASE_URL"].replace(f":{postgres.upstream_port}/", f":{postgres.port}/")
    own = {
        "SIGNOFF_DATABASE_URL": database,
        "SIGNOFF_GRPC_ADDRESS": f"127.0.0.1:{grpc.upstream_port}",
        "SIGNOFF_KAFKA": links[f"{KAFKA_OF}{nth}"].address,
    }
    return _at_health_port(replace(_with_env(spec, **own), name=name), port(f"{name}-health"))


def _with_env(spec: ServiceSpec, **env: str) -> ServiceSpec:
    return replace(spec, env={**spec.env, **env})


def _at_health_port(spec: ServiceSpec, port: int) -> ServiceSpec:
    health = f"127.0.0.1:{port}"
    return replace(_with_env(spec, SIGNOFF_HEALTH_ADDRESS=health), ready=probe_http(f"http://{health}/readyz"))


def _env(terms: Terms, links: dict[str, Link], archive: Path | None) -> dict[str, dict[str, str]]:
    every = {"SIGNOFF_GRACE_S": f"{terms.grace_s}", **{name: "of the tests" for name in OWN_ENV if name in os.environ}}
    work = every | {"SIGNOFF_CAPACITY": str(terms.capacity)}
    backoff = {"SIGNOFF_BACKOFF_FIRST_S": "0.2", "SIGNOFF_BACKOFF_MAX_S": "2"}
    judge = {"OPENAI_API_KEY": "of the tests", "OPENAI_BASE_URL": f"http://{links['judge'].address}/v1"}
    archiving = {
        "SIGNOFF_ARCHIVE": str(archive),
        "SIGNOFF_ARCHIVE_EVERY_S": f"{ARCHIVE_EVERY_S:g}",
        "SIGNOFF_CHECKPOINT_EVERY_S": f"{AGE_MIN_S:g}",
    }
    return {
        "jobstore": every
        | ({} if archive is None else archiving)
        | {upstreams.VARIABLE: upstreams.TEXT, "SIGNOFF_LEASE_S": f"{terms.lease_s}", "SIGNOFF_OFFER_AGAIN_S": "3"}
        | backoff,
        "executor": work | {KEY_VARIABLE: KEY, f"SIGNOFF_AGENT_{HOSTILE.upper()}__KEY": "a key of its own"},
        "validator": work | judge | {"SIGNOFF_JUDGE_TIMEOUT_S": "3"},
        "console": every,
    }


def _socket_of(port: int) -> str | None:
    """The socket of the connection that comes from a port. Read once a connection: the kernel takes its time for it."""
    with suppress(OSError):
        connections = Path("/proc/net/tcp").read_text()
        found = re.search(rf"^ *\d+: \S+:{port:04X} (?:\S+ +){{7}}(\d+)", connections, re.MULTILINE)
        return f"socket:[{found[1]}]" if found else None
    return None


def _holds(pid: int, socket: str) -> bool:
    with suppress(OSError):
        return any(str(held.readlink()) == socket for held in Path(f"/proc/{pid}/fd").iterdir())
    return False
