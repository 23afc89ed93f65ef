"""What each release has left in its tables and topics is migrated, read and made again, in every later one, too.

With SIGNOFF_WRITE_EXPECTED=1 a new release keeps what the lives of these tests leave. What is kept stays as it is.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from promises.__main__ import read_releases, read_version
from sqlalchemy import text
from support.jobstore.older import find_differences
from support.jobstore.roles import PASSWORDS, name_jobstore, name_migrating
from told_facts import TOPICS, empty, rebuilding, verified

from jobstore.engine.database import Database
from jobstore.recovery.rebuild import OpenHistory
from localstack.postgres import find_binaries, make_roles
from servicekit.kafka.history import Unread

KEPT = Path(__file__).parent / "released"
DUMP = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges")


class Kept:
    """A topic as a release has left it."""

    def __init__(self, release: str, topic: str) -> None:
        self.topic, self.unread = topic, Unread()
        lines = (KEPT / f"{release}.{topic}.jsonl").read_text("utf-8").splitlines()
        self.records = [_read(topic, *json.loads(line)) for line in lines]

    async def offsets(self) -> dict[int, range]:
        return {each.partition: range(each.offset + 1) for each in self.records}

    async def read(self, _: Mapping[int, range]) -> AsyncIterator[list[Any]]:
        yield self.records


def _read(topic: str, partition: int, offset: int, *parts: Any) -> Any:
    key, value = (None if part is None else part.encode() for part in parts[:2])
    headers = [(name, text.encode()) for name, text in parts[2]]
    return ConsumerRecord(topic, partition, offset, 0, 0, key, value, None, 0, 0, headers)


def _show(record: Any) -> str:
    key, value = (None if part is None else part.decode() for part in (record.key, record.value))
    headers = [(name, text.decode()) for name, text in record.headers]
    return json.dumps([record.partition, record.offset, key, value, headers])


async def keep(release: str, database_url: str, history: OpenHistory) -> None:
    command = [find_binaries() / "pg_dump", *DUMP, database_url]
    dump = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    kept = {"sql": [line for line in dump.stdout.splitlines() if line and not line.startswith(("--", "\\", "SET "))]}
    for topic in TOPICS:
        async with history(topic) as reader:
            batches = [batch async for batch in reader.read(await reader.offsets())]
        kept[f"{topic}.jsonl"] = [_show(record) for batch in batches for record in batch]
    for name, lines in kept.items():
        (KEPT / f"{release}.{name}").write_text("\n".join([*lines, ""]), "utf-8")


async def test_each_release_keeps_what_it_leaves(database_url: str, history: OpenHistory) -> None:
    if "SIGNOFF_WRITE_EXPECTED" in os.environ and not (KEPT / f"{read_version()}.sql").exists():
        await keep(read_version(), database_url, history)
    assert {path.stem for path in KEPT.glob("*.sql")} == read_releases().keys()


@pytest.mark.parametrize("release", sorted(read_releases()))
async def test_its_database_is_migrated_and_its_facts_make_the_same_again(postgres: str, release: str) -> None:
    async with empty(postgres) as (migrated, url), empty(postgres) as (made, made_url):
        server = await asyncpg.connect(url)
        await server.execute((KEPT / f"{release}.sql").read_text("utf-8"))
        await server.close()
        await migrated.migrate()
        assert await find_differences(migrated) == []
        result = await rebuilding(made, lambda topic: nullcontext(Kept(release, topic))).run()
        assert (result["gaps"], result.get("unreadable", 0), result["left"]) == (0, 0, {})
        found = await verified(made_url, url)
        assert found["ok"], found


async def test_its_facts_are_made_a_database_by_the_role_that_migrates(postgres: str) -> None:
    """It is no superuser; the jobstores' role is granted what it needs when the first of them starts."""
    release = max(read_releases())
    async with empty(postgres) as (_, url), AsyncExitStack() as stack:
        await make_roles(url, **PASSWORDS)
        migrating, jobstore = (each.replace(":", "+asyncpg:", 1) for each in (name_migrating(url), name_jobstore(url)))
        made, started = Database(migrating), Database(jobstore, migrate_url=migrating)
        for each in (made, started):
            stack.push_async_callback(each.close)
        result = await rebuilding(made, lambda topic: nullcontext(Kept(release, topic))).run()
        await started.prepare()
        async with started.session() as session:
            jobs = await session.scalar(text("SELECT count(*) FROM jobs"))
    assert (result["ok"], jobs) == (True, cast("Any", result["counts"])["jobs"])
    assert jobs > 0
