"""Batches of commands: what each is carried out with, and how often."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from jobstore.lanes import SET_ASIDE, Lane
from jobstore.storage.outages import RaceError


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
