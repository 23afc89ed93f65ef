"""What each release has left in its tables and topics is migrated, read and made again, now and in every later one.

With SIGNOFF_WRITE_EXPECTED=1 the version of the tree keeps what the lives of these tests leave (CONTRIBUTING.md, How to
release). What a release has kept stays as it is.
"""

import json
import os
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from promises.__main__ import read_releases, read_version
from support.jobstore.older import find_differences
from told_facts import TOPICS, empty, rebuilding, verified

from jobstore.recovery.rebuild import OpenHistory
from localstack.postgres import find_binaries
from servicekit.kafka.history import Unread

KEPT = Path(__file__).parent / "released"
DUMP = ("--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges")


class Kept:
    """A topic as a release has left it: lines of partition, offset, key, value and headers."""

    def __init__(self, release: str, topic: str) -> None:
        self.topic, self.unread = topic, Unread()
        lines = map(json.loads, (KEPT / f"{release}.{topic}.jsonl").read_text("utf-8").splitlines())
        self.records = [
            ConsumerRecord(topic, partition, offset, 0, 0, _bytes(key), _bytes(value), None, 0, 0, _headers(headers))
            for partition, offset, key, value, headers in lines
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def offsets(self) -> dict[int, range]:
        spans: dict[int, range] = {}
        for record in self.records:
            spans[record.partition] = range(
                spans.get(record.partition, range(record.offset, 0)).start, record.offset + 1
            )
        return spans

    async def read(self, _: Mapping[int, range]) -> AsyncIterator[list[Any]]:
        yield self.records


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _headers(headers: list[list[str]]) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode()) for name, value in headers)


async def keep(release: str, database_url: str, history: OpenHistory) -> None:
    dump = await create_subprocess_exec(find_binaries() / "pg_dump", *DUMP, database_url, stdout=PIPE)
    text, _ = await dump.communicate()
    lines = [line for line in text.decode().splitlines() if line and not line.startswith(("--", "\\", "SET "))]
    (KEPT / f"{release}.sql").write_text("\n".join([*lines, ""]), "utf-8")
    for topic in TOPICS:
        async with history(topic) as reader:
            records = [record async for batch in reader.read(await reader.offsets()) for record in batch]
        kept = [
            [each.partition, each.offset, *(part and part.decode() for part in (each.key, each.value)), _texts(each)]
            for each in records
        ]
        (KEPT / f"{release}.{topic}.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in kept), "utf-8")


def _texts(record: Any) -> list[list[str]]:
    return [[name, value.decode()] for name, value in record.headers]


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
        result = await rebuilding(made, lambda topic: Kept(release, topic)).run()
        assert (result.get("gaps", 0), result.get("unreadable", 0), result["left"]) == (0, 0, {}), result
        found = await verified(made_url, url)
        assert found["ok"], found
