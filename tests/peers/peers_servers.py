"""Judges' servers of others: each is installed in a folder of its own, when a test first wants it."""

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from aiohttp import ClientError, ClientSession
from support.free_ports import free_port

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
AIMOCK = HERE / "aimock"
#: Processor time aside, no server takes longer to begin.
START_S = 60.0


@asynccontextmanager
async def process(*command: str | Path, cwd: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server that ends with its test."""
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.DEVNULL}
    started = await asyncio.create_subprocess_exec(*command, **pipes, cwd=cwd)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.terminate()
        await started.communicate()


async def until_it_answers(url: str) -> None:
    async with asyncio.timeout(START_S), ClientSession() as http:
        while True:
            try:
                async with http.get(url) as answer:
                    await answer.read()
                    return
            except ClientError:
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Model:
    """A model's server at its base URL."""

    url: str
    process: psutil.Process

    @property
    def worked_s(self) -> float:
        """The processor time that it took until now: what it would take alone, however busy the machine is."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


class Mock:
    """A mock at its URL, and ways of telling it what to do."""

    def __init__(self, url: str, http: ClientSession) -> None:
        self.url = url
        self._http = http

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self.url}{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: Any = None) -> None:
        async with self._http.post(f"{self.url}{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()


def install_package(folder: Path) -> None:
    """Install a package of npm where it is not, as its lock says."""
    with (Path(sys.prefix) / f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `npm ci` first removes what a test beside this one runs already
        if not (folder / "node_modules" / ".package-lock.json").exists():
            environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
            subprocess.run([BIN / "npm", "--prefix", folder, "ci", "--silent"], check=True, env=environment)


@asynccontextmanager
async def aimock(folder: Path, fixtures: Sequence[dict[str, Any]], *options: str) -> AsyncIterator[str]:
    """Aimock with these answers, at its URL."""
    install_package(AIMOCK)
    told = folder / "fixtures.json"
    told.write_text(json.dumps({"fixtures": fixtures}))
    port = free_port()
    program = AIMOCK / "node_modules/@copilotkit/aimock/dist/cli.js"
    where = ["--host", "127.0.0.1", "--port", str(port), "--fixtures", str(told)]
    async with process(BIN / "node", program, *where, "--log-level", "silent", *options):
        await until_it_answers(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
