"""The whole system with two jobstores in a hurry, and how one of them is killed or frozen in the midst of its work."""

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

import asyncpg
import psutil
from aiohttp import web
from support.stacks import running_stack
from support.system import served

from jobstore.engine.database import EPOCH_S
from jobstore.engine.locks import Lock
from keeping.hasty import of_hasty
from keeping.jobs import Steady, echo
from localstack.process import ServiceSpec
from localstack.services import Addresses, Fleet, Port, make_service_specs
from localstack.stack import Stack
from signoff import AsyncClient

JOBSTORES: Final = ("jobstore", "jobstore-2")
#: What is under way where a fault strikes; each lock is held for as long as that takes.
WORK: Final = (Lock.ARCHIVE, Lock.CHECKPOINT, Lock.CUTTING, Lock.RETENTION)
STRIKES: Final = tuple(product(WORK, ("killed", "frozen")))
#: How often each of them must have struck where there were enough in all.
STRUCK_MIN: Final = 2
#: For how long that may not be under way, in seconds, until a fault strikes all the same.
NONE_S: Final = 15.0
#: A fault strikes so many seconds after that was seen to begin: a transaction takes some milliseconds, a part more.
LATE_S: Final = (0.0, 0.002, 0.01, 0.03, 0.1)
FROZEN_S: Final = EPOCH_S + 3.0
#: Seconds until a process is ready at the latest, on a machine that others load.
READY_S: Final = 240.0

_HOLDERS: Final = """
SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objid = $1
"""


@dataclass
class System:
    """What runs, and what was done to it."""

    folder: Path
    archive: Path
    addresses: Addresses
    specs: dict[str, ServiceSpec]
    stack: Stack
    steady: Steady
    struck: Counter[str] = field(default_factory=Counter)

    async def strike(self, lock: Lock, how: str, chosen: random.Random) -> None:
        """Kill or freeze the jobstore that is at work of a kind, at an instant of it; wait until both are ready."""
        name = await self._find_holder(lock)
        at_work = lock.name if name else "another time"
        name = name or chosen.choice(JOBSTORES)
        await asyncio.sleep(chosen.choice(LATE_S))
        if how == "killed":
            await self.stack.kill(name)
        else:
            pid = self.stack.processes[name]
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(FROZEN_S)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.struck[f"{how} at {at_work}"] += 1
        await self.until_ready()

    def list_unstruck(self, times: int) -> list[str]:
        """Return, as sentences, what was struck too seldom of so many times in all."""
        names = [f"{how} at {lock.name}" for lock, how in STRIKES]
        least = min(STRUCK_MIN, times // (2 * len(names)))
        return [f"{name}: {self.struck[name]} times, not {least}" for name in names if self.struck[name] < least]

    async def until_ready(self) -> None:
        """Wait until all jobstores are ready."""
        async with asyncio.timeout(READY_S):
            while not all([await self.specs[name].ready() for name in JOBSTORES]):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)

    async def _find_holder(self, lock: Lock) -> str | None:
        """Return the jobstore that holds a lock as soon as one does; None: none does for a while."""
        connection = await asyncpg.connect(self.addresses.postgres)
        try:
            until = time.monotonic() + NONE_S
            while time.monotonic() < until:
                for (port,) in await connection.fetch(_HOLDERS, lock):
                    if (name := self._find_caller(port)) is not None:
                        return name
                await asyncio.sleep(0.002)
            return None
        finally:
            await connection.close()

    def _find_caller(self, port: int) -> str | None:
        for name in JOBSTORES:
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                connections = psutil.Process(self.stack.processes[name]).net_connections("tcp")
                if any(each.laddr and each.laddr.port == port for each in connections):
                    return name
        return None

    async def signoff(self, *arguments: str) -> str | None:
        """Run a command of recovery; return None if it succeeds, else what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            env={
                **os.environ,
                **self.addresses.reach_as("operator").to_environment(),
                "SIGNOFF_SECRETS": self.addresses.secrets["SIGNOFF_SECRETS"],
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return None if process.returncode == 0 else f"{' '.join(arguments[:2])}: {said.decode()[-2_000:]}"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[System]:
    """Run the whole system."""
    specs: dict[str, ServiceSpec] = {}
    archive = folder / "archive"

    def make_services(addresses: Addresses, fleet: Fleet, port: Port) -> Sequence[ServiceSpec]:
        made = make_service_specs(addresses, fleet, port)
        made = [of_hasty(spec, archive) if spec.name in JOBSTORES else spec for spec in made]
        specs.update({spec.name: spec for spec in made})
        return made

    app = web.Application()
    app.router.add_post("/", echo)
    options = {"fleet": Fleet(jobstores=len(JOBSTORES)), "short_lived": True, "progress": lambda _: None}
    async with (
        running_stack(folder, make_services, ready_timeout_s=READY_S, **options) as (stack, addresses),
        served(app) as url,
        AsyncClient(addresses.grpc, addresses.token) as client,
    ):
        steady = Steady(client)
        await steady.prepare(url)
        yield System(folder, archive, addresses, specs, stack, steady)
