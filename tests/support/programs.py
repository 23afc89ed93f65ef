"""Programs of others that tests start: each ends with its test."""

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientError, ClientSession

BIN = Path(sys.executable).parent
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


def install_package(folder: Path) -> None:
    """Install a package of npm where it is not, as its lock says."""
    with (Path(sys.prefix) / f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `npm ci` first removes what a test beside this one runs already
        if not (folder / "node_modules" / ".package-lock.json").exists():
            environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
            subprocess.run([BIN / "npm", "--prefix", folder, "ci", "--silent"], check=True, env=environment)
