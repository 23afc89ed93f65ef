"""Environments of others' packages, apart from that of the project: each is made when a test first wants it."""

import fcntl
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def installed(wanted: Path) -> Path:
    """The Python of an environment with what a file pins, as it is already, or made now."""
    folder = Path(sys.prefix) / "peers" / f"{wanted.parent.name}-{wanted.stem}"
    python, ready = folder / "bin" / "python", folder / "ready"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests beside one another want it at once
        if not ready.exists() or ready.read_text() != wanted.read_text():
            for command in (
                ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
                ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(wanted)],
            ):
                subprocess.run([BIN / "uv", *command], check=True)
            ready.write_text(wanted.read_text())
    return python
