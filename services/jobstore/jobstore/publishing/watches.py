"""Serve watches of jobs: first the jobs as they stand, then their changes in the order of their numbers."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from jobstore.engine.database import Database
from jobstore.errors import UnknownCursorError
from jobstore.jobs.reads import LogView, get_cursors, get_settled_cursor, list_changes, list_jobs_after
from jobstore.jobs.rows import JobView
from jobstore.publishing.recent import Recent
from servicekit.process.runtime import run_forever

POLL_S = 2.0
#: Jobs, or entries of logs, that are read at once, and made into messages in one go, at most.
PAGE = 200
#: Entries of a watch's first page; each that is taken doubles the next. So little is held for those who read nothing.
FIRST_PAGE = 10
#: Seconds for which a page waits to be taken. What is left then is let go, and read again once there is room for it.
HELD_S = 2.0
#: By how many entries a watch of all jobs is far behind. Such watches read in turn; where they are several, each rests
#: before, in seconds: however many they are, what happens now is told and done meanwhile.
FAR_BEHIND = 10_000
FAR_REST_S = 0.01
#: Their pages are small. Beside one such watch a life takes 54 ms, and 82 with pages of 200, where it takes 38 alone.
FAR_PAGE = 50


class Watches:
    """Wake watchers when more of the log is settled; each reads it at its own pace."""

    def __init__(self, database: Database, recent: Recent | None = None, held_s: float = HELD_S) -> None:
        """`recent`: what the relay of this process has been handed, while it leads."""
        self._database, self._read = database, database.for_callers(lasting=True)
        self._held_s = held_s
        self._far, self._turn = 0, asyncio.Lock()
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

    async def read_jobs(self, job_ids: Sequence[str], *, texts: bool) -> AsyncIterator[JobView]:
        """Yield the jobs named, or all, as `job_message` takes them, by id."""
        last, read = "", 0
        for limit in _choose_sizes():
            async with self._take_turn(read) as limit_max, self._read.transaction() as connection:
                found = await list_jobs_after(connection, last, min(limit, limit_max), job_ids, texts=texts)
                page = deque(found)
            if not page:
                return
            read += len(page)
            letting_go = self._call_if_held(page.clear)
            while page:
                job = page.popleft()
                last = job["id"]
                yield job
            letting_go.cancel()

    async def read_changes(
        self, after: int, job_ids: Sequence[str], *, payloads: bool, rest_s: float = 0.0
    ) -> AsyncIterator[deque[LogView]]:
        """Yield pages of log entries after a cursor, for ever, as they are settled; no page is empty.

        Take the entries out of the page: those that are still in it after `held_s` are let go, and come again. What is
        settled within `rest_s` of a page comes together, as the next one.
        """

        def let_go(page: deque[LogView]) -> None:
            nonlocal after
            if page:
                after = page[0]["cursor"] - 1
                page.clear()

        sizes = _choose_sizes()
        limit = next(sizes)
        while True:
            until = await self._wait_beyond(after)
            async with self._take_turn(0 if job_ids else until - after) as limit_max:
                page, has_more = await self._list_changes(
                    after, until, job_ids, min(limit, limit_max), payloads=payloads
                )
            after = page[-1]["cursor"] if has_more else until
            if page:
                letting_go = self._call_if_held(let_go, page)
                yield page
                letting_go.cancel()
                limit = next(sizes)
                if not has_more:
                    await asyncio.sleep(rest_s)

    def _call_if_held(self, let_go: Callable[..., None], *arguments: object) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(self._held_s, let_go, *arguments)

    @contextlib.asynccontextmanager
    async def _take_turn(self, behind: int) -> AsyncIterator[int]:
        """Wait until a watch so far behind may read; yield how many entries it may read at most."""
        if behind <= FAR_BEHIND:
            yield PAGE
            return
        self._far += 1
        try:
            async with self._turn:
                if self._far > 1:
                    await asyncio.sleep(FAR_REST_S)
                yield FAR_PAGE
        finally:
            self._far -= 1

    async def _list_changes(
        self, after: int, until: int, job_ids: Sequence[str], limit: int, *, payloads: bool
    ) -> tuple[deque[LogView], bool]:
        listed = None if payloads else self._recent.list_changes(after, until, job_ids, limit)
        if not listed:
            # Bodies are read some at a time, which takes a transaction; without, one statement is enough.
            async with self._read.transaction() if payloads else self._read.session() as connection:
                listed = await list_changes(connection, after, until, job_ids=job_ids, payloads=payloads, limit=limit)
        page, has_more = listed
        return deque(page), has_more


def _choose_sizes() -> Iterator[int]:
    """Yield how many entries to read at once, each once the last have been taken."""
    size = FIRST_PAGE
    while True:
        yield size
        size = min(PAGE, 2 * size)
