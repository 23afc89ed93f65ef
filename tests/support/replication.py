"""Two servers of PostgreSQL with streaming replication: one is lost, as with its machine, and the other takes over."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil

from localstack.postgres import Postgres
from localstack.process import end, find_unprivileged_account, make_reachable, run, spawn
from support.free_ports import free_port

READY_S = 60.0
PASSWORDS = dict.fromkeys(("jobstore_password", "migrate_password"), "of-the-tests")


class Server:
    """A server whose processes can be killed all at once, and are not started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.made = Postgres(folder, self.port, "of-the-tests", **PASSWORDS)
        self.url = self.made.url
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        spec = self.made.make_spec()
        await spec.prepare()
        self._process = await spawn(spec, self.folder.with_suffix(".log"))
        async with asyncio.timeout(READY_S):
            while not await spec.ready():
                assert self._process.returncode is None, self.folder.with_suffix(".log").read_text()[-2000:]
                await asyncio.sleep(0.05)

    def _list_processes(self) -> list[psutil.Process]:
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        return [*server.children(recursive=True), server]

    def signal(self, number: signal.Signals) -> None:
        """To all its processes at once."""
        for process in self._list_processes():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    async def kill(self) -> None:
        """As when its machine loses power: nothing is said to anybody, and nothing sent that was not."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGCONT)
            await end(self._process, signal.SIGINT, 20.0)

    async def execute(self, *statements: str) -> None:
        server = await asyncpg.connect(self.url)
        for statement in statements:
            await server.execute(statement)
        await server.close()

    async def copy_to(self, folder: Path) -> "Server":
        """Another server, which follows this one."""
        standby = Server(folder)
        account = find_unprivileged_account()
        os.mkdir(folder)  # noqa: PTH102 - at once
        if account is not None:
            os.chown(folder, *account)
            make_reachable(folder / "data")
        options = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast")
        command = (str(self.made.binaries / "pg_basebackup"), "-D", str(folder / "data"), "-d", self.url)
        await run(*command, *options, account=account)
        await standby.start()
        return standby


class Pair:
    """A primary and its standby."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary = primary
        self.standby = standby

    def name(self, url: str) -> str:
        """The URL of both, from one of the primary."""
        at = urlsplit(url)
        hosts = f"127.0.0.1:{self.primary.port},127.0.0.1:{self.standby.port}"
        return at._replace(netloc=f"{at.netloc.rpartition('@')[0]}@{hosts}").geturl()

    async def replicate_synchronously(self) -> None:
        """From now on commits are acknowledged once the standby has them, too."""
        await self.primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        await self.until("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    async def until(self, query: str) -> None:
        """Until the primary answers a query with a row."""
        server = await asyncpg.connect(self.primary.url)
        async with asyncio.timeout(READY_S):
            while await server.fetchval(query) is None:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.02)
        await server.close()

    async def fail_over(self) -> None:
        """Lose the primary, and let the standby take its place."""
        await self.primary.kill()
        await self.standby.execute("SELECT pg_promote()")


@asynccontextmanager
async def replicated() -> AsyncIterator[Pair]:
    """Two servers, the second of which follows the first, in a folder of their own, which others do not close."""
    with tempfile.TemporaryDirectory(prefix="signoff-") as folder:
        async with _run_pair(Path(folder)) as pair:
            yield pair


@asynccontextmanager
async def _run_pair(folder: Path) -> AsyncIterator[Pair]:
    primary = Server(folder / "one")
    standby = None
    try:
        await primary.start()
        standby = await primary.copy_to(folder / "two")
        pair = Pair(primary, standby)
        await pair.until("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
        yield pair
    finally:
        for server in filter(None, (primary, standby)):
            await server.stop()
