"""The tables are what the migrations make, however many migrate at once."""

import asyncio

from sqlalchemy import text
from support.jobstore.older import older_copy
from support.jobstore.steps import Steps

from jobstore.runner import CommandRunner
from jobstore.storage.database import Database

_IS_WAITING = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)
_WRITE = text("UPDATE executions SET priority = priority WHERE job_id = :job_id")


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    await compare_tables(database)


async def compare_tables(database: Database) -> None:
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - slow to import
    from alembic.migration import MigrationContext  # noqa: PLC0415

    from jobstore.storage.tables import metadata  # noqa: PLC0415

    differences = await database.run_sync(
        lambda c: compare_metadata(MigrationContext.configure(c, opts={"compare_type": True}), metadata)
    )
    assert differences == []


async def test_migrating_many_times_at_once_is_migrating_once(database: Database) -> None:
    await asyncio.gather(*(database.migrate() for _ in range(4)))


async def test_older_jobstores_write_while_indexes_are_rebuilt(
    database: Database, runner: CommandRunner, database_url: str
) -> None:
    """Even while one of them holds the rebuilding up."""
    first, second = [{"job_id": (await Steps(database, runner).requested()).job_id} for _ in range(2)]
    async with older_copy(database_url, "0014") as older, asyncio.timeout(60):
        async with older.transaction() as slow:
            assert await slow.change(_WRITE, first) == 1
            migrating = asyncio.create_task(older.migrate())
            async with older.session() as session:
                while not await session.scalar(_IS_WAITING):  # noqa: ASYNC110 - the database has no event
                    await asyncio.sleep(0.02)
                await session.execute(text("SET lock_timeout = '2s'"))
                assert await session.change(_WRITE, second) == 1
                session.invalidate()
        await migrating
        await compare_tables(older)
