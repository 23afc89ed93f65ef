# ruff: noqa: INP001 - a script, which the service `backup` of production.yml executes
"""Read a backup whole, and say what it is, or why it cannot be restored: `inspect_backup.py NUMBER`, or `newest`."""

import sys
from collections.abc import Mapping

from jobstore.config import BackupSettings
from jobstore.keeping.snapshots import Snapshots
from jobstore.recovery import process
from servicekit.archive.objects import Objects
from servicekit.errors import PermanentError
from servicekit.process.settings import load_settings
from signoff.errors import ErrorCode


async def main() -> Mapping[str, object]:
    """Read it, and return its number, its time and the version that made it."""
    settings, number = load_settings(BackupSettings), sys.argv[1]
    snapshots = Snapshots(Objects.open(settings.archive), settings.keys)
    snapshot = await snapshots.open(None if number == "newest" else int(number))
    if snapshot is None:
        raise PermanentError(f"there is no backup in {settings.archive}", code=ErrorCode.WRONG_ARCHIVE)
    await snapshot.check()
    return {"ok": True, **snapshot.manifest.model_dump(include={"number", "made_at", "version"})}


if __name__ == "__main__":
    process.run(main)
