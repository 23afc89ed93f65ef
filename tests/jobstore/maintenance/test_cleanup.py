"""What is kept for reuse is bounded in number and age."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.reused import Life, aged, rows

from jobstore.domain.reuse import ReuseTerms
from jobstore.maintenance.cleanup import Cleanup
from jobstore.runner import CommandRunner
from jobstore.storage import reusable
from jobstore.storage.database import Database


@pytest.fixture
async def life(database: Database, runner: CommandRunner) -> Any:
    async with database.transaction() as connection:
        for table in ("reusable", "executions", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))
    return lambda: Life(database, runner)


async def forgotten(database: Database, terms: ReuseTerms) -> int:
    return await Cleanup(database, "reuse", partial(reusable.forget, terms=terms), reusable.FORGET_BATCH).forget()


async def test_what_is_known_is_bounded_in_number_and_age(life: Any, database: Database) -> None:
    for value in ("a", "b", "c"):
        await life().judged(value=value)
    kept = [row.key for row in await rows(database)]
    assert await forgotten(database, ReuseTerms(entries_max=3)) == 0
    assert await forgotten(database, ReuseTerms(entries_max=2)) == 1
    assert [row.key for row in await rows(database)] == kept[1:]
    await aged(database, 100)
    assert await forgotten(database, ReuseTerms(verdict_age_s=50, result_age_s=101)) == 0
    assert await forgotten(database, ReuseTerms(verdict_age_s=50, result_age_s=99)) == 2
