"""A pipelined transaction takes two round trips less, and ends as any other does."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from jobstore.engine import patches
from jobstore.engine.database import Database
from jobstore.engine.patches import get_pipeline
from jobstore.engine.sql import Connection
from servicekit.errors import DoubtfulError, PermanentError, TransientError

_COUNT = text("SELECT count(*) FROM pipelined")
_INSERT = text("INSERT INTO pipelined VALUES (CAST(:id AS int))")
_DIVIDE = text("SELECT 1 / CAST(:by AS int)")
_IS_WAITING = """
    SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
        WHERE NOT granted AND relation = 'pipelined'::regclass)
"""


@pytest.fixture(autouse=True)
async def table(database: Database) -> AsyncIterator[None]:
    """The table; and nobody rolls back in place of whoever should have: asyncpg tells the loop of that."""
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with database.session() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS pipelined"))
        await connection.execute(text("CREATE TABLE pipelined (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
        await connection.execute(text("DROP TYPE IF EXISTS learned"))
        await connection.execute(text("CREATE TYPE learned AS ENUM ('known')"))
    yield
    assert told == []


async def stored(database: Database) -> int:
    """Count the rows that are committed; the connection, most likely the same one, is in no transaction before."""
    async with database.session() as connection:
        assert not connection.driver.is_in_transaction()
        count = int(await connection.scalar(_COUNT))
        assert not connection.driver.is_in_transaction()
        return count


class Counting:
    """A transport that counts how often something was written."""

    def __init__(self, transport: Any) -> None:
        self._transport, self.writes = transport, 0

    def __getattr__(self, name: str) -> Any:
        self.writes += name in {"write", "writelines"}
        return getattr(self._transport, name)


async def test_a_transaction_takes_a_round_trip_a_statement(database: Database) -> None:
    async with database.pipelined_transaction() as connection:  # prepares the statements
        await connection.execute(_COUNT)
        await connection.execute(_INSERT, {"id": 0}, commits=True)
    async with database.session() as connection:
        pipeline = get_pipeline(connection.driver)
        pipeline._transport = counting = Counting(pipeline._transport)  # type: ignore[assignment]
    async with database.pipelined_transaction() as connection:
        await connection.execute(_COUNT)
        await connection.execute(_INSERT, {"id": 1}, commits=True)
        assert not connection.driver.is_in_transaction()
    assert counting.writes == 2
    assert await stored(database) == 2


async def test_without_the_patch_begin_and_commit_take_one_each(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this fails, asyncpg sends statements together by itself: the patch is needed no more."""
    made: list[Counting] = []

    class Counted(patches._PipelinedProtocol.__base__):  # type: ignore[misc] # asyncpg has no types
        def connection_made(self, transport: asyncio.Transport) -> None:
            made.append(Counting(transport))
            super().connection_made(made[0])

    monkeypatch.setattr(asyncpg.protocol, "Protocol", Counted)
    connection = await asyncpg.connect(database_url)
    statement = await connection.prepare("SELECT 1")
    made[0].writes = 0
    async with connection.transaction():
        await statement.fetchval()
        await statement.fetchval()
    assert made[0].writes == 2 + 2
    assert [name for name in dir(connection) if "pipeline" in name] == []
    await connection.close()


def test_the_patch_is_of_the_version_that_is_installed() -> None:
    named = re.findall(r"asyncpg (\d+\.\d+)", patches.__doc__ or "")
    assert named == [".".join(version("asyncpg").split(".")[:2])]


async def test_it_commits_at_its_end_what_no_statement_has_committed(database: Database) -> None:
    async with database.pipelined_transaction() as connection:
        await connection.execute(_INSERT, {"id": 1})
        await connection.execute(_INSERT, {"id": 2})
        assert await stored(database) == 0
    assert await stored(database) == 2
    async with database.pipelined_transaction():
        pass
    assert await stored(database) == 2


async def fail_first(connection: Connection) -> None:
    await connection.execute(_DIVIDE, {"by": 0})


async def fail_behind_another(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    await connection.execute(_DIVIDE, {"by": 0})


async def fail_before_the_commit(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    await connection.execute(_DIVIDE, {"by": 0}, commits=True)


async def fail_to_commit(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    await connection.execute(_INSERT, {"id": 1}, commits=True)  # is there; a deferred constraint finds it at the end


async def fail_to_commit_at_once(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 1}, commits=True)


async def fail_to_bind(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": "one"})


async def fail_to_bind_the_last(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    await connection.execute(_INSERT, {"id": "one"}, commits=True)


async def fail_by_itself(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    raise PermanentError("no", code="no")


async def fail_by_a_lost_connection(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    connection.invalidate()
    await connection.execute(_INSERT, {"id": 3}, commits=True)


async def fail_with_a_type_to_be_learned(connection: Connection) -> None:
    await connection.execute(_INSERT, {"id": 2})
    await connection.execute(text("SELECT CAST('known' AS learned), 1 / (SELECT count(*) - count(*))"), commits=True)


FAILING = [
    *(fail_first, fail_behind_another, fail_before_the_commit, fail_to_commit, fail_to_commit_at_once),
    *(fail_to_bind, fail_to_bind_the_last, fail_by_itself, fail_by_a_lost_connection, fail_with_a_type_to_be_learned),
]


@pytest.mark.parametrize("fail", FAILING)
async def test_an_error_rolls_all_of_it_back(database: Database, fail: Callable[[Connection], Awaitable[None]]) -> None:
    for statement, values in ((_INSERT, {"id": 1}), (_DIVIDE, {"by": 1})):  # known to the connection from now on
        async with database.pipelined_transaction() as connection:
            await connection.execute(statement, values, commits=True)
    with pytest.raises((PermanentError, DoubtfulError, TransientError)):
        async with database.pipelined_transaction() as connection:
            await fail(connection)
    assert await stored(database) == 1
    async with database.session() as connection:  # a statement of its own is a transaction of its own
        await connection.execute(_INSERT, {"id": 3})
    assert await stored(database) == 2


@pytest.mark.parametrize("commits", [False, True])
async def test_who_is_cancelled_in_its_first_statement_leaves_nothing(
    database: Database, database_url: str, commits: bool
) -> None:
    """Its answer, by which asyncpg knows of the transaction, has not come yet."""
    async with database.pipelined_transaction() as connection:  # known to the connection from now on
        await connection.execute(text("DELETE FROM pipelined"))
        await connection.execute(_INSERT, {"id": 1}, commits=True)
    async with database.pipelined_transaction() as connection:
        await connection.execute(text("DELETE FROM pipelined"))
    other = await asyncpg.connect(database_url)
    began = asyncio.Event()

    async def insert() -> None:
        async with database.pipelined_transaction() as connection:
            began.set()
            await connection.execute(_INSERT, {"id": 1}, commits=commits)

    async with other.transaction():
        await other.execute("LOCK TABLE pipelined")
        inserting = asyncio.create_task(insert())
        await began.wait()
        while not await other.fetchval(_IS_WAITING):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        inserting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await inserting
    await other.close()
    assert await stored(database) == 0


@pytest.mark.parametrize("executed", ["change", "execute_many"])
async def test_a_first_statement_that_would_not_begin_the_transaction_is_refused(
    database: Database, executed: str
) -> None:
    many = ([{"id": 1}],) if executed == "execute_many" else ()
    statement = _INSERT if many else text("INSERT INTO pipelined VALUES (1)")
    with pytest.raises(AssertionError, match="BEGIN"):
        async with database.pipelined_transaction() as connection:
            await getattr(connection, executed)(statement, *many)
    assert await stored(database) == 0


async def test_no_other_transaction_is_committed_by_a_statement(database: Database) -> None:
    async with database.pipelined_transaction() as connection:
        await connection.execute(_COUNT, commits=True)
    with pytest.raises(AssertionError, match="pipelined"):
        async with database.transaction() as connection:
            await connection.execute(_COUNT, commits=True)
