"""A production of Compose backs its database up by itself, says when that fails, and restores nothing damaged."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from support.compose_backup import SCRIPTS, WAIT_S, ComposeBackup
from support.factories import make_secret
from support.fakes import until
from support.jobstore.roles import PASSWORDS, name_jobstore, name_migrating
from support.jobstore.steps import new_job
from support.jobstore.terms import TERMS

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from jobstore.keeping.snapshots import UNTOLD
from jobstore.subjects import STORES
from localstack.postgres import make_roles
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode

pytestmark = pytest.mark.real


async def open_database(url: str) -> Database:
    """A database as a jobstore opens it that has just started."""
    driver = ("postgresql:", "postgresql+asyncpg:")
    database = Database(name_jobstore(url).replace(*driver), migrate_url=name_migrating(url).replace(*driver))
    await database.prepare()
    return database


async def create_job(url: str, name: str) -> None:
    database = await open_database(url)
    await CommandRunner(database, STORES, TERMS).submit.run_one(CreateJob(new_job(agent_id=None), name, actor=SIGNOFF))
    await database.close()


async def list_jobs(url: str) -> list[str]:
    """The jobs that a jobstore finds that starts on the database."""
    await (await open_database(url)).close()
    return [row["id"] for row in await execute(name_jobstore(url), "SELECT id FROM jobs ORDER BY id")]


async def execute(url: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


@pytest.fixture
async def backup(postgres: str, kafka: str, tmp_path: Path) -> AsyncIterator[ComposeBackup]:
    """Backups of a database with a job."""
    name = f"test_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = urlsplit(postgres)._replace(path=f"/{name}").geturl()
    await make_roles(url, **PASSWORDS)
    await create_job(url, "a")
    of_jobstore = {
        "SIGNOFF_DATABASE_URL": name_jobstore(url),
        "SIGNOFF_MIGRATE_DATABASE_URL": name_migrating(url),
        "SIGNOFF_SECRETS": make_secret("test", b"a secret of the tests, not shown!"),
        "SIGNOFF_KAFKA": kafka,
        "SIGNOFF_TOPIC_PREFIX": f"{name}-",  # where nobody has published anything
    }
    yield ComposeBackup(tmp_path, url, PASSWORDS, of_jobstore)
    for row in await server.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", name):
        await server.execute(f'DROP DATABASE "{row["datname"]}" WITH (FORCE)')
    await server.close()


async def make(backup: ComposeBackup) -> str:
    made = await backup.run("make")
    assert made.status == 0, made.err
    return made.out.strip()


async def test_a_restored_database_is_what_it_was_and_a_jobstore_goes_on_with_it(backup: ComposeBackup) -> None:
    """Also one that a newer release has migrated: that is the way back."""
    name = await make(backup)
    await create_job(backup.url, "later")
    await execute(backup.url, "UPDATE alembic_version SET version_num = 'of a newer release'")
    with pytest.raises(PermanentError) as error:
        await open_database(backup.url)
    assert error.value.code == ErrorCode.UNKNOWN_REVISION
    restored = await backup.up("--restore", "newest")
    assert restored.status == 0, restored.err
    assert await list_jobs(backup.url) == ["a"]
    await create_job(backup.url, "b")
    (kept,) = re.findall(r"the database that there was is (\S+):", restored.out)
    assert f"not newer than {name}" in restored.out
    run, start = "compose run --rm -T", "compose up --wait --detach"
    assert list_done(backup) == [
        f"{run} backup inspect newest",
        "compose stop caddy console executor validator jobstore backup",
        f"{start} postgres kafka kafka-2 kafka-3",
        f"{run} kafka-users",
        f"{run} backup fill newest",
        f"{run} rebuild",
        f"{run} backup swap newest",
        start,
    ]
    of_before = urlsplit(backup.url)._replace(path=f"/{kept}").geturl()
    assert [row["id"] for row in await execute(of_before, "SELECT id FROM jobs ORDER BY id")] == ["a", "later"]


def list_done(backup: ComposeBackup) -> list[str]:
    """What `docker compose` was asked to do, besides fetching images."""
    did = ("compose run", "compose stop", "compose up")
    return [call for call in backup.read_asked() if call.startswith(did)]


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def change(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, change, Path.unlink], ids=["cut", "changed", "gone"])
async def test_a_damaged_backup_is_refused_and_changes_nothing(backup: ComposeBackup, damage: object) -> None:
    name = await make(backup)
    assert callable(damage)
    damage(backup.backups / name)
    for command in ("inspect", "fill", "swap"):
        refused = await backup.run(command, name)
        assert (refused.status, refused.out) == (1, "")
        assert re.search(rf"{name}( is damaged|: `backup.sh list`)", refused.err)
    assert (await backup.up("--restore", name)).status == 1
    assert list_done(backup) == [f"compose run --rm -T backup inspect {name}"], "nothing is stopped for it"
    assert await list_jobs(backup.url) == ["a"]


async def test_a_database_is_not_replaced_while_nobody_knows_whether_there_are_newer_facts(
    backup: ComposeBackup,
) -> None:
    backup.more["SIGNOFF_KAFKA_SECURITY"] = "SSL"  # which the broker does not speak
    name = await make(backup)
    await create_job(backup.url, "later")
    refused = await backup.up("--restore", name)
    assert refused.status == 1
    assert "kafka_unauthenticated" in refused.out
    swapped = await backup.run("swap", name)
    assert (swapped.status, swapped.err) == (1, "backup.sh: the facts were not read to their end\n")
    assert await list_jobs(backup.url) == ["a", "later"]


async def test_a_backup_without_tables_is_neither_made_nor_restored(backup: ComposeBackup) -> None:
    name = await make(backup)
    await execute(backup.url, "DROP SCHEMA public CASCADE")
    refused = await backup.run("make")
    assert (refused.status, refused.out) == (1, "")
    assert "holds no tables of Signoff" in refused.err
    assert (await backup.run("list")).out.split() == [name]
    assert (backup.backups / name).stat().st_mode & 0o777 == 0o600
    assert [file for file in backup.backups.iterdir() if file.suffix == ".part"] == []


async def test_a_failed_backup_is_seen_until_one_succeeds(backup: ComposeBackup) -> None:
    """By a metric, and by the health of the container."""
    assert (await backup.run("check")).status == 1
    name = await make(backup)
    assert (await backup.run("check")).status == 0
    failed = await backup.run("make", PGPORT="1")
    assert failed.status != 0
    assert "signoff_backup_failed 1\n" in backup.metrics
    assert f"signoff_backup_bytes {(backup.backups / name).stat().st_size}\n" in backup.metrics
    unhealthy = await backup.run("check")
    assert (unhealthy.status, unhealthy.err) == (1, "backup.sh: the last attempt failed: see the log\n")
    await make(backup)
    assert "signoff_backup_failed 0\n" in backup.metrics
    assert (await backup.run("check")).status == 0


async def test_backups_are_made_by_themselves_and_their_service_ends_when_it_is_told_to(backup: ComposeBackup) -> None:
    async with backup.keeping() as service:
        await until((backup.folder / "backup.prom").exists, WAIT_S)
        assert "signoff_backup_failed 0" in backup.metrics
        service.terminate()
        assert await asyncio.wait_for(service.wait(), WAIT_S) == 0
    assert len((await backup.run("list")).out.split()) == 1
    assert (await backup.run("check")).status == 0


async def test_a_backup_that_is_too_old_is_seen_and_old_ones_go_once_there_is_a_newer_one(
    backup: ComposeBackup,
) -> None:
    first = await make(backup)
    age(backup, first, days=3)
    unhealthy = await backup.run("check", SIGNOFF_BACKUP_EVERY_H="24")
    assert (unhealthy.status, unhealthy.err) == (1, f"backup.sh: the newest, {first}, is too old\n")
    assert (await backup.run("check", SIGNOFF_BACKUP_EVERY_H="72")).status == 0
    kept = await backup.run("make", SIGNOFF_BACKUP_KEEP_DAYS="4")
    assert (await backup.run("list")).out.split() == [first, kept.out.strip()]
    last = await backup.run("make", SIGNOFF_BACKUP_KEEP_DAYS="2")
    assert first not in (await backup.run("list")).out.split()
    assert {file.name for file in backup.backups.iterdir() if first in file.name} == set()
    assert last.out.strip() in (await backup.run("list")).out.split()


def age(backup: ComposeBackup, name: str, days: float) -> None:
    """Let a backup be as old as that."""
    then = time.time() - days * 86_400
    for file in (backup.backups / name, backup.backups / f"{name}.sha256"):
        os.utime(file, (then, then))


async def test_the_tables_that_are_copied_are_those_that_facts_do_not_tell_of() -> None:
    (ours,) = re.findall(r"own_tables=\((.*)\)", (SCRIPTS / "backup.sh").read_text())
    counted = {"rollup", "stubs", "keeping", "archive_parts", "inboxes"}  # rows that a new database makes, or has
    assert {*ours.split()} == {name for name in UNTOLD if not name.endswith("rollups")} - counted
