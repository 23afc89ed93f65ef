"""A relay and an archiver on topics in memory, and an archive in a folder."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from contracts.topics import FACT_TOPICS
from jobstore.engine.database import Database
from jobstore.keeping.archiver import Archiver
from jobstore.publishing.relay import FactSigner, Relay
from servicekit.archive.objects import Objects
from servicekit.archive.parts import Archive, iterate_records
from support.archived import HistoryInMemory
from support.jobstore.signed_facts import TopicsInMemory, make_keys

KEYS = make_keys("a")


async def make_no_topics() -> None:
    pass


class Archiving:
    """A relay and an archiver on topics in memory, and a folder for the archive."""

    def __init__(self, database: Database, topics: TopicsInMemory, folder: Path) -> None:
        self.database, self.topics, self.folder = database, topics, folder
        self.installation = "here"
        self.part_bytes = 1 << 20
        #: The first offset that the topics still hold.
        self.first = 0
        #: The archive; None: the one in the folder.
        self.opened: Archive | None = None

    @property
    def archive(self) -> Archive:
        return self.opened or Archive(Objects.open(str(self.folder), creates=True), KEYS, self.installation)

    @property
    def archiver(self) -> Archiver:
        history: Any = partial(HistoryInMemory, self.topics, first=self.first)
        return Archiver(
            self.database, lambda: self.archive, history, self.topics.end_offsets, KEYS, self.installation,
            every_s=60, part_bytes=self.part_bytes,
        )  # fmt: skip

    async def publish(self) -> None:
        publisher: Any = self.topics
        relay = Relay(self.database, publisher, FactSigner(KEYS), self.topics.end_offsets, make_no_topics)
        async with self.database.session() as session:
            await relay.load(session)
            await relay._probe(session)
            while await relay.relay(session) or relay.has_gaps:
                pass

    async def run(self) -> dict[str, Any]:
        """Archive once; return the row."""
        async with self.database.session() as session:
            await self.archiver.archive(session)
        return await self.state()

    async def state(self) -> dict[str, Any]:
        async with self.database.session() as session:
            row = (await session.execute(text("SELECT k.*, published_seq FROM keeping k, relay"))).one()
            return dict(row.items())

    async def execute(self, statement: str) -> list[Any]:
        async with self.database.session() as session:
            return list(await session.execute(text(statement)))

    async def forget(self) -> None:
        """Let the database forget what was archived."""
        await self.execute("UPDATE keeping SET part = 0, part_hash = NULL, offsets = '{}', newest = '{}'")
        await self.execute("UPDATE keeping SET archived_seq = 0, archive_error = NULL, suspect = NULL")
        await self.execute("DELETE FROM archive_parts")

    async def read(self) -> list[tuple[Any, ...]]:
        """The records in all parts, in the order of each partition."""
        found = []
        async for part in self.archive.read_chain():
            data = await self.archive.read_data(part)
            found += [one for topic in FACT_TOPICS for one in iterate_records(data, topic)]
        return [name_record(one) for one in found]


def name_record(one: Any) -> tuple[Any, ...]:
    return one.topic, one.partition, one.offset, one.key, one.value, tuple(one.headers)
