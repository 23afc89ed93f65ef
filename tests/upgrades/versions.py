"""The services of the last commit, and a jobstore of today with one migration more, which is made here."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from localstack.process import ServiceSpec

ROOT = Path(__file__).parents[2]
PARTS = ("proto", *(f"services/{name}" for name in ("servicekit", "jobstore", "executor", "validator", "console")))
#: Adds a column, as most migrations do: whoever reads or writes the table waits for it.
REVISION, COLUMN = "next", "yet_unknown"
MIGRATION = f'''"""A column more."""

from alembic import op

revision = "{REVISION}"
down_revision = "{{head}}"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN {COLUMN} TEXT")
'''


def unpack_last_commit(directory: Path) -> bool:
    """Unpack the last commit's services; return False where there is no commit."""
    try:
        archive = subprocess.run(["git", "-C", ROOT, "archive", "HEAD", *PARTS], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
    return True


def of_last_commit(spec: ServiceSpec, directory: Path) -> ServiceSpec:
    """Return a service as it was at the last commit, which is unpacked in a directory."""
    kind = spec.name.partition("-")[0]
    return _from(spec, *(directory / part for part in ("proto", "services/servicekit", f"services/{kind}")))


def make_next_jobstore(directory: Path) -> None:
    """Copy today's jobstore into a directory, with a migration behind its last."""
    package = directory / "jobstore"
    shutil.copytree(ROOT / "services/jobstore/jobstore", package, ignore=shutil.ignore_patterns("__pycache__"))
    versions = package / "schema/migrations/versions"
    head = max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]
    (versions / f"{REVISION}.py").write_text(MIGRATION.format(head=head))


def of_next(spec: ServiceSpec, directory: Path) -> ServiceSpec:
    """Return a service of today; a jobstore with the migration that `make_next_jobstore` has added."""
    return _from(spec, directory) if spec.name.startswith("jobstore") else spec


def _from(spec: ServiceSpec, *paths: Path) -> ServiceSpec:
    return replace(spec, env={**spec.env, "PYTHONPATH": ":".join(map(str, paths))})
