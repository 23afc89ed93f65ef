"""A worker of leases, and a clock that no machine holds up: waits are seen to the moment, and nobody waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from leased_work import Work
from support.fakes import FakeLeases, working

from servicekit.leasing.worker import Worker


@pytest_asyncio.fixture(autouse=True, scope="module", loop_scope="module")
async def clock() -> AsyncIterator[None]:
    """Have time pass only while all tasks wait, and then at once; in a loop that these tests have for themselves."""
    selector = asyncio.get_running_loop()._selector
    select, now = selector.select, time.monotonic()

    def jump(timeout: float | None = None) -> list:
        nonlocal now
        assert timeout is not None, "all wait for each other"
        now += max(timeout, 0.0)
        return select(0)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(selector, "select", jump)
        patched.setattr(time, "monotonic", lambda: now)
        yield


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest_asyncio.fixture(loop_scope="module")
async def worker(leases: FakeLeases):
    worker = Worker("test", leases, capacity=10, outcomes_max=20, report_again_s=0.05)
    async with working(worker):
        yield worker


@pytest.fixture
def work() -> Work:
    return Work()
