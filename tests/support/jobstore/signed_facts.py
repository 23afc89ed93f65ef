"""Keys of facts, and a topic in memory that a relay can publish to."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.structs import RecordMetadata, TopicPartition

from contracts.signing import FactKeys, Secrets, make_secret
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing, choose_partition


def make_keys(*secret_ids: str) -> FactKeys:
    """Keys of the secrets with these ids, the newest first; the same id has the same secret."""
    pairs = [make_secret(secret_id, secret_id.encode().ljust(32, b".")) for secret_id in secret_ids]
    return FactKeys.derive(Secrets.parse(",".join(pairs)))


@dataclass
class Stored:
    """A record as a consumer has it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]


@dataclass
class TopicsInMemory:
    """Topics of a broker that can lose records, acknowledge some of them only, and come back empty."""

    records: list[Stored] = field(default_factory=list)
    ends: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    acknowledges: int = 10**9

    async def send(self, outgoing: Sequence[Outgoing]) -> list[Any]:
        """As a Publisher does."""
        return [self._append(record) for record in outgoing]

    def _append(self, record: Outgoing) -> Any:
        if not self.acknowledges:
            return TransientError("not acknowledged", code="kafka_unavailable")
        self.acknowledges -= 1
        numbers = range(8)
        partition = choose_partition(record.key, numbers, numbers) if record.partition is None else record.partition
        place = record.topic, partition
        stored = Stored(*place, self.ends[place], record.key, record.value, record.headers)
        self.ends[place] += 1
        self.records.append(stored)
        return RecordMetadata(*place, TopicPartition(*place), stored.offset, -1, 0, 0)

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        return {number: self.ends[topic, number] for number in range(8)}

    def empty(self) -> None:
        """The broker came back empty."""
        self.records.clear()
        self.ends.clear()
