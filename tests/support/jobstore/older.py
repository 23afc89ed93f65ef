"""A database as an older version left it, and how its tables differ from today's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from uuid import uuid4

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from jobstore.storage.database import Database
from jobstore.storage.tables import metadata

_COLUMNS = """
SELECT table_name, array_agg(column_name::text) AS columns
FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name
"""


@asynccontextmanager
async def older_copy(database_url: str, revision: str) -> AsyncIterator[Database]:
    """Yield a copy of a database as it was before a migration; it is dropped at the end."""
    name = f"test_{uuid4().hex}"
    url = f"{database_url.rpartition('/')[0]}/{name}"
    source = await asyncpg.connect(database_url)
    await source.execute(f'CREATE DATABASE "{name}"')
    older = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await older.run_sync(lambda connection: _migrate_before(connection, revision))
    target = await asyncpg.connect(url)
    columns = {row["table_name"]: row["columns"] for row in await target.fetch(_COLUMNS)}
    for table in metadata.sorted_tables:
        if table.name in columns:
            await _copy(source, target, table.name, columns[table.name])
    await target.execute("SELECT setval('job_logs_seq_seq', (SELECT max(seq) FROM job_logs))")
    await target.close()
    try:
        yield older
    finally:
        await older.close()
        await source.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await source.close()


def _migrate_before(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "jobstore:storage/migrations")
    config.attributes["connection"] = connection
    before = ScriptDirectory.from_config(config).get_revision(revision).down_revision
    command.upgrade(config, str(before))


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
