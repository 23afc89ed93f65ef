"""The topics since these tests began, and databases to rebuild from them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import text
from support.jobstore.signed_facts import make_keys

from contracts.signing import SIGNATURE_HEADER, FactFilter, FactKeys, is_marker
from jobstore.engine.database import Database
from jobstore.publishing.relay import FactSigner, Relay
from jobstore.recovery import rebuild
from jobstore.recovery.rebuild import OpenHistory, Rebuild
from jobstore.recovery.verify import Verify, open_snapshot
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.history import History, Record
from servicekit.kafka.publisher import Publisher

TOPICS = (rebuild.JOBS, *rebuild.FACTS)


KEYS = make_keys("test")


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
            rubbish = [replace(records[0], value=value) for value in self.rubbish]
            kept = [self._change(r) for r in records if not self.drops(r)]
            yield [*map(_sign, rubbish), *rubbish, *kept]

    def _change(self, record: Record) -> Record:
        changed = self.changes(record.value) if record.value and not is_marker(record) else record.value
        return record if changed == record.value else _sign(replace(record, value=changed))


def _sign(record: Record) -> Record:
    """Sign anything as the relay signs facts."""
    signature = KEYS.signing.sign(record.topic, record.key, record.value)
    return replace(record, headers=((SIGNATURE_HEADER, signature.encode()),))


@dataclass
class Facts:
    """The topics, and the relays that publish to them."""

    kafka: str
    publisher: Publisher
    topics: Topics

    async def relay(self, database: Database, keys: FactKeys = KEYS) -> None:
        """Publish all that a database has yet to tell."""
        signer = FactSigner(keys)
        ensure = partial(ensure_topics, KafkaAccess(self.kafka), 1)
        relay = Relay(database, self.publisher, signer, self.topics.end_offsets, ensure)
        async with database.session() as session:
            await relay.load(session)
            while await relay.relay(session) or relay.has_gaps:
                pass
            while await relay.complete_stubs(session):
                pass


@asynccontextmanager
async def empty(postgres: str) -> AsyncIterator[tuple[Database, str]]:
    name = f"rebuilt_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    url = postgres.rsplit("/", 1)[0] + f"/{name}"
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=3)
    try:
        yield database, url
    finally:
        await database.close()
        await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await server.close()


def rebuilding(
    database: Database,
    history: OpenHistory,
    keys: FactKeys = KEYS,
    *,
    accept_gaps: bool = False,
    **begins: Any,
) -> Rebuild:
    """A rebuild by somebody who has these keys, which begins at a snapshot, or in an archive."""
    return Rebuild(database, history, FactFilter(keys), print, accept_gaps=accept_gaps, **begins)


async def list_definitions(url: str) -> list[str]:
    """The definitions of all indexes and constraints of a database."""
    definitions = """
        SELECT indexdef AS definition FROM pg_indexes WHERE schemaname = 'public' UNION ALL
        SELECT concat_ws(' ', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)) FROM pg_constraint
        ORDER BY definition
    """
    async with open_snapshot(url) as connection:
        return list(await connection.scalars(text(definitions)))


async def verified(one: str, other: str) -> Mapping[str, Any]:
    async with open_snapshot(one) as rebuilt, open_snapshot(other) as source:
        return await Verify(rebuilt, source).run()
