"""Environments of others' packages, apart from that of the project: each is made when a test first wants it."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def installed(wanted: Path, python: str | Path = sys.executable) -> Path:
    """The Python of an environment with what a file pins, as it is already, or made now by that Python."""
    folder = Path(sys.prefix) / "peers" / f"{wanted.parent.name}-{wanted.stem}"
    made, ready = folder / "bin" / "python", folder / "ready"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests beside one another want it at once
        if not ready.exists() or ready.read_text() != wanted.read_text():
            for command in (
                ["venv", "--quiet", "--clear", "--python", str(python), str(folder)],
                ["pip", "sync", "--quiet", "--python", str(made), "--require-hashes", str(wanted)],
            ):
                subprocess.run([BIN / "uv", *command], check=True)
            ready.write_text(wanted.read_text())
    return made


def find_python(least: tuple[int, int]) -> Path | None:
    """A Python of this machine that is at least of this version, also where pyenv keeps those that nobody chose."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("*/bin/python3")
    names = (f"python3.{minor}" for minor in range(least[1], least[1] + 5))
    for found in (sys.executable, *names, *sorted(kept)):
        command = [found, "-c", f"import sys; sys.exit(sys.version_info < {least})"]
        with contextlib.suppress(OSError):
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                return Path(shutil.which(found) or found)
    return None
