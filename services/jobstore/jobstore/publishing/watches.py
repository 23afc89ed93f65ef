"""Keep entries that were recorded a moment ago, and serve watches of jobs from them and from the log."""

import asyncio
import contextlib
from bisect import bisect, bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from jobstore.access.callers import find_tenants
from jobstore.engine.database import Database
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Row, Tenants, Values, attributes
from jobstore.errors import UnknownCursorError
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.reads import LogView, get_cursors, list_changes, list_jobs_after
from jobstore.jobs.rows import JobView
from jobstore.jobs.store import JOB_PART, Recorded
from jobstore.schema.tables import LOG_NAMES
from servicekit.process.runtime import run_forever

#: The greatest number that a row can have.
LAST: Final = 2**63 - 1

#: A number that was taken from a backlog, with its tenant.
Taken = tuple[str, int]


class Writers(NamedTuple):
    """The transactions that wrote when `number` had been seen; once they have ended, no lower number can appear."""

    transactions: frozenset[str]
    number: int


class Unseen:
    """The numbers of the log that were not seen yet, as ranges in order: each is a pair of the first and the last."""

    def __init__(self, after: int) -> None:
        self.ranges = [(after + 1, LAST)]

    @property
    def settled(self) -> int:
        """The number up to which every row of the log was seen, or will never exist."""
        return self.ranges[0][0] - 1

    @property
    def last_seen(self) -> int:
        """The greatest number of a row that was seen, or is expected."""
        return self.ranges[-1][0] - 1

    def has(self, number: int) -> bool:
        """Return whether the row with a number was not seen yet."""
        first, last = self.ranges[bisect(self.ranges, (number, LAST)) - 1]
        return first <= number <= last

    def expect(self, number: int) -> bool:
        """Note that a row with this number exists. Return whether the row was neither seen nor expected before."""
        first, last = self.ranges[-1]
        if number < first:
            return False
        self.ranges = [*self.ranges[:-1], (first, number), (number + 1, last)]
        return True

    def see(self, numbers: Iterable[int]) -> None:
        """Note that the rows with these numbers, which are in order, were seen."""
        ranges = list[tuple[int, int]]()
        left = iter(self.ranges)
        first, last = next(left)
        for number in numbers:
            while number > last:
                ranges.append((first, last))
                first, last = next(left)
            if number > first:
                ranges.append((first, number - 1))
            first = number + 1
            if first > last:
                first, last = next(left)
        self.ranges = [*ranges, (first, last), *left]

    def give_up(self, until: int) -> None:
        """Forget the unseen numbers up to `until`: no row has them, or will have them."""
        self.ranges = [(max(first, until + 1), last) for first, last in self.ranges if last > until]


class Backlog:
    """The numbers of facts that were seen and are not published: of a tenant in order, and tenants in turn."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def lowest(self) -> int:
        """The least number that waits; LAST if none waits."""
        return min((queue[0] for queue in self._queues.values()), default=LAST)

    def add(self, tenant: str, numbers: Sequence[int]) -> None:
        """Add a tenant's numbers, which are in order. A number that committed late may be less than those that wait."""
        queue = self._queues.setdefault(tenant, deque())
        if queue and numbers[0] < queue[-1]:
            self._queues[tenant] = deque(sorted([*queue, *numbers]))
        else:
            queue.extend(numbers)
        self._count += len(numbers)

    def take(self, limit: int) -> list[Taken]:
        """Remove and return up to `limit` numbers with their tenants: one number of each tenant in turn."""
        taken = list[Taken]()
        while self._queues and len(taken) < limit:
            tenant = next(iter(self._queues))
            queue = self._queues.pop(tenant)
            taken.append((tenant, queue.popleft()))
            if queue:
                self._queues[tenant] = queue  # behind all others
        self._count -= len(taken)
        return taken

    def put_back(self, taken: Sequence[Taken]) -> None:
        """Put back numbers that were taken last, so that they are taken first."""
        for tenant, number in reversed(taken):
            self._queues.setdefault(tenant, deque()).appendleft(number)
        self._count += len(taken)


#: The maximum of entries, up to 4 KB each without bodies, that are kept for watches.
ENTRIES_MAX: Final = 5_000
#: The maximum of jobs whose last version is kept, and of characters of the spec of each.
JOBS_MAX: Final = 10_000
PART_MAX: Final = 2_000
#: Characters of the entries that wait to be published.
WHOLE_MAX: Final = 16 << 20

#: Makes an entry as a watch sends it from its row.
_read: Final = attributes({**LOG_NAMES, "max_calls": "max_calls"})
_cursor = itemgetter("cursor")


class _Job(NamedTuple):
    """The version up to which all entries of a job were seen, its tenant, and its JOB_PART then; None: not known."""

    version: int
    tenant: str
    part: Values | None


class Recent:
    """The entries that were handed over to the leading relay: whole until they are published, in part for watches."""

    def __init__(self) -> None:
        #: Called with the number up to which the log is settled.
        self.on_settled: Callable[[int], None] = lambda _: None
        self.close()

    def close(self) -> None:
        """Forget everything, and serve nothing until `begin_behind` is called."""
        self.begin_behind(LAST)

    def begin_behind(self, number: int) -> None:
        """Forget everything; from now on, watches are served the entries with numbers above `number`."""
        self._begin = number
        self.settled = 0
        self._entries: list[LogView] = []
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._whole: dict[int, Recorded] = {}
        self._size = 0

    def take(self, row: Recorded) -> str | None:
        """Take an entry that was not seen, and return its tenant; None if it may not be its job's next version."""
        job = self._jobs.get(row.job_id)
        if row.version != (job.version if job else 0) + 1:
            return None
        tenant, part = (job.tenant, job.part) if job else (row.job_tenant, row.job_part)
        if row.kind == TransitionKind.EDITED:
            part = None  # until it is read
        self._note(row.job_id, _Job(row.version, tenant, part))
        if row.kind == TransitionKind.REMOVED:
            self._jobs.pop(row.job_id)
        if part is not None and row.is_whole and self._size + row.bytes <= WHOLE_MAX:
            vars(row).update(part)
            self._whole[row.seq] = row
            self._size += row.bytes
        if row.seq > self._begin:
            self._keep(_read(row) | {"tenant": tenant})
        return tenant

    def learn(self, row: Row) -> None:
        """Learn a job's version and spec from an entry that was read from the log; all entries before were seen."""
        job = self._jobs.get(row.job_id)
        if job is None or row.version >= job.version:
            part = None if row.is_edited_later else {name: row[name] for name in JOB_PART}
            self._note(row.job_id, _Job(row.version, row.job_tenant, part))

    def _note(self, job_id: str, job: _Job) -> None:
        part = job.part
        if part and sum(len(part[f"job_{name}"]) for name in ("title", "labels", "policy", "capabilities")) > PART_MAX:
            job = job._replace(part=None)
        self._jobs[job_id] = job
        self._jobs.move_to_end(job_id)
        if len(self._jobs) > JOBS_MAX:
            self._jobs.popitem(last=False)

    def _keep(self, entry: LogView) -> None:
        insort(self._entries, entry, key=_cursor)
        if len(self._entries) > ENTRIES_MAX:
            self.skip(self._entries[ENTRIES_MAX // 10]["cursor"])

    def skip(self, until: int) -> None:
        """Drop the entries up to the number `until`, since some are missing: watches read these from the log."""
        if until > self._begin:
            self._begin = until
            del self._entries[: bisect_right(self._entries, until, key=_cursor)]

    def settle(self, number: int) -> bool:
        """Pass on the number up to which the log is settled to `on_settled`; return whether the number has changed."""
        if number == self.settled:
            return False
        self.settled = number
        self.on_settled(number)
        return True

    def has_whole(self, number: int) -> bool:
        """Return whether the entry with a number is held here with all columns of its fact."""
        return number in self._whole

    def pop_whole(self, numbers: Collection[int]) -> list[Recorded]:
        """Remove and return those entries with these numbers that are held here with all columns of their facts."""
        rows = [self._whole.pop(number) for number in numbers if number in self._whole]
        self._size -= sum(row.bytes for row in rows)
        return rows

    def list_changes(
        self, after: int, until: int, job_ids: Collection[str], tenants: Tenants, limit: int
    ) -> tuple[Sequence[LogView], bool] | None:
        """Return what `reads.list_changes` does without payloads for a caller of these tenants.

        None: not all of these entries are held here.
        """
        if not self._begin <= after < until <= self.settled:
            return None
        first, end = (bisect_right(self._entries, number, key=_cursor) for number in (after, until))
        entries = [
            entry
            for entry in self._entries[first:end]
            if (not job_ids or entry["job_id"] in job_ids) and (tenants is None or entry["tenant"] in tenants)
        ]
        return entries[:limit], len(entries) > limit


POLL_S = 2.0
#: The maximum of jobs, or entries of logs, that are read and made into messages at once.
PAGE = 200
#: Entries of a watch's first page; the next is twice as long. So little is held for a client that reads nothing.
FIRST_PAGE = 10
#: Seconds for which a page waits to be taken. Its other entries are dropped then, and read again later.
HELD_S = 2.0
#: By how many entries a watch of all jobs is far behind, and the seconds that each such watch rests before it reads, if
#: they are several. They read in turn, so that current work and watches go on.
FAR_BEHIND = 10_000
FAR_REST_S = 0.01
#: Their pages are small. Beside one such watch a life takes 54 ms, and 82 with pages of 200, where it takes 38 alone.
FAR_PAGE = 50


class Watches:
    """Wake watches when more of the log is settled; each watch reads the log at its own pace."""

    def __init__(self, database: Database, recent: Recent | None = None, held_s: float = HELD_S) -> None:
        """`recent`: the entries handed over to this process's relay; `held_s`: for how long a page may be kept."""
        self._database, self._callers = database, Callers(database, lasting=True)
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
            cursors = await get_cursors(session)
        self.set_settled(cursors.settled)

    def set_settled(self, settled: int) -> None:
        """Wake the watches if `settled`, the cursor up to which no entry can appear any more, has moved on.

        This process's relay calls this first; the notification of the stored cursor follows, perhaps of a lower one.
        """
        if settled > self._settled:
            self._settled = settled
            self._more.set()
            self._more = asyncio.Event()

    async def resolve_cursor(self, after: int | None, *, of_all: bool = True) -> int:
        """Return `after`, or, if it is None, the settled cursor. UnknownCursorError: none can be resumed after it.

        `of_all`: the watch is of all jobs, and misses what was cut.
        """
        async with self._callers.session() as session:
            settled, last, cut_below = await get_cursors(session)
        if after is not None and after > last:
            raise UnknownCursorError(f"no entry here has the cursor {after}; watch anew")
        if of_all and after is not None and after < cut_below:
            raise UnknownCursorError(f"entries behind the cursor {after} belong to jobs that were removed; watch anew")
        return settled if after is None else after

    async def _wait_beyond(self, cursor: int) -> int:
        while self._settled <= cursor:
            await self._more.wait()
        return self._settled

    async def wait_for_change(self, min_s: float, max_s: float) -> None:
        """Wait until more of the log is settled, but at least `min_s` and at most `max_s` seconds."""
        more = self._more  # taken before the sleep, so that a change meanwhile is not missed
        await asyncio.sleep(min_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max_s - min_s):
                await more.wait()

    async def read_jobs(self, job_ids: Sequence[str], *, texts: bool) -> AsyncIterator[JobView]:
        """Yield the jobs of `job_ids`, or all jobs if it is empty, in the order of ids; with their texts if `texts`."""
        last, read = "", 0
        for limit in _choose_sizes():
            async with self._take_turn(read) as limit_max, self._callers.transaction() as connection:
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
        """Yield pages of log entries after the cursor `after`, for ever, as entries are settled; no page is empty.

        Take the entries out of a page: entries that are still in it after `held_s` are dropped, and come again. Entries
        that are settled within `rest_s` after a page come together, as the next page.
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
            if find_tenants() is not None:  # whose entries may be few among those of others
                until = min(until, after + FAR_BEHIND)
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
        """Wait until a watch that is `behind` entries behind may read; yield how many entries it may read."""
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
        listed = None if payloads else self._recent.list_changes(after, until, job_ids, find_tenants(), limit)
        if not listed:
            # Bodies are read some at a time, which takes a transaction; without, one statement is enough.
            async with self._callers.transaction() if payloads else self._callers.session() as connection:
                listed = await list_changes(connection, after, until, job_ids=job_ids, payloads=payloads, limit=limit)
        page, has_more = listed
        return deque(page), has_more


def _choose_sizes() -> Iterator[int]:
    """Yield how many entries to read for each page: few for the first, and then twice as many, up to PAGE."""
    size = FIRST_PAGE
    while True:
        yield size
        size = min(PAGE, 2 * size)
