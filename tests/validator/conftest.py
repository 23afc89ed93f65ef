"""A judge that does what a script says."""

from collections.abc import AsyncIterator

import pytest
from fake_judge import FakeJudge


@pytest.fixture
async def server() -> AsyncIterator[FakeJudge]:
    fake = FakeJudge()
    await fake.start()
    yield fake
    await fake.stop()
