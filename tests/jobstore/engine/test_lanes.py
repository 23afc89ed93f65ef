"""Batches of commands: what each is carried out with, and how often."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from jobstore.engine.database import RaceError
from jobstore.engine.runner import SET_ASIDE, Lane


async def test_what_is_set_aside_is_carried_out_by_itself_and_the_others_once() -> None:
    """What stood beside it is committed by then: carried out again, it would be recorded twice."""
    others, waiting = SimpleNamespace(size=0), SimpleNamespace(size=0)
    batches: list[Sequence[Any]] = []

    async def handle(commands: Sequence[Any]) -> Sequence[object]:
        batches.append(list(commands))
        if len(batches) == 2:
            raise RaceError("another jobstore was first")
        return [SET_ASIDE if len(commands) > 1 and each is waiting else "done" for each in commands]

    commands: list[Any] = [waiting, others]
    assert await Lane(handle).run(commands) == ["done", "done"]
    assert batches == [[waiting, others], [waiting], [waiting]]


async def test_what_its_caller_has_given_up_on_is_not_carried_out_late() -> None:
    """It may have asked another jobstore since, and then for the contrary: a batch that goes on would be paused."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    carried_out: list[Any] = []

    async def handle(commands: Sequence[Any]) -> Sequence[object]:
        carried_out.extend(commands)
        begun.set()
        await go_on.wait()
        return ["done"] * len(commands)

    lane = Lane(handle)
    under_way, abandoned, other = (cast(Any, SimpleNamespace(size=0)) for _ in range(3))
    first = asyncio.create_task(lane.run_one(under_way))
    await begun.wait()
    second, third = asyncio.create_task(lane.run_one(abandoned)), asyncio.create_task(lane.run([abandoned, other]))
    fourth = asyncio.create_task(lane.run_one(other))
    await asyncio.sleep(0)
    for given_up in (first, second, third):
        given_up.cancel()
    await asyncio.wait([first, second, third])
    go_on.set()
    assert await fourth == "done"
    assert carried_out == [under_way, other]
