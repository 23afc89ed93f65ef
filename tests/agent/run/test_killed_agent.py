"""The program `signoff-agent run` is killed at every step of a run, and goes on where it was."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError, ClientSession
from model_fakes import Fakes, calls, says
from support.distributions import ROOT, install_alone
from support.fakes import until
from support.free_ports import free_port

pytestmark = pytest.mark.real

START_S = 60.0
AGENT = """\
networks = ["127.0.0.1/32"]

[model]
name = "gpt-4o-mini"
base_url = "{url}/v1"

[[tools]]
name = "send"
description = "Send a letter"
method = "POST"
url = "{url}/send"

[[tools]]
name = "read"
description = "Read a letter"
url = "{url}/read"
repeatable = true

[[mcp]]
url = "{mcp_url}"
tools = ["add"]
"""
#: The call of the model for each title.
CALLS = {
    "killed while it sends": calls("send", "{}"),
    "killed while it reads": calls("read", "{}"),
    "killed while it adds": calls("add", '{"a": 1, "b": 2}'),
    "killed after it was sent": calls("send", "{}"),
}


@pytest.fixture(scope="module")
async def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, in an environment that has its wheel with the extra `run`, and nothing else of ours."""
    python = await install_alone(ROOT / "services/agent", tmp_path_factory.mktemp("agent"), "[run]")
    return python.with_name("signoff-agent")


@asynccontextmanager
async def serve(program: Path, file: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(program, "run", file, "--port", str(port), cwd=file.parent)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Caller:
    def __init__(self, http: ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def post(self, title: str) -> str:
        """Ask for work, once the program listens; return where it is shown."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    headers = {"Idempotency-Key": title.replace(" ", "-")}
                    async with self._http.post(self._url, json={"title": title}, headers=headers) as answer:
                        assert answer.status == 202, await answer.text()
                        return answer.headers["Location"]
                except ClientConnectionError:
                    await asyncio.sleep(0.05)

    async def follow(self, location: str) -> dict[str, Any]:
        async with asyncio.timeout(START_S):
            while True:
                async with self._http.get(f"{self._url.rstrip('/')}/{location.lstrip('/')}") as answer:
                    status: dict[str, Any] = await answer.json()
                if status["state"] != "running":
                    return status
                await asyncio.sleep(0.05)


async def test_killed_at_each_step(mcp: Fakes, program: Path, tmp_path: Path) -> None:
    """No letter is sent twice: the run that may have sent one fails, that which has sent one goes on."""
    fakes, is_reached, is_again = mcp, asyncio.Event(), asyncio.Event()

    async def answer(messages: list[dict[str, Any]]) -> Any:
        title = messages[0]["content"].partition("\n")[0]
        if messages[-1]["role"] != "tool":
            return CALLS[title]
        if title == "killed after it was sent":
            is_reached.set()
            await is_again.wait()
        return says("done")

    fakes.answer = answer
    file = tmp_path / "agent.toml"
    file.write_text(AGENT.format(url=fakes.url, mcp_url=fakes.mcp_url))
    port = free_port()
    async with ClientSession() as http:
        caller = Caller(http, f"http://127.0.0.1:{port}/")
        async with serve(program, file, port) as process:
            await caller.post("killed after it was sent")
            await is_reached.wait()
            fakes.tool_waits = asyncio.Event()
            for title in [title for title in CALLS if "while" in title]:
                await caller.post(title)
            await until(lambda: len(fakes.called) == 3 and fakes.added)
            process.kill()
        is_again.set()
        fakes.tool_waits.set()
        async with serve(program, file, port):
            ended = {title: await caller.follow(await caller.post(title)) for title in CALLS}
    for title, tool in (("killed while it sends", "send"), ("killed while it adds", "add")):
        assert ended[title]["error"]["code"] == "tool_unanswered"
        assert f"the tool {tool} was called" in ended[title]["error"]["message"]
    assert ended["killed while it reads"]["result"] == "done"
    assert ended["killed after it was sent"]["result"] == "done"
    assert Counter(request.path for request in fakes.called) == {"/send": 2, "/read": 2}
    assert len(fakes.added) == 1
    (first, second) = (request.headers["Idempotency-Key"] for request in fakes.called if request.path == "/read")
    assert first == second
