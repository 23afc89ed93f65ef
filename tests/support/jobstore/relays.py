"""Relays whose topics are in memory, and the rows that a process hands over to them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic_core import from_json

from jobstore.engine.database import Database
from jobstore.engine.sql import Connection
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.reads import list_changes
from jobstore.jobs.store import JOB_PART, Recorded
from jobstore.publishing import fact_reader
from jobstore.publishing.fact_reader import make_job_changed
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.publishing.watches import Recent
from signoff.status import JobLogStatus
from support.jobstore.signed_facts import TopicsInMemory, make_keys


def make_relay(database: Database, topics: TopicsInMemory) -> Relay:
    async def make_topics() -> None:
        pass

    publisher: Any = topics
    return Relay(database, publisher, FactSigner(make_keys("a")), topics.end_offsets, make_topics)


async def recorded(session: Connection, numbers: Sequence[int]) -> list[Recorded]:
    """Entries as whoever committed them hands them over."""
    facts, _ = await fact_reader.read(session, [("a tenant", number) for number in numbers], Recent())
    rows = [dict(fact.row.items()) for fact in facts]  # type: ignore[union-attr]
    parts = [{name: row[name] for name in JOB_PART} if row["version"] == 1 else None for row in rows]
    return [Recorded(**row, job_part=part, is_whole=True) for row, part in zip(rows, parts, strict=True)]


def _is_late(row: Any) -> bool:
    """Whether it is of an execution that may be cancelled: only the table knows which was requested last."""
    is_result = row.kind == TransitionKind.RESULT and row.status == JobLogStatus.CANCELLED
    return is_result or row.kind == TransitionKind.SPENT


class Compared:
    """Takes what is handed over, and compares what is made of it with what is made of the table."""

    kinds: ClassVar[Counter[str]] = Counter()

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rows: list[Recorded] = []
        self._recent = Recent()
        self._recent.begin_behind(0)

    def hand_over(self, rows: Sequence[Recorded]) -> None:
        self._rows += rows

    async def check(self) -> None:
        """All facts, and what watches are told, are the same to the byte. What is edited, or late, is read."""
        rows, self._rows = sorted(self._rows, key=lambda row: row.seq), []
        if not rows:
            return
        assert None not in [self._recent.take(row) for row in rows], "each is its job's next"
        numbers = [row.seq for row in rows]
        async with self._database.session() as session:
            facts, _ = await fact_reader.read(session, [("a tenant", number) for number in numbers], Recent())
            listed = await list_changes(session, numbers[0] - 1, numbers[-1], payloads=False, limit=1_000)
        made = {row.seq: make_job_changed(row, {}) for row in self._recent.pop_whole(numbers)}
        is_read = any(fact.row.kind == TransitionKind.EDITED or _is_late(fact.row) for fact in facts)
        for fact in facts:
            assert is_read or fact.seq in made, fact.row.kind
            record = made.get(fact.seq, fact.record)
            if fact.reverted:  # read late, what an edit changed since stands elsewhere in the text
                assert from_json(record.value) == from_json(fact.record.value)
            else:
                assert record == fact.record
            self.kinds[fact.row.kind] += fact.seq in made
            self._recent.learn(fact.row)  # type: ignore[arg-type]
        self._recent.settle(numbers[-1])
        told = self._recent.list_changes(numbers[0] - 1, numbers[-1], [], None, 1_000)
        assert told == (listed[0], False)
