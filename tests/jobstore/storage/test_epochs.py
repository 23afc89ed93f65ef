"""A jobstore that is stopped or cut off lets go in time of what it holds in the database, and changes nothing more."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from servicekit.errors import TransientError

TESTS = Path(__file__).parents[2]
#: Within which another jobstore has what a stopped one held.
WITHIN_S = 15.0
COUNT = text("SELECT count(*) FROM epochs WHERE epoch = :epoch")
NAME = text("SELECT name FROM agents")
RENAME = text("UPDATE agents SET name = 'changed by an older epoch'")
LAPSE = text("UPDATE epochs SET until = clock_timestamp() - interval '1 second' WHERE epoch = :epoch")


def _url(database_url: str) -> str:
    return database_url.replace("postgresql://", "postgresql+asyncpg://")


@asynccontextmanager
async def _stopped(database_url: str, held: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that has stopped itself while it holds something."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.stopping", _url(database_url), held),
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"stops\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _another(database_url: str) -> AsyncIterator[Database]:
    """Another jobstore, which knows whether it can write the database."""
    database = Database(_url(database_url))
    await database.availability.probe()
    probing = asyncio.create_task(database.availability.run())
    yield database
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)
    await database.close()


async def test_what_stopped_processes_hold_is_let_go_in_time(database_url: str) -> None:
    """Rows and locks of open transactions, idle or waiting for their rows to be read, and the relay's lock."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_another(database_url))
        held = ("idle", "unread", "session")
        stopped = [await stack.enter_async_context(_stopped(database_url, each)) for each in held]
        async with asyncio.timeout(WITHIN_S - 1.0):  # a relay tries once a second
            async with database.session() as session:
                while not await locks.try_hold_by_session(session, Lock.RELAY):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.2)
                session.invalidate()
            async with database.transaction() as transaction:
                await transaction.execute(text("SELECT FROM agents FOR UPDATE"))
                await locks.hold(transaction, Lock.OFFERS)
                await locks.hold(transaction, Lock.ROLLUPS)
        for process in stopped:
            process.send_signal(signal.SIGCONT)
            assert await asyncio.wait_for(process.wait(), 60) == 1  # by an error: its sessions are gone
        async with database.session() as session:
            assert await session.scalar(NAME) == "writer"


async def test_without_another_jobstore_an_open_transaction_is_ended_in_time(database_url: str) -> None:
    """Of whoever else waits for it, such as an operator."""
    operator = await asyncpg.connect(database_url)
    async with _stopped(database_url, "idle"), asyncio.timeout(WITHIN_S), operator.transaction():
        await operator.execute("SELECT FROM agents FOR UPDATE")
    await operator.close()


async def _write_once_ended(database: Database, other: Database) -> None:
    """Write on a session whose epoch another jobstore has ended meanwhile."""
    epoch = {"epoch": database.epochs.current}
    async with database.session() as session:
        await session.execute(NAME)
        async with other.session() as others:
            await others.execute(LAPSE, epoch)
            while await others.scalar(COUNT, epoch):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        await other.availability.probe()
        await session.execute(RENAME)


async def _rename(database: Database) -> None:
    async with database.session() as session:
        await session.execute(RENAME)


async def test_nothing_of_an_older_epoch_changes_the_database(database: Database, database_url: str) -> None:
    """The sessions that it had are ended, and none begins under it."""
    async with _another(database_url) as other:
        await database.availability.probe()
        before = database.epochs.current
        with pytest.raises(TransientError):
            await _write_once_ended(database, other)
        with pytest.raises(TransientError) as refused:
            await _rename(database)
        assert refused.value.code == "epoch_ended"
        await database.availability.probe()
        assert (database.epochs.current or 0) > (before or 0)
        async with database.session() as session:
            assert await session.scalar(NAME) == "writer"


async def test_after_an_outage_no_jobstore_ends_another(database: Database, database_url: str) -> None:
    """All have lapsed then; who comes back first must not end who comes back next."""
    other = Database(_url(database_url))
    await database.availability.probe()
    await other.availability.probe()
    epochs = database.epochs.current, other.epochs.current
    async with database.session() as session:
        for epoch in epochs:
            await session.execute(LAPSE, {"epoch": epoch})
    await database.availability.probe()
    await other.availability.probe()
    await database.availability.probe()
    assert (database.epochs.current, other.epochs.current) == epochs
    await other.close()


async def test_epochs_that_nobody_renews_are_forgotten(database: Database) -> None:
    await database.availability.probe()
    async with database.session() as session:
        await session.execute(text("INSERT INTO epochs (until) SELECT now() FROM generate_series(1, 9)"))
        await database.availability.probe()
        assert await session.scalar(text("SELECT count(*) FROM epochs WHERE until < clock_timestamp()")) == 0
