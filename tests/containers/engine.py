"""Podman with a store of its own: no image of a machine's user is replaced by a stand-in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from localstack.kafka import get_cache_dir

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NEEDED = ("podman", "runc", "mmdebstrap")
INSTALL = "apt-get install --no-install-recommends podman buildah runc netavark aardvark-dns iptables mmdebstrap"


class EngineError(Exception):
    """A command failed, or a program is missing."""


class Engine:
    """Podman, and its store below `folder`."""

    def __init__(self, folder: Path) -> None:
        if missing := [program for program in NEEDED if shutil.which(program) is None]:
            raise EngineError(f"this machine has no {', '.join(missing)}: as root, {INSTALL}")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.environment = {**_leave_own_out(os.environ), **self._configure()}

    def _configure(self) -> dict[str, str]:
        runtime = HERE / "podman/runc_here.py"
        store = f'[storage]\ndriver = "overlay"\nrunroot = "{self.folder}/run"\ngraphroot = "{self.folder}/store"\n'
        texts = {
            "containers.conf": (HERE / "podman/containers.conf").read_text().replace("RUNTIME", str(runtime)),
            "storage.conf": store,
            "registries.conf": 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n',
        }
        for name, text in texts.items():
            (self.folder / name).write_text(text)
        return {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
        }

    def run(self, *command: str | Path, cwd: Path = ROOT, told: bool = False, **more: str) -> str:
        """Run a program, and return what it prints, or print it; raise EngineError if it fails."""
        done = subprocess.run(
            [*command],
            cwd=cwd,
            env={**self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=None if told else subprocess.PIPE,
            stderr=None if told else subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EngineError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout or ''}")
        return done.stdout or ""

    def podman(self, *arguments: str | Path, told: bool = False) -> str:
        """Run podman."""
        return self.run("podman", *arguments, told=told)

    def has_image(self, name: str) -> bool:
        """Return whether there is an image of that name."""
        return subprocess.run(["podman", "image", "exists", name], env=self.environment, check=False).returncode == 0


def _leave_own_out(environment: "os._Environ[str]") -> dict[str, str]:
    """Leave out what tells Signoff, or Compose, what to do."""
    own = ("SIGNOFF_", "OPENAI_", "COMPOSE_", "POSTGRES_", "JOBSTORE_PASSWORD", "MIGRATE_PASSWORD")
    return {name: value for name, value in environment.items() if not name.startswith(own)}


def find_folder() -> Path:
    """Return the folder of the store."""
    return get_cache_dir() / "containers"


def tell(message: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()
