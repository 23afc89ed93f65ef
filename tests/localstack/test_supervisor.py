"""The supervisor: readiness, restarts with backoff, an orderly end."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from localstack import process
from localstack.errors import NotReadyError, StackError
from localstack.process import ServiceSpec
from localstack.supervisor import Supervisor, probe_http

DUMMY = str(Path(__file__).parent / "dummy_service.py")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
async def supervisor(tmp_path: Path, told: list[str]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(tmp_path, progress=told.append, ready_timeout_s=20)
    yield supervisor
    await supervisor.stop()


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def dummy(name: str = "dummy", *options: str, grace_s: float = 10.0, layer: int = 0) -> ServiceSpec:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return ServiceSpec(
        name=name,
        argv=[sys.executable, DUMMY, *options],
        env={"SIGNOFF_HEALTH_ADDRESS": address},
        ready=probe_http(f"http://{address}/readyz"),
        grace_s=grace_s,
        layer=layer,
    )


async def test_what_dies_is_started_again(supervisor: Supervisor, told: list[str]) -> None:
    await supervisor.start([dummy()])
    first = supervisor.get_pids()["dummy"]
    await supervisor.kill("dummy")
    assert supervisor.get_pids()["dummy"] != first
    assert not psutil.pid_exists(first)
    assert "dummy was ended by signal 9; starting it again in 0.2 s" in told


async def test_backoff_doubles(supervisor: Supervisor, told: list[str]) -> None:
    await supervisor.start([ServiceSpec("brief", [sys.executable, "-c", ""])])
    await wait_until(lambda: sum("starting it again" in line for line in told) == 3)
    waits = [line.rsplit("again in ")[1] for line in told if "starting it again" in line]
    assert waits == ["0.2 s", "0.4 s", "0.8 s"]


async def test_who_ends_and_says_why_is_told_so(supervisor: Supervisor, told: list[str]) -> None:
    """A service logs at last why it ends; one whose settings are wrong says so before it logs."""
    logged = json.dumps({"message": "the process ends by an error", "code": "too_old", "reason": "it is older"})
    for name, words in (("one", logged), ("other", "error: SIGNOFF_TOKEN is required")):
        await supervisor.start([ServiceSpec(name, [sys.executable, "-c", f"import sys; sys.exit({words!r})"])])
    await wait_until(lambda: len({line.partition(" ")[0] for line in told if "starting it again" in line}) == 2)
    assert "one ended with status 1 (too_old: it is older); starting it again in 0.2 s" in told
    assert "other ended with status 1 (SIGNOFF_TOKEN is required); starting it again in 0.2 s" in told


async def test_a_change_of_processes_is_announced(tmp_path: Path) -> None:
    changes: list[int] = []
    watched = Supervisor(tmp_path, changed=lambda: changes.append(watched.get_pids()["dummy"]))
    await watched.start([dummy()])
    await watched.kill("dummy")
    await watched.stop()
    assert len(set(changes)) == 2


async def test_who_never_gets_ready_is_named_with_its_log(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    supervisor = Supervisor(tmp_path, ready_timeout_s=0.3)
    with pytest.raises(NotReadyError, match=r"lazy did not get ready within 0.3 s; see .*lazy\.log"):
        await supervisor.start([ServiceSpec("lazy", [sys.executable, DUMMY], ready=never), dummy()])
    await supervisor.stop()


async def test_who_dies_at_every_start_is_given_up(supervisor: Supervisor, tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    crash = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(NotReadyError, match=r"crashing keeps dying at its start; see .*crashing\.log"):
        await supervisor.start([ServiceSpec("crashing", crash, ready=never)])
    assert "no such thing" in (tmp_path / "crashing.log").read_text()


async def test_a_failed_preparation_is_told_at_once(supervisor: Supervisor) -> None:
    async def fail() -> None:
        raise StackError("no network")

    with pytest.raises(StackError, match="no network"):
        await supervisor.start([ServiceSpec("unprepared", [sys.executable], prepare=fail)])


async def test_upper_layers_end_first_and_the_stubborn_are_killed(tmp_path: Path) -> None:
    supervisor = Supervisor(tmp_path)
    await supervisor.start([dummy("below"), dummy("above", "--stubborn", grace_s=0.5, layer=1)])
    below, above = (psutil.Process(supervisor.get_pids()[name]) for name in ("below", "above"))
    stopping = asyncio.create_task(supervisor.stop())
    await wait_until(lambda: not above.is_running())
    assert not stopping.done() or not below.is_running()
    await stopping
    assert not below.is_running()


async def test_children_of_a_dead_process_end_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = (
        f"import subprocess, time; c = subprocess.Popen(['sleep', '600']); open({str(note)!r}, 'w').write(str(c.pid))"
    )
    await supervisor.start([ServiceSpec("parent", [sys.executable, "-c", f"{parent}; time.sleep(600)"])])
    await wait_until(lambda: note.exists() and note.read_text() != "")
    child = psutil.Process(int(note.read_text()))
    os.kill(supervisor.get_pids()["parent"], signal.SIGKILL)
    await wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


async def test_a_log_is_bounded_while_its_process_writes_on(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_LOOK_S", 0.02)
    monkeypatch.setattr(process, "LOG_MAX_BYTES", 10_000)
    words = "import time\nfor n in range(10**9): print(f'line {n}', flush=True); time.sleep(0.0001)"
    await supervisor.start([ServiceSpec(name="talker", argv=[sys.executable, "-c", words], env={})])
    log, moved = tmp_path / "talker.log", tmp_path / "talker.log.1"
    await wait_until(lambda: moved.exists() and log.stat().st_size < moved.stat().st_size)
    await wait_until(lambda: log.stat().st_size > 0)
    assert log.read_bytes().startswith(b"line ") or b"\nline " in log.read_bytes()
    assert b"\0" not in log.read_bytes()
