"""How many acknowledged commits a failover loses: with a standby that is near, that is behind, and that is awaited."""

import asyncio
import time
from dataclasses import dataclass, field

import asyncpg
from sqlalchemy import text
from support.replication import Pair, replicated

from jobstore.engine.database import Database
from servicekit.errors import TransientError

WRITERS = 8
#: Seconds for which commits are made before the primary is lost.
WRITING_S = 1.0
#: A repeat changes nothing, as with all that is asked of Signoff.
_ADD = text("INSERT INTO numbers (writer, number) VALUES (:writer, :number) ON CONFLICT DO NOTHING")


@dataclass
class Loss:
    """What one failover lost, and for how long nothing could be written after the promotion."""

    acknowledged: int
    lost: int
    commits_s: float
    resumed_s: float


@dataclass
class Writing:
    """Commits of a pool of connections, which goes on over a failover."""

    database: Database
    acknowledged: set[tuple[int, int]] = field(default_factory=set)
    is_lost: bool = False
    resumed_at: float = 0.0
    is_over: bool = False

    async def write(self, writer: int) -> None:
        number = 1
        while not self.is_over:
            was_lost = self.is_lost  # an answer of the lost primary may still be read afterwards
            try:
                async with self.database.pipelined_transaction() as connection:
                    await connection.execute(_ADD, {"writer": writer, "number": number})
            except TransientError:
                await asyncio.sleep(0.02)
                continue
            self.acknowledged.add((writer, number))
            number += 1
            if was_lost:
                self.resumed_at = self.resumed_at or time.monotonic()


async def lose(*, synchronous: bool, behind_s: float) -> Loss:
    """Lose a primary under load, whose standby is so many seconds behind, and count what the standby lacks."""
    async with replicated() as pair:
        database = Database(pair.name(pair.primary.url), pool_size=WRITERS)
        await pair.primary.execute("CREATE TABLE numbers (writer int, number int, PRIMARY KEY (writer, number))")
        if synchronous:
            await pair.replicate_synchronously()
        return await _lose(pair, Writing(database), behind_s)


async def _lose(pair: Pair, writing: Writing, behind_s: float) -> Loss:
    tasks = [asyncio.create_task(writing.write(writer)) for writer in range(WRITERS)]
    await asyncio.sleep(WRITING_S)
    if behind_s:
        pair.link.set("hang")
        await asyncio.sleep(behind_s)
    before = frozenset(writing.acknowledged)
    pair.lose()
    writing.is_lost = True
    promoted = time.monotonic()
    await pair.promote()
    async with asyncio.timeout(60):
        while not writing.resumed_at:  # noqa: ASYNC110 - the writers tell nobody
            await asyncio.sleep(0.01)
    writing.is_over = True
    await asyncio.gather(*tasks)
    await writing.database.close()
    server = await asyncpg.connect(pair.standby.url)
    kept = {tuple(row) for row in await server.fetch("SELECT writer, number FROM numbers")}
    await server.close()
    lost = len(writing.acknowledged - kept)
    return Loss(len(before), lost, len(before) / (WRITING_S + behind_s), writing.resumed_at - promoted)
