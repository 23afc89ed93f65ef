"""How many connections of the database are used, idle and waited for is seen, and costs no transaction anything."""

import asyncio
from contextlib import AsyncExitStack

from prometheus_client import REGISTRY
from support.fakes import until

from jobstore.engine.database import Database


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"signoff_database_connections{name}", labels)


def count() -> tuple[float | None, ...]:
    return read("", state="used"), read("", state="idle"), read("_awaited")


async def hold(database: Database, is_held: asyncio.Event, may_end: asyncio.Event) -> None:
    async with database.session():
        is_held.set()
        await may_end.wait()


async def test_connections_are_used_idle_and_waited_for(postgres: str) -> None:
    database, may_end = Database(postgres, pool_size=2), asyncio.Event()
    database.show_connections()
    assert (read("_max"), count()) == (2, (0, 0, 0)), "before the first is opened"
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        held = [asyncio.Event() for _ in range(3)]
        holding = [asyncio.create_task(hold(database, each, may_end)) for each in held]
        await until(lambda: count() == (2, 0, 1))
        reading = [asyncio.create_task(hold(database.for_callers(), asyncio.Event(), may_end)) for _ in range(2)]
        await until(lambda: count() == (2, 0, 3)), "one has the place of callers, and waits for a connection"
        may_end.set()
        await asyncio.gather(*holding, *reading)
        assert count() == (0, 2, 0)
