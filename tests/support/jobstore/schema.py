"""What the tables of a database are, beside what they should be."""

from typing import Any

from jobstore.storage.database import Database
from jobstore.storage.tables import metadata


async def find_differences(database: Database) -> list[Any]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to import
    from alembic.migration import MigrationContext  # noqa: PLC0415

    return await database.run_sync(
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )
    )
