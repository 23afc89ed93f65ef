"""Tenants that are registered in the databases of tests."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from contracts.resources import NewJob, NewTenant
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, DEFAULT_TENANT, SIGNOFF
from jobstore.tenants.commands import CreateTenant

#: Those that each database of the jobstore's tests has.
TENANTS: Final = (
    *("a", "b", "t", "press", "law", "books", "searched", "other", "capped", "live", "large", "theirs", "ours"),
    *("rarest", "third", "small", "honest", "another", "painters", "many", "lists", "late", "free", "else", "closed"),
    *("games", "news", "rich", "tested"),
    *("cellar", "attic", "archive", "tenant-0", "tenant-1", "tenant-2", "t0", "t1", "t2", "radio", "red", "blue"),
)


_MOVE: Final = text(
    "UPDATE jobs SET tenant = u.tenant "
    "FROM unnest(CAST(:ids AS text[]), CAST(:tenants AS text[])) AS u(id, tenant) WHERE jobs.id = u.id"
)


async def register_tenants(runner: CommandRunner, *names: str) -> None:
    """Register tenants, unless they are."""
    for name in {*names} - {*runner.terms.known_tenants, DEFAULT_TENANT}:
        await runner.administer.run_one(CreateTenant(NewTenant(name=name), actor=BOOTSTRAP))


async def create_old_jobs(database: Database, runner: CommandRunner, jobs: Mapping[str, NewJob]) -> None:
    """Create jobs in tenants as releases before 0.3.0 did: their ids say nothing of whose they are."""
    made = [CreateJob(new.model_copy(update={"tenant": DEFAULT_TENANT}), i, actor=SIGNOFF) for i, new in jobs.items()]
    await runner.submit.run(made)
    tenants = {"ids": list(jobs), "tenants": [new.tenant for new in jobs.values()]}
    async with database.transaction() as connection:
        await connection.execute(_MOVE, tenants)
