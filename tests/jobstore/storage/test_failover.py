"""A URL of two hosts, of which the primary is lost: a jobstore goes on at the one that takes over, by itself."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from support.fakes import until
from support.replication import Pair, replicated

from jobstore.engine.database import Database
from servicekit.errors import TransientError

pytestmark = pytest.mark.real

#: Seconds from the promotion of a standby until a jobstore writes to it.
WITHIN_S = 5.0
WRITERS = 8
_ADD = text("INSERT INTO numbers (writer, number) VALUES (:writer, :number)")


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    async with replicated() as made:
        yield made


async def test_nothing_acknowledged_is_lost_with_a_synchronous_standby(pair: Pair) -> None:
    database = Database(pair.name(pair.primary.url), pool_size=WRITERS)
    await pair.primary.execute("CREATE TABLE numbers (writer int, number int, PRIMARY KEY (writer, number))")
    await pair.replicate_synchronously()
    acknowledged: set[tuple[int, int]] = set()
    outages: list[str | None] = []
    promoted: list[float] = []
    resumed: list[float] = []
    ended: list[bool] = []

    async def write(writer: int) -> None:
        number = 0
        while not ended:
            number += 1
            is_later = bool(promoted)  # an answer of the lost primary may still be read afterwards
            try:
                async with database.pipelined_transaction() as connection:
                    await connection.execute(_ADD, {"writer": writer, "number": number})
            except TransientError as error:
                outages.append(error.code)
                await asyncio.sleep(0.05)
            else:
                acknowledged.add((writer, number))
                if is_later:
                    resumed.append(time.monotonic())

    writing = [asyncio.create_task(write(writer)) for writer in range(WRITERS)]
    await until(lambda: len(acknowledged) > 200)
    pair.lose()
    await until(lambda: "database_in_recovery" in outages)  # by the standby's word, and not by the host's that is gone
    promoted.append(time.monotonic())
    await pair.promote()
    await until(lambda: resumed)
    ended.append(True)
    await asyncio.gather(*writing)
    assert resumed[0] - promoted[0] < WITHIN_S
    server = await asyncpg.connect(pair.standby.url)
    kept = {tuple(row) for row in await server.fetch("SELECT writer, number FROM numbers")}
    assert acknowledged <= kept
    await server.close()
    await database.close()
