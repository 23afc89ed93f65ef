"""The tables are what the migrations make, however many migrate at once, and however long it takes."""

import asyncio
import logging
from uuid import uuid4

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from prometheus_client import REGISTRY
from sqlalchemy import text
from support.jobstore.older import find_differences, new_database

from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.schema.migrations.versions import REVISIONS
from jobstore.schema.tables import metadata
from servicekit.errors import PermanentError

LIMITS = ("statement_timeout", "lock_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")
HOLD = f"SELECT pg_advisory_lock({Lock.MIGRATION:d})"


async def logged(caplog: pytest.LogCaptureFixture, message: str, **fields: object) -> logging.LogRecord:
    """Wait until a line is in the log."""
    async with asyncio.timeout(20):
        while True:
            for record in caplog.records:
                if record.message == message and fields.items() <= vars(record).items():
                    return record
            await asyncio.sleep(0.02)


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    assert await find_differences(database) == []


def test_the_names_of_files_tell_the_revisions_in_their_order() -> None:
    config = Config()
    config.set_main_option("script_location", "jobstore:schema/migrations")
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert [script.revision for script in scripts] == [*reversed(REVISIONS)]


async def test_the_tables_have_their_storage_parameters(database: Database) -> None:
    async with database.session() as session:
        rows = await session.execute(text("SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL"))
    found = {row.relname: dict(option.split("=") for option in row.reloptions) for row in rows}
    declared = {table.name: table.dialect_options["postgresql"]["with"] for table in metadata.tables.values()}
    assert [name for name, each in declared.items() if not (each or {}).items() <= found.get(name, {}).items()] == []


async def test_migrating_many_times_at_once_is_migrating_once(database: Database) -> None:
    await asyncio.gather(*(database.migrate() for _ in range(4)))


async def test_no_time_limit_of_the_database_ends_a_migration(database: Database, database_url: str) -> None:
    name = database_url.rpartition("/")[2]
    server = await asyncpg.connect(database_url)
    for limit in LIMITS:
        await server.execute(f"ALTER DATABASE \"{name}\" SET {limit} = '1s'")
    try:
        found = await database.run_sync(lambda c: [c.exec_driver_sql(f"SHOW {limit}").scalar() for limit in LIMITS])
    finally:
        for limit in LIMITS:
            await server.execute(f'ALTER DATABASE "{name}" RESET {limit}')
        await server.close()
    assert found == ["0"] * len(LIMITS)


async def test_a_process_waits_for_its_turn_and_holds_nothing_up(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    other = await asyncpg.connect(database_url)
    await other.execute(HOLD)
    waiting = asyncio.create_task(database.migrate(tell_every_s=0.05))
    doing = "wait for another process that migrates"
    line = await logged(caplog, "the database is being migrated", doing=doing)
    assert vars(line)["pid"] == other.get_server_pid()
    async with asyncio.timeout(10):  # an index that is made beside the work waits for every snapshot
        await other.execute("CREATE INDEX CONCURRENTLY beside_idx ON workers (room)")
        await other.execute("DROP INDEX beside_idx")
    assert not waiting.done()
    await other.close()
    await waiting


async def test_a_first_start_is_no_outage(postgres: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its tables are missing until it has made them: it is not ready, and nobody is warned."""
    name = f"first_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    first, other = Database(url.replace("postgresql://", "postgresql+asyncpg://")), await asyncpg.connect(url)
    await other.execute(HOLD)
    starting = asyncio.gather(first.migrate(), first.availability.run())
    async with asyncio.timeout(20):
        while first.availability.check() is None:  # noqa: ASYNC110 - it looks by itself
            await asyncio.sleep(0.01)
    assert "migrates it" in str(first.availability.check())
    assert REGISTRY.get_sample_value("signoff_database_outage", {"code": "database_not_migrated"}) != 1
    await other.close()
    async with asyncio.timeout(60):
        while first.availability.check() is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await first.close()
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


async def test_the_log_says_which_revision_takes_long(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with new_database(database_url) as url:
        new = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
        other = await asyncpg.connect(url)
        making = other.transaction()
        await making.start()
        await other.execute("CREATE TABLE executions ()")
        migrating = asyncio.create_task(new.migrate(tell_every_s=0.05))
        line = await logged(caplog, "the database is being migrated", doing="migrate", revision="0100")
        assert vars(line)["since"]
        await making.rollback()
        await other.close()
        await migrating
        assert await find_differences(new) == []
        await new.close()
    await logged(caplog, "a migration is done", revision="0100")


async def test_tables_of_another_version_end_the_start(database: Database, database_url: str) -> None:
    """Whether they are of before the first revision here or of after the last: nobody knows what they lack."""
    server = await asyncpg.connect(database_url)
    head = await server.fetchval("UPDATE alembic_version SET version_num = '0028' RETURNING old.version_num")
    try:
        with pytest.raises(PermanentError, match=r"revision 0028\): .* start with an empty database") as refused:
            await database.prepare()
        assert refused.value.code == "unknown_revision"
        assert await server.fetchval("SELECT version_num FROM alembic_version") == "0028"
    finally:
        await server.execute("UPDATE alembic_version SET version_num = $1", head)
        await server.close()
