"""Progress is reported at intervals, however often an agent speaks."""

import asyncio
import time

from support.fakes import until

from executor.handlers import Throttle
from executor.ports import Progress


def said(*fractions: float) -> list[Progress]:
    return [Progress(fraction) for fraction in fractions]


async def test_the_first_is_told_at_once_and_of_the_others_the_newest_when_the_time_comes():
    told, times = [], []

    def tell(progress):
        told.append(progress)
        times.append(time.monotonic())

    throttle = Throttle(0.2, tell)
    for progress in said(0.1, 0.2):
        throttle(progress)
    await until(lambda: told)
    for progress in said(0.3, 0.4, 0.5):
        throttle(progress)
    await until(lambda: len(told) == 2)
    assert told == said(0.2, 0.5)
    assert times[1] - times[0] >= 0.19


async def test_only_what_changed_is_told():
    told = []
    throttle = Throttle(0.0, told.append)
    for progress in [Progress(), *said(0.1, 0.1, 0.2, 0.1)]:
        throttle(progress)
        timer = throttle._timer
        await until(lambda: throttle._timer is None)
        assert timer is not None
    assert told == said(0.1, 0.2, 0.1)


async def test_nothing_is_told_once_it_is_closed():
    told = []
    throttle = Throttle(0.0, told.append)
    throttle(Progress(0.1))
    throttle.close()
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, passed.set)
    await passed.wait()
    assert told == []
