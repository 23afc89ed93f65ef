"""A watch that takes entries in batches is woken once for what is settled while it rests."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from jobstore.publishing.watches import Watches


class Log(Watches):
    """A log in memory, whose entries are their cursors, and are settled as they come."""

    def __init__(self) -> None:
        super().__init__(NoDatabase())  # type: ignore[arg-type]

    async def _list_changes(
        self, after: int, until: int, job_ids: Sequence[str], limit: int, *, payloads: bool
    ) -> tuple[Sequence[Mapping[str, Any]], bool]:
        del job_ids, payloads  # all, without
        return [{"cursor": cursor} for cursor in range(after + 1, until + 1)][:limit], until - after > limit


class NoDatabase:
    def for_callers(self, *, lasting: bool) -> "NoDatabase":
        assert lasting
        return self


async def read(log: Log, pages: int, rest_s: float) -> list[list[int]]:
    changes = log.read_changes(0, (), payloads=False, rest_s=rest_s)
    return [[entry["cursor"] for entry in await anext(changes)] for _ in range(pages)]


async def settle(log: Log, last: int) -> None:
    """Settle one entry after the other, each when the watch has had its turn."""
    for cursor in range(1, last + 1):
        log.set_settled(cursor)
        for _ in range(5):
            await asyncio.sleep(0)


async def test_what_is_settled_during_the_rest_comes_together() -> None:
    log = Log()
    reading = asyncio.create_task(read(log, 2, rest_s=0.05))
    await settle(log, 8)
    assert await reading == [[1], [2, 3, 4, 5, 6, 7, 8]]


async def test_without_a_rest_each_comes_as_it_is_settled() -> None:
    log = Log()
    reading = asyncio.create_task(read(log, 3, rest_s=0.0))
    await settle(log, 3)
    assert await reading == [[1], [2], [3]]


async def test_what_is_there_already_is_read_without_a_rest() -> None:
    log = Log()
    log.set_settled(60)
    async with asyncio.timeout(5):
        assert [len(page) for page in await read(log, 3, rest_s=60.0)] == [10, 20, 30]
