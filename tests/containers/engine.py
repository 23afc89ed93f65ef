"""Podman with a store of its own, so that no stand-in replaces an image of a user's; and Compose against it."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localstack.kafka import get_cache_dir

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LABEL = "label=com.docker.compose.project=signoff"
NEEDED = ("podman", "runc", "mmdebstrap")
INSTALL = "apt-get install --no-install-recommends podman buildah runc netavark aardvark-dns iptables mmdebstrap"
PLUGINS = [Path(folder) / "docker/cli-plugins" for folder in ("/usr/libexec", "/usr/local/lib", "/usr/lib")]
#: What tells Signoff, or Compose, what to do.
OWN = ("SIGNOFF_", "OPENAI_", "COMPOSE_", "DOCKER_", "POSTGRES_", "JOBSTORE_PASSWORD", "MIGRATE_PASSWORD", "KAFKA_")
#: Seconds for what must become true.
PATIENCE_S = 180.0


class ContainersError(Exception):
    """A command failed, a program is missing, or something is not as it must be."""


class Engine:
    """Podman, and its store below `folder`."""

    def __init__(self, folder: Path) -> None:
        if missing := [program for program in NEEDED if shutil.which(program) is None]:
            raise ContainersError(f"this machine has no {', '.join(missing)}: as root, {INSTALL}")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        outer = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        self.environment = outer | self._configure()

    def _configure(self) -> dict[str, str]:
        runtime = self.folder / "runc-here"
        shutil.copy(HERE / "podman/runc_here.py", runtime)
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

    def run(self, *command: str | Path, cwd: Path = ROOT, more: Mapping[str, str] | None = None) -> str:
        """Run a program, and return what it prints; raise ContainersError if it fails."""
        done = subprocess.run(
            [*command],
            cwd=cwd,
            env={**self.environment, **(more or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = " ".join(map(str, command))
            raise ContainersError(f"{words}: status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def podman(self, *arguments: str | Path) -> str:
        """Run podman."""
        return self.run("podman", *arguments)

    def has_image(self, name: str) -> bool:
        """Return whether there is an image of that name."""
        return subprocess.run(["podman", "image", "exists", name], env=self.environment, check=False).returncode == 0

    def list_containers(self, *, all_of_them: bool = False) -> dict[str, str]:
        """Return the containers of the project that run, or all, each with its service."""
        form = '{{.Names}} {{index .Labels "com.docker.compose.service"}}'
        which = ["--all"] if all_of_them else []
        lines = self.podman("ps", *which, "--filter", LABEL, "--format", form).splitlines()
        return dict(line.split() for line in lines)

    def inspect(self, name: str) -> Any:
        """Return what podman knows of a container."""
        return json.loads(self.podman("inspect", name))[0]

    def is_healthy(self, name: str) -> bool:
        """Ask a container's check now, and return its answer."""
        asked = ["podman", "healthcheck", "run", name]
        return subprocess.run(asked, env=self.environment, capture_output=True, check=False).returncode == 0

    @contextmanager
    def checking_health(self) -> Iterator[None]:
        """Run the checks as an engine does, each as often as docker-compose.yml says: Podman leaves that to systemd."""
        ended = threading.Event()

        def check() -> None:
            every_s: dict[str, float] = {}
            due: dict[str, float] = {}
            while not ended.wait(0.2):
                try:
                    for container in self.podman("ps", "--quiet", "--filter", LABEL).split():
                        if container not in every_s:
                            asked = self.inspect(container)["Config"].get("Healthcheck")
                            every_s[container] = asked["Interval"] / 1e9 if asked else float("inf")
                        if every_s[container] < float("inf") and due.get(container, 0) < time.monotonic():
                            due[container] = time.monotonic() + every_s[container]
                            threading.Thread(target=self.is_healthy, args=[container], daemon=True).start()
                except ContainersError:  # one that is removed meanwhile
                    continue

        thread = threading.Thread(target=check, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class Compose:
    """docker-compose.yml of a copy of the project, `folder`, carried out by Compose against Podman's socket."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.socket = engine.folder / "podman.sock"
        found = [shutil.which("docker-compose"), *(str(folder / "docker-compose") for folder in PLUGINS)]
        programs = [program for program in found if program and Path(program).exists()]
        self.program = next((program for program in programs if "v1" not in _version(program)), None)
        if self.program is None:
            raise ContainersError(
                "this machine has no docker-compose 2.24 or newer: Debian 13 has it, as docker-compose"
            )
        #: What the user of the shell has set.
        self.variables: dict[str, str] = {}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve Podman's socket meanwhile."""
        self.socket.unlink(missing_ok=True)
        command = ["podman", "system", "service", "--time", "0", f"unix://{self.socket}"]
        service = subprocess.Popen(command, env=self.engine.environment, stderr=subprocess.DEVNULL)
        try:
            wait_until(self.socket.exists, "Podman serves its socket")
            yield
        finally:
            service.terminate()
            service.wait()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a shell in which `docker-compose` reaches Podman."""
        return {"DOCKER_HOST": f"unix://{self.socket}", **self.variables}

    def __call__(self, *arguments: str) -> str:
        """Run `docker compose`, and return what it prints."""
        assert self.program is not None
        return self.engine.run(self.program, *arguments, cwd=self.folder, more=self.environment)

    def up(self, *arguments: str) -> None:
        """Start all, or what has changed, and wait until each is healthy."""
        self("up", "--no-build", "--detach", *arguments)
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """Wait until the check of each container that has one passes."""
        for name in self.engine.list_containers():
            if self.engine.inspect(name)["Config"].get("Healthcheck"):
                wait_until(lambda name=name: self.engine.is_healthy(name), f"{name} is healthy")

    def read(self, *arguments: str) -> str:
        """Run a container that prints something; again while nothing comes, as Podman 4 may lose what one says."""
        printed: list[str] = []

        def has_printed() -> bool:
            printed.append(self("run", "--rm", "-T", *arguments))
            return bool(printed[-1].strip())

        wait_until(has_printed, f"{' '.join(arguments)} prints something")
        return printed[-1]

    def signoff(self, *arguments: str) -> str:
        """Run a command of Signoff, as the page for strangers says."""
        return self("run", "--rm", "-T", "signoff", *arguments)


def _version(program: str) -> str:
    shown = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=False).stdout
    return "v1" if shown.startswith("1.") or not shown else shown


def wait_until(is_true: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> float:
    """Wait until something is true, and return the seconds it took; raise ContainersError if it does not become so."""
    begun = time.monotonic()
    while not is_true():
        if time.monotonic() - begun > within_s:
            raise ContainersError(f"not within {within_s:g} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - begun


def find_folder() -> Path:
    """Return the folder of the store."""
    return get_cache_dir() / "containers"
