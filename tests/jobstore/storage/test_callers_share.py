"""What people and programs read never takes all connections: workers and loops find one at once."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.errors import TooManyCallsError

CALLERS = 30


async def test_callers_leave_connections_to_others_and_are_refused(database_url: str) -> None:
    one = Database(database_url, pool_size=12)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(one.close)
        await one.prepare()
        let_go, inside = asyncio.Event(), []

        async def read(view: Database) -> None:
            async with view.session() as session:
                inside.append(await session.scalar(text("SELECT 1")))
                await let_go.wait()

        calls = [asyncio.create_task(read(one.for_callers())) for _ in range(CALLERS)]
        watches = [asyncio.create_task(read(one.for_callers(lasting=True))) for _ in range(CALLERS)]
        for _ in range(6):
            async with one.transaction() as connection, asyncio.timeout(1):  # not after those that wait
                assert await connection.scalar(text("SELECT 1")) == 1
        refused = [call for call in calls if isinstance(await _outcome(call), TooManyCallsError)]
        assert len(inside) == 6
        assert len(refused) == CALLERS - 4
        let_go.set()
        await asyncio.gather(*watches, *(call for call in calls if call not in refused))
        assert len(inside) == CALLERS + 4


async def _outcome(call: "asyncio.Task[None]") -> BaseException | None:
    done, _ = await asyncio.wait({call}, timeout=5)
    return call.exception() if done else None


@pytest.mark.parametrize("lasting", [False, True])
async def test_a_caller_that_leaves_gives_its_place_back(database: Database, lasting: bool) -> None:
    view = database.for_callers(lasting=lasting)
    for _ in range(CALLERS):
        with pytest.raises(ZeroDivisionError):
            async with view.session():
                1 / 0  # noqa: B018 - any error
