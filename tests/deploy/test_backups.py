"""A production of Compose backs its database up by itself, says when that fails, and restores nothing damaged."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest
from support.compose_backup import WAIT_S, ComposeBackup
from support.factories import make_secret
from support.fakes import until
from support.jobstore.roles import PASSWORDS, name_jobstore, name_migrating
from support.jobstore.steps import new_job
from support.jobstore.terms import TERMS

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from jobstore.keeping.snapshots import name_folder, name_manifest
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
    assert await make(backup) == "1"
    await create_job(backup.url, "later")
    await execute(backup.url, "UPDATE alembic_version SET version_num = 'of a newer release'")
    with pytest.raises(PermanentError) as error:
        await open_database(backup.url)
    assert error.value.code == ErrorCode.UNKNOWN_REVISION
    restored = await backup.up("--restore", "newest")
    assert restored.status == 0, restored.err + restored.out
    assert await list_jobs(backup.url) == ["a"]
    await create_job(backup.url, "b")
    (kept,) = re.findall(r"the database that there was is (\S+):", restored.out)
    (result,) = [json.loads(line) for line in restored.out.splitlines() if '"began_at"' in line]
    assert (result["ok"], result["began_at"]["number"], result["began_at"]["goes_on"]) == (True, 1, False)
    run, start = "compose run --rm -T", "compose up --wait --detach"
    in_postgres = "compose exec -T postgres bash /restore.sh"
    assert list_done(backup) == [
        f"{run} backup inspect newest",
        "compose stop caddy console executor validator jobstore backup",
        f"{start} postgres kafka kafka-2 kafka-3",
        f"{run} kafka-users",
        f"{in_postgres} prepare",
        f"{run} backup restore newest",
        f"{in_postgres} swap",
        start,
    ]
    of_before = urlsplit(backup.url)._replace(path=f"/{kept}").geturl()
    assert [row["id"] for row in await execute(of_before, "SELECT id FROM jobs ORDER BY id")] == ["a", "later"]


def list_done(backup: ComposeBackup) -> list[str]:
    """What `docker compose` was asked to do, besides fetching images."""
    did = ("compose exec", "compose run", "compose stop", "compose up")
    return [call for call in backup.read_asked() if call.startswith(did)]


def find_table(backup: ComposeBackup, number: str, table: str) -> Path:
    (file,) = (backup.backups / "checkpoints" / name_folder(int(number))).glob(f"*/{table}.copy.zst")
    return file


async def test_a_damaged_backup_is_refused_and_changes_nothing(backup: ComposeBackup) -> None:
    """Whatever the damage is: test_snapshots.py."""
    number = await make(backup)
    file = find_table(backup, number, "jobs")
    os.truncate(file, file.stat().st_size - 1)
    refused = await backup.up("--restore", number)
    assert (refused.status, "wrong_archive" in refused.out) == (1, True)
    assert list_done(backup) == [f"compose run --rm -T backup inspect {number}"], "nothing is stopped for it"
    assert await list_jobs(backup.url) == ["a"]


async def test_a_database_is_not_replaced_while_nobody_knows_whether_there_are_newer_facts(
    backup: ComposeBackup,
) -> None:
    backup.more["SIGNOFF_KAFKA_SECURITY"] = "SSL"  # which the broker does not speak
    number = await make(backup)
    await create_job(backup.url, "later")
    refused = await backup.up("--restore", number)
    assert refused.status == 1
    assert "kafka_unauthenticated" in refused.out
    assert list_done(backup)[-1] == f"compose run --rm -T backup restore {number}"
    assert await list_jobs(backup.url) == ["a", "later"]


async def test_an_empty_database_replaces_none(backup: ComposeBackup) -> None:
    assert (await backup.restore("prepare")).status == 0
    refused = await backup.restore("swap")
    assert (refused.status, "is empty: fill it first" in refused.err) == (1, True)
    assert await list_jobs(backup.url) == ["a"]


async def test_a_failed_backup_is_seen_until_one_succeeds_and_old_ones_go_once_there_is_a_newer_one(
    backup: ComposeBackup,
) -> None:
    """By a metric, and by the health of the container. Dumps of a release before are neither counted nor removed."""
    dump = backup.backups / "signoff-20260101T000000.000Z.dump"
    dump.write_bytes(b"of 0.2.0")
    assert (await backup.run("check")).status == 1
    first = await make(backup)
    assert (await backup.run("check")).status == 0
    age(backup, first, days=3)
    unhealthy = await backup.run("check", SIGNOFF_BACKUP_EVERY_H="24")
    assert (unhealthy.status, unhealthy.err) == (1, f"backup.sh: the newest, {first}, is too old\n")
    assert (await backup.run("check", SIGNOFF_BACKUP_EVERY_H="72")).status == 0

    failed = await backup.run("make", SIGNOFF_DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert failed.status != 0
    assert "signoff_backup_failed 1\n" in backup.metrics
    tables = (backup.backups / "checkpoints" / name_folder(int(first))).glob("*/*")
    assert f"signoff_backup_bytes {sum(file.stat().st_size for file in tables)}\n" in backup.metrics
    unhealthy = await backup.run("check", SIGNOFF_BACKUP_EVERY_H="72")
    assert (unhealthy.status, unhealthy.err) == (1, "backup.sh: the last attempt failed: see the log\n")

    kept = await backup.run("make", SIGNOFF_BACKUP_KEEP_DAYS="4")
    assert "signoff_backup_failed 0\n" in backup.metrics
    assert (await backup.run("check")).status == 0
    assert (await backup.run("list")).out.split() == [first, kept.out.strip()]
    last = await backup.run("make", SIGNOFF_BACKUP_KEEP_DAYS="2")
    assert (await backup.run("list")).out.split() == [kept.out.strip(), last.out.strip()]
    assert not (backup.backups / name_manifest(int(first))).exists()
    assert dump.exists()


async def test_backups_are_made_by_themselves_and_none_without_tables(backup: ComposeBackup) -> None:
    """The service that makes them ends when it is told to."""
    async with backup.keeping() as service:
        await until((backup.folder / "backup.prom").exists, WAIT_S)
        assert "signoff_backup_failed 0" in backup.metrics
        service.terminate()
        assert await asyncio.wait_for(service.wait(), WAIT_S) == 0
    (number,) = (await backup.run("list")).out.split()
    assert (await backup.run("check")).status == 0
    manifest = backup.backups / name_manifest(int(number))
    assert {file.stat().st_mode & 0o777 for file in (manifest, find_table(backup, number, "jobs"))} == {0o600}

    await execute(backup.url, "DROP SCHEMA public CASCADE")
    await execute(backup.url, "CREATE SCHEMA public")
    refused = await backup.run("make")
    assert (refused.status, refused.out) == (1, "")
    assert "start a jobstore, which migrates it" in refused.err
    assert (await backup.run("list")).out.split() == [number]


def age(backup: ComposeBackup, number: str, days: float) -> None:
    """Let a backup be as old as that."""
    then = time.time() - days * 86_400
    os.utime(backup.backups / name_manifest(int(number)), (then, then))
