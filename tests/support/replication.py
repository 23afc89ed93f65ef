"""Two servers of PostgreSQL with streaming replication: one is lost, as with its machine, and the other takes over."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
from faults.stack.links import Link

from localstack.postgres import Postgres
from localstack.process import find_unprivileged_account, make_reachable, run, spawn
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

    def kill(self) -> None:
        """All its processes at once, as when its machine loses power: nothing more is said to anybody."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        for process in (*server.children(recursive=True), server):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    async def stop(self) -> None:
        """At once: nothing of it is wanted any more."""
        if self._process is not None and self._process.returncode is None:
            self.kill()
            await self._process.wait()

    async def execute(self, *statements: str) -> None:
        server = await asyncpg.connect(self.url)
        for statement in statements:
            await server.execute(statement)
        await server.close()

    async def copy_to(self, folder: Path, port: int) -> "Server":
        """Another server, which follows this one by a link at a port."""
        standby = Server(folder)
        account = find_unprivileged_account()
        os.mkdir(folder)  # noqa: PTH102 - at once
        if account is not None:
            os.chown(folder, *account)
            make_reachable(folder / "data")
        options = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast")
        command = (str(self.made.binaries / "pg_basebackup"), "-D", str(folder / "data"), "-d")
        followed = self.url.replace(f":{self.port}/", f":{port}/")
        await run(*command, followed, *options, account=account)
        await standby.start()
        return standby


class Pair:
    """A primary, its standby, and the link by which the second follows the first."""

    def __init__(self, primary: Server, standby: Server, link: Link) -> None:
        self.primary = primary
        self.standby = standby
        self.link = link

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

    def lose(self) -> None:
        """Lose the primary, and all that was on its way to the standby."""
        self.primary.kill()
        self.link.set("cut")

    async def promote(self) -> None:
        """Let the standby take over."""
        await self.standby.execute("SELECT pg_promote()")


@asynccontextmanager
async def replicated() -> AsyncIterator[Pair]:
    """Two servers, the second of which follows the first, in a folder of their own, which others do not close."""
    with tempfile.TemporaryDirectory(prefix="signoff-") as folder:
        async with _run_pair(Path(folder)) as pair:
            yield pair


@asynccontextmanager
async def _run_pair(folder: Path) -> AsyncIterator[Pair]:
    primary, link = Server(folder / "one"), Link("replication")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(primary.stop)
        await primary.start()
        link.upstream_port = primary.port
        await link.start()
        stack.push_async_callback(link.stop)
        standby = await primary.copy_to(folder / "two", link.port)
        stack.push_async_callback(standby.stop)
        pair = Pair(primary, standby, link)
        await pair.until("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")
        yield pair
