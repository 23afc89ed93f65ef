"""The scripts that back a production of Compose up and restore it, as processes on a server of the tests."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from localstack.postgres import find_binaries

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy/compose"
WAIT_S = 120  # of a restore on a machine that others share
#: Does in the place of `docker` what its containers would, and notes what it was asked for.
DOCKER = """\
#!/bin/bash
echo "$*" >> {folder}/asked
case "$*" in
    "compose run --rm -T backup "*) exec bash {folder}/backup.sh "${{@:6}}" ;;
    "compose exec -T backup bash /backup.sh "*) exec bash {folder}/backup.sh "${{@:7}}" ;;
    "compose exec -T postgres bash /restore.sh "*) exec bash {folder}/restore.sh "${{@:7}}" ;;
    "compose ps "*) cat {folder}/running ;;
    "compose -f "*" config") cat {folder}/model.yml ;;
    *" config --images") sed -n 's/.*image: "\\(.*\\)", pull.*/\\1/p' {folder}/images.yml; cat {folder}/movable ;;
    "image inspect "*) cat {folder}/digests ;;
esac
"""


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@dataclass
class ComposeBackup:
    """Backups of the database at a superuser's URL, in a folder; `more` is what the jobstore's programs are given."""

    folder: Path
    url: str
    passwords: Mapping[str, str] = field(default_factory=dict)
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.backups.mkdir()
        roles = ROOT / "deploy/local/localstack/roles.sql"
        (self.folder / "roles.sh").write_text((SCRIPTS / "roles.sh").read_text().replace("/roles.sql", str(roles)))
        for script in ("backup.sh", "restore.sh", "inspect_backup.py"):
            shutil.copy(SCRIPTS / script, self.folder)
        (self.folder / "deploy/compose").mkdir(parents=True)
        shutil.copy(SCRIPTS / "up.sh", self.folder / "deploy/compose")
        self.set_version("1.0.0")
        self.set_images({"jobstore": "r.example/signoff-jobstore:1"}, "r.example/signoff-jobstore@sha256:01")
        self.set_running("")
        (self.folder / "bin").mkdir()
        docker = self.folder / "bin/docker"
        docker.write_text(DOCKER.format(folder=self.folder))
        docker.chmod(0o755)

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def metrics(self) -> str:
        return (self.folder / "backup.prom").read_text()

    def set_version(self, version: str) -> None:
        """Say which release the checkout is of."""
        (self.folder / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')

    def set_images(self, images: dict[str, str], *digests: str, movable: str = "") -> None:
        """Say what Compose makes of its files, the digests that the engine knows, and images without one."""
        (self.folder / "digests").write_text("".join(f"{digest}\n" for digest in digests))
        (self.folder / "movable").write_text(movable)
        services = "".join(f"  {name}:\n    image: {image}\n" for name, image in images.items())
        (self.folder / "model.yml").write_text(
            f"name: signoff\nservices:\n{services}volumes:\n  image:\n    image: no\n"
        )

    def set_running(self, services: str) -> None:
        (self.folder / "running").write_text(services)

    def read_asked(self) -> list[str]:
        """What `docker` was asked for since the last time."""
        file = self.folder / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    async def run(self, *command: str, **env: str) -> Ended:
        """Run backup.sh."""
        return await self._run(self.folder / "backup.sh", *command, **env)

    async def restore(self, command: str) -> Ended:
        """Run restore.sh."""
        return await self._run(self.folder / "restore.sh", command)

    async def up(self, *command: str) -> Ended:
        """Run up.sh."""
        return await self._run(self.folder / "deploy/compose/up.sh", *command)

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run the service that makes backups by itself."""
        service = await asyncio.create_subprocess_exec("bash", self.folder / "backup.sh", "keep", env=self._environment)
        try:
            yield service
        finally:
            if service.returncode is None:
                service.kill()
            await service.wait()

    @property
    def _environment(self) -> dict[str, str]:
        """What the containers are given."""
        at = urlsplit(self.url)
        return {
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{find_binaries()}:{os.environ['PATH']}",
            "PGHOST": at.hostname or "",
            "PGPORT": str(at.port),
            "POSTGRES_USER": at.username or "",
            "POSTGRES_DB": at.path.removeprefix("/"),
            "PGPASSWORD": unquote(at.password or ""),  # the container's own socket asks for none
            **{name.upper(): password for name, password in self.passwords.items()},
            "BACKUPS": str(self.backups),
            "METRICS": str(self.folder),
            **self.more,
        }

    async def _run(self, script: Path, *command: str, **env: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            "bash",
            script,
            *command,
            env=self._environment | env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), WAIT_S)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())
