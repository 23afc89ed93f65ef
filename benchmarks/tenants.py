"""Measure lists, searches and counts of a tenant: one with 1,000 of many jobs, and one with all of them.

Each is asked for as a caller of all tenants asks, with the tenant in its filter, and as a caller of that tenant asks,
whose statements get it before them (docs/adr/0080), in turn. Prints a table with the 95th percentiles and their ratio.

    make bench OF=tenants ARGS="[--jobs 1000000] [--repeats 40]"
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from uuid import uuid4

import asyncpg
from measuring.figures import make_table
from measuring.seeding import settle, store_jobs

from contracts.resources import JobFilter
from jobstore.engine.database import Database
from jobstore.engine.scoped import ScopedConnection
from jobstore.engine.sql import Connection
from jobstore.jobs import lists
from jobstore.jobs.reads import add_last_logs, add_waiting
from localstack.backing import infrastructure
from signoff.status import JobOrder

#: Jobs of the small tenant, and of a page.
FEW: Final = 1_000
PAGE: Final = 100
P95_MAX_MS, RATIO_MAX = 50.0, 1.1
LISTS: Final[Mapping[str, tuple[JobOrder, Mapping[str, object]]]] = {
    "newest": (JobOrder.CREATED_DESC, {}),
    "updated": (JobOrder.UPDATED_DESC, {}),
    "priority": (JobOrder.PRIORITY_DESC, {}),
    "cost": (JobOrder.COST_DESC, {}),
    "completed": (JobOrder.CREATED_DESC, {"statuses": ["COMPLETED"]}),
    "in progress": (JobOrder.CREATED_DESC, {"statuses": ["IN_PROGRESS"]}),
    "of an agent": (JobOrder.CREATED_DESC, {"agent_id": "agent-7"}),
    "label, few": (JobOrder.CREATED_DESC, {"labels": {"customer": "c77"}}),
    "text, many": (JobOrder.CREATED_DESC, {"text": "translate"}),
    "text, few": (JobOrder.CREATED_DESC, {"text": "customer 10006"}),
    "text, none": (JobOrder.CREATED_DESC, {"text": "nobody wrote this"}),
    "text, many, updated": (JobOrder.UPDATED_DESC, {"text": "translate"}),
    "part of an id": (JobOrder.CREATED_DESC, {"id_part": "00000777"}),
}
COUNTS: Final[Mapping[str, Mapping[str, object]]] = {"all": {}, "text, many": {"text": "translate"}}
Ask = Callable[[Connection, JobFilter], Awaitable[object]]


def _list(order: JobOrder) -> Ask:
    async def ask(connection: Connection, chosen: JobFilter) -> None:
        page = await lists.list_jobs(connection, limit=PAGE, chosen=chosen, order=order, texts=False)
        await add_last_logs(connection, page.views)
        await add_waiting(connection, page.views, 60.0)

    return ask


async def _count(connection: Connection, chosen: JobFilter) -> None:
    await lists.count_jobs(connection, chosen)


async def _facet(connection: Connection, chosen: JobFilter) -> None:
    await lists.list_job_facets(connection, "agent", chosen, 20)


QUESTIONS: Final[Mapping[str, tuple[Ask, Mapping[str, object]]]] = {
    **{f"list, {name}": (_list(order), chosen) for name, (order, chosen) in LISTS.items()},
    **{f"count, {name}": (_count, chosen) for name, chosen in COUNTS.items()},
    "facet, agent": (_facet, {}),
}


async def measure(database: Database, tenant: str, repeats: int, *, asks_as_before: bool) -> list[list[str]]:
    """Return a row for each question: p95 in ms as a caller of all and as one of the tenant asks, and their ratio.

    `asks_as_before`: the caller of all names no tenant, where all jobs are of one.
    """
    rows = []
    for name, (ask, fields) in QUESTIONS.items():
        times: dict[bool, list[float]] = {False: [], True: []}
        for number in range(2 * (repeats + 3)):
            is_scoped = number % 2 == 1
            own = {} if is_scoped or asks_as_before else {"tenant": tenant}
            async with database.transaction() as connection:
                asked = ScopedConnection(connection.driver, frozenset({tenant})) if is_scoped else connection
                began = time.perf_counter()
                await ask(asked, JobFilter(**{**fields, **own}))
                times[is_scoped].append(1_000 * (time.perf_counter() - began))
        before, after = (statistics.quantiles(each[3:], n=20)[-1] for each in (times[False], times[True]))
        medians = [statistics.median(each[3:]) for each in (times[False], times[True])]
        numbers = [before, after, *medians, medians[1] / medians[0]]
        is_bad = after > P95_MAX_MS or numbers[-1] > RATIO_MAX
        rows.append([name, *(f"{each:.2f}" for each in numbers), "!" if is_bad else ""])
    return rows


async def main(arguments: argparse.Namespace, postgres: str) -> None:
    """Make the jobs, and measure the tenant of few of them, and then the tenant of all."""
    url = f"{postgres.rpartition('/')[0]}/tenants_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{url.rpartition("/")[2]}"')
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await database.migrate()
    connection = await asyncpg.connect(url)
    await store_jobs(connection, arguments.jobs)
    head = ["question", "all p95", "tenant p95", "all p50", "tenant p50", "ratio", ""]
    every = max(1, arguments.jobs // FEW)
    for title, chosen, as_before in (
        (f"{FEW} of {arguments.jobs} jobs", f"substr(id, 5)::int % {every} = 7 % {every}", False),
        ("all jobs", "true", True),
    ):
        await connection.execute(f"UPDATE jobs SET tenant = 'press' WHERE {chosen}")  # noqa: S608 - as above
        await connection.execute("UPDATE job_texts SET tenant = NULL")
        await settle(url, vacuums=True)
        rows = await measure(database, "press", arguments.repeats, asks_as_before=as_before)
        print(f"\n{title}\n", *make_table(head, rows), sep="\n")
    await connection.close()
    await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=40)
    given = parser.parse_args()
    with infrastructure() as servers:
        asyncio.run(main(given, servers.postgres))
