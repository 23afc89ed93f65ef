"""Back up a database while all runs: `python -m jobstore.recovery.backup` (jobstore.keeping.snapshots)."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from jobstore.config import BackupSettings
from jobstore.keeping.snapshots import Snapshots
from jobstore.recovery import process
from jobstore.recovery.verify import open_snapshot
from servicekit.archive.objects import Objects
from servicekit.errors import PermanentError
from servicekit.process import runtime
from servicekit.process.settings import load_settings
from signoff.errors import ErrorCode

_IS_MIGRATED: Final = text("SELECT to_regclass('keeping') IS NOT NULL")


async def main() -> Mapping[str, object]:
    """Back up the database that the environment names, and return what the backup has.

    `behind` counts facts that the relay had not published by then: a restore publishes them.
    """
    settings = load_settings(BackupSettings)
    snapshots = Snapshots(Objects.open(settings.archive, creates=True), settings.keys)
    async with open_snapshot(settings.database_url.get_secret_value()) as connection:
        if not await connection.scalar(_IS_MIGRATED):
            raise PermanentError(
                "the database has no tables of this version: start a jobstore, which migrates it",
                code=ErrorCode.DATABASE_NOT_MIGRATED,
            )
        snapshot = await snapshots.write(connection, runtime.VERSION)
    manifest, removed = snapshot.manifest, await snapshots.forget(settings.archive_kept_s)
    return {
        "ok": True,
        "number": manifest.number,
        "made_at": manifest.made_at,
        "bytes": manifest.bytes,
        "rows": {table.name: table.rows for table in manifest.tables},
        "behind": manifest.behind,
        "removed": removed,
    }


if __name__ == "__main__":
    process.run(main)
