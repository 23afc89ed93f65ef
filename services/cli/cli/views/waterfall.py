"""Compute where the time of a job went: for each call of an agent, what was done or waited for, and how long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from signoff.status import JobLogStatus

if TYPE_CHECKING:
    from signoff.types import JobLog, PastWait

QUEUE, AGENT, BACKOFF, JUDGE = "queue", "agent", "backoff", "judge"
QUEUE_FOR_JUDGE = "queue for judge"
#: What goes on after an entry of each kind; after any other that belongs to an execution, nothing does.
_FOLLOWS: Final = {
    "requested": QUEUE,
    "claimed": QUEUE,
    "call_begun": AGENT,
    "progress": AGENT,
    "call_failed": BACKOFF,
    "attempt_failed": BACKOFF,
    "given_back": QUEUE,
    "lapsed": QUEUE,
    "result": JUDGE,
    "misjudged": JUDGE,
}
#: Kinds of entries after which the agent is called once more.
_ENDS_CALL: Final = {"call_failed", "attempt_failed", "given_back", "lapsed"}


@dataclass
class Span:
    """What was done or waited for, from when to when; `end` is None while it goes on."""

    what: str
    begin: datetime
    end: datetime | None = None
    #: What of it was waited for, where that is known.
    waits: list[PastWait] = field(default_factory=list)


@dataclass
class Call:
    """One call of an agent, with the wait before it, and the judging of its result after it."""

    submission: int
    call: int
    agent_id: str | None
    #: A submission that failed or was cancelled may be executed again: which time this is.
    try_number: int = 1
    spans: list[Span] = field(default_factory=list)
    #: When the agent reported progress, and how far it was.
    ticks: list[tuple[datetime, float]] = field(default_factory=list)
    #: How it ended: the status or code of its last entry.
    outcome: str = ""


def make_calls(logs: Iterable[JobLog]) -> list[Call]:
    """Return the calls of a job, oldest first, from the entries of its log, oldest first."""
    calls: list[Call] = []
    numbers: dict[object, int] = {}
    tries: dict[int, int] = {}
    for log in logs:
        if log.execution_id is None or _is_late(log):
            continue
        submission = log.submission or 1
        if log.kind == "requested":
            numbers[log.execution_id] = 1
            tries[submission] = tries.get(submission, 0) + 1
            calls.append(Call(submission, 1, log.agent_id, tries[submission]))
        elif not calls or log.execution_id not in numbers:
            continue
        is_judging = bool(calls[-1].spans) and calls[-1].spans[-1].what == JUDGE
        if log.kind in _ENDS_CALL and is_judging:
            continue  # a validator was lost or gave the result back: it is judged once more
        _add(calls, log)
        if log.kind in _ENDS_CALL:
            numbers[log.execution_id] += 1
            begin = log.next_attempt_at or log.created_at
            spans = [Span(BACKOFF, log.created_at, begin)] if begin > log.created_at else []
            spans.append(Span(QUEUE, begin))
            calls.append(Call(submission, numbers[log.execution_id], log.agent_id, tries.get(submission, 1), spans))
    return calls


def _is_late(log: JobLog) -> bool:
    """Return whether an entry is a result that came after cancellation: nobody judges it."""
    return log.kind == "result" and log.status == JobLogStatus.CANCELLED


def _add(calls: Sequence[Call], log: JobLog) -> None:
    """Add an entry to the last call: it ends what went on, and says what goes on from then."""
    call = calls[-1]
    call.agent_id = log.agent_id or call.agent_id
    call.outcome = log.code or str(log.status)
    if log.kind == "progress" and log.progress is not None:
        call.ticks.append((log.created_at, log.progress))
    follows = None if log.kind in _ENDS_CALL else _FOLLOWS.get(log.kind or "")
    _split(call, log)
    last = call.spans[-1] if call.spans else None
    if last is not None and last.what == QUEUE:
        last.waits += log.waited or ()
    if last is not None and last.end is None:
        if last.what == follows:
            return
        last.end = max(last.begin, log.created_at)
    if follows:
        call.spans.append(Span(follows, log.created_at))


def _split(call: Call, log: JobLog) -> None:
    """Say of the span that an entry ends from when on it was done: before, it waited for a worker.

    That a call has begun may be recorded only as it ends.
    """
    last = call.spans[-1] if call.spans else None
    if last is None or last.end is not None or log.duration_s is None:
        return
    if last.what == AGENT and len(call.spans) > 1 and call.spans[-2].what == QUEUE:
        call.spans.pop()
        last = call.spans[-1]
    if last.what == AGENT:
        return
    began = max(last.begin, log.created_at - timedelta(seconds=log.duration_s))
    waited, done = (QUEUE_FOR_JUDGE, JUDGE) if last.what == JUDGE else (last.what, AGENT)
    call.spans[-1:] = [Span(waited, last.begin, began, last.waits), Span(done, began)]


def sum_up(calls: Sequence[Call], now: datetime) -> dict[str, timedelta]:
    """Return how long each kind of span took in all, until now where one goes on, without those that took no time."""
    sums: dict[str, timedelta] = {}
    for span in (span for call in calls for span in call.spans):
        sums[span.what] = sums.get(span.what, timedelta()) + max(timedelta(), (span.end or now) - span.begin)
    return {what: length for what, length in sums.items() if length}


def sum_waits(calls: Sequence[Call], name: Callable[[PastWait], str]) -> dict[str, timedelta]:
    """Return for how long executions waited in the queue for each thing, by its `name`."""
    sums: dict[str, timedelta] = {}
    for wait in (wait for call in calls for span in call.spans for wait in span.waits):
        cause = name(wait)
        sums[cause] = sums.get(cause, timedelta()) + (wait.until - wait.since)
    return sums


def draw(calls: Sequence[Call], now: datetime, columns: int) -> Iterator[list[tuple[str, str]]]:
    """Yield for each call the parts of a bar of so many characters: (what, characters), "" where nothing was."""
    begin = min(call.spans[0].begin for call in calls)
    end = max((call.spans[-1].end or now) for call in calls)
    length = max((end - begin).total_seconds(), 1e-3)

    def place(moment: datetime) -> int:
        return round((moment - begin).total_seconds() / length * columns)

    for call in calls:
        parts, at = list[tuple[str, str]](), 0
        for span in call.spans:
            first = max(at, place(span.begin))
            last = max(first + 1, place(span.end or now))  # the shortest span is seen, too
            parts += [("", " " * (first - at)), (span.what, _SIGNS[span.what] * (last - first))]
            at = last
        yield parts


_SIGNS: Final = {
    QUEUE: "\N{LIGHT SHADE}",
    QUEUE_FOR_JUDGE: "\N{LIGHT SHADE}",
    AGENT: "\N{FULL BLOCK}",
    BACKOFF: "\N{MIDDLE DOT}",
    JUDGE: "\N{DARK SHADE}",
}
