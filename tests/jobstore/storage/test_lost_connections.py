"""A connection that is lost is an outage, in whatever words the driver says so."""

import asyncio

import pytest
from asyncpg import connect_utils
from faults.stack.links import Link
from sqlalchemy import make_url, text

from jobstore.engine import database as database_module
from jobstore.engine.database import Database
from servicekit.errors import DoubtfulError, TransientError

#: What a server says on a connection before it closes it (an ErrorResponse of PostgreSQL's protocol).
FAREWELL = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
_IS_SLEEPING = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')"
)


async def test_a_session_that_the_server_ends_between_two_statements(database: Database) -> None:
    async def ended() -> None:
        async with database.session() as connection:
            await connection.scalar(text("SELECT 1"))
            farewell = b"E" + (len(FAREWELL) + 4).to_bytes(4, "big") + FAREWELL
            connection.driver._protocol.data_received(farewell)  # type: ignore[attr-defined]
            await connection.scalar(text("SELECT 1"))

    with pytest.raises(TransientError) as outage:
        await ended()
    assert outage.value.code == "database_unavailable"
    async with database.session() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_a_call_that_is_wrong_is_no_outage(database: Database) -> None:
    """It is waited for by whoever made it; nothing else stops for it."""
    with pytest.raises(DoubtfulError):
        async with database.session() as connection:
            await connection.driver.fetch("SELECT 1", "too many")


async def test_closing_a_lost_session_hides_no_error(database: Database) -> None:
    """The relay closes its session whatever ended it: the log has that, and not that it was closed before."""
    async with database.session() as connection:
        connection.invalidate()
        connection.invalidate()


@pytest.mark.parametrize("opened", ["session", "transaction", "pipelined_transaction"])
async def test_who_is_cancelled_while_the_server_stands_still_ends_soon_and_as_cancelled(
    database: Database, monkeypatch: pytest.MonkeyPatch, opened: str
) -> None:
    """So a service stops in time; were it told of an outage instead, its loops would wait that out."""
    asked, sleeping = asyncio.Event(), asyncio.Event()

    async def stand_still(**_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async def sleep() -> None:
        async with getattr(database, opened)() as connection:
            sleeping.set()
            await connection.scalar(text("SELECT pg_sleep(60)"))

    monkeypatch.setattr(connect_utils, "_cancel", stand_still)
    monkeypatch.setattr(database_module, "CANCEL_TIMEOUT_S", 0.1)
    task = asyncio.create_task(sleep())
    await sleeping.wait()
    async with database.session() as other, asyncio.timeout(10):
        while not await other.scalar(_IS_SLEEPING):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled(), task.exception()
    assert asked.is_set()
    async with database.session() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("opened", ["session", "transaction", "pipelined_transaction"])
async def test_an_answer_that_is_lost_is_waited_for_once(
    database_url: str, monkeypatch: pytest.MonkeyPatch, opened: str
) -> None:
    """The way back is mute, as behind a router that has forgotten a connection: nothing says that it is lost."""
    monkeypatch.setattr(database_module, "COMMAND_TIMEOUT_S", 3.0)
    link = Link("postgres", make_url(database_url).port or 5432)
    await link.start()

    async def asked() -> None:
        async with getattr(through, opened)() as connection:
            await connection.scalar(text("SELECT 1"))
            link.set("mute")
            await connection.scalar(text("SELECT 1"))

    through = Database(
        make_url(database_url).set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False)
    )
    try:
        with pytest.raises(TransientError) as outage:
            await asyncio.wait_for(asked(), 5.5)  # less than two answers
        assert outage.value.code == "database_unavailable"
        link.set("open")
        async with through.transaction() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
    finally:
        await through.close()
        await link.stop()
