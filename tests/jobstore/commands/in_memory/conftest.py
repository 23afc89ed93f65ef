"""Fixtures: a jobstore in memory, a life in it, and a check of all that a test's commands do.

What commands ask for, write and answer in these tests stands in told.txt, whole: a test says what matters, that page
all the rest. Who changes a command has it written anew (`SIGNOFF_WRITE_EXPECTED=1`, with all tests of this folder), and
reads what has changed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from stories import Story, listen
from support.jobstore.memory import Life, MemoryJobstore

WRITTEN = Path(__file__).with_name("told.txt")


@pytest.fixture
def jobstore() -> MemoryJobstore:
    return MemoryJobstore()


@pytest.fixture
def life(jobstore: MemoryJobstore) -> Life:
    return Life(jobstore)


@pytest.fixture(scope="session")
def written() -> Iterator[set[str]]:
    """All that a command of these tests does, each once."""
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        told: set[str] = set()
        yield told
        WRITTEN.write_text("\n".join(sorted(told)), "utf-8")
    else:
        yield {f"{each.rstrip()}\n" for each in WRITTEN.read_text("utf-8").split("\n\n")}


@pytest.fixture(autouse=True)
def story(written: set[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a command does is written."""
    story = Story()
    listen(MemoryJobstore, story, monkeypatch)
    yield
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        written.update(story.told)
    assert [each for each in story.told if each not in written] == []
