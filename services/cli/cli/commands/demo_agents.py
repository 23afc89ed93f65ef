"""The agents of the demo: those of the local stack, and two that `signoff-agent` serves: a function, and a model."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from aiohttp import ClientError, ClientSession

from cli.errors import CommandError, ExitStatus
from cli.session import Target
from contracts.resources import NewAgent
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.status import Protocol

#: Seconds for an agent to listen.
START_S = 60.0
#: Characters of the log of an agent that did not start, as the error has them.
LAST_WORDS_MAX_CHARS = 500
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


def find_stand_in(target: Target) -> str:
    """Return the address at which the local stack's agents stand in for a model and for a tool."""
    return _require(target.agents.get("writer"), "agent writer").removesuffix("/writer")


def make_agents(target: Target, served: Mapping[str, str] = MappingProxyType({})) -> dict[str, NewAgent]:
    """Return the agents of the demo by id: those of the stack, a model that it stands in for, and `served` ones."""
    urls = {name: _require(target.agents.get(name), f"agent {name}") for name in ("writer", "drafter", "builder")}
    agents = {
        name: NewAgent(
            id=name,
            name=name.capitalize(),
            url=url,
            protocol=Protocol.HTTP if name in ("writer", "drafter") else Protocol.HTTP_ASYNC,
        )
        for name, url in {**urls, **served}.items()
    }
    model = NewAgent(
        id="model",
        name="Model",
        url=f"{find_stand_in(target)}/v1",
        protocol=Protocol.OPENAI,
        settings={"model": "local-writer"},
    )
    return agents | {"model": model}


async def register_first_agents(target: Target, jobstore: AsyncClient) -> list[NewAgent]:
    """Register the agents of the stack where none was ever registered, and return these; one that is disabled stays."""
    known, _ = await jobstore.list_agents(page_size=1)
    agents = [] if known else list(make_agents(target).values())
    await asyncio.gather(*(jobstore.create_agent(agent) for agent in agents))
    return agents


def _require(value: str | None, what: str) -> str:
    if value is None:
        message = f"where is the {what}? Give --endpoints FILE of a local stack"
        raise CommandError(message, code=ErrorCode.UNKNOWN_ADDRESS)
    return value


@asynccontextmanager
async def serve_agents(stand_in: str, beside: Coroutine[Any, Any, None]) -> AsyncIterator[dict[str, str]]:
    """Serve them while entered, from a temporary folder, and yield their URLs; none if a package is not installed.

    `stand_in` is the address at which the local stack stands in for a model and for a tool; `beside` runs while they
    start, since the packages of a model with tools take seconds to import.
    """
    if find_spec("signoff_agent") is None or find_spec("pydantic_ai") is None:
        await beside
        yield {}
        return
    commands = {"poet": ["serve", "poet:poet"], "weigher": ["run", "agent.toml"]}
    async with AsyncExitStack() as running:
        folder, urls = Path(running.enter_context(TemporaryDirectory(prefix="signoff-demo-"))), {}
        _write_files(folder, stand_in)
        try:
            async with asyncio.TaskGroup() as starting:
                starting.create_task(beside)
                for name, command in commands.items():
                    port, log = _find_port(), folder / f"{name}.log"
                    urls[name] = f"http://127.0.0.1:{port}/"
                    process = await running.enter_async_context(_run(folder, [*command, "--port", str(port)], log))
                    starting.create_task(_wait_until_it_answers(urls[name], process, log))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        yield urls


def _write_files(folder: Path, stand_in: str) -> None:
    (folder / "poet.py").write_text(FUNCTION)
    described = (files("localstack") / "agent.toml").read_text()
    (folder / "agent.toml").write_text(described.replace("http://127.0.0.1:9000", stand_in))


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _run(folder: Path, command: list[str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_AGENT_")}
    with log.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "signoff_agent", *command),
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
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
    words = log.read_text()[-LAST_WORDS_MAX_CHARS:].strip()  # noqa: ASYNC240 - a small file
    message = f"an agent of the demo does not answer at {url}: {words}"
    raise CommandError(message, code=ErrorCode.STACK, status=ExitStatus.OUT_OF_REACH)
