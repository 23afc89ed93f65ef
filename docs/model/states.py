"""The state of the execution model: one job, two executions, three topics, two executors, two validators."""

from typing import Any, NamedTuple

#: States of an execution: not known, QUEUED, OFFERED, LEASED; stage JUDGING: OFFERED, LEASED; DONE.
UNKNOWN, QUEUED, OFFERED, LEASED = "unknown", "queued", "offered", "leased"
AWAITS, JUDGED, DONE = "awaits", "judged", "done"
LIVE = frozenset({QUEUED, OFFERED, LEASED, AWAITS, JUDGED})

#: What a worker does under its lease, until it has an outcome.
GRANTED, ASKS_AGAIN, CALLS, JUDGES = "granted", "asks again", "calls", "judges"
#: What workers report. Of an executor,
BEGUN, RESULT, ATTEMPT_FAILED, FAILURE = "begun", "result", "attempt failed", "failure"
#: and of a validator: the statuses that a verdict leads to, and FAILED where the result cannot be judged.
VERDICTS = ("COMPLETED", "RESUBMISSION_REQUIRED", "FAILED")
#: The verdict of a judge that proved nothing of what it let pass.
UNPROVEN = "unproven"

#: Statuses at which a job may be executed.
RESTS = frozenset({"ASSIGNED", "FAILED", "RESUBMISSION_REQUIRED"})

FAULTS = ("crash", "freeze", "lost_answer", "late_answer", "empty", "cancel", "rebalance", "retry", "deadline", "stop")


class Execution(NamedTuple):
    """A row of `executions`. `result`: the attempt whose result was recorded; `judging`: the number of judging leases.

    `follows_only`: the work may have been sent, and is not sent again. The last five are the model's own: how often the
    agent may be called once more, and was; whether a cancel came before the request did; whether upstream has published
    it; whether a verdict requested it.
    """

    state: str = UNKNOWN
    attempt: int = 0
    owner: int | None = None
    lease: int = 0
    result: int = 0
    judging: int = 0
    judge: int | None = None
    answer: str = ""
    follows_only: bool = False
    excuses: int = 0
    calls: int = 0
    is_cancelled_early: bool = False
    is_published: bool = False
    is_by_policy: bool = False

    @property
    def recorded(self) -> tuple[Any, ...]:
        """The part that the database holds."""
        return self[:9]


class Report(NamedTuple):
    """A record of `result-produced` or `job-status-reported`."""

    execution: int
    attempt: int
    lease: int
    kind: str


class Work(NamedTuple):
    """Work that a worker holds: `phase` is what it does, or the outcome that it reports until that is recorded.

    `follows_only` is what the grant said.
    """

    execution: int
    attempt: int
    lease: int
    phase: str
    follows_only: bool = False


class Log(NamedTuple):
    """A topic: its records, and how many of them each of its consumer groups has read."""

    records: tuple[Any, ...] = ()
    read: tuple[int, ...] = (0,)

    def unread(self, group: int = 0) -> tuple[Any, ...]:
        """Return the records that a group has not read."""
        return self.records[self.read[group] :]

    def has_unread(self, record: Any) -> bool:
        """Return whether the topic holds a record that some group has not read."""
        return record in self.records[min(self.read) :]

    def with_record(self, record: Any) -> "Log":
        """Return the topic with one record more."""
        return Log((*self.records, record), self.read)

    def with_next_read(self, group: int = 0) -> "Log":
        """Return the topic after a group has read and committed one record."""
        return Log(self.records, replace_item(self.read, group, self.read[group] + 1))

    def rewind(self) -> "Log":
        """Return the topic as if nobody had read any of it."""
        return Log(self.records, (0,) * len(self.read))

    def empty(self) -> "Log":
        """Return the topic after its broker lost its disk."""
        return Log((), (0,) * len(self.read))

    def drop_read(self) -> "Log":
        """Return the topic without what every group has read: only a replay would read that again."""
        done = min(self.read)
        return Log(self.records[done:], tuple(n - done for n in self.read)) if done else self

    @property
    def is_read(self) -> bool:
        """Whether every group has read all of it."""
        return min(self.read) == len(self.records)


class State(NamedTuple):
    """The whole state. The validators are the first group of `results`, the jobstore is the second.

    `ids`: event ids that are kept, without `repeats-by-the-row`; `marking`: what the dispatcher has published and not
    yet marked, without `mark-before-publish`; `late`: an answer on its way that grants an executor what it was granted
    before; `before_replay`: what must not change any more. `rejudging`: whether the first result is "judged" again, or
    that has "ended", or is "recorded".
    """

    job: str = "ASSIGNED"
    executions: tuple[Execution, ...] = (Execution(), Execution())
    requests: Log = Log()
    results: Log = Log((), (0, 0))
    reports: Log = Log()
    ids: frozenset[tuple[int, int, str]] = frozenset()
    executors: tuple[Work | None, ...] = (None, None)
    validators: tuple[Work | None, ...] = (None, None)
    marking: int | None = None
    late: tuple[int, Work] | None = None
    faults: tuple[int, ...] = (0,) * len(FAULTS)
    before_replay: tuple[Any, ...] | None = None
    rejudging: str = ""

    def has(self, fault: str) -> bool:
        """Return whether a fault may still happen; none does once a replay has begun."""
        return self.before_replay is None and self.faults[FAULTS.index(fault)] > 0

    def use_fault(self, fault: str) -> "State":
        """Return the state after a fault has happened."""
        number = FAULTS.index(fault)
        return self._replace(faults=replace_item(self.faults, number, self.faults[number] - 1))

    def with_row(self, number: int, **columns: Any) -> "State":
        """Return the state with an execution changed."""
        row = self.executions[number]._replace(**columns)
        return self._replace(executions=replace_item(self.executions, number, row))

    def with_executor(self, number: int, work: Work | None) -> "State":
        """Return the state in which an executor holds this."""
        return self._replace(executors=replace_item(self.executors, number, work))

    def with_validator(self, number: int, work: Work | None) -> "State":
        """Return the state in which a validator holds this."""
        return self._replace(validators=replace_item(self.validators, number, work))

    @property
    def live(self) -> int:
        """How many executions are live."""
        return sum(execution.state in LIVE for execution in self.executions)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is live, held or unread."""
        held = (*self.executors, *self.validators, self.marking)
        read = self.requests.is_read and self.results.is_read and self.reports.is_read
        return not self.live and read and all(item is None for item in held)


def replace_item(items: tuple[Any, ...], number: int, item: Any) -> tuple[Any, ...]:
    """Return the items with one replaced."""
    return (*items[:number], item, *items[number + 1 :])
