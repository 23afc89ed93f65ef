"""The tables are what the migrations make, however many migrate at once, and however long it takes."""

import asyncio
import logging
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from support.jobstore.older import find_differences, older_copy
from support.jobstore.steps import Steps

from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.locks import Lock
from jobstore.storage.tables import metadata

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


_IS_WAITING = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)
_WRITE = text("UPDATE executions SET priority = priority WHERE job_id = :job_id")


async def test_the_tables_are_what_the_migrations_make(database: Database) -> None:
    assert await find_differences(database) == []


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
    async with older_copy(database_url, "0014") as older:
        reader = await asyncpg.connect(
            str(older.url.set(drivername="postgresql").render_as_string(hide_password=False))
        )
        reading = reader.transaction()
        await reading.start()
        await reader.execute("LOCK TABLE executions IN ACCESS SHARE MODE")
        migrating = asyncio.create_task(older.migrate(tell_every_s=0.05))
        line = await logged(caplog, "the database is being migrated", doing="migrate", revision="0014")
        assert vars(line)["since"]
        await reading.rollback()
        await reader.close()
        await migrating
        assert await find_differences(older) == []
    await logged(caplog, "a migration is done", revision="0014")


async def test_an_older_jobstore_starts_on_tables_of_a_newer_one(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = await asyncpg.connect(database_url)
    head = await server.fetchval("UPDATE alembic_version SET version_num = '9999' RETURNING old.version_num")
    try:
        await database.migrate()
        assert await server.fetchval("SELECT version_num FROM alembic_version") == "9999"
    finally:
        await server.execute("UPDATE alembic_version SET version_num = $1", head)
        await server.close()
    await logged(caplog, "the database is of a newer version than this jobstore", revision="9999")


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
        assert await find_differences(older) == []
