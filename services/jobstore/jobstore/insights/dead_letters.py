"""Dead letters as their topics hold them: how many, and of the newest why and where they came from."""

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from contracts.topics import TOPICS
from contracts.views import DeadLetter
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.history import History, Record
from servicekit.kafka.topics import Topics

log = logging.getLogger(__name__)

DEAD: Final = tuple(topic.dlq for topic in TOPICS.values() if topic.dlq)
#: So long an answer of the broker is taken for true, and so long one is waited for.
KEPT_S: Final = 5.0
PATIENCE_S: Final = 5.0
TEXT_MAX: Final = 1_000


class DeadLetterTopics:
    """Asks the broker, whoever asks how often."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._topics = Topics(kafka)
        self._counts: Mapping[str, int] = {}
        self._counted_at = -KEPT_S
        self._counting = asyncio.Lock()

    async def counts(self) -> Mapping[str, int]:
        """How many each topic holds, those that were redriven included. TransientError: the broker is out of reach."""
        loop = asyncio.get_running_loop()
        async with self._counting:
            if loop.time() - self._counted_at >= KEPT_S:
                self._counts = {topic: await self._topics.count_records(topic) for topic in DEAD}
                self._counted_at = loop.time()
        return self._counts

    async def counts_if_reachable(self) -> Mapping[str, int]:
        """The same; nothing while the broker is out of reach."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.counts()
        except (TransientError, TimeoutError) as error:
            log.warning("dead letters are not counted", extra={"reason": str(error)})
            return {}

    async def newest(self, most: int) -> list[DeadLetter]:
        """The newest of all topics, newest first. TransientError: the broker is out of reach."""
        counts = await self.counts()
        read = [self._newest_of(topic, most) for topic in DEAD if counts[topic]]
        found = [letter for letters in await asyncio.gather(*read) for letter in letters]
        return sorted(found, key=lambda letter: letter.at, reverse=True)[:most]

    async def _newest_of(self, topic: str, most: int) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        try:
            async with History(self._kafka, topic, silence_s=PATIENCE_S) as history:
                held = await history.offsets()
                last = {number: range(max(span.start, span.stop - most), span.stop) for number, span in held.items()}
                async for records in history.read(last):
                    letters += [_letter(record) for record in records]
        except PermanentError:  # nobody has made the topic
            return []
        return letters

    async def close(self) -> None:
        """Disconnect."""
        await self._topics.close()


def _letter(record: Record) -> DeadLetter:
    headers = {name: (value or b"").decode(errors="replace")[:TEXT_MAX] for name, value in record.headers}
    about: dict[str, Any] = {
        "code": headers.get("dlq-error-code"),
        "message": headers.get("dlq-error-message"),
        "source_topic": headers.get("dlq-topic"),
        "source_partition": _number(headers.get("dlq-partition")),
        "source_offset": _number(headers.get("dlq-offset")),
        "key": None if record.key is None else record.key.decode(errors="replace")[:TEXT_MAX],
    }
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return DeadLetter(topic=record.topic, partition=record.partition, offset=record.offset, at=at, **about)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,18}", text) else None
