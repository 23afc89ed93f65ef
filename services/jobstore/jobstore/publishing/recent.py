"""Keep what was recorded a moment ago, so that neither the relay nor watches read back what this process has written.

A transaction's entries are handed over once it has committed: late, in another order than others, or never, as chance
has it. So an entry is taken only as the next version of its job after what was seen; any other is left to be looked for
in the log, which has them all. Memory is bounded: what does not fit is read.
"""

from bisect import bisect, bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from jobstore.engine.row_mapping import JOB_PART
from jobstore.engine.sql import Row, Values
from jobstore.engine.writing import Recorded
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.reads import LogView
from jobstore.schema.tables import LOG_NAMES

#: The greatest number that a row can have.
LAST: Final = 2**63 - 1

#: A number that was taken from a backlog, with its tenant.
Taken = tuple[str, int]


class Writers(NamedTuple):
    """The transactions that wrote when a number had been seen; once they have ended, no lower one can still appear."""

    transactions: frozenset[str]
    number: int


class Unseen:
    """The numbers that were not seen yet, as ranges in order, each with its first and its last."""

    def __init__(self, after: int) -> None:
        self.ranges = [(after + 1, LAST)]

    @property
    def settled(self) -> int:
        """The number up to which every row was seen, or will never be."""
        return self.ranges[0][0] - 1

    @property
    def last_seen(self) -> int:
        """The greatest number that was seen, or is expected."""
        return self.ranges[-1][0] - 1

    def has(self, number: int) -> bool:
        """Return whether a number was not seen yet."""
        first, last = self.ranges[bisect(self.ranges, (number, LAST)) - 1]
        return first <= number <= last

    def expect(self, number: int) -> bool:
        """Note that some row has a number: unless it was seen, it is missing. Return whether that is new."""
        first, last = self.ranges[-1]
        if number < first:
            return False
        self.ranges = [*self.ranges[:-1], (first, number), (number + 1, last)]
        return True

    def see(self, numbers: Iterable[int]) -> None:
        """Note that rows were seen, whose numbers are in order."""
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
        """Forget the numbers up to one: no row has them, or will have."""
        self.ranges = [(max(first, until + 1), last) for first, last in self.ranges if last > until]


class Backlog:
    """The facts that were seen and are not published, by tenant: each in its own order, and in turns between them."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def lowest(self) -> int:
        """The least number of all; LAST if there is none."""
        return min((queue[0] for queue in self._queues.values()), default=LAST)

    def add(self, tenant: str, numbers: Sequence[int]) -> None:
        """Add numbers of a tenant, which are in order. Some may be less than those that wait: they committed late."""
        queue = self._queues.setdefault(tenant, deque())
        if queue and numbers[0] < queue[-1]:
            self._queues[tenant] = deque(sorted([*queue, *numbers]))
        else:
            queue.extend(numbers)
        self._count += len(numbers)

    def take(self, limit: int) -> list[Taken]:
        """Take the next numbers, one of each tenant in turn."""
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
        """Put back the last of what was taken."""
        for tenant, number in reversed(taken):
            self._queues.setdefault(tenant, deque()).appendleft(number)
        self._count += len(taken)


#: Entries that are kept for watches, without bodies: of 4 KB at most.
ENTRIES_MAX: Final = 5_000
#: Jobs of which the last version is known, and characters of what each asks for.
JOBS_MAX: Final = 10_000
PART_MAX: Final = 2_000
#: Characters of the entries that wait to be published.
WHOLE_MAX: Final = 16 << 20

#: What a watch tells of an entry, by the column of its row.
_COLUMNS: Final = {**LOG_NAMES, "max_calls": "max_calls"}
_cursor = itemgetter("cursor")


class _Job(NamedTuple):
    """A version up to which all of a job were seen; its tenant; and what facts show of it then, where that is known."""

    version: int
    tenant: str
    part: Values | None


class Recent:
    """The entries that were handed over to a relay that leads: whole until they are published, in part for watches."""

    def __init__(self) -> None:
        #: Is told up to which number the log is settled.
        self.on_settled: Callable[[int], None] = lambda _: None
        self.close()

    def close(self) -> None:
        """Forget everything, and serve nothing."""
        self.begin_behind(LAST)

    def begin_behind(self, number: int) -> None:
        """Forget everything; what is handed over from now on is behind a number."""
        self._begin = number
        self.settled = 0
        self._entries: list[LogView] = []
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._whole: dict[int, Recorded] = {}
        self._size = 0

    def take(self, row: Recorded) -> str | None:
        """Take an entry that was not seen, and return its tenant; None if it is not known to be its job's next."""
        job = self._jobs.get(row.job_id)
        if row.version != (job.version if job else 0) + 1:
            return None
        tenant, part = (job.tenant, job.part) if job else (row.job_tenant, row.job_part)
        if row.kind == TransitionKind.EDITED:
            part = None  # until it is read
        self._note(row.job_id, _Job(row.version, tenant, part))
        if part is not None and row.is_whole and self._size + row.bytes <= WHOLE_MAX:
            vars(row).update(part)
            self._whole[row.seq] = row
            self._size += row.bytes
        if row.seq > self._begin:
            self._keep({name: getattr(row, column) for name, column in _COLUMNS.items()})
        return tenant

    def learn(self, row: Row) -> None:
        """Learn of a job from an entry that was read, with all that its fact says; all before it were seen."""
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
        """Have watches read the entries up to a number: not all of them are here."""
        if until > self._begin:
            self._begin = until
            del self._entries[: bisect_right(self._entries, until, key=_cursor)]

    def settle(self, number: int) -> bool:
        """Tell watches up to which number the log is settled, and return whether that has changed."""
        if number == self.settled:
            return False
        self.settled = number
        self.on_settled(number)
        return True

    def has_whole(self, number: int) -> bool:
        """Return whether an entry is here with all that its fact says."""
        return number in self._whole

    def pop_whole(self, numbers: Collection[int]) -> list[Recorded]:
        """Return the entries that are here with all that their facts say, and keep them no longer."""
        rows = [self._whole.pop(number) for number in numbers if number in self._whole]
        self._size -= sum(row.bytes for row in rows)
        return rows

    def list_changes(
        self, after: int, until: int, job_ids: Collection[str], limit: int
    ) -> tuple[Sequence[LogView], bool] | None:
        """Return what `reads.list_changes` does without payloads; None if not all of it is here."""
        if not self._begin <= after < until <= self.settled:
            return None
        first, end = (bisect_right(self._entries, number, key=_cursor) for number in (after, until))
        entries = [entry for entry in self._entries[first:end] if not job_ids or entry["job_id"] in job_ids]
        return entries[:limit], len(entries) > limit
