"""Count dead letters in their topics, and list the newest with why, where they came from, and how they begin."""

import asyncio
import logging
import re
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

from contracts.messages.views import DeadLetter
from contracts.topics import TOPICS
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.history import History, Record, read_time
from servicekit.kafka.topics import Topics

log = logging.getLogger(__name__)

DEAD: Final = tuple(topic.dlq for topic in TOPICS.values() if topic.dlq)
#: Seconds for which counts are reused, so that many viewers cost the broker little.
CACHE_S: Final = 5.0
#: Seconds that the broker is waited for.
TIMEOUT_S: Final = 5.0
#: Bytes of dead letters that one list reads of a topic: what is behind so many is counted, and not listed.
LIST_MAX_BYTES: Final = 8 << 20
#: Characters of a header or a key that are shown.
TEXT_MAX: Final = 1_000
#: Bytes of a body that are shown: a list of 500 stays within one message.
BODY_MAX_BYTES: Final = 4_096


class DeadLetterTopics:
    """Read the dead-letter topics; counts are asked of the broker once in CACHE_S, however many callers there are."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._topics = Topics(kafka)
        self._counts: Mapping[str, int] = {}
        self._counted_at = -CACHE_S
        self._counting = asyncio.Lock()

    async def count(self) -> Mapping[str, int]:
        """Return how many each topic holds, redriven ones included. TransientError: the broker is out of reach."""
        loop = asyncio.get_running_loop()
        async with self._counting:
            if loop.time() - self._counted_at >= CACHE_S:
                self._counts = {topic: await self._topics.count_records(topic) for topic in DEAD}
                self._counted_at = loop.time()
        return self._counts

    async def count_if_reachable(self) -> Mapping[str, int]:
        """Return the counts as `count` does, but nothing while the broker is out of reach."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self.count()
        except (TransientError, TimeoutError) as error:
            log.warning("dead letters are not counted: the broker is out of reach", extra={"reason": str(error)})
            return {}

    async def list_newest(self, limit: int) -> list[DeadLetter]:
        """Return the newest dead letters of all topics, newest first. TransientError: the broker is out of reach."""
        counts = await self.count()
        reads = [self._list_newest_of(topic, limit) for topic in DEAD if counts[topic]]
        newest = [letter for letters in await asyncio.gather(*reads) for letter in letters]
        return sorted(newest, key=lambda letter: letter.at, reverse=True)[:limit]

    async def _list_newest_of(self, topic: str, limit: int) -> list[DeadLetter]:
        try:
            async with History(self._kafka, topic, silence_s=TIMEOUT_S) as history:
                return [
                    letter
                    for number, span in (await history.offsets()).items()
                    for letter in await _read_newest(history, number, span, limit)
                ]
        except PermanentError:  # nobody has made the topic
            return []

    async def close(self) -> None:
        """Disconnect from the broker."""
        await self._topics.close()


async def _read_newest(history: History, partition: int, held: range, limit: int) -> list[DeadLetter]:
    """Return the newest dead letters of a partition: one at least, and no more than LIST_MAX_BYTES of records hold.

    Nobody knows how large they are before they are read: it reads backwards, twice as many each time.
    """
    newest: list[DeadLetter] = []
    stop, size, step = held.stop, 0, 1
    while len(newest) < limit and stop > held.start:
        start = max(held.start, stop - min(step, limit - len(newest)))
        older: list[DeadLetter] = []
        async with aclosing(history.read({partition: range(start, stop)})) as batches:
            async for records in batches:
                older += [_parse_letter(record) for record in records]
                size += sum(len(record.value or b"") for record in records)
                if newest and size > LIST_MAX_BYTES:  # the rest of these stands between them and the newest
                    return newest
        newest, stop, step = [*older, *newest], start, 2 * step
    return newest


def _parse_letter(record: Record) -> DeadLetter:
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
    )


def _parse_number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
