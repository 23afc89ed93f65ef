"""Measure lists of a million jobs over REST: each filter with each order, twenty combinations of filters, and facets.

Prints JSON lines: what was stored, then for each list the milliseconds of `--repeats` requests, the slowest first.

    .venv/bin/python benchmarks/lists.py [--jobs 1000000] [--repeats 20]
"""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping
from hashlib import md5
from itertools import product
from typing import Any, Final
from uuid import UUID

import aiohttp
import asyncpg
from measuring.seeding import vacuum
from viewers_and_lists import TOKEN, make_database, measure_list, run_services, seed

from contracts.status import JobOrder
from jobstore.maintenance.texts import TextIndex
from jobstore.storage.database import Database
from localstack.backing import infrastructure

FILTERS: Final[dict[str, Mapping[str, str]]] = {
    "all": {},
    "status, many": {"status": "COMPLETED"},
    "status, few": {"status": "IN_PROGRESS"},
    "cancelled": {"cancelled": "true"},
    "agent": {"agent_id": "agent-7"},
    "agent, rare": {"agent_id": "rare"},
    "tenant": {"tenant": "tenant-3"},
    "batch": {"batch_id": str(UUID(md5(b"50", usedforsecurity=False).hexdigest()))},
    "batch, large": {"batch_id": str(UUID(md5(b"large", usedforsecurity=False).hexdigest()))},
    "label, many": {"label": "team:t3"},
    "label, few": {"label": "customer:c77"},
    "code": {"code": "agent_status"},
    "code, rare": {"code": "judge_error"},
    "criterion": {"criterion": "Names both parties"},
    "cost": {"spent_min": "0.9"},
    "duration": {"duration_max": "3"},
    "created": {"created_after": "2020-01-01T00:00:00Z"},
    "text, many": {"q": "translate"},
    "text, few": {"q": "customer 10006"},
    "text, none": {"q": "nobody wrote this"},
    "part of an id": {"id_part": "00000777"},
}
COMBINATIONS: Final[dict[str, Mapping[str, str]]] = {
    "failed of an agent": {"status": "FAILED", "agent_id": "agent-2"},
    "failed of a tenant by code": {"status": "FAILED", "tenant": "tenant-2", "code": "agent_status"},
    "pending of a customer": {"status": "PENDING", "label": "customer:c77"},
    "cancelled of an agent": {"cancelled": "true", "agent_id": "agent-6"},
    "cancelled of a tenant": {"cancelled": "true", "tenant": "tenant-6"},
    "not met of an agent": {"criterion": "Names both parties", "agent_id": "agent-1"},
    "not met of a team": {"criterion": "Names both parties", "label": "team:t1"},
    "expensive and failed": {"status": "FAILED", "spent_min": "0.95"},
    "expensive and long": {"spent_min": "0.9", "duration_min": "350"},
    "expensive of a tenant": {"tenant": "tenant-3", "spent_min": "0.99"},
    "long and rejected": {"status": "REJECTED", "duration_min": "300"},
    "long of an agent": {"agent_id": "agent-7", "duration_min": "355"},
    "two statuses of an agent": {"status": "REJECTED", "agent_id": "agent-0", "code": "judge_error"},
    "completed of an agent of a team": {"status": "COMPLETED", "agent_id": "agent-7", "label": "team:t7"},
    "text of an agent": {"q": "translate", "agent_id": "agent-7"},
    "text of a customer": {"q": "contract", "label": "customer:c77"},
    "text that failed": {"q": "translate", "status": "FAILED"},
    "text by code": {"q": "customer 77", "code": "agent_status"},
    "text of a tenant, none": {"q": "nobody wrote this", "tenant": "tenant-3"},
    "failed of a batch": {"status": "FAILED", "batch_id": str(UUID(md5(b"large", usedforsecurity=False).hexdigest()))},
    "two codes of a tenant": {"tenant": "tenant-2", "code": "agent_timeout", "created_after": "2020-01-01T00:00:00Z"},
}

FACETS: Final = ("agent", "tenant", "batch", "code", "criterion", "label", "label:team", "status")


async def fill_index(url: str) -> float:
    """Index the texts of all jobs, and return the seconds that it took."""
    database, begun = Database(url.replace("postgresql://", "postgresql+asyncpg://")), time.monotonic()
    while await TextIndex(database).index():
        pass
    await database.close()
    connection = await asyncpg.connect(url)
    await vacuum(connection)
    await connection.close()
    return round(time.monotonic() - begun, 1)


async def main() -> None:
    """Store the jobs, and measure each list."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    chosen = parser.parse_args()
    lists = {f"{name}, by {order}": {**one, "sort": order} for (name, one), order in product(FILTERS.items(), JobOrder)}
    lists |= COMBINATIONS
    facets = {
        f"{name}, the values of {field}": {**one, "field": field}
        for (name, one), field in product((FILTERS | COMBINATIONS).items(), FACETS)
    }
    with infrastructure(short_lived=False) as servers:
        async with make_database(servers.postgres) as url:
            print(json.dumps({"seeded": await seed(url, chosen.jobs), "indexed_s": await fill_index(url)}), flush=True)
            async with run_services(servers.kafka, url) as (_, http, _):
                headers = {"Authorization": f"Bearer {TOKEN}"}
                async with aiohttp.ClientSession(f"http://{http}", headers=headers) as session:
                    took: dict[str, Any] = {}
                    for path, asked in (("/api/jobs", lists), ("/api/job-facets", facets)):
                        for name, parameters in asked.items():
                            took[name] = await measure_list(session, path, parameters, chosen.repeats)
    for name, one in sorted(took.items(), key=lambda item: -item[1]["p95"]):
        print(json.dumps({"list": name, **one}))


if __name__ == "__main__":
    asyncio.run(main())
