"""The tables have an owner who migrates them; the role of jobstores only adds to the log and the audit."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from support.jobstore.removed import archived, removed
from support.jobstore.roles import PASSWORDS, name_jobstore, name_migrating
from support.jobstore.steps import new_job
from support.jobstore.terms import TERMS

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from jobstore.schema.tables import APPEND_ONLY
from jobstore.subjects import STORES
from localstack.postgres import find_binaries, make_roles


class Urls(NamedTuple):
    superuser: str
    jobstore: str
    migrating: str


@asynccontextmanager
async def another_database(postgres: str) -> AsyncIterator[str]:
    """The superuser's URL of an empty database."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    yield f"{postgres.rpartition('/')[0]}/{name}"
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


@pytest.fixture
async def urls(postgres: str) -> AsyncIterator[Urls]:
    async with another_database(postgres) as superuser:
        yield Urls(superuser, name_jobstore(superuser), name_migrating(superuser))


def open_database(url: str, migrating: str | None = None) -> Database:
    driver = "postgresql+asyncpg:"
    return Database(
        url.replace("postgresql:", driver),
        migrate_url=None if migrating is None else migrating.replace("postgresql:", driver),
    )


@pytest.fixture
async def database(urls: Urls) -> AsyncIterator[Database]:
    await make_roles(urls.superuser, **PASSWORDS)
    made = open_database(urls.jobstore, urls.migrating)
    await made.prepare()
    yield made
    await made.close()


@pytest.fixture
async def jobstore(database: Database, urls: Urls) -> AsyncIterator[asyncpg.Connection]:  # type: ignore[type-arg]
    assert database.address.user == "jobstore"
    connection = await asyncpg.connect(urls.jobstore)
    yield connection
    await connection.close()


@pytest.mark.parametrize("table", sorted(APPEND_ONLY))
@pytest.mark.parametrize("change", ["DELETE FROM", "TRUNCATE", "UPDATE", "DROP TABLE", "ALTER TABLE"])
async def test_the_log_and_the_audit_are_only_added_to(
    jobstore: asyncpg.Connection,
    table: str,
    change: str,  # type: ignore[type-arg]
) -> None:
    rest = {"UPDATE": "SET count = 0" if table == "audit" else "SET seq = 0", "ALTER TABLE": "ADD more INT"}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await jobstore.execute(f"{change} {table} {rest.get(change, '')}")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (id INT)",
        "CREATE TEMP TABLE more (id INT)",
        "CREATE SCHEMA more",
        "CREATE ROLE more",
        "DROP TABLE jobs",
        "TRUNCATE jobs",
        "SET ROLE signoff_owner",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT rolpassword FROM pg_authid",
        "ALTER TABLE audit DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_what_a_jobstore_never_does_is_refused(
    jobstore: asyncpg.Connection,
    statement: str,  # type: ignore[type-arg]
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await jobstore.execute(statement)


async def test_a_jobstore_cuts_what_is_archived_and_nothing_else(
    database: Database,
    jobstore: asyncpg.Connection,  # type: ignore[type-arg]
) -> None:
    runner = CommandRunner(database, STORES, TERMS)
    async with database.transaction() as connection:  # as the process tells it that runs here
        await connection.execute(text("UPDATE epochs SET report = CAST('{\"removes\": true}' AS jsonb)"))
    for job_id in ("gone", "there"):
        await runner.submit.run_one(CreateJob(new_job(agent_id=None), job_id, actor=SIGNOFF))
    assert await removed(database, runner, "gone") == {}
    assert await jobstore.fetchval("SELECT signoff_cut(10, 0)") == 0
    await archived(database)
    assert await jobstore.fetchval("SELECT signoff_cut(10, 0)") == 1
    kinds = await jobstore.fetch("SELECT job_id, kind FROM job_logs ORDER BY job_id")
    assert [tuple(row) for row in kinds] == [("gone", "removed"), ("there", "created")]
    assert await jobstore.fetchval("SELECT signoff_forget_removed(10, 0)") == 0


async def test_a_jobstore_reads_the_revision_of_its_tables_for_a_checkpoint(
    jobstore: asyncpg.Connection,  # type: ignore[type-arg]
) -> None:
    assert await jobstore.fetchval("SELECT version_num FROM alembic_version")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await jobstore.execute("UPDATE alembic_version SET version_num = ''")


async def test_a_jobstore_does_its_work_by_its_role(database: Database) -> None:
    await CommandRunner(database, STORES, TERMS).submit.run_one(CreateJob(new_job(agent_id=None), "a", actor=SIGNOFF))
    await database.availability.probe()
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM job_logs")) == 1
        assert await session.scalar(text("SELECT current_user")) == "jobstore"
        assert await session.scalar(text("SELECT last_value FROM job_logs_seq_seq")) >= 1


async def test_tables_that_a_superuser_made_get_their_owner_and_are_migrated_on(urls: Urls) -> None:
    before = open_database(urls.superuser)
    await before.migrate()
    await CommandRunner(before, STORES, TERMS).submit.run_one(CreateJob(new_job(agent_id=None), "a", actor=SIGNOFF))
    await before.close()
    await make_roles(urls.superuser, **PASSWORDS)
    database = open_database(urls.jobstore, urls.migrating)
    try:
        await database.prepare()
        await CommandRunner(database, STORES, TERMS).submit.run_one(
            CreateJob(new_job(agent_id=None), "b", actor=SIGNOFF)
        )
        async with database.session() as session:
            owners = (
                "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            )
            assert await session.scalars(text(owners)) == ["signoff_owner"]
    finally:
        await database.close()


async def run(command: str, *arguments: str) -> None:
    """Run a program of PostgreSQL, which must find nothing to complain of."""
    process = await asyncio.create_subprocess_exec(
        find_binaries() / command, *arguments, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (0, "")


async def test_a_backup_is_made_and_restored_by_who_migrates(
    database: Database, urls: Urls, postgres: str, tmp_path: Path
) -> None:
    await CommandRunner(database, STORES, TERMS).submit.run_one(CreateJob(new_job(agent_id=None), "a", actor=SIGNOFF))
    dump = str(tmp_path / "signoff.dump")
    await run("pg_dump", "--format=custom", f"--file={dump}", urls.migrating)
    async with another_database(postgres) as superuser:
        await make_roles(superuser, **PASSWORDS)
        migrating = name_migrating(superuser)
        await run("pg_restore", "--no-owner", "--no-acl", "--exit-on-error", f"--dbname={migrating}", dump)
        restored = open_database(name_jobstore(superuser), migrating)
        try:
            await restored.prepare()
            runner = CommandRunner(restored, STORES, TERMS)
            await runner.submit.run_one(CreateJob(new_job(agent_id=None), "b", actor=SIGNOFF))
            async with restored.session() as session:
                assert await session.scalars(text("SELECT id FROM jobs ORDER BY id")) == ["a", "b"]
        finally:
            await restored.close()


async def test_nothing_is_granted_twice(database: Database, urls: Urls) -> None:
    query = "SELECT sum(CAST(CAST(xmin AS text) AS bigint)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    async with database.session() as session:
        before = await session.scalar(text(query))
        await database.migrate()
        await make_roles(urls.superuser, **PASSWORDS)
        assert await session.scalar(text(query)) == before


async def test_one_url_for_both_goes_on_with_a_warning_of_a_superuser(
    urls: Urls, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(urls.superuser)
    with caplog.at_level(logging.WARNING):
        await database.prepare()
    await database.close()
    assert ["SIGNOFF_MIGRATE_DATABASE_URL" in record.getMessage() for record in caplog.records] == [True]


async def test_no_warning_without_a_superuser(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        await database.prepare()
    assert caplog.records == []
