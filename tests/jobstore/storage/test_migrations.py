"""The tables are what the migrations make, however many migrate at once."""

import asyncio

from jobstore.storage.database import Database


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to import
    from alembic.migration import MigrationContext  # noqa: PLC0415

    from jobstore.storage.tables import metadata  # noqa: PLC0415

    differences = await database.run_sync(
        lambda c: compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), metadata)
    )
    assert differences == []


async def test_migrating_many_times_at_once_is_migrating_once(database: Database) -> None:
    await asyncio.gather(*(database.migrate() for _ in range(4)))
