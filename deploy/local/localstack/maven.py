"""Fetch pinned files of Maven's central repository, once, for all stacks on this machine."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from localstack.errors import FetchError

DOWNLOADS_AT_ONCE = 4


def get_cache_dir() -> Path:
    """Return the folder in which downloads are kept for all stacks on this machine."""
    if directory := os.environ.get("SIGNOFF_CACHE_DIR"):
        return Path(directory)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "signoff"


def fetch_jars(pins: Mapping[str, str], target: Path, unpack: Callable[[Path], None] | None = None) -> None:
    """Download jars, by coordinate with SHA-256, into a folder, all or none; several stacks may do so at once.

    `unpack` is called with the folder before it is at its place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetching-") as temporary:
            arriving = Path(temporary) / target.name
            arriving.mkdir()
            with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
                fetching = [pool.submit(_fetch_one, *pin, Path(temporary), arriving) for pin in pins.items()]
            for jar in fetching:
                jar.result()
            if unpack is not None:
                unpack(arriving)
            arriving.rename(target)


def _fetch_one(coordinate: str, sha256: str, repository: Path, target: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - heavy, and needed once

    group, artifact, version = coordinate.split(":")
    try:
        context = MavenContext(repo_cache=repository)
        jar = context.project(group, artifact).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
        message = f"could not fetch {coordinate}: {error}"
        raise FetchError(message) from error
    if hashlib.sha256(jar.read_bytes()).hexdigest() != sha256:
        message = f"{coordinate} is not the file that was pinned; nothing of it was kept"
        raise FetchError(message)
    shutil.move(jar, target / name_jar(coordinate))


def name_jar(coordinate: str) -> str:
    """Return the name of the file of a coordinate."""
    _, artifact, version = coordinate.split(":")
    return f"{artifact}-{version}.jar"
