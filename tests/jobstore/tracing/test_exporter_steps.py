"""Killed at each step, and with a receiver that is away, an exporter leaves neither gap nor double, and is bounded."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from support.jobstore.memory import Life
from support.jobstore.traced import TracedJobstore

from jobstore.tracing import exporter as exporting
from jobstore.tracing.exporter import CUT, OPEN, SHED, Exporter
from jobstore.tracing.spans import Span
from signoff.status import Outcome

PLACE = TopicPartition("job-changed", 0)


class KilledError(Exception):
    """The process ends here."""


class Fate:
    """Lets so many steps be, and kills at the next: before it is taken, or after."""

    def __init__(self, steps: int = 10**9, *, after: bool = False) -> None:
        self._steps, self._after = steps, after

    async def __call__(self, step: Callable[[], Any]) -> Any:
        self._steps -= 1
        if self._steps < 0 and not self._after:
            raise KilledError
        done = step()
        if self._steps < 0:
            raise KilledError
        return done


class Record:
    """A record of a topic."""

    headers = ()
    key = b"job"

    def __init__(self, offset: int, value: bytes) -> None:
        self.offset, self.value = offset, value


class Topic:
    """One partition, of which a group has committed an offset; those before `begin` are gone."""

    def __init__(self, facts: Sequence[bytes]) -> None:
        self.records = [Record(offset, value) for offset, value in enumerate(facts)]
        self.begin = 0
        self.committed_at: int | None = None


class Consumer:
    """What the exporter takes of a consumer, three records at once."""

    def __init__(self, topic: Topic, fate: Fate) -> None:
        self._topic, self._fate, self._at = topic, fate, 0

    async def committed(self, _: TopicPartition) -> int | None:
        return self._topic.committed_at

    def seek(self, _: TopicPartition, offset: int) -> None:
        self._at = offset

    async def seek_to_beginning(self, _: TopicPartition) -> None:
        self._at = self._topic.begin

    async def getmany(self, **_: object) -> dict[TopicPartition, list[Record]]:
        return await self._fate(self._read)

    def _read(self) -> dict[TopicPartition, list[Record]]:
        first = max(self._at, self._topic.begin)
        records = self._topic.records[first : first + 3]
        self._at = first + len(records)
        return {PLACE: records}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        await self._fate(lambda: setattr(self._topic, "committed_at", offsets[PLACE]))

    @property
    def is_behind(self) -> bool:
        return self._at < len(self._topic.records)


class Receiver:
    """Keeps spans by their ids, as receivers do, and counts a span that was another before."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}
        self.sent = self.others = 0
        self.fate = Fate()

    async def send(self, traces: list[list[Span]]) -> None:
        await self.fate(lambda: self._take(traces))

    def _take(self, traces: list[list[Span]]) -> None:
        for span in (span for spans in traces for span in spans):
            self.sent += 1
            self.others += self.spans.setdefault(span.span_id, span) != span

    def jobs(self, **attributes: object) -> list[object]:
        """The jobs of the traces that came, of each trace one; with such attributes."""
        roots = [span.attributes for span in self.spans.values() if span.name == "execute_job"]
        return sorted(root["signoff.job.id"] for root in roots if attributes.items() <= root.items())


async def run(topic: Topic, receiver: Receiver, fate: Fate) -> bool:
    """Read the topic to its end with a new process, and return whether it got there."""
    consumer, receiver.fate = Consumer(topic, fate), fate
    exporter = Exporter(consumer, receiver)  # type: ignore[arg-type]
    try:
        await exporter.on_partitions_assigned([PLACE])
        while consumer.is_behind:
            await exporter.step()
    except KilledError:
        return False
    return True


def lives(jobstore: TracedJobstore, count: int) -> list[Life]:
    """Jobs that are judged, all at the same time."""
    return [Life(jobstore, f"job-{number}").judging() for number in range(count)]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_step_it_leaves_neither_gap_nor_double(after: bool) -> None:
    jobstore = TracedJobstore()
    first, *others = lives(jobstore, 6)
    for life in [*others, first]:
        life.judged(Outcome.PASS)
    ids = sorted(life.job_id for life in [first, *others])
    whole = Receiver()
    assert await run(Topic(jobstore.facts), whole, Fate())
    steps = 0
    while True:
        topic, receiver = Topic(jobstore.facts), Receiver()
        was_whole = await run(topic, receiver, Fate(steps, after=after))
        assert await run(topic, receiver, Fate())
        assert (receiver.spans, receiver.others) == (whole.spans, 0)
        assert receiver.jobs() == ids
        assert topic.committed_at == len(topic.records)
        if was_whole:
            break
        steps += 1
    assert steps > 10


async def test_its_offset_stays_behind_the_oldest_trace_that_goes_on() -> None:
    jobstore = TracedJobstore()
    first, *others = lives(jobstore, 4)
    for life in others:
        life.judged(Outcome.PASS)
    topic, receiver = Topic(jobstore.facts), Receiver()
    assert await run(topic, receiver, Fate())
    assert (topic.committed_at, receiver.jobs()) == (1, ["job-1", "job-2", "job-3"])  # its creation is of no trace
    first.judged(Outcome.PASS)
    topic.records += [Record(len(topic.records), jobstore.facts[-1])]
    assert await run(topic, receiver, Fate())
    assert (topic.committed_at, len(receiver.jobs()), receiver.others) == (len(topic.records), 4, 0)


async def test_too_many_open_traces_end_incomplete_the_oldest_first_and_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exporting, "FACTS_MAX", 20)
    jobstore = TracedJobstore()
    all_lives = [Life(jobstore, f"job-{number:02}").requested() for number in range(30)]
    topic, receiver, shed = Topic(jobstore.facts), Receiver(), SHED._value.get()
    assert await run(topic, receiver, Fate())
    assert receiver.jobs() == [f"job-{number:02}" for number in range(10)]
    assert receiver.jobs(**{"signoff.incomplete": True}) == receiver.jobs()
    assert SHED._value.get() - shed == 10
    assert OPEN._value.get() == 20
    assert topic.committed_at is not None
    assert topic.records[topic.committed_at].value.startswith(b'{"job_id":"job-10"')
    for life in all_lives:
        life.claim()
        life.result()
        life.claim_judging()
        life.judged(Outcome.PASS)
    later = Topic(jobstore.facts)
    later.committed_at = topic.committed_at
    assert await run(later, receiver, Fate())
    whole = receiver.jobs(**{"signoff.job.status": "COMPLETED"})
    assert whole == [f"job-{number:02}" for number in range(30) if number >= 10][-len(whole) :]
    assert len(receiver.jobs()) == 30
    assert later.committed_at == len(later.records)


async def test_what_was_cut_before_it_is_read_is_counted() -> None:
    jobstore = TracedJobstore()
    for life in lives(jobstore, 3):
        life.judged(Outcome.PASS)
    topic, receiver, cut = Topic(jobstore.facts), Receiver(), CUT._value.get()
    topic.committed_at, topic.begin = 2, 9
    assert await run(topic, receiver, Fate())
    assert CUT._value.get() - cut == 7
    assert receiver.jobs() == ["job-2"]  # of the others the begin is gone, and no trace is made


async def test_while_the_receiver_takes_nothing_nothing_is_read() -> None:
    jobstore = TracedJobstore()
    for number in range(3):
        Life(jobstore, f"job-{number}").judging().judged(Outcome.PASS)
    topic, receiver, taken = Topic(jobstore.facts), Receiver(), asyncio.Event()

    async def hang(_: object) -> None:
        await taken.wait()

    receiver.send = hang  # type: ignore[method-assign]
    consumer = Consumer(topic, Fate())
    exporter = Exporter(consumer, receiver)  # type: ignore[arg-type]
    await exporter.on_partitions_assigned([PLACE])
    running = asyncio.create_task(exporter.run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert consumer.is_behind
    assert topic.committed_at in {None, 1}  # behind the begin of the first
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
