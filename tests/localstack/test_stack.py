"""The whole stack with dummy services: its endpoints file, its restarts, and that it leaves nothing behind."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

pytestmark = pytest.mark.real

UP = (sys.executable, str(Path(__file__).parent / "dummy_stack.py"))
NAMES = ["agents", "console", "executor", "executor-2", "jobstore", "judge", "kafka", "postgres", "validator"]


TOKENS = {
    "jobstore": {"SIGNOFF_TOKEN", "SIGNOFF_EXECUTOR_TOKEN", "SIGNOFF_VALIDATOR_TOKEN", "SIGNOFF_CONSOLE_TOKEN"},
    "executor": {"SIGNOFF_EXECUTOR_TOKEN"},
    "validator": {"SIGNOFF_VALIDATOR_TOKEN"},
    "console": {"SIGNOFF_CONSOLE_TOKEN"},
}
SHELL = dict.fromkeys(("SIGNOFF_TOKEN", "SIGNOFF_EXECUTOR_TOKEN", "OPENAI_API_KEY", "ANY_SECRET"), "of the shell")


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def readable_by_others(directory: Path) -> list[Path]:
    """What others may list, read or write; started by root, they may pass through the folder of PostgreSQL."""
    paths = [
        *directory.glob("*"),
        *directory.glob("logs/*"),
        *directory.glob("kafka/**/*"),
        directory / "postgres/data",
    ]
    return [path for path in paths if path.stat().st_mode & (0o077 if path.name != "postgres" else 0o076)]


class Running:
    """A stack in a process of its own."""

    def __init__(self, directory: Path, process: asyncio.subprocess.Process) -> None:
        self.file = directory / "endpoints.json"
        self.process = process

    @classmethod
    async def start(cls, directory: Path, *, ready: bool = True, stale: str = "") -> "Running":
        """Start one and wait until there is an endpoints file, other than the stale one."""
        process = await asyncio.create_subprocess_exec(
            *UP, str(directory), stdout=asyncio.subprocess.PIPE, env=os.environ | SHELL
        )
        running = cls(directory, process)
        if ready:
            await wait_until(lambda: running.text() not in {"", stale})
        return running

    def text(self) -> str:
        return self.file.read_text() if self.file.exists() else ""

    def endpoints(self) -> dict[str, Any]:
        endpoints: dict[str, Any] = json.loads(self.file.read_text())
        return endpoints

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def output(self) -> tuple[int | None, str]:
        """Wait for its end."""
        output, _ = await self.process.communicate()
        return self.process.returncode, output.decode()


async def test_a_stack_comes_up_restarts_what_dies_and_leaves_nothing(tmp_path: Path) -> None:
    stack = await Running.start(tmp_path)
    endpoints = stack.endpoints()
    assert sorted(endpoints["processes"]) == NAMES
    assert set(endpoints["processes"].values()) <= {process.pid for process in stack.family()}
    assert stack.file.stat().st_mode & 0o777 == 0o600
    assert readable_by_others(tmp_path) == []
    for name, pid in endpoints["processes"].items():
        environment = psutil.Process(pid).environ()
        assert {key for key in environment if key.endswith("_TOKEN")} == TOKENS.get(name.partition("-")[0], set())
        assert "of the shell" not in environment.values()
    assert sorted(endpoints["metrics"]) == ["console", "executor", "executor-2", "jobstore", "validator"]
    assert endpoints["data_dir"] == str(tmp_path)
    async with aiohttp.ClientSession() as session:
        for url in endpoints["metrics"].values():
            async with session.get(url) as answer:
                assert (url.endswith("/metrics"), answer.status) == (True, 200)
        async with session.post(endpoints["agents"]["writer"], json={"title": "T"}) as answer:
            assert await answer.json() == {"text": "T"}
        async with session.get(f"{endpoints['judge']}/v1/models") as answer:
            assert answer.status == 200

    old = endpoints["processes"]["executor"]
    psutil.Process(old).kill()
    await wait_until(lambda: stack.endpoints()["processes"]["executor"] != old)

    refused = await Running.start(tmp_path, ready=False)
    status, output = await refused.output()
    assert status == 1
    assert "already running" in output

    family = stack.family()
    stack.process.send_signal(signal.SIGTERM)
    status, output = await stack.output()
    assert status == 0
    assert "executor was ended by signal 9; starting it again" in output
    assert not stack.file.exists()
    assert not any(process.is_running() for process in family)


async def test_nothing_outlives_a_killed_supervisor_and_its_neighbour_does_not_notice(tmp_path: Path) -> None:
    killed, neighbour = await asyncio.gather(*(Running.start(tmp_path / name) for name in ("killed", "neighbour")))
    before, family = killed.endpoints(), killed.family()
    killed.process.kill()
    await killed.output()
    await wait_until(lambda: not any(process.is_running() for process in family))

    again = await Running.start(tmp_path / "killed", stale=killed.file.read_text())
    after = again.endpoints()
    assert {name: after[name] for name in after if name != "processes"} == {
        name: before[name] for name in before if name != "processes"
    }
    assert all(psutil.pid_exists(pid) for pid in neighbour.endpoints()["processes"].values())
    for stack in (again, neighbour):
        stack.process.send_signal(signal.SIGINT)
    assert [(await stack.output())[0] for stack in (again, neighbour)] == [0, 0]
