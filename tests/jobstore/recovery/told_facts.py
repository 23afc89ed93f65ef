"""The topics since these tests began, and databases to rebuild from them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import text

from jobstore.publishing.relay import Relay
from jobstore.recovery import rebuild
from jobstore.recovery.verify import Verify, open_snapshot
from jobstore.storage.database import Database
from servicekit.kafka.history import History, Record
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.topics import Topics, ensure_topics

TOPICS = (rebuild.JOBS, *rebuild.FACTS)


class Since(History):
    """What a topic holds since this module began: other tests' databases told of themselves before."""

    began: Mapping[str, Mapping[int, int]]
    drops: Callable[[Record], bool] = staticmethod(lambda _: False)
    rubbish: Sequence[bytes | None] = ()
    changes: Callable[[bytes], bytes] = staticmethod(lambda value: value)

    async def offsets(self, since: Any = None) -> dict[int, range]:
        held = await super().offsets(since)
        return {number: range(self.began[self.topic][number], span.stop) for number, span in held.items()}

    async def read(self, offsets: Mapping[int, range]) -> AsyncIterator[list[Record]]:
        async for records in super().read(offsets):
            kept = [replace(r, value=self.changes(r.value or b"")) for r in records if not self.drops(r)]
            yield [*(replace(records[0], value=v) for v in self.rubbish), *kept]


@dataclass
class Facts:
    """The topics, and the relays that publish to them."""

    kafka: str
    publisher: Publisher
    topics: Topics

    async def relay(self, database: Database) -> None:
        """Publish all that a database has yet to tell."""
        relay = Relay(database, self.publisher, self.topics.end_offsets, lambda: ensure_topics(self.kafka, 1))
        async with database.session() as session:
            row = (await session.execute(text("SELECT published_seq, offsets FROM relay"))).one()
            relay.published, relay._offsets = row.published_seq, row.offsets
            while await relay.relay(session) or relay._pending is not None:
                pass
            await relay._stubs.load(session)
            while await relay.complete_stubs(session):
                pass


@asynccontextmanager
async def empty(postgres: str) -> AsyncIterator[tuple[Database, str]]:
    name = f"rebuilt_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=3)
    yield database, url
    await database.close()
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


async def verified(one: str, other: str) -> Mapping[str, Any]:
    async with open_snapshot(one) as rebuilt, open_snapshot(other) as source:
        return await Verify(rebuilt, source).run()
