"""Store how far facts were published, for the relay that leads next, and for watches of other jobstores."""

import asyncio
import math
from typing import Final

from aiokafka.structs import RecordMetadata
from pydantic_core import from_json, to_json
from sqlalchemy import text

from jobstore.storage.notifications import CHANNEL, SETTLED
from jobstore.storage.sql import Connection

_STATE: Final = text("SELECT published_seq, settled_seq, offsets::text, signers::text FROM relay WHERE id = 1")
#: One statement, so that watchers are notified of the cursor that is stored, once it is committed.
_STORE: Final = text(
    "WITH stored AS (UPDATE relay SET published_seq = :published, settled_seq = greatest(settled_seq, :settled), "
    "offsets = CAST(:offsets AS json), signers = CAST(:signers AS json) WHERE id = 1 RETURNING settled_seq) "
    "SELECT pg_notify(:channel, :kind || settled_seq) FROM stored",
)


class Marks:
    """The numbers up to which all is published, and settled; each partition's last offset; whose keys have signed."""

    def __init__(self) -> None:
        self.offsets: dict[str, int] = {}
        self.signers: list[str] = []
        self._stored: tuple[object, ...] = ()
        #: When what has changed is to be stored, by the clock of the event loop.
        self.store_at = math.inf

    async def load(self, session: Connection) -> tuple[int, int]:
        """Load what is stored, and return up to which number all is published, and settled."""
        row = (await session.execute(_STATE)).one()
        self.offsets, self.signers = from_json(row.offsets), from_json(row.signers)
        published, settled = row.published_seq, max(row.published_seq, row.settled_seq)
        self._stored = self._get_state(published, published)  # what is settled is seen anew
        return published, settled

    def note_offset(self, place: RecordMetadata) -> bool:
        """Note where a record stands. Return False if it does not stand behind all before it: the topic is new."""
        partition = f"{place.topic}/{place.partition}"
        is_behind: bool = place.offset > self.offsets.get(partition, -1)
        if is_behind:
            self.offsets[partition] = place.offset
        return is_behind

    async def store(self, session: Connection, published: int, settled: int, after_s: float = 0.0) -> None:
        """Store the marks, where they have changed, once they have waited for so long."""
        state, now = self._get_state(published, settled), asyncio.get_running_loop().time()
        self.store_at = math.inf if state == self._stored else min(self.store_at, now + after_s)
        if self.store_at <= now:
            texts = {"offsets": to_json(self.offsets).decode(), "signers": to_json(self.signers).decode()}
            numbers = {"published": published, "settled": settled}
            await session.execute(_STORE, {**numbers, **texts, "channel": CHANNEL, "kind": SETTLED})
            self._stored, self.store_at = state, math.inf

    def _get_state(self, published: int, settled: int) -> tuple[object, ...]:
        return published, settled, self.offsets.copy(), self.signers.copy()
