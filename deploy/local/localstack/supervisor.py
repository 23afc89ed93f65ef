"""Keep processes alive: start again what dies, and end all in order."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import groupby
from pathlib import Path

import aiohttp

from localstack.errors import NotReadyError, StackError
from localstack.process import ServiceSpec, bound_log, end, kill_session, read_last_words, spawn

BACKOFF_MIN_S, BACKOFF_MAX_S, BACKOFF_FACTOR = 0.2, 10.0, 2.0
STEADY_S = 30.0  # a process that lived so long is started again with the shortest backoff
DEATHS_MAX = 5  # of a process that was never ready; then the start fails
READY_POLL_S = 0.05
READY_TIMEOUT_S = 60.0

Progress = Callable[[str], None]


def ignore_progress(_message: str) -> None:
    """Report progress to nobody."""


def probe_http(url: str) -> Callable[[], Awaitable[bool]]:
    """Make a probe that returns whether a URL probe_http 200."""
    timeout = aiohttp.ClientTimeout(total=5)

    async def probe() -> bool:
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    return probe


class SupervisedProcess:
    """A process and its successors."""

    def __init__(self, spec: ServiceSpec, log: Path, changed: Callable[[], None], progress: Progress) -> None:
        self.spec = spec
        self.pid: int | None = None  # of the latest process, which may just have died
        self._log = log
        self._changed = changed
        self._progress = progress
        self._deaths = 0
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, timeout_s: float) -> None:
        """Start the process and wait until it is ready. Raise NotReadyError if it is not in time, or keeps dying."""
        started = asyncio.get_running_loop().time()
        await self.spec.prepare()
        self._keeper = asyncio.create_task(self._keep_alive())
        try:
            async with asyncio.timeout(timeout_s):
                await self._wait_until_ready()
        except TimeoutError as error:
            message = f"{self.spec.name} did not get ready within {timeout_s:g} s; see {self._log}"
            raise NotReadyError(message) from error
        self._progress(f"{self.spec.name} is ready after {asyncio.get_running_loop().time() - started:.1f} s")

    async def stop(self) -> None:
        """End the process for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        if self._process is not None:
            await end(self._process, self.spec.stop_signal, self.spec.grace_s)

    async def kill(self, signal_number: signal.Signals) -> None:
        """Kill the process and wait until its successor is ready."""
        victim = self._process
        if victim is not None and victim.returncode is None:
            victim.send_signal(signal_number)
        while self._process is victim or not (self._is_running() and await self.spec.ready()):  # noqa: ASYNC110
            await asyncio.sleep(READY_POLL_S)

    async def _wait_until_ready(self) -> None:
        while not (self._is_running() and await self.spec.ready()):
            if self._deaths >= DEATHS_MAX:
                said = f": {words}" if (words := read_last_words(self._log)) else ""
                raise NotReadyError(f"{self.spec.name} keeps dying at its start{said}; see {self._log}")
            await asyncio.sleep(READY_POLL_S)

    def _is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_MIN_S
        while True:
            started = loop.time()
            end_of_life = await self._live_once()
            self._deaths += 1
            if loop.time() - started >= STEADY_S:
                backoff_s = BACKOFF_MIN_S
            self._progress(f"{self.spec.name} {end_of_life}; starting it again in {backoff_s:g} s")
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * BACKOFF_FACTOR, BACKOFF_MAX_S)

    async def _live_once(self) -> str:
        try:
            await self.spec.prepare()
            begin = self._log.stat().st_size if self._log.exists() else 0
            self._process = await spawn(self.spec, self._log)
        except (StackError, OSError) as error:
            return f"could not be started ({error})"
        self.pid = self._process.pid
        self._changed()
        bounding = asyncio.create_task(bound_log(self._log))
        try:
            status = await self._process.wait()
        finally:
            bounding.cancel()
        kill_session(self._process.pid)
        if status < 0:
            return f"was ended by signal {-status}"
        words = read_last_words(self._log, begin)
        return f"ended with status {status}" + (f" ({words})" if words else "")


class Supervisor:
    """All processes of one stack."""

    def __init__(
        self,
        logs: Path,
        *,
        changed: Callable[[], None] = lambda: None,
        progress: Progress = ignore_progress,
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        self._logs = logs
        self._changed = changed
        self._progress = progress
        self._ready_timeout_s = ready_timeout_s
        self._services: dict[str, SupervisedProcess] = {}

    async def start(self, specs: Iterable[ServiceSpec]) -> None:
        """Start processes side by side and wait until each is ready; raise the first error."""
        starting = [SupervisedProcess(spec, self._log_path(spec.name), self._changed, self._progress) for spec in specs]
        self._services |= {service.spec.name: service for service in starting}
        try:
            async with asyncio.TaskGroup() as group:
                for service in starting:
                    group.create_task(service.start(self._ready_timeout_s))
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def stop(self) -> None:
        """End everything, layer after layer from the top."""
        from_the_top = sorted(self._services.values(), key=_layer, reverse=True)
        for _, layer in groupby(from_the_top, key=_layer):
            await asyncio.gather(*(service.stop() for service in layer))
        self._services.clear()

    async def kill(self, name: str, signal_number: signal.Signals = signal.SIGKILL) -> None:
        """Kill a process and wait until its successor is ready."""
        await self._services[name].kill(signal_number)

    def get_pids(self) -> Mapping[str, int]:
        """Return the id of each one's latest process, by name."""
        return {name: service.pid for name, service in self._services.items() if service.pid is not None}

    def _log_path(self, name: str) -> Path:
        """Return the file of a process's output."""
        return self._logs / f"{name}.log"


def _layer(service: SupervisedProcess) -> int:
    return service.spec.layer
