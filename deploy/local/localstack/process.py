"""Start processes that end with the process that started them."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from localstack.errors import StackError

LOG_MAX_BYTES = 16 * 1024 * 1024  # what a larger log holds is moved aside, in place of what was moved before
LOG_LOOK_S = 60.0
ENDED_BY_ERROR = "the process ends by an error"  # as services log it last, with `code` and `reason`
NEEDED_ENV = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
LAST_WORDS_BYTES = 64 * 1024  # of a log, within which its last words are looked for
LAUNCH = Path(__file__).with_name("launch.py")


class Account(NamedTuple):
    """The account that a process runs as."""

    uid: int
    gid: int


def make_plain_env() -> dict[str, str]:
    """Make the environment of a part that needs none: no key or token reaches it."""
    return {name: os.environ[name] for name in NEEDED_ENV if name in os.environ}


async def _prepare_nothing() -> None:
    """Prepare nothing."""


async def _is_ready_at_once() -> bool:
    """Return that a process is ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class ServiceSpec:
    """A process to be kept alive: how it starts, when it is ready, how it ends."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=make_plain_env)
    layer: int = 0  # what lies higher is stopped earlier
    prepare: Callable[[], Awaitable[None]] = _prepare_nothing  # before each start
    ready: Callable[[], Awaitable[bool]] = _is_ready_at_once
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL  # sent by the kernel when the supervisor is gone
    grace_s: float = 10.0


async def spawn(spec: ServiceSpec, log: Path) -> asyncio.subprocess.Process:
    """Start a process in a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone."""
    with _open_log(log) as output:
        return await asyncio.create_subprocess_exec(
            *_launch_command(spec.argv, spec.account, spec.orphan_signal),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(spec.env),
            start_new_session=True,
        )


async def run(*argv: str, account: Account | None = None) -> str:
    """Run a command to its end and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *_launch_command(argv, account, signal.SIGKILL),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=make_plain_env(),
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if process.returncode:
        raise StackError(f"{Path(argv[0]).name} failed with status {process.returncode}:\n{text}")
    return text


async def end(process: asyncio.subprocess.Process, stop_signal: signal.Signals, grace_s: float) -> None:
    """Signal a process to stop, wait up to `grace_s`, and kill what is left of its session."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError, TimeoutError):
        process.send_signal(stop_signal)
        async with asyncio.timeout(grace_s):
            await process.wait()
    kill_session(process.pid)
    await process.wait()


def kill_session(pid: int) -> None:
    """Kill what is left of the session that a process led."""
    with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for a group of zombies
        os.killpg(pid, signal.SIGKILL)


def find_unprivileged_account() -> Account | None:
    """Return the account `nobody` if this process runs as root, else None."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def make_reachable(path: Path) -> None:
    """Let other accounts pass (not list) the folders above a path; needed only when run as root."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


class LastWords(NamedTuple):
    """Why a service said that it ends, and when its log was written last."""

    code: str
    reason: str
    at: datetime

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}" if self.code else self.reason


def read_last_words(log: Path, begin: int = 0) -> LastWords | None:
    """Return why a service ended, by its log from a byte on; None if it did not say, or said something else since."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # It is smaller than it was if what it held was moved aside meanwhile.
            file.seek(max(begin if begin <= size else 0, size - LAST_WORDS_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    last = next((line for line in reversed(lines) if line.strip()), "")
    at = datetime.fromtimestamp(log.stat().st_mtime, UTC)
    if last.startswith("error: "):  # of settings, before it logs
        return LastWords("", last.removeprefix("error: "), at)
    with suppress(ValueError):
        said = json.loads(last)
        if isinstance(said, dict) and said.get("message") == ENDED_BY_ERROR:
            return LastWords(str(said.get("code")), str(said.get("reason")), at)
    return None


def _open_log(log: Path) -> IO[bytes]:
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log.open("ab")


async def bound_log(log: Path) -> None:
    """Move aside what a log holds whenever that is too much, for ever; its process, which appends, writes on."""
    while True:
        await asyncio.sleep(LOG_LOOK_S)
        _move_aside(log)


def _move_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_MAX_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def _launch_command(argv: Sequence[str], account: Account | None, orphan_signal: signal.Signals) -> list[str]:
    uid, gid = account or (-1, -1)
    numbers = [str(number) for number in (os.getpid(), int(orphan_signal), uid, gid)]
    return [sys.executable, "-I", "-S", str(LAUNCH), *numbers, *argv]
