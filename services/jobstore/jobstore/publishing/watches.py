"""Serve watches of jobs: first the jobs as they stand, then their changes in the order of their numbers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

from jobstore.commands.unit_of_work import JobView
from jobstore.errors import UnknownCursorError
from jobstore.publishing.recent import Recent
from jobstore.reads.job_logs import LogView, get_cursors, get_settled_cursor, list_changes
from jobstore.reads.jobs import list_jobs_after
from jobstore.storage.database import Database
from servicekit.process.runtime import run_forever

POLL_S = 2.0
#: Jobs, or entries of logs, that are read at once, and made into messages in one go. Beside a watch that reads what was
#: long ago a life takes 54 ms, and 82 with pages of 200, where it takes 38 alone.
PAGE = 50
#: Entries of a watch's first page; each that is taken doubles the next. So little is held for those who read nothing.
FIRST_PAGE = 10


class Watches:
    """Wake watchers when more of the log is settled; each reads it at its own pace."""

    def __init__(self, database: Database, recent: Recent | None = None) -> None:
        """`recent`: what the relay of this process has been handed, while it leads."""
        self._database, self._read = database, database.for_callers(lasting=True)
        self._settled = 0
        self._more = asyncio.Event()
        self._recent = recent or Recent()
        self._recent.on_settled = self.set_settled

    async def run(self) -> None:
        """Read the settled cursor now and then, for ever: a notification may be lost with its connection."""
        await run_forever(self._poll, name="watches", every_s=POLL_S)

    async def _poll(self) -> None:
        async with self._database.session() as session:
            self.set_settled(await get_settled_cursor(session))

    def set_settled(self, settled: int) -> None:
        """Wake the watchers if the cursor has moved on up to which no entry can appear any more.

        The relay of this process tells it first, and then all are told what is stored, which is perhaps less.
        """
        if settled > self._settled:
            self._settled = settled
            self._more.set()
            self._more = asyncio.Event()

    async def resolve_cursor(self, after: int | None) -> int:
        """Return where a watch begins: at `after`, or now. UnknownCursorError: no entry was ever given that cursor."""
        async with self._read.session() as session:
            settled, last = await get_cursors(session)
        if after is not None and after > last:
            raise UnknownCursorError(f"no entry here has the cursor {after}; watch anew")
        return settled if after is None else after

    async def _wait_beyond(self, cursor: int) -> int:
        while self._settled <= cursor:
            await self._more.wait()
        return self._settled

    async def wait_for_change(self, min_s: float, max_s: float) -> None:
        """Wait until more of the log is settled, for at least `min_s` and at most `max_s` seconds."""
        more = self._more  # taken before the sleep, so that a change meanwhile is not missed
        await asyncio.sleep(min_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max_s - min_s):
                await more.wait()

    async def read_jobs(self, job_ids: Sequence[str]) -> AsyncIterator[JobView]:
        """Yield the jobs named, or all, as `job_message` takes them, by id."""
        last = ""
        for limit in _choose_sizes():
            async with self._read.transaction() as connection:
                page = await list_jobs_after(connection, last, limit, job_ids)
            if not page:
                return
            for job in page:
                yield job
            last = page[-1]["id"]

    async def read_changes(
        self, after: int, job_ids: Sequence[str], *, payloads: bool, rest_s: float = 0.0
    ) -> AsyncIterator[Sequence[LogView]]:
        """Yield pages of log entries after a cursor, for ever, as they are settled; no page is empty.

        What is settled within `rest_s` of a page comes together, as the next one.
        """
        sizes = _choose_sizes()
        limit = next(sizes)
        while True:
            until = await self._wait_beyond(after)
            page, has_more = await self._list_changes(after, until, job_ids, limit, payloads=payloads)
            if page:
                yield page
                limit = next(sizes)
                if not has_more:
                    await asyncio.sleep(rest_s)
            after = page[-1]["cursor"] if has_more else until

    async def _list_changes(
        self, after: int, until: int, job_ids: Sequence[str], limit: int, *, payloads: bool
    ) -> tuple[Sequence[LogView], bool]:
        if not payloads and (listed := self._recent.list_changes(after, until, job_ids, limit)):
            return listed
        # Bodies are read some at a time, which takes a transaction; without, one statement is enough.
        async with self._read.transaction() if payloads else self._read.session() as connection:
            return await list_changes(connection, after, until, job_ids=job_ids, payloads=payloads, limit=limit)


def _choose_sizes() -> Iterator[int]:
    """Yield how many entries to read at once, each once the last have been taken."""
    size = FIRST_PAGE
    while True:
        yield size
        size = min(PAGE, 2 * size)
