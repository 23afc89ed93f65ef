"""The services of the release before, and a jobstore of today with one migration more, which is made here."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from localstack.process import ServiceSpec

ROOT = Path(__file__).parents[2]
#: Each release adds a file there, its promises: by that its commit is found, without a tag.
RELEASES = "proto/releases"
PARTS = ("proto", *(f"services/{name}" for name in ("servicekit", "jobstore", "executor", "validator", "console")))
#: Adds a column, as most migrations do: whoever reads or writes the table waits for it.
REVISION, COLUMN = "9999", "yet_unknown"
MIGRATION = f'''"""A column more."""

from alembic import op

revision = "{REVISION}"
down_revision = "{{head}}"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN {COLUMN} TEXT")
'''


def find_earlier(root: Path = ROOT) -> str | None:
    """Return the commit that an upgrade begins from, that of the last release behind HEAD; None: there is no commit.

    At the first release that is HEAD. In a shallow clone that lacks the release it is the oldest commit behind HEAD.
    """
    found = _git(root, "log", "-1", "--format=%H", "--diff-filter=A", "HEAD^", "--", RELEASES)
    return (found or _git(root, "rev-parse", "HEAD") or b"").decode().strip() or None


def _git(root: Path, *words: str) -> bytes | None:
    """Return what git prints; None where it fails, or is not there."""
    try:
        return subprocess.run(["git", "-C", root, *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def unpack_earlier(directory: Path) -> bool:
    """Unpack the services that an upgrade begins from; return False where there is no commit."""
    commit = find_earlier()
    if commit is None or (archive := _git(ROOT, "archive", commit, *PARTS)) is None:
        return False
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
    return True


def of_earlier(spec: ServiceSpec, directory: Path) -> ServiceSpec:
    """Return a service of the release before, which is unpacked in a directory."""
    kind = spec.name.partition("-")[0]
    return _from(spec, *(directory / part for part in ("proto", "services/servicekit", f"services/{kind}")))


def make_next_jobstore(directory: Path) -> None:
    """Copy today's jobstore into a directory, with a migration behind its last."""
    package = directory / "jobstore"
    shutil.copytree(ROOT / "services/jobstore/jobstore", package, ignore=shutil.ignore_patterns("__pycache__"))
    versions = package / "schema/migrations/versions"
    head = max(path.name for path in versions.glob("[0-9]*.py")).partition("_")[0]
    (versions / f"{REVISION}_next.py").write_text(MIGRATION.format(head=head))


def of_next(spec: ServiceSpec, directory: Path) -> ServiceSpec:
    """Return a service of today; a jobstore with the migration that `make_next_jobstore` has added."""
    return _from(spec, directory) if spec.name.startswith("jobstore") else spec


def _from(spec: ServiceSpec, *paths: Path) -> ServiceSpec:
    return replace(spec, env={**spec.env, "PYTHONPATH": ":".join(map(str, paths))})
