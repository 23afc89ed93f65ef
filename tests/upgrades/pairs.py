"""Two of each service, of any version, each of which is replaced while the others go on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
from faults.checking.reading import Tables
from faults.stack.links import Link
from faults.stack.versions import OLDER, OLDER_STACK, of_version
from faults.stack.world import numbered
from support.free_ports import free_port

from jobstore.storage.locks import Lock
from localstack.backing import infrastructure
from localstack.datadir import DataDir
from localstack.process import ServiceSpec, end, spawn
from localstack.services import Addresses, Fleet, make_secrets, make_service_specs

#: In the order in which they are replaced. Newer workers would ping an older jobstore more often than it allows.
KINDS = ("jobstore", "executor", "validator", "console")
PAIRS = {kind: numbered(kind, 2) for kind in KINDS}
#: What each is of before an upgrade; of the workers one is of the oldest version that today's jobstores go on with.
OLDER_COMMITS = {name: OLDER_STACK for names in PAIRS.values() for name in names} | {
    "executor-2": OLDER,
    "validator-2": OLDER,
}
READY_S = 90.0
#: Told to stop, an older jobstore leaves offers unpublished, and an older validator is not given what names a judge
#: policy: both are offered again after so long, and not ten seconds.
OLDER_OFFER_AGAIN_S = "4"
LOOK_S = 0.2
_LEADING = """
SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = $1
"""


class NoHistoryError(Exception):
    """The repository has no such commit, as where it is a shallow clone."""


@dataclass
class Pairs:
    """What runs, each behind a link whose address stays: workers and clients of an older version know one alone."""

    directory: Path
    addresses: Addresses
    links: dict[str, Link]
    #: By name, what is of another version before it is replaced.
    commits: Mapping[str, str]
    processes: dict[str, tuple[ServiceSpec, asyncio.subprocess.Process]] = field(default_factory=dict)
    #: The sessions that published facts, in turn, by their names, which carry the epoch of today's jobstores.
    leaders: list[str] = field(default_factory=list)

    @property
    def lacks_policies(self) -> bool:
        """Whether some are of before there were judge policies."""
        words = [self.directory / commit / "proto" / "contracts" / "judging" for commit in self.commits.values()]
        return not all(path.exists() for path in words)

    @property
    def tables(self) -> Tables:
        return Tables(self.addresses.postgres)

    def dialled(self, kind: str) -> list[str]:
        return [self.links[name].address for name in PAIRS[kind]]

    async def start(self, name: str, commit: str | None = None) -> None:
        """Start a process of a commit, or of today; once it is ready, its link leads to it."""
        spec, port = self._make(name, commit)
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
        """End a process by SIGTERM, and start one of today."""
        await self.stop(name)
        await self.start(name)

    async def replace(self, name: str) -> None:
        """Start a process of today beside another, and end that once the link leads to the new one."""
        before = self.processes[name]
        await self.start(name)
        await _end(*before)

    async def stop(self, name: str) -> None:
        await _end(*self.processes.pop(name))

    def _make(self, name: str, commit: str | None) -> tuple[ServiceSpec, int]:
        kind, _, number = name.partition("-")
        port = free_port()
        specs = make_service_specs(self.addresses, Fleet(), lambda _: free_port())
        spec = next(spec for spec in specs if spec.name == kind)
        own = {"jobstore": "SIGNOFF_GRPC_ADDRESS", "console": "SIGNOFF_HTTP_ADDRESS"}
        jobstores = self.dialled("jobstore")[:: -1 if number else 1]  # an older one knows of the first alone
        env = {**spec.env, "SIGNOFF_JOBSTORE": ",".join(jobstores)}
        spec = replace(spec, name=name, env=env | ({own[kind]: f"127.0.0.1:{port}"} if kind in own else {}))
        if commit is not None:
            spec = self.of_commit(spec, kind, commit)
        if self.commits:
            spec = replace(spec, env={**spec.env, "SIGNOFF_OFFER_AGAIN_S": OLDER_OFFER_AGAIN_S})
        return spec, port

    def of_commit(self, spec: ServiceSpec, kind: str, commit: str) -> ServiceSpec:
        """Return the same service as it was at a commit. NoHistoryError: there is no such commit."""
        older = of_version("older", spec, kind, self.directory / commit, commit)
        if older is None:
            raise NoHistoryError(f"needs the whole history: git fetch --unshallow ({commit})")
        return older


async def _end(spec: ServiceSpec, process: asyncio.subprocess.Process) -> None:
    await end(process, spec.stop_signal, spec.grace_s)
    assert process.returncode == 0, f"{spec.name} ended with status {process.returncode}"


@asynccontextmanager
async def pairs(directory: Path, judge: str, commits: Mapping[str, str]) -> AsyncIterator[Pairs]:
    """Run two of each service on a database and a broker of their own; `commits` says which are of another version."""
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
        made = Pairs(directory, addresses, links, commits)
        stack.push_async_callback(_end_all, made)
        for commit in set(commits.values()):  # is unpacked before two that need it start at once
            await asyncio.to_thread(made.of_commit, ServiceSpec("none", []), "none", commit)
        for kind in KINDS:
            await asyncio.gather(*(made.start(name, commits.get(name)) for name in PAIRS[kind]))
        looking = asyncio.create_task(made.note_leaders())
        stack.callback(looking.cancel)
        yield made


async def _end_all(running: Pairs) -> None:
    for kind in reversed(KINDS):
        await asyncio.gather(*(running.stop(name) for name in PAIRS[kind] if name in running.processes))
