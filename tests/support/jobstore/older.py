"""A copy of a database, which is soon older than it, and how its tables differ from those that are declared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from uuid import uuid4

import asyncpg

from jobstore.engine.database import Database
from jobstore.schema.tables import metadata


@asynccontextmanager
async def new_database(database_url: str) -> AsyncIterator[str]:
    """Yield the URL of a database beside another, without tables; it is dropped at the end."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(database_url)
    await server.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{database_url.rpartition('/')[0]}/{name}"
    finally:
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


@asynccontextmanager
async def older_copy(database_url: str) -> AsyncIterator[Database]:
    """Yield a copy of a database, as a backup is one."""
    async with new_database(database_url) as url:
        older = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
        await older.migrate()
        source, target = await asyncpg.connect(database_url), await asyncpg.connect(url)
        for table in metadata.sorted_tables:
            await _copy(source, target, table.name, [column.name for column in table.columns])
        await target.execute("SELECT setval('job_logs_seq_seq', (SELECT max(seq) FROM job_logs))")
        await target.close()
        await source.close()
        try:
            yield older
        finally:
            await older.close()


async def _copy(source: asyncpg.Connection, target: asyncpg.Connection, table: str, columns: list[str]) -> None:
    rows = BytesIO()
    await source.copy_from_query(f"SELECT {', '.join(columns)} FROM {table}", output=rows, format="binary")
    rows.seek(0)
    await target.execute(f"DELETE FROM {table}")
    await target.copy_to_table(table, source=rows, columns=columns, format="binary")


async def find_differences(database: Database) -> list[Any]:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to import
    from alembic.migration import MigrationContext  # noqa: PLC0415

    return await database.run_sync(
        lambda connection: compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), metadata
        )
    )
