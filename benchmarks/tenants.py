"""Measure lists, searches and counts of a tenant: one with 1,000 of many jobs, and one with all of them.

Each is asked for as a caller of all tenants asks, with the tenant in its filter where others have jobs, and as a caller
of that tenant asks, whose statements get it before them (docs/adr/0080), in turn. Prints a table, and writes
docs/performance.md: a ratio is the median of the ratios of pairs, with its 95 % interval; pages of 8 KiB are what each
looks at, which no load on the machine changes. `--data` keeps the jobs in a folder, and takes them from there.

    make bench OF=tenants ARGS="--data /tmp/tenants [--jobs 1000000] [--rounds 60] [--only few|all] [--dry]"
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
from measuring.figures import find_version, make_table, write_section
from measuring.host import Usage, compare, read_cpu
from measuring.paired import compare_pairs, describe_times, find_p95
from measuring.plans import explaining
from measuring.seeding import TENANT_OF, provide_database, settle, store_jobs

from contracts.resources import JobFilter
from jobstore.engine.database import Database
from jobstore.engine.scoped import ScopedConnection
from jobstore.engine.sql import Connection, Tenants
from jobstore.jobs import lists
from jobstore.jobs.reads import add_last_logs, add_waiting, get_job
from localstack.backing import infrastructure
from signoff.status import JobOrder

#: Jobs of the small tenant, and of a page.
FEW: Final = 1_000
PAGE: Final = 100
TENANT: Final = "press"
#: Questions before those that are measured.
WARM_UP: Final = 3
P95_MAX_MS, RATIO_MAX = 50.0, 1.1
HEAD: Final = ("question", "pages before", "pages", "ratio", "bar", "before, ms", "of the tenant, ms")
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


async def _get(connection: Connection, chosen: JobFilter) -> None:
    del chosen
    await get_job(connection, f"job-{FEW + 7:08}")


QUESTIONS: Final[Mapping[str, tuple[Ask, Mapping[str, object]]]] = {
    **{f"list, {name}": (_list(order), chosen) for name, (order, chosen) in LISTS.items()},
    **{f"count, {name}": (_count, chosen) for name, chosen in COUNTS.items()},
    "facet, agent": (_facet, {}),
    "one job": (_get, {}),
}


async def measure(database: Database, chosen: Mapping[str, object], rounds: int) -> list[list[str]]:
    """Return a row for each question. `chosen`: what a caller of all tenants adds to a filter, to be told the same."""
    rows = []
    for name, (ask, fields) in QUESTIONS.items():
        asked = {None: JobFilter(**{**fields, **chosen}), frozenset({TENANT}): JobFilter(**fields)}
        times: dict[Tenants, list[float]] = {tenants: [] for tenants in asked}
        for number in range(WARM_UP + rounds):
            for tenants in (*asked,) if number % 2 else (*asked,)[::-1]:
                times[tenants].append(await _time(database, ask, asked[tenants], tenants))
        before, after = (each[WARM_UP:] for each in times.values())
        pages = [await _count_pages(database, ask, each, tenants) for tenants, each in asked.items()]
        ratio, is_slow = compare_pairs(before, after), find_p95(after) > P95_MAX_MS
        times_of = (describe_times(before), describe_times(after) + (" (slow)" if is_slow else ""))
        rows.append([name, *(f"{each:,}" for each in pages), str(ratio), ratio.judge(RATIO_MAX), *times_of])
    return rows


def show(title: str, rows: list[list[str]], usage: Usage) -> list[str]:
    """Return the lines of a case, without times where others worked beside: these say nothing then."""
    if not usage.is_disturbed:
        return ["", f"{title}:", "", *make_table(HEAD, rows)]
    of_others = f"others took {usage.foreign / usage.took_s:.1f} cores meanwhile, and times are left out"
    return ["", f"{title}; {of_others}:", "", *make_table(HEAD[:-2], [row[:-2] for row in rows])]


async def _time(database: Database, ask: Ask, chosen: JobFilter, tenants: Tenants) -> float:
    """Return how many ms a question of a caller of these tenants took, of all if None."""
    async with database.transaction() as connection:
        asked = ScopedConnection(connection.driver, tenants)
        began = time.perf_counter()
        await ask(asked, chosen)
        return 1_000 * (time.perf_counter() - began)


async def _count_pages(database: Database, ask: Ask, chosen: JobFilter, tenants: Tenants) -> int:
    async with explaining(database, tenants) as connection:
        await ask(connection, chosen)
    return connection.looked.buffers


async def fill(url: str, jobs: int, tenant: str) -> None:
    """Fill a database with so many jobs, each of the tenant that an SQL expression says."""
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await database.migrate()
    await database.close()
    connection = await asyncpg.connect(url)
    await store_jobs(connection, jobs, tenant=tenant)
    await connection.close()
    await settle(url)


async def main(arguments: argparse.Namespace, postgres: str) -> None:
    """Make the jobs where they are missing, and measure the tenant of few of them, and the tenant of all."""
    every = max(1, arguments.jobs // FEW)
    few = f"CASE WHEN n % {every} = 7 % {every} THEN '{TENANT}' ELSE {TENANT_OF} END"
    cases: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
        "few": (f"{FEW:,} of {arguments.jobs:,} jobs", few, {"tenant": TENANT}),
        "all": (f"All {arguments.jobs:,} jobs", f"'{TENANT}'", {}),
    }
    lines, version = [], ""
    for name, (title, tenant, chosen) in cases.items():
        if arguments.only not in {None, name}:
            continue
        filling = partial(fill, jobs=arguments.jobs, tenant=tenant)
        url = await provide_database(postgres, f"tenants_{name}_{arguments.jobs}", filling)
        database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
        await database.migrate()  # what is kept may be of before
        began = read_cpu({})
        rows = await measure(database, chosen, arguments.rounds)
        shown = show(title, rows, compare(began, read_cpu({})))
        await database.close()
        print("\n".join(shown), flush=True)
        lines += shown
        connection = await asyncpg.connect(url)
        version = await find_version(connection)
        await connection.close()
    if not arguments.dry:
        about = (
            "Before: a caller of all tenants, whose filter names the tenant where others have jobs. Pages have 8 KiB. "
            f"A ratio is the median of {arguments.rounds} pairs, with its 95 % interval; it holds if that is at most "
            f"{RATIO_MAX}. ms are p50 / p95; over {P95_MAX_MS:g} ms it is slow."
        )
        write_section("tenants", sys.argv[1:], {"PostgreSQL": version}, [about, *lines])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--data", type=Path, help="a folder in which the jobs stay")
    parser.add_argument("--only", choices=["few", "all"])
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    given = parser.parse_args()
    with infrastructure(given.data, short_lived=False) as servers:
        asyncio.run(main(given, servers.postgres))
