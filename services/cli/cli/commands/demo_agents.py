"""Serve the two agents of the demo that `signoff-agent` makes: a function of ten lines, and a model with a tool."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from aiohttp import ClientError, ClientSession

from cli.errors import CommandError, ExitStatus
from signoff.errors import ErrorCode

#: Seconds for an agent to listen; the packages of a model with tools take some to import.
START_S = 60.0
FUNCTION = """\
from signoff_agent import Task, agent


@agent
async def poet(task: Task) -> dict[str, str]:
    lines = []
    for number, word in enumerate(task.payload["words"], 1):
        lines.append(f"{task.title}: {word}")
        task.progress(number / len(task.payload["words"]), f"line {number}", partial=lines)
    return {"text": "\\n".join(lines)}
"""


@asynccontextmanager
async def serve_agents(folder: Path, stand_in: str) -> AsyncIterator[dict[str, str]]:
    """Serve them while entered, from files in a folder, and yield their URLs; none if a package is not installed.

    `stand_in` is the address at which the local stack stands in for a model and for a tool.
    """
    if find_spec("signoff_agent") is None or find_spec("pydantic_ai") is None:
        yield {}
        return
    _write_files(folder, stand_in)
    async with AsyncExitStack() as running:
        commands = {"poet": ["serve", "poet:poet"], "weigher": ["run", "agent.toml"]}
        yield {name: await running.enter_async_context(_serve(folder, command)) for name, command in commands.items()}


def _write_files(folder: Path, stand_in: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "poet.py").write_text(FUNCTION)
    described = (files("localstack") / "agent.toml").read_text()
    (folder / "agent.toml").write_text(described.replace("http://127.0.0.1:9000", stand_in))


@asynccontextmanager
async def _serve(folder: Path, command: list[str]) -> AsyncIterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    arguments = ["-m", "signoff_agent", *command, "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_AGENT_")}
    with (folder / f"{command[0]}.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=folder, env=environment, stdout=log, stderr=log
        )
    try:
        await _wait_until_it_answers(url, process, folder / f"{command[0]}.log")
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _wait_until_it_answers(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with ClientSession() as http:
        for _ in range(int(START_S / 0.1)):
            try:
                async with http.get(url):
                    return
            except ClientError:
                await asyncio.sleep(0.1)
            if process.returncode is not None:
                break
    message = f"an agent of the demo does not answer at {url}; its log is {log}"
    raise CommandError(message, code=ErrorCode.STACK, status=ExitStatus.OUT_OF_REACH)
