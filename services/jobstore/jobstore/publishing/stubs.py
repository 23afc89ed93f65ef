"""Remember which facts their topics refused: each stands there as a stub, until the topic takes the whole.

What a topic refused for its size it takes as little if it is larger still, so that only the smallest stub of each topic
is tried again: however many there are, they hold nothing else back (docs/adr/0017).
"""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from prometheus_client import Counter
from sqlalchemy import text

from jobstore.publishing.job_changed import make_stub
from jobstore.storage.sql import Connection
from jobstore.storage.work.recorded import EntryRow
from servicekit.errors import PermanentError
from servicekit.kafka.publisher import Outgoing
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

STUBS: Final = Counter("signoff_fact_stubs", "Facts that their topic refused for good", ["topic", "code"])

#: Seconds until stubs are tried again, doubled while none is taken, and at most.
AGAIN_FIRST_S: Final = 5.0
AGAIN_MAX_S: Final = 60.0


#: Of what was published, again perhaps, the rest is whole by now.
_STORE: Final = text(
    """
    WITH whole AS (DELETE FROM stubs WHERE seq = ANY(CAST(:told AS bigint[])) AND seq <> ALL(CAST(:seqs AS bigint[])))
    INSERT INTO stubs (seq, topic, key, version, code, bytes)
    SELECT * FROM unnest(CAST(:seqs AS bigint[]), CAST(:topics AS text[]), CAST(:keys AS text[]),
        CAST(:versions AS bigint[]), CAST(:codes AS text[]), CAST(:bytes AS bigint[]))
    ON CONFLICT (seq) DO UPDATE SET code = excluded.code, bytes = excluded.bytes
    """,
)
_SMALLEST: Final = text(
    "SELECT DISTINCT ON (topic, code) CASE WHEN version IS NULL THEN '' ELSE key END AS tenant, seq FROM stubs "
    "ORDER BY topic, code, bytes, seq"
)
_ANY: Final = text("SELECT EXISTS (SELECT FROM stubs)")
_FORGET: Final = text("DELETE FROM stubs WHERE seq = :seq")
_FORGET_ALL: Final = text("DELETE FROM stubs")


class Fact(NamedTuple):
    """A fact to publish: its number, its row, what the job asked for then if that was edited, and the whole record."""

    seq: int
    row: EntryRow
    reverted: Mapping[str, str]
    record: Outgoing

    def make_stub(self, code: str) -> Outgoing:
        """Return the record of its stub."""
        return make_stub(self.row, self.reverted, self.record, code)


class Progress(NamedTuple):
    """How many facts, from the first, were acknowledged; stubs of these facts by code; whether one was lost."""

    told: int
    stubs: dict[int, str]
    is_lost: bool = False


class Stubs:
    """Say what is published as a stub, and when stubs are tried again."""

    def __init__(self) -> None:
        self._refused_bytes: dict[str, int] = {}
        self._are_there = False
        self._wait_s = AGAIN_FIRST_S
        self._due_at = 0.0

    async def load(self, session: Connection) -> None:
        """Read whether there are any; what their topics take by now is found out anew."""
        self._refused_bytes.clear()
        self._are_there = bool(await session.scalar(_ANY))
        self._due_at, self._wait_s = 0.0, AGAIN_FIRST_S

    def has_room_for(self, record: Outgoing) -> bool:
        """Return whether a record may fit its topic, which has refused none of its size."""
        return len(record.value) < self._refused_bytes.get(record.topic, math.inf)

    def note_refusal(self, fact: Fact, error: PermanentError) -> str:
        """Return the code of a fact whose record was refused by itself, and learn from its size."""
        if error.code != ErrorCode.MESSAGE_TOO_LARGE:
            return ErrorCode.FACT_REFUSED
        topic, size = fact.record.topic, len(fact.record.value)
        self._refused_bytes[topic] = min(size, self._refused_bytes.get(topic, size))
        return ErrorCode.FACT_TOO_LARGE

    async def store(self, session: Connection, facts: Sequence[Fact], codes: dict[int, str]) -> None:
        """Remember of facts that were published which of them are stubs, by the code."""
        if not facts or not (codes or self._are_there):
            return
        stubs = [fact for fact in facts if fact.seq in codes]
        for fact in stubs:
            _tell(fact, codes[fact.seq])
        parameters = {
            "told": [fact.seq for fact in facts],
            "seqs": [fact.seq for fact in stubs],
            "topics": [fact.record.topic for fact in stubs],
            "keys": [(fact.record.key or b"").decode() for fact in stubs],
            "versions": [fact.row.get("version") for fact in stubs],
            "codes": [codes[fact.seq] for fact in stubs],
            "bytes": [len(fact.record.value) for fact in stubs],
        }
        await session.execute(_STORE, parameters)
        if codes:
            self._are_there = True
            self._retry_in(AGAIN_FIRST_S)

    async def find_due(self, session: Connection) -> list[tuple[str, int]]:
        """Return the stubs that may be tried again now, as `read` takes them: the smallest of each topic and code."""
        if not self._are_there or asyncio.get_running_loop().time() < self._due_at:
            return []
        due = [(row.tenant, row.seq) for row in await session.execute(_SMALLEST)]
        self._are_there = bool(due) or bool(await session.scalar(_ANY))
        self._retry_in(min(self._wait_s * 2, AGAIN_MAX_S))
        return due

    async def forget(self, session: Connection, fact: Fact) -> None:
        """Forget a stub, since the whole was published; its topic takes more than it did, and the next is due."""
        log.info("a fact that stood as a stub is whole", extra=_describe(fact))
        self._refused_bytes.pop(fact.record.topic, None)
        self._retry_in(AGAIN_FIRST_S)
        self._due_at = 0.0
        await session.execute(_FORGET, {"seq": fact.seq})

    async def forget_all(self, session: Connection) -> None:
        """Forget all stubs, since their topics lost them: each fact is told again, and before it those below it."""
        self._refused_bytes.clear()
        self._are_there = False
        await session.execute(_FORGET_ALL)

    def _retry_in(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._due_at = asyncio.get_running_loop().time() + wait_s


def _tell(fact: Fact, code: str) -> None:
    STUBS.labels(fact.record.topic, code).inc()
    log.error("a topic refuses a fact: a stub stands in its place", extra=_describe(fact) | {"code": code})


def _describe(fact: Fact) -> dict[str, object]:
    key = (fact.record.key or b"").decode()
    version = fact.row.get("version")
    return {"topic": fact.record.topic, "key": key, "version": version, "bytes": len(fact.record.value)}
