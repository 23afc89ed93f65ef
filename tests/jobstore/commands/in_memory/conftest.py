"""Fixtures: a jobstore in memory, and a life in it."""

import pytest
from support.jobstore.memory import Life, MemoryJobstore


@pytest.fixture
def jobstore() -> MemoryJobstore:
    return MemoryJobstore()


@pytest.fixture
def life(jobstore: MemoryJobstore) -> Life:
    return Life(jobstore)
