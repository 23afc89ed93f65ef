"""Keep a stack's directory: its lock, its logs, and the ports and secrets that outlive a restart."""

import fcntl
import json
import os
import random
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from localstack.errors import DataDirInUseError

# Below the range from which clients get their ports: a client that dials a dead server's port from that very port
# would connect to itself and keep the server from coming back. Each stack has a block of its own, and holds as its mark
# a port behind all blocks: else two that start at once could find the same port free, before either listens.
FIRST_PORT, LAST_PORT, PORTS_A_STACK = 20_000, 32_000, 20
FREE_AGAIN_S = 5.0  # how long to wait for a port of last time, which a killed stack's server may hold


class DataDir:
    """The directory of one stack, to be used under `lock()`: its state is one file that one stack may write."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.logs = self.path / "logs"
        self._state = self.path / "state.json"
        self._ports_given: dict[str, int] = {}  # ports of this run, which may be in use by now
        self._candidates = count(random.randrange(FIRST_PORT, LAST_PORT, PORTS_A_STACK))  # noqa: S311 - no secret

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the directory; the lock ends with the process, however it ends.

        What this process and those that it starts write meanwhile, wherever it is, is for its owner alone.
        """
        umask = os.umask(0o077)
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._hide_from_others()
            with self._lock_alone():
                yield
        finally:
            os.umask(umask)

    @contextmanager
    def _lock_alone(self) -> Iterator[None]:
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                message = f"a stack is already running on {self.path}; stop it or choose another data directory"
                raise DataDirInUseError(message) from error
            with socket.socket() as mark:
                self._candidates = count(self._mark_block(mark))
                yield

    def get_port(self, name: str, wanted: int = 0) -> int:
        """Return the wanted port, else that of last time, else a free one; it is remembered."""
        if name in self._ports_given:
            return self._ports_given[name]
        ports = self._recall("ports")
        port = wanted or ports.get(name, 0)
        if not port or (not wanted and not _becomes_free(port)):
            taken = set(ports.values())
            port = next(port for port in self._candidates if port not in taken and _is_free(port))
        self._remember("ports", name, port)
        self._ports_given[name] = port
        return port

    def _hide_from_others(self) -> None:
        """Take from others what an earlier version let them read. The directory itself may be anybody's, as `.` is."""
        for folder in (self.path / name for name in ("logs", "kafka", "postgres")):
            if folder.exists():
                folder.chmod(0o700)
        for log in self.logs.iterdir():
            log.chmod(0o600)

    def _mark_block(self, mark: socket.socket) -> int:
        """Bind the mark of last time's block, or else of a free one; return the block's first port."""
        blocks = list(range(FIRST_PORT, LAST_PORT, PORTS_A_STACK))
        random.shuffle(blocks)
        ports = self._recall("ports").values()
        blocks.sort(key=lambda first: not any(first <= port < first + PORTS_A_STACK for port in ports))
        for number, first in ((LAST_PORT + (first - FIRST_PORT) // PORTS_A_STACK, first) for first in blocks):
            with suppress(OSError):
                mark.bind(("127.0.0.1", number))
                return first
        return blocks[0]  # all marks are in use; each port is still checked before it is given

    def get_secret(self, name: str) -> str:
        """Return a random secret, 32 bytes in URL-safe base64, made at the first call and remembered."""
        secret = self._recall("secrets").get(name) or secrets.token_urlsafe(32)
        self._remember("secrets", name, secret)
        return str(secret)

    def _recall(self, kind: str) -> dict[str, Any]:
        values: dict[str, Any] = self._read().get(kind, {})
        return values

    def _remember(self, kind: str, name: str, value: str | int) -> None:
        state = self._read()
        state.setdefault(kind, {})[name] = value
        write_atomically(self._state, json.dumps(state, indent=2))

    def _read(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self._state.read_text()) if self._state.exists() else {}
        return state


def write_atomically(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(temporary).replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _becomes_free(port: int) -> bool:
    """Wait until a port is free; return False if it is not soon. A killed stack's servers take a moment to end."""
    deadline = time.monotonic() + FREE_AGAIN_S
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
