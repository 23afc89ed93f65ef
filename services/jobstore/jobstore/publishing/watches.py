"""Watches of jobs: first what is, then what changes, in the order of publication."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from jobstore.errors import UnknownCursorError
from jobstore.reads.job_logs import get_cursors, get_published_cursor, list_changes
from jobstore.reads.jobs import list_jobs_after
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

POLL_S = 2.0
PAGE = 200


class Watches:
    """Tells watchers when more is published; each reads it from the log at its own pace."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._published = 0
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Look now and then, for ever: a notification may be lost with its connection."""
        await run_forever(self._look, name="watches", every_s=POLL_S)

    async def _look(self) -> None:
        async with self._database.session() as session:
            self.follow(await get_published_cursor(session))

    def follow(self, published: int) -> None:
        """Everything up to this cursor is published."""
        if published != self._published:
            self._published = published
            self._more.set()
            self._more = asyncio.Event()

    async def cursor(self, after: int | None) -> int:
        """Where what changes begins: behind `after`, or now. UnknownCursorError: `after` was never given."""
        async with self._database.session() as session:
            published, numbered = await get_cursors(session)
        if after is not None and after > numbered:
            raise UnknownCursorError(f"nothing up to {after} was published here; watch anew")
        return published if after is None else after

    async def _beyond(self, cursor: int) -> int:
        while self._published <= cursor:
            await self._more.wait()
        return self._published

    async def anything(self, least_s: float, most_s: float) -> None:
        """Wait until more is published, but for at least and at most so long."""
        more = self._more
        await asyncio.sleep(least_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s - least_s):
                await more.wait()

    async def jobs(self, job_ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """What is: the jobs named, or all of them."""
        last = ""
        while True:
            async with self._database.transaction() as connection:
                page = await list_jobs_after(connection, last, PAGE, job_ids)
            if not page:
                return
            for job in page:
                yield job
            last = page[-1]["id"]

    async def changes(
        self, after: int, job_ids: Sequence[str], *, payloads: bool
    ) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """What changes behind a cursor, for ever: pages of entries of the log, none of them empty."""
        while True:
            until = await self._beyond(after)
            async with self._database.transaction() as connection:
                page, has_more = await list_changes(
                    connection, after, until, job_ids=job_ids, payloads=payloads, limit=PAGE
                )
            if page:
                yield page
            after = page[-1]["cursor"] if has_more else until
