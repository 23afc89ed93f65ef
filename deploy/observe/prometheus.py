"""Find Prometheus and promtool, or fetch Debian's package of both; and run Prometheus on loopback."""

import asyncio
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from localstack.datadir import write_atomically
from localstack.maven import get_cache_dir
from localstack.process import ServiceSpec, end, spawn

#: Debian's package, and those with the scripts and fonts of its page.
PACKAGES = (
    "prometheus",
    "fonts-glyphicons-halflings",
    "libjs-bootstrap4",
    "libjs-d3",
    "libjs-eonasdan-bootstrap-datetimepicker",
    "libjs-jquery",
    "libjs-jquery-hotkeys",
    "libjs-moment",
    "libjs-moment-timezone",
    "libjs-mustache",
    "libjs-popper.js",
    "libjs-rickshaw",
)
READY_S = 60.0
LOOK_S = 0.05
GRACE_S = 20.0


class PrometheusError(Exception):
    """Prometheus is not there, or does not run; the message says what to do."""


def find(program: str = "prometheus") -> Path:
    """Return the path of `prometheus` or `promtool`: by the variable PROMETHEUS, installed, or fetched once."""
    if given := os.environ.get("PROMETHEUS"):
        return Path(given).with_name(program)
    if installed := shutil.which(program):
        return Path(installed)
    return _fetch() / "usr/bin" / program


def _fetch() -> Path:
    """Return the folder of the unpacked package, for all checkouts on this machine; no root is needed."""
    target = get_cache_dir() / "prometheus-and-page"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as temporary:
                _unpack(Path(temporary)).rename(target)
    return target


def _unpack(folder: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise PrometheusError("Prometheus, nor apt-get to fetch it: install it, or set PROMETHEUS=/path/to/prometheus")
    unpacked = folder / "unpacked"
    try:
        _run("apt-get", "download", *PACKAGES, folder=folder)
        for package in folder.glob("*.deb"):
            _run("dpkg", "-x", str(package), str(unpacked), folder=folder)
    except subprocess.CalledProcessError as error:
        told = (error.stderr.strip().splitlines() or ["no reason told"])[-1]
        raise PrometheusError(
            f"Prometheus, and apt-get cannot fetch it ({told}): `apt-get update` may help, or install it, "
            "or set PROMETHEUS=/path/to/prometheus"
        ) from error
    return unpacked


def _run(*argv: str, folder: Path) -> None:
    subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - our own words


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    url: str
    http: aiohttp.ClientSession

    async def get(self, path: str, **params: str) -> Any:
        """Return `data` of an answer of its API, such as of `alerts`; what it refuses is an error with its reason."""
        async with self.http.get(f"{self.url}/api/v1/{path}", params=params) as answer:
            told = await answer.json()
        if told["status"] != "success":
            raise PrometheusError(f"Prometheus refuses {path} {params}: {told['error']}")
        return told["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression, as they are now; what cannot be parsed is an error."""
        found: list[dict[str, Any]] = (await self.get("query", query=expression))["result"]
        return found


@asynccontextmanager
async def serving(config: Mapping[str, Any], folder: Path, port: int = 0) -> AsyncIterator[Prometheus]:
    """Run Prometheus with a configuration in a folder, which keeps its data and its log, until the end of the block.

    It listens on loopback alone, on a free port unless one is named, and is ready when the block begins. It keeps
    exemplars, too.
    """
    address, log = f"127.0.0.1:{port or find_port()}", folder / "prometheus.log"
    argv = await asyncio.to_thread(_prepare, config, folder, address)
    begin = log.stat().st_size  # before it are the words of another run
    process = await spawn(ServiceSpec("prometheus", argv), log)
    try:
        async with aiohttp.ClientSession() as http:
            running = Prometheus(f"http://{address}", http)
            await _until_ready(running, process, log, begin)
            yield running
    finally:
        await end(process, signal.SIGTERM, GRACE_S)


def _prepare(config: Mapping[str, Any], folder: Path, address: str) -> list[str]:
    program = find()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "prometheus.yml", yaml.safe_dump(dict(config), sort_keys=False))  # it may hold a token
    (folder / "prometheus.log").touch()
    assets = program.parents[1] / "share/prometheus/web"  # Debian's has its page in files, others in themselves
    return [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        *([f"--web.local-assets={assets}"] if assets.exists() else []),
    ]


async def _until_ready(running: Prometheus, process: asyncio.subprocess.Process, log: Path, begin: int) -> None:
    try:
        async with asyncio.timeout(READY_S):
            while process.returncode is None:
                if await _is_ready(running):
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise PrometheusError(f"Prometheus was not ready after {READY_S:.0f} s: see {log}") from None
    told = await asyncio.to_thread(log.read_bytes)
    last = told[begin:].decode(errors="replace").strip().rpartition("\n")[2]
    raise PrometheusError(f"Prometheus ended with status {process.returncode} ({log}): {last}")


async def _is_ready(running: Prometheus) -> bool:
    try:
        async with running.http.get(f"{running.url}/-/ready") as answer:
            return answer.ok
    except aiohttp.ClientError:
        return False


def find_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
