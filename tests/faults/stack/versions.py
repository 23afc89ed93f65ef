"""Workers of other versions than today's: an earlier commit's, and one that says more than today's readers know."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from localstack.process import ServiceSpec

ROOT = Path(__file__).parents[3]
PARTS = ("proto", "services/servicekit", "services/executor", "services/validator")


def of_version(version: str, spec: ServiceSpec, kind: str, directory: Path) -> ServiceSpec | None:
    """The same worker as it was before its code last changed, as it will be, or as it is. None: git does not know."""
    path, argv = spec.env.get("PYTHONPATH", ""), spec.argv
    if version == "older":
        if not directory.exists() and not _unpacked(directory):
            return None
        path = ":".join(str(directory / part) for part in ("proto", "services/servicekit", f"services/{kind}"))
    elif version == "newer":
        path, argv = f"{ROOT / 'tests'}:{path}".rstrip(":"), [sys.executable, "-m", "faults.stack.newer", kind]
    return replace(spec, argv=argv, env={**spec.env, "PYTHONPATH": path})


def _unpacked(directory: Path) -> bool:
    try:
        commit = _git("rev-list", "--skip=1", "--max-count=1", "HEAD", "--", *PARTS).decode().strip()
        archive = _git("archive", commit, *PARTS)
    except (OSError, subprocess.CalledProcessError):
        return False
    directory.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive, check=True)
    return True


def _git(*arguments: str) -> bytes:
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=True)
    return run.stdout
