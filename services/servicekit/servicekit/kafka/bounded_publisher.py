"""Publish without waiting for a broker for ever, so that somebody else may go on who reaches it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka.structs import RecordMetadata

from servicekit.kafka.publisher import Outgoing, Publisher, UnacknowledgedError

#: Seconds until records that are not acknowledged are given up: longer than a broker takes to lead a partition again.
WITHIN_S: Final = 6.0
#: It doubles each time, up to this, until records are acknowledged in time: on a slow link large ones take as long.
WITHIN_MAX_S: Final = 640.0
#: Seconds between two tries to make the topics, without which nothing that is under way would be acknowledged.
MAKE_EVERY_S: Final = 1.0


class BoundedPublisher:
    """Publish as a Publisher does, but give up what is not acknowledged in time.

    What was given up may still be published, in its order, as long as this process lives: an idempotent producer never
    lets go of it. `wait` returns once it has, so that whoever publishes it again until then does so elsewhere.
    """

    def __init__(self, publisher: Publisher, within_s: float = WITHIN_S) -> None:
        self._publisher = publisher
        self._first_s = self._within_s = within_s
        self._late: set[asyncio.Future[Any]] = set()

    async def send(self, records: Sequence[Outgoing]) -> list[RecordMetadata | Exception]:
        """Publish in order; return for each record where it stands, or the error, as `Publisher.send` does."""
        results = await self._publisher.send(records, within_s=self._within_s)
        late = [result.ack for result in results if isinstance(result, UnacknowledgedError)]
        self._within_s = min(WITHIN_MAX_S, 2 * self._within_s) if late else self._first_s
        for ack in late:
            self._late.add(ack)
            ack.add_done_callback(self._note_end)
        return results

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        """Publish records and wait until all are acknowledged in time; raise as `Publisher.publish` does."""
        for result in await self.send(records):
            if isinstance(result, Exception):
                raise result

    def _note_end(self, ack: asyncio.Future[Any]) -> None:
        self._late.discard(ack)
        if not ack.cancelled():
            ack.exception()  # it was given up, and nobody asks for it

    async def wait(self, make_topics: Callable[[], Awaitable[None]]) -> None:
        """Wait until the broker has taken or refused all that was given up; or, if that is nothing, has the topics."""
        making = asyncio.ensure_future(make_topics())
        try:
            if not self._late:
                await making
            while self._late:
                await asyncio.wait(self._late, timeout=MAKE_EVERY_S)
                if making.done():
                    making.result()
                    making = asyncio.ensure_future(make_topics())
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
