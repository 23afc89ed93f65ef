"""Count and list dead letters, and redrive or discard them.

A letter is open until a mark records that it was redriven or discarded. A mark is a record in the same topic, which the
jobstore signs as a fact (ADR 52); a record without this signature is a dead letter, whatever its headers.
"""

import asyncio
import itertools
import logging
import re
from bisect import bisect_right, insort
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import Final, NamedTuple
from uuid import UUID

from contracts.resources import NewResolution
from contracts.signing import SIGNATURE_HEADER, FactKey, FactKeys
from contracts.topics import TOPICS, find_topic
from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.engine.runner import CommandRunner
from jobstore.errors import NotFoundError
from jobstore.executions.commands import ForgetAnswer
from jobstore.jobs.model import Actor
from servicekit import clock
from servicekit.errors import TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics
from servicekit.kafka.history import History, Record, read_time
from servicekit.kafka.publisher import Outgoing, Publisher
from signoff.errors import ErrorCode
from signoff.fields import Model
from signoff.jsontext import parse_json
from signoff.status import LetterOutcome
from signoff.types import DeadLetter, DeadLetterResolution, Resolved

log = logging.getLogger(__name__)

#: The Kafka header of a mark, with the version of its body.
MARK_HEADER: Final = "signoff-resolution"
_VERSION: Final = b"v1"
#: The prefix of headers that a dead letter has in addition to those of its record.
ADDED: Final = "dlq-"
#: Headers of a dead letter that lacks parts of its record.
_INCOMPLETE: Final = frozenset({"dlq-body", "dlq-headers"})
DEAD: Final = tuple(topic.dlq for topic in TOPICS.values() if topic.dlq)
#: Seconds for which counts are reused, so that many viewers cost the broker little.
CACHE_S: Final = 5.0
#: Seconds to wait for the broker.
TIMEOUT_S: Final = 5.0
#: Seconds that an overview waits for the counts.
COUNTED_WITHIN_S: Final = 2.0
#: Bytes of dead letters that one list reads of a topic; older ones are on its next page.
LIST_MAX_BYTES: Final = 8 << 20
#: The most letters that one call resolves, bytes that it publishes, and bytes that it reads to find them.
RESOLVED_MAX: Final = 500
RESOLVED_MAX_BYTES: Final = 8 << 20
READ_MAX_BYTES: Final = 64 << 20
#: The largest gap between two spans that one read covers, since another read costs more.
GAP_MAX: Final = 50
#: Characters of a header or a key that are shown.
TEXT_MAX: Final = 1_000
#: Bytes of a body that are shown: a list of 500 stays within one message.
BODY_MAX_BYTES: Final = 4_096


class Mark(Model):
    """The body of a mark: the resolution of the letters at `offsets`, pairs of the first and last offset of a span."""

    offsets: list[tuple[int, int]]
    resolution: DeadLetterResolution


class _Queue:
    """The spans of a dead-letter topic in which marks have closed the letters; the topic was read up to `read_to`."""

    def __init__(self) -> None:
        self.read_to = 0
        #: Disjoint spans in order without an open letter, each with the resolution of its letters; None: it is a mark.
        self._closed: list[tuple[int, int, DeadLetterResolution | None]] = []

    def note(self, record: Record, keys: FactKeys) -> None:
        """Close the letters that a mark names and that stand before the mark; ignore a record that is no mark."""
        headers = dict(record.headers)
        if MARK_HEADER not in headers or not isinstance(keys.find_signer(record, headers), FactKey):
            return
        mark = Mark.model_validate_json(record.value or b"")
        self._close(range(record.offset, record.offset + 1), None)
        for first, last in mark.offsets:
            self._close(range(first, min(last + 1, record.offset)), mark.resolution)

    def _close(self, span: range, resolution: DeadLetterResolution | None) -> None:
        for gap in list(self.find_letters(span)):  # the first resolution of a letter counts
            insort(self._closed, (gap.start, gap.stop, resolution), key=itemgetter(0))

    def forget(self, before: int) -> None:
        """Forget closed spans that end at the offset `before` or earlier, which the topic no longer holds."""
        self._closed = [closed for closed in self._closed if closed[1] > before]

    def find_letters(self, span: range, *, include_done: bool = False) -> Iterator[range]:
        """Yield the spans of open letters within a span, in order; with `include_done` those of all letters."""
        start, place = span.start, self._find_place(span.start)
        for first, stop, resolution in itertools.islice(self._closed, place, None):
            if first >= span.stop:
                break
            if include_done and resolution is not None:
                continue
            if start < first:
                yield range(start, first)
            start = max(start, stop)
        if start < span.stop:
            yield range(start, span.stop)

    def find_resolution(self, offset: int) -> DeadLetterResolution | None:
        """Return the resolution of the letter at an offset, or None if the letter is open."""
        for first, stop, resolution in self._closed[self._find_place(offset) :][:1]:
            if first <= offset < stop:
                return resolution
        return None

    def _find_place(self, offset: int) -> int:
        """Return the index of the last closed span that begins at an offset or before it; 0 if there is none."""
        return max(0, bisect_right(self._closed, offset, key=itemgetter(0)) - 1)


@dataclass(slots=True)
class _Page:
    """The letters that one call resolves: their offsets, and their records if these are published again."""

    spans: list[range] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    skipped: int = 0
    next_offset: int | None = None


class LettersPage(NamedTuple):
    """A page of letters, and by topic the offset before which the next page begins; None: this is the last page."""

    letters: list[DeadLetter]
    before: Mapping[str, int] | None


class OpenLetters(NamedTuple):
    """How many letters of a topic are open, the oldest of them, and the newest, where these can be read."""

    number: int
    oldest: DeadLetter | None = None
    newest: DeadLetter | None = None


class DeadLetterTopics:
    """Read the dead-letter topics, and resolve letters; counts of letters are cached for CACHE_S."""

    def __init__(
        self, kafka: KafkaAccess, keys: FactKeys, database: Database, runner: CommandRunner, publisher: Publisher
    ) -> None:
        self._kafka = kafka
        self._keys = keys
        self._database = database
        self._runner = runner
        self._publisher = publisher
        self._topics = Topics(kafka)
        self._queues = {topic: _Queue() for topic in DEAD}
        self._reading = asyncio.Lock()
        self._resolving = asyncio.Lock()  # calls that wait for the database's lock would hold all connections
        self._counts: Mapping[str, int] = {}
        #: By topic the letters at the ends of the open ones, by their offsets.
        self._ends: dict[str, dict[tuple[int, int], list[DeadLetter]]] = {topic: {} for topic in DEAD}
        self._counted_at = -CACHE_S
        self._counting = asyncio.Lock()

    async def count(self) -> Mapping[str, int]:
        """Return the number of open letters by topic, up to CACHE_S old. TransientError: the broker is out of reach."""
        loop = asyncio.get_running_loop()
        async with self._counting:
            if loop.time() - self._counted_at >= CACHE_S:
                held = {topic: await self._read_on(topic) for topic in DEAD}
                self._counts = {topic: sum(map(len, self._queues[topic].find_letters(held[topic]))) for topic in DEAD}
                self._counted_at = loop.time()
        return self._counts

    async def count_if_reachable(self) -> Mapping[str, int]:
        """Return what `count` returns, or an empty mapping if the broker does not answer within COUNTED_WITHIN_S."""
        try:
            async with asyncio.timeout(COUNTED_WITHIN_S):
                return await self.count()
        except (TransientError, TimeoutError) as error:
            log.warning("dead letters are not counted: the broker is out of reach", extra={"reason": str(error)})
            return {}

    async def find_counts(self) -> Mapping[str, int]:
        """Return what `count_if_reachable` returns, and say nothing where the broker is out of reach."""
        with suppress(TransientError, TimeoutError):
            async with asyncio.timeout(COUNTED_WITHIN_S):
                return await self.count()
        return {}

    async def list_ends(self) -> Mapping[str, OpenLetters]:
        """Return the open letters of each topic that has any; nothing if the broker does not answer in time."""
        counts = await self.count_if_reachable()
        try:
            async with asyncio.timeout(COUNTED_WITHIN_S):
                return {topic: await self._read_ends(topic, count) for topic, count in counts.items() if count}
        except (TransientError, TimeoutError) as error:
            log.warning("dead letters are not read: the broker is out of reach", extra={"reason": str(error)})
            return {topic: OpenLetters(count) for topic, count in counts.items() if count}

    async def _read_ends(self, topic: str, count: int) -> OpenLetters:
        spans = list(self._queues[topic].find_letters(await self._read_on(topic)))
        if not spans:
            return OpenLetters(count)
        ends = spans[0].start, spans[-1].stop - 1
        if ends not in self._ends[topic]:
            wanted = [range(offset, offset + 1) for offset in dict.fromkeys(ends)]
            async with History(self._kafka, topic, silence_s=TIMEOUT_S) as history:
                records = [record async for some in _read_spans(history, wanted) for record in some]
            self._ends[topic] = {ends: [_make_letter(record, None) for record in records]}
        letters = self._ends[topic][ends]
        return OpenLetters(count, *(letters[:1] + letters[-1:]))

    async def list_newest(
        self, limit: int, before: Mapping[str, int] | None = None, *, include_done: bool = False
    ) -> LettersPage:
        """Return the newest open letters of all topics, newest first; with `include_done` also resolved ones.

        `before`: the value in the previous page, None for the first. TransientError: the broker is out of reach.
        """
        ends = before or {}
        reads = [self._list_newest_of(topic, limit, ends.get(topic), include_done=include_done) for topic in DEAD]
        found = dict(zip(DEAD, await asyncio.gather(*reads), strict=True))
        # A topic's letters are taken in its order, so that one offset of each topic is the place of the next page.
        newest = list(merge(*(letters for _, letters in found.values()), key=lambda letter: letter.at, reverse=True))
        page = newest[:limit]
        rest = {topic: held.stop for topic, (held, _) in found.items()} | {each.topic: each.offset for each in page}
        is_last = not any(
            any(self._queues[topic].find_letters(range(held.start, rest[topic]), include_done=include_done))
            for topic, (held, _) in found.items()
        )
        return LettersPage(page, None if is_last else rest)

    async def _list_newest_of(
        self, topic: str, limit: int, before: int | None, *, include_done: bool
    ) -> tuple[range, list[DeadLetter]]:
        """Return the span of offsets that a topic holds before `before`, and its newest letters, newest first."""
        queue, held = self._queues[topic], await self._read_on(topic)
        held = range(held.start, held.stop if before is None else min(before, held.stop))
        spans = list(queue.find_letters(held, include_done=include_done))
        if not spans:
            return held, []
        async with History(self._kafka, topic, silence_s=TIMEOUT_S) as history:
            newest = await _read_newest(history, spans, limit)
        return held, [_make_letter(record, queue.find_resolution(record.offset)) for record in reversed(newest)]

    async def _read_on(self, topic: str) -> range:
        """Read the new records of a topic, and note its marks; return the span of offsets that the topic holds.

        If the call is cancelled, the next call goes on after the last record that was noted.
        """
        async with self._reading:
            held = (await self._topics.find_spans(topic))[0]
            if held.stop < self._queues[topic].read_to:  # the topic was deleted and created again
                self._queues[topic] = _Queue()
            queue = self._queues[topic]
            new = range(max(held.start, queue.read_to), held.stop)
            if new:
                async with History(self._kafka, topic, silence_s=TIMEOUT_S) as history:
                    async for records in _read_spans(history, [new]):
                        for record in records:
                            queue.note(record, self._keys)
                            queue.read_to = record.offset + 1
            queue.read_to = held.stop
            queue.forget(held.start)
            return held

    async def resolve(self, new: NewResolution, actor: Actor) -> Resolved:
        """Redrive or discard open letters, up to the bound of one call, or only count these letters in a dry run.

        NotFoundError (`no_dlq`). TransientError: some records may have been published; if the call is repeated, at most
        the letters of one call are published twice.
        """
        # Without the shield, a caller that disconnects after the records, and before their mark, would repeat them.
        resolving = asyncio.ensure_future(self._resolve(new, actor))
        resolving.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(resolving)

    async def _resolve(self, new: NewResolution, actor: Actor) -> Resolved:
        dlq = find_dlq(new.topic)
        if new.dry_run:
            return (await self._choose(dlq, new))[1]
        async with self._resolving, self._database.transaction() as connection:

            async def hold() -> None:
                """Take the lock of dead letters, or check that this session still holds it."""
                await locks.hold(connection, Lock.DEAD_LETTERS)

            await hold()
            page, resolved = await self._choose(dlq, new)
            if not page.spans:
                return resolved
            if page.records:
                resolved.forgotten = await self._forget_answers(page.records, actor)
                await hold()
                topic = dlq.removesuffix("-dlq")
                await self._publish([_restore(topic, record) for record in _leave_out_copies(page.records)])
            await hold()
            await self._publish([self._make_mark(dlq, page.spans, new, actor)])
        self._counted_at = -CACHE_S
        extra = {"topic": dlq, "letters": resolved.letters, "outcome": new.outcome, "actor": actor}
        log.warning("dead letters are done", extra={**extra, "reason": new.reason})
        return resolved

    async def _choose(self, dlq: str, new: NewResolution) -> tuple[_Page, Resolved]:
        """Choose the letters that one call resolves, and return them and their counts."""
        held = await self._read_on(dlq)
        last = held.stop - 1 if new.to_offset is None else min(new.to_offset, held.stop - 1)
        asked = range(max(held.start, new.from_offset or 0), last + 1)
        spans = list(self._queues[dlq].find_letters(asked))
        redrives = new.outcome is LetterOutcome.REDRIVEN
        chooses = redrives or any([new.code, new.job_id, new.execution_id])
        if not spans or not chooses:
            page = _Page(spans)  # also letters that cannot be read
        else:
            async with History(self._kafka, dlq, silence_s=TIMEOUT_S) as history:
                page = await _choose_records(history, spans, new, redrives=redrives)
        rest = {} if page.next_offset is None else {"next_offset": page.next_offset, "to_offset": last}
        return page, Resolved(letters=sum(map(len, page.spans)), skipped=page.skipped, **rest)

    async def _forget_answers(self, records: Sequence[Record], actor: Actor) -> int:
        """Forget the answers to the executions that records name, to process the records anew; return how many."""
        ids = {execution_id for _, execution_id in map(_find_ids, records) if execution_id is not None}
        commands = [ForgetAnswer(execution_id, actor=actor) for execution_id in ids]
        return sum(await asyncio.gather(*(self._runner.administer.run_one(command) for command in commands)))

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        for result in await self._publisher.send(records, within_s=TIMEOUT_S):
            if isinstance(result, Exception):
                raise result

    def _make_mark(self, dlq: str, spans: Sequence[range], new: NewResolution, actor: Actor) -> Outgoing:
        resolution = DeadLetterResolution(outcome=new.outcome, actor=actor, reason=new.reason, at=clock.now())
        mark = Mark(offsets=[(span.start, span.stop - 1) for span in spans], resolution=resolution)
        value = mark.model_dump_json(exclude_none=True).encode()
        signature = self._keys.signing.sign(dlq, None, value)
        headers = [(MARK_HEADER, _VERSION), (SIGNATURE_HEADER, signature.encode())]
        return Outgoing(dlq, value, None, headers, partition=0)

    async def close(self) -> None:
        """Disconnect from the broker."""
        await self._topics.close()


def find_dlq(topic: str) -> str:
    """Return the dead-letter topic of a topic. NotFoundError (`no_dlq`): the topic is unknown, or has none."""
    if (known := find_topic(topic)) is None or (dlq := known.dlq) is None:
        raise NotFoundError(f"{topic} has no dead letters: name the topic that they came from", code=ErrorCode.NO_DLQ)
    return dlq


async def _read_spans(history: History, spans: Sequence[range]) -> AsyncGenerator[list[Record]]:
    """Yield the records at the offsets of these spans, in order, in batches."""
    groups: list[list[range]] = []
    for span in spans:
        if groups and span.start - groups[-1][-1].stop <= GAP_MAX:
            groups[-1].append(span)
        else:
            groups.append([span])
    for group in groups:
        starts = [span.start for span in group]
        async with aclosing(history.read({0: range(group[0].start, group[-1].stop)})) as batches:
            async for records in batches:
                yield [each for each in records if each.offset in group[bisect_right(starts, each.offset) - 1]]


async def _read_newest(history: History, spans: list[range], limit: int) -> list[Record]:
    """Return up to `limit` of the newest records of spans, in order: one, or as many as LIST_MAX_BYTES allow.

    Sizes are unknown before records are read: spans are read from the end backwards, twice as many records each time.
    """
    newest: list[Record] = []
    size, step = 0, 1
    while len(newest) < limit and spans:
        older: list[Record] = []
        async for records in _read_spans(history, _take_last(spans, min(step, limit - len(newest)))):
            older += records
            size += sum(len(record.value or b"") for record in records)
            if newest and size > LIST_MAX_BYTES:  # these are followed by older ones that were not read
                return newest
        newest, step = [*older, *newest], 2 * step
    return newest


def _take_last(spans: list[range], count: int) -> list[range]:
    """Remove the last `count` offsets from spans, and return the removed spans in order."""
    taken: list[range] = []
    while spans and count > 0:
        span = spans.pop()
        part = span[-count:]
        if len(part) < len(span):
            spans.append(span[:-count])
        taken.append(part)
        count -= len(part)
    return taken[::-1]


async def _choose_records(history: History, spans: Sequence[range], new: NewResolution, *, redrives: bool) -> _Page:
    """Choose the letters that a request matches; with `redrives`, only letters that have their whole records."""
    page, size, read = _Page(), 0, 0
    async with aclosing(_read_spans(history, spans)) as batches:
        async for records in batches:
            for record in records:
                weight = len(record.value or b"") + sum(len(value or b"") for _, value in record.headers)
                is_full = len(page.spans) >= RESOLVED_MAX or size + weight > RESOLVED_MAX_BYTES
                if (page.spans and is_full) or read > READ_MAX_BYTES:
                    page.next_offset = record.offset
                    return page
                read += weight
                if not _is_asked_for(record, new):
                    continue
                if redrives and _INCOMPLETE & {name for name, _ in record.headers}:
                    page.skipped += 1
                    continue
                size += weight
                page.spans.append(range(record.offset, record.offset + 1))
                if redrives:
                    page.records.append(record)
    return page


def _is_asked_for(record: Record, new: NewResolution) -> bool:
    if new.code is not None and (dict(record.headers).get("dlq-error-code") or b"") != new.code.encode():
        return False
    if new.job_id is None and new.execution_id is None:
        return True
    job_id, execution_id = _find_ids(record)
    is_of_job = new.job_id is None or new.job_id == job_id or new.job_id.encode() == record.key
    return is_of_job and new.execution_id in {None, execution_id}


_IDS: Final = ("job_id", "execution_id")


def _find_ids(record: Record) -> tuple[str | None, UUID | None]:
    """Return the ids of the job and the execution in a record's body; None for each that it lacks."""
    try:
        body = parse_json(record.value or b"")
    except ValueError:
        return None, None
    fields = body if isinstance(body, dict) else {}
    job_id, execution_id = (value if isinstance(value := fields.get(name), str) else None for name in _IDS)
    try:
        return job_id, UUID(execution_id)
    except (ValueError, TypeError):
        return job_id, None


def _leave_out_copies(records: Sequence[Record]) -> list[Record]:
    """Return one record of each set with equal key, value and signature: a second would be refused as a repeat."""
    copies = {(each.key, each.value, dict(each.headers).get(SIGNATURE_HEADER)): each for each in records}
    return list(copies.values())


def _restore(topic: str, letter: Record) -> Outgoing:
    """Return the record from which a dead letter was made, without the headers that the letter added."""
    headers = [(name, value) for name, value in letter.headers if not name.startswith(ADDED)]
    return Outgoing(topic, letter.value, letter.key, headers)


def _make_letter(record: Record, resolution: DeadLetterResolution | None) -> DeadLetter:
    headers = {name: (value or b"").decode(errors="replace")[:TEXT_MAX] for name, value in record.headers}
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        at=read_time(record),
        code=headers.get("dlq-error-code"),
        message=headers.get("dlq-error-message"),
        source_topic=headers.get("dlq-topic"),
        source_partition=_parse_number(headers.get("dlq-partition")),
        source_offset=_parse_number(headers.get("dlq-offset")),
        key=None if record.key is None else record.key.decode(errors="replace")[:TEXT_MAX],
        body=None if record.value is None else record.value[:BODY_MAX_BYTES].decode(errors="replace"),
        body_bytes=len(record.value or b""),
        resolution=resolution,
        repeats=_parse_number(headers.get("dlq-repeats")),
        source_last_offset=_parse_number(headers.get("dlq-last-offset")),
    )


def _parse_number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
