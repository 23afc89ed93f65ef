"""Tenants of releases before are registered as they are, or by another name where theirs does not fit."""

import re
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_old_limit
from support.jobstore.registered import create_old_jobs
from support.jobstore.steps import Steps, new_job

from contracts.resources import NewLimit
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF
from jobstore.limits.store import list_limits
from jobstore.tenants.store import adopt_tenants

FITS = "^[a-z0-9-]{1,40}$"
#: Jobs of before by their ids. `mill` is no tenant's name any more: an id of `default` begins with it.
OLD = {
    "old-1": "Big Team",
    "old-2": "Big Team",
    "old-3": "fits",
    "old-4": "mill",
    "mill:1": "default",
    "old-5": "x" * 60,
    "old-6": "\N{SNOWMAN} \N{SNOWMAN}",
    "own:1": "own",
}


async def read(database: Database, query: str) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(text(query)))


@pytest.fixture(scope="module")
async def names(database: Database, runner: CommandRunner) -> dict[str, str]:
    """The tenants by their names of before, once they are adopted."""
    await create_old_jobs(database, runner, {job_id: new_job(tenant=tenant) for job_id, tenant in OLD.items()})
    async with database.transaction() as connection:
        await put_old_limit(connection, "tenant:Big Team", NewLimit(concurrency=3))
        await put_old_limit(connection, "tenant:*", NewLimit(concurrency=9))
        await connection.execute(text("UPDATE relay SET administered_since = 7"))
    for _ in range(2):  # the second time changes nothing
        async with database.transaction() as connection:
            await adopt_tenants(connection)
    rows = await read(database, "SELECT name, coalesce(renamed_from, name) AS former FROM tenants")
    return {row.former: row["name"] for row in rows}


async def test_names_that_fit_stay_and_others_are_made_of_them(database: Database, names: dict[str, str]) -> None:
    assert (names["fits"], names["own"]) == ("fits", "own")
    for former, begins in (("Big Team", "big-team-"), ("mill", "mill-"), ("x" * 60, "xxx"), (OLD["old-6"], "")):
        assert re.match(FITS, names[former])
        assert names[former].startswith(begins)
        assert names[former] != former
    assert "default" not in names
    (row,) = await read(database, "SELECT * FROM tenants WHERE renamed_from = 'Big Team'")
    (first,) = await read(database, "SELECT created_at FROM jobs WHERE id = 'old-1'")
    assert (row.title, row.actor, row.created_at) == ("Big Team", "signoff", first.created_at)


async def test_jobs_and_limits_get_the_name_and_ids_stay(database: Database, names: dict[str, str]) -> None:
    rows = await read(database, "SELECT id, tenant FROM jobs WHERE id LIKE 'old-%' OR id IN ('mill:1', 'own:1')")
    assert {row.id: row.tenant for row in rows} == {i: names.get(tenant, tenant) for i, tenant in OLD.items()}
    async with database.session() as session:
        limits = {limit.name: limit.concurrency for limit in await list_limits(session, 100)}
    assert limits == {"tenant:*": 9, f"tenant:{names['Big Team']}": 3}


async def test_all_that_is_set_is_told_anew(database: Database, names: dict[str, str]) -> None:
    assert names
    (row,) = await read(database, "SELECT administered_since FROM relay")
    assert row.administered_since == 0


async def test_a_request_of_before_is_the_same_still(
    database: Database, runner: CommandRunner, names: dict[str, str]
) -> None:
    life = Steps(database, runner)
    life.job_id = f"{names['Big Team']}:new"
    created = [
        await runner.submit.run_one(CreateJob(new_job(tenant="Big Team"), life.job_id, actor=SIGNOFF)) for _ in range(2)
    ]
    assert [each["tenant"] for each in created] == [names["Big Team"]] * 2
    with pytest.raises(InvalidError, match="no tenant has the name Big team"):
        await runner.submit.run_one(CreateJob(new_job(tenant="Big team"), "x", actor=SIGNOFF))
