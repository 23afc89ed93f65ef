"""Measure lists of a million jobs over REST: each filter with each order, twenty combinations of filters, and facets.

Prints one table, the slowest first, and writes docs/performance.md: the milliseconds of `--repeats` requests, and what
each looks at, which no load on the machine changes: rows of tables and pages of 8 KiB. `--data` keeps the jobs in a
folder, and takes them from there.

    make bench OF=lists ARGS="--data /tmp/lists [--jobs 1000000] [--repeats 20] [--only lists|facets|inbox] [--dry]"
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import md5
from itertools import islice, product
from pathlib import Path
from typing import Final, TypeVar, get_origin
from uuid import UUID

import aiohttp
import asyncpg
from measuring.figures import find_version, make_table, write_section
from measuring.plans import Looked, explaining
from measuring.seeding import provide_database, settle
from pydantic import BaseModel
from viewers_and_lists import TOKEN, measure_list, run_services, seed

from console.api.schemas import FacetsQuery, JobsQuery
from jobstore.engine.database import Database
from jobstore.insights.inbox import SHOWN as SHOWN_BY_INBOX
from jobstore.insights.inbox import read_ended
from jobstore.jobs.finding import look_up
from jobstore.jobs.lists import list_job_facets, list_jobs
from localstack.backing import infrastructure
from signoff.status import JobOrder

Q = TypeVar("Q", bound=BaseModel)

LISTS, INBOX = "/api/jobs", "/api/inbox"
#: For how long a worker counts after its last report.
ALIVE_S: Final = 90.0
#: Jobs of a page.
PAGE: Final = 100
#: The bar of a list's 95th percentile, and how many lists the page of figures names.
P95_MAX_MS: Final = 50
SHOWN: Final = 12
#: Lists that are asked for once before any is measured, since the services have just started.
WARM_UP: Final = 30
#: The ids of batches of 1,000 and of 100,000 items (measuring/seeding.py).
BATCH, LARGE_BATCH = (str(UUID(md5(word, usedforsecurity=False).hexdigest())) for word in (b"50", b"large"))
FILTERS: Final[dict[str, Mapping[str, str]]] = {
    "all": {},
    "status, many": {"status": "COMPLETED"},
    "status, few": {"status": "IN_PROGRESS"},
    "cancelled": {"cancelled": "true"},
    "agent": {"agent_id": "agent-7"},
    "agent, rare": {"agent_id": "rare"},
    "tenant": {"tenant": "tenant-3"},
    "batch": {"batch_id": BATCH},
    "batch, large": {"batch_id": LARGE_BATCH},
    "label, many": {"label": "team:t3"},
    "label, few": {"label": "customer:c77"},
    "code": {"code": "agent_status"},
    "code, rare": {"code": "judge_error"},
    "criterion": {"criterion_not_met": "Names both parties"},
    "cost": {"cost_usd_min": "0.9"},
    "duration": {"duration_s_max": "3"},
    "reason": {"reason": "no_worker"},
    "created": {"created_after": "2020-01-01T00:00:00Z"},
    "text, many": {"text": "translate"},
    "text, few": {"text": "customer 10006"},
    "text, none": {"text": "nobody wrote this"},
    "part of an id": {"id_part": "00000777"},
}
COMBINATIONS: Final[dict[str, Mapping[str, str]]] = {
    "failed of an agent": {"status": "FAILED", "agent_id": "agent-2"},
    "failed of a tenant by code": {"status": "FAILED", "tenant": "tenant-2", "code": "agent_status"},
    "pending of a customer": {"status": "PENDING", "label": "customer:c77"},
    "cancelled of an agent": {"cancelled": "true", "agent_id": "agent-6"},
    "cancelled of a tenant": {"cancelled": "true", "tenant": "tenant-6"},
    "not met of an agent": {"criterion_not_met": "Names both parties", "agent_id": "agent-1"},
    "not met of a team": {"criterion_not_met": "Names both parties", "label": "team:t1"},
    "expensive and failed": {"status": "FAILED", "cost_usd_min": "0.95"},
    "expensive and long": {"cost_usd_min": "0.9", "duration_s_min": "350"},
    "expensive of a tenant": {"tenant": "tenant-3", "cost_usd_min": "0.99"},
    "long and rejected": {"status": "REJECTED", "duration_s_min": "300"},
    "long of an agent": {"agent_id": "agent-7", "duration_s_min": "355"},
    "two statuses of an agent": {"status": "REJECTED", "agent_id": "agent-0", "code": "judge_error"},
    "completed of an agent of a team": {"status": "COMPLETED", "agent_id": "agent-7", "label": "team:t7"},
    "text of an agent": {"text": "translate", "agent_id": "agent-7"},
    "text of a customer": {"text": "contract", "label": "customer:c77"},
    "text that failed": {"text": "translate", "status": "FAILED"},
    "text by code": {"text": "customer 77", "code": "agent_status"},
    "text of a tenant, none": {"text": "nobody wrote this", "tenant": "tenant-3"},
    "failed of a batch": {"status": "FAILED", "batch_id": LARGE_BATCH},
    "two codes of a tenant": {"tenant": "tenant-2", "code": "agent_timeout", "created_after": "2020-01-01T00:00:00Z"},
}

FACETS: Final = ("agent", "tenant", "batch", "code", "criterion", "label", "label:team", "status")


async def fill(url: str, jobs: int) -> None:
    """Fill a database with so many jobs."""
    print(json.dumps({"seeded": await seed(url, jobs)}), flush=True)
    await settle(url)


async def look(database: Database, path: str, asked: Mapping[str, str]) -> Looked:
    """Return what a list or a facet looks at."""
    async with explaining(database) as connection:
        if path == INBOX:
            await read_ended(connection, datetime.now(UTC) - SHOWN_BY_INBOX)
        elif path == LISTS:
            query = _parse(JobsQuery, asked)
            chosen = await look_up(connection, query.to_job_filter(query.status), ALIVE_S)
            await list_jobs(connection, limit=PAGE, chosen=chosen, order=query.order, texts=False)
        else:
            facets = _parse(FacetsQuery, asked)
            chosen = await look_up(connection, facets.to_job_filter(facets.status), ALIVE_S)
            await list_job_facets(connection, facets.field, chosen, limit=20)
    return connection.looked


def _parse(query: type[Q], asked: Mapping[str, str]) -> Q:
    """Return the parameters of a request as the console reads them: those that may be repeated as lists."""
    repeated = {name for name, field in query.model_fields.items() if get_origin(field.annotation) is list}
    return query.model_validate({name: [value] if name in repeated else value for name, value in asked.items()})


def choose(only: str | None) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Yield the name, the path and the parameters of each request."""
    every = FILTERS | COMBINATIONS
    if only in {None, "inbox"}:
        yield "the inbox", INBOX, {}
    if only == "inbox":
        return
    if only != "facets":
        for (name, one), order in product(FILTERS.items(), JobOrder):
            yield f"{name}, by {order}", LISTS, {**one, "order": order}
        yield from ((name, LISTS, one) for name, one in COMBINATIONS.items())
    if only != "lists":
        for (name, one), field in product(every.items(), FACETS):
            yield f"{name}, the values of {field}", "/api/job-facets", {**one, "field": field}


async def main() -> None:
    """Store the jobs where they are missing, and measure each list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--data", type=Path, help="a folder in which the jobs stay")
    parser.add_argument("--only", choices=["lists", "facets", "inbox"])
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    chosen = parser.parse_args()
    rows: list[tuple[float, float, int, int, str]] = []
    with infrastructure(chosen.data, short_lived=False) as servers:
        server = await asyncpg.connect(servers.postgres)
        version = await find_version(server)
        await server.close()
        url = await provide_database(servers.postgres, f"lists_{chosen.jobs}", partial(fill, jobs=chosen.jobs))
        async with run_services(servers.kafka, url) as (_, http, _):
            database = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with aiohttp.ClientSession(f"http://{http}", headers=headers) as session:
                for _, path, asked in islice(choose(chosen.only), WARM_UP):
                    await measure_list(session, path, asked, 2)
                for name, path, asked in choose(chosen.only):
                    looked = await look(database, path, asked)
                    took = await measure_list(session, path, asked, chosen.repeats)
                    whole = f" (reads {', '.join(looked.read_whole)} whole)" if looked.read_whole else ""
                    rows.append((took["p95"], took["p50"], looked.rows, looked.buffers, name + whole))
            await database.close()
    rows.sort(reverse=True)
    print(f"{'p50 ms':>8} {'p95 ms':>8} {'rows':>9} {'buffers':>9}  list")
    for p95, p50, seen, buffers, name in rows:
        print(f"{p50:8.1f} {p95:8.1f} {seen:9,} {buffers:9,}  {name}")
    if not chosen.dry:
        slow = sum(p95 > P95_MAX_MS for p95, *_ in rows)
        about = f"{len(rows)} over REST, of {chosen.jobs:,} jobs; p95 over {P95_MAX_MS} ms: {slow}. The slowest:"
        lines = [(name, f"{p50:.1f} / {p95:.1f}", f"{seen:,}") for p95, p50, seen, _, name in rows[:SHOWN]]
        write_section(
            "lists",
            sys.argv[1:],
            {"PostgreSQL": version},
            [about, "", *make_table(("list", "p50 / p95 ms", "rows read"), lines)],
        )


if __name__ == "__main__":
    asyncio.run(main())
