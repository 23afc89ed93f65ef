"""Two of each service, each of which is replaced while the others go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
from faults.checking.reading import Tables
from faults.stack.links import Link
from faults.stack.world import numbered
from support.free_ports import free_port

from jobstore.engine.locks import Lock
from localstack.backing import infrastructure
from localstack.datadir import DataDir
from localstack.process import ServiceSpec, end, spawn
from localstack.services import Addresses, Fleet, make_secrets, make_service_specs
from upgrades.versions import make_next_jobstore, of_earlier, of_next, unpack_earlier

#: In the order in which they are replaced.
KINDS = ("jobstore", "executor", "validator", "console")
PAIRS = {kind: numbered(kind, 2) for kind in KINDS}
READY_S = 90.0
LOOK_S = 0.2
_LEADING = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = $1
"""


@dataclass
class Pairs:
    """What runs, each behind a link whose address stays."""

    directory: Path
    addresses: Addresses
    links: dict[str, Link]
    #: Whether they are of the release before until each is replaced, and their jobstores have a migration more then.
    upgrades: bool
    processes: dict[str, tuple[ServiceSpec, asyncio.subprocess.Process]] = field(default_factory=dict)
    #: The sessions that published facts, in turn, by their names, which carry the epoch of today's jobstores.
    leaders: list[str] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)

    @property
    def tables(self) -> Tables:
        return Tables(self.addresses.postgres)

    def dialled(self, kind: str) -> list[str]:
        return [self.links[name].address for name in PAIRS[kind]]

    async def start(self, name: str) -> None:
        """Start a process; once it is ready, its link leads to it."""
        spec, port = self._make(name, is_first=name not in self.begun)
        self.begun.add(name)
        process = await spawn(spec, self.directory / f"{name}.log")
        self.processes[name] = spec, process
        async with asyncio.timeout(READY_S):
            while not await spec.ready():
                assert process.returncode is None, (self.directory / f"{name}.log").read_text()[-2_000:]
                await asyncio.sleep(0.05)
        if name in self.links:
            self.links[name].upstream_port = port

    async def note_leaders(self) -> None:
        """Note, for ever, the sessions that publish facts."""
        database = await asyncpg.connect(self.addresses.postgres)
        try:
            while True:
                names = [name for (name,) in await database.fetch(_LEADING, Lock.RELAY)]
                self.leaders += [name for name in names if self.leaders[-1:] != [name]]
                await asyncio.sleep(LOOK_S)
        finally:
            await database.close()

    async def restart(self, name: str) -> None:
        """End a process by SIGTERM, and start another."""
        await self.stop(name)
        await self.start(name)

    async def replace(self, name: str) -> None:
        """Start a process beside another, and end that once the link leads to the new one."""
        before = self.processes[name]
        await self.start(name)
        await _end(*before)

    async def stop(self, name: str) -> None:
        await _end(*self.processes.pop(name))

    def _make(self, name: str, *, is_first: bool) -> tuple[ServiceSpec, int]:
        kind = name.partition("-")[0]
        port = free_port()
        specs = make_service_specs(self.addresses, Fleet(), lambda _: free_port())
        spec = next(spec for spec in specs if spec.name == kind)
        own = {"jobstore": "SIGNOFF_GRPC_ADDRESS", "console": "SIGNOFF_HTTP_ADDRESS"}
        env = {**spec.env, "SIGNOFF_JOBSTORE": ",".join(self.dialled("jobstore"))}
        spec = replace(spec, name=name, env=env | ({own[kind]: f"127.0.0.1:{port}"} if kind in own else {}))
        if self.upgrades:
            if is_first:  # a console of 0.2.0 needs the administrator's token
                spec = replace(spec, env={"SIGNOFF_TOKEN": self.addresses.token, **spec.env})
            spec = of_earlier(spec, self.directory / "earlier") if is_first else of_next(spec, self.directory / "next")
        return spec, port


async def _end(spec: ServiceSpec, process: asyncio.subprocess.Process) -> None:
    await end(process, spec.stop_signal, spec.grace_s)
    assert process.returncode == 0, f"{spec.name} ended with status {process.returncode}"


@asynccontextmanager
async def pairs(directory: Path, judge: str, *, upgrades: bool) -> AsyncIterator[Pairs]:
    """Run two of each service on a database and a broker of their own; without a commit nothing is upgraded."""
    if upgrades := upgrades and unpack_earlier(directory / "earlier"):
        make_next_jobstore(directory / "next")
    async with AsyncExitStack() as stack:
        backing = await asyncio.to_thread(stack.enter_context, infrastructure())
        links = {name: Link(name) for kind in ("jobstore", "console") for name in PAIRS[kind]}
        for link in links.values():
            await link.start()
            stack.push_async_callback(link.stop)
        data_dir = DataDir(directory)
        stack.enter_context(data_dir.lock())
        grpc, http = links["jobstore"].address, links["console"].address
        addresses = Addresses(backing.kafka, grpc, http, backing.postgres, {}, judge, make_secrets(data_dir))
        made = Pairs(directory, addresses, links, upgrades)
        stack.push_async_callback(_end_all, made)
        for kind in KINDS:
            await asyncio.gather(*(made.start(name) for name in PAIRS[kind]))
        looking = asyncio.create_task(made.note_leaders())
        stack.callback(looking.cancel)
        yield made


async def _end_all(running: Pairs) -> None:
    for kind in reversed(KINDS):
        await asyncio.gather(*(running.stop(name) for name in PAIRS[kind] if name in running.processes))
