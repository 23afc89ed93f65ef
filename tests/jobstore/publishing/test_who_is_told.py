"""What a commit leaves to do is told in memory, and notified where other jobstores may listen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from support.jobstore.steps import Steps
from support.jobstore.terms import TERMS

from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.notifications import CHANNEL, EVERYTHING, Wake
from servicekit.errors import TransientError


@pytest.fixture
def handing(database: Database) -> CommandRunner:
    """A runner of this test alone, since it hands over."""
    return CommandRunner(database, TERMS)


async def test_a_jobstore_that_is_alone_tells_itself_what_is_left_and_notifies_others_where_there_are_some(
    database: Database, database_url: str, handing: CommandRunner
) -> None:
    left, heard = list[Wake](), list[str]()
    handing.on_recorded, handing.on_left = lambda _: None, left.append
    listening = await asyncpg.connect(database_url)
    await listening.add_listener(CHANNEL, lambda *message: heard.append(message[-1]))
    try:
        for notified in ([], [Wake.RECORDED, Wake.RECORDED | Wake.QUEUED]):
            await listening.execute("INSERT INTO epochs (until) VALUES (now())")
            left.clear()
            await Steps(database, handing).requested()
            assert left == [Wake.NOTHING, Wake.QUEUED]
            await listening.execute(f"NOTIFY {CHANNEL}, 'end'")
            while "end" not in heard:  # noqa: ASYNC110 - told by no event
                await asyncio.sleep(0)
            assert [Wake.of_payload(each) for each in heard[:-1]] == notified
            heard.clear()
    finally:
        await listening.execute("DELETE FROM epochs")
        await listening.close()


async def test_a_commit_whose_answer_is_lost_leaves_everything_to_be_looked_for(
    database: Database, handing: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list[Wake]()
    handing.on_left = left.append

    @asynccontextmanager
    async def losing() -> AsyncIterator[Any]:
        async with Database.transaction(database) as connection:
            yield connection
        raise TransientError("the connection was lost")

    monkeypatch.setattr(database, "transaction", losing)
    with pytest.raises(TransientError):
        await Steps(database, handing).created()
    assert left == [EVERYTHING]
