"""Measure what stored, waiting and dead rows cost, and a transaction that is left open: each beside an empty system.

Each case is a system of its own, which is measured in the same way; data is made by SQL. An empty one is measured first
and last: how far these differ, the others may by chance. Prints a JSON line a case, then a table with ratios to the
mean of both empty ones (above 1 is better), which goes into docs/performance.md.

    .venv/bin/python benchmarks/growth.py [--jobs 100000] [--only stored] [--dry]
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop
from lives import Bench, compute_percentile, run_bench
from measuring import seeding
from measuring.figures import find_median, find_version, make_table, write_section
from measuring.host import repeat

from contracts.resources import NewAgent, NewJob

LISTS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("/api/jobs", {"page_size": "100"}),
    ("/api/jobs", {"page_size": "100", "order": "-updated_at"}),
    ("/api/jobs", {"page_size": "100", "status": "COMPLETED"}),
    ("/api/jobs", {"page_size": "100", "agent_id": "bench"}),
    ("/api/job-counts", {}),
    ("/api/overview", {"range": "1h"}),
)
#: Times that each list is asked for, and creations that are watched: p99 of fewer is that of the worst one.
LISTED, WATCHED = 100, 200
#: A fact that nobody sees within this time stands still.
STILL_S = 60.0
STOPPED = "stands still"
HIGHER, LOWER = "higher is better", "lower is better"
#: Each figure, how it is measured, and which way is better.
FIGURES: Mapping[str, tuple[str, str]] = {
    "lives_a_second": ("lives/s at saturation", HIGHER),
    "final_p99_ms": ("request to final status, p99 ms", LOWER),
    "dispatch_p99_ms": ("request to agent called, p99 ms", LOWER),
    "lists_p99_ms": ("lists, counts and overview over REST, p99 ms", LOWER),
    "watch_p99_ms": ("creation to the watcher, p99 ms", LOWER),
    "facts_a_second": ("facts/s of a backlog", HIGHER),
}

Case = Callable[[Bench, argparse.Namespace], Awaitable[None]]


async def add_nothing(_bench: Bench, _arguments: argparse.Namespace) -> None:
    """Leave the system empty."""


async def store(bench: Bench, arguments: argparse.Namespace) -> None:
    """Store jobs that are done, with their logs."""
    await seeding.store_jobs(bench.database, arguments.jobs, arguments.entries)


async def queue(bench: Bench, arguments: argparse.Namespace) -> None:
    """Let jobs wait for an agent that is paused."""
    await seeding.queue_jobs(bench.database, arguments.queued, "waiting-", "paused")


async def churn(bench: Bench, arguments: argparse.Namespace) -> None:
    """Leave behind what as many lives leave behind, without more vacuum than comes by itself."""
    await seeding.store_jobs(bench.database, arguments.churned)
    await seeding.churn(bench.database, arguments.churned)


EMPTY, EMPTY_AGAIN = "empty", "empty, last"
CASES: Mapping[str, Case] = {
    EMPTY: add_nothing,
    "stored": store,
    "queued": queue,
    "churned": churn,
    "open": add_nothing,
    EMPTY_AGAIN: add_nothing,
}
#: What is stored in bulk is vacuumed, as autovacuum does in time; what lives leave behind is what `churned` measures.
VACUUMED = frozenset({"stored", "queued"})


async def measure(name: str, arguments: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Measure one case; return its figures, and PostgreSQL's version."""
    async with run_bench() as bench:
        await bench.client.create_agent(NewAgent(id="paused", name="paused", url="http://127.0.0.1:9/"))
        await bench.client.pause("agent:paused")
        version = await find_version(bench.database)

        async def make() -> None:
            await CASES[name](bench, arguments)
            await seeding.settle(bench.endpoints["postgres"], vacuums=name in VACUUMED)

        began = time.monotonic()
        await seeding.while_all_stopped(bench.endpoints, bench.client, make)
        made_s = time.monotonic() - began
        await bench.run(arguments.lives, arguments.rate)
        async with hold_open(bench.endpoints["postgres"], arguments.held_s if name == "open" else None):
            try:
                figures = await measure_all(bench, arguments)
            except TimeoutError:
                figures = dict.fromkeys(FIGURES, STOPPED)
        size = await bench.database.fetchval("SELECT pg_database_size(current_database())")
    return {"case": name, "made_in_s": round(made_s), "mib": size >> 20, **figures}, version


async def measure_all(bench: Bench, arguments: argparse.Namespace) -> dict[str, float]:
    """Measure every figure."""
    seen = await measure_watching(bench)  # first: it says soonest whether facts are published at all
    paced = await repeat(lambda: bench.run(arguments.lives, arguments.rate), arguments.rounds)
    burst = await repeat(lambda: bench.run(arguments.burst), arguments.rounds)
    p99s = [{"final": each["to_final_ms"][1], "call": each["to_call_ms"][1]} for each in paced]
    return {
        "lives_a_second": find_median(burst, "lives_a_second"),
        "final_p99_ms": find_median(p99s, "final"),
        "dispatch_p99_ms": find_median(p99s, "call"),
        "lists_p99_ms": await measure_lists(bench),
        "watch_p99_ms": seen,
        "facts_a_second": statistics.median(
            [await measure_relay(bench, arguments.backlog) for _ in range(arguments.rounds)]
        ),
        "disturbed_by_cores": max((each["foreign_cores"] for each in paced + burst if each["disturbed"]), default=0.0),
    }


async def measure_watching(bench: Bench) -> float:
    """Return how long creations take to reach a watcher, p99 in ms."""
    arrived: dict[str, float] = {}
    opened, took = asyncio.Event(), []

    async def watch() -> None:
        async for event in bench.client.watch_jobs(changes_only=True):
            opened.set()
            if event.log is not None:
                arrived.setdefault(event.log.job_id, time.perf_counter())

    watching = asyncio.create_task(watch())
    await opened.wait()
    for _ in range(WATCHED):
        job, asked = (
            NewJob(id=f"seen-{uuid4().hex}", title="A job", acceptance_criteria="It is seen"),
            time.perf_counter(),
        )
        await bench.client.create_job(job)
        async with asyncio.timeout(STILL_S):
            while job.id not in arrived:  # noqa: ASYNC110 - the time of arrival is noted there
                await asyncio.sleep(0.001)
        took.append(arrived[str(job.id)] - asked)
    watching.cancel()
    return compute_percentile(took, 99)


async def measure_lists(bench: Bench) -> float:
    """Return how long lists take over REST, p99 in ms."""
    headers, took = {"Authorization": f"Bearer {bench.endpoints['token']}"}, []
    async with aiohttp.ClientSession(bench.endpoints["http"], headers=headers, raise_for_status=True) as http:
        for turn in range(LISTED + 1):  # the first one connects to all that it asks
            for path, parameters in LISTS:
                asked = time.perf_counter()
                async with http.get(path, params=parameters) as answer:
                    await answer.read()
                if turn:
                    took.append(time.perf_counter() - asked)
    return compute_percentile(took, 99)


async def measure_relay(bench: Bench, backlog: int) -> float:
    """Return how many facts a second are published of a backlog that one transaction made."""
    await seeding.queue_jobs(bench.database, backlog // 2, f"backlog-{uuid4().hex}-", "paused")
    last, began = await bench.database.fetchval("SELECT max(seq) FROM job_logs"), time.perf_counter()
    async with asyncio.timeout(STILL_S + backlog / 100):
        while await bench.database.fetchval("SELECT published_seq FROM relay") < last:  # noqa: ASYNC110 - told by no event
            await asyncio.sleep(0.02)
    return round(backlog / (time.perf_counter() - began))


@asynccontextmanager
async def hold_open(postgres: str, seconds: float | None) -> AsyncIterator[None]:
    """Hold a transaction open in another database of the server, one that has written, so long and then meanwhile."""
    if seconds is None:
        yield
        return
    server = await asyncpg.connect(postgres)
    await server.execute("CREATE DATABASE elsewhere")
    other = await asyncpg.connect(f"{postgres.rpartition('/')[0]}/elsewhere")
    await other.execute("BEGIN; CREATE TABLE written (id int); INSERT INTO written VALUES (1)")
    await asyncio.sleep(seconds)
    try:
        yield
    finally:
        await other.close()
        await server.close()


def compare_cases(cases: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a table: each figure of each case, and its ratio to the mean of the empty ones."""
    empty = [case for case in cases if case["case"] in {EMPTY, EMPTY_AGAIN}]

    def show(case: dict[str, Any], name: str) -> str:
        value, bases = case[name], [each[name] for each in empty]
        if STOPPED in {value, *bases}:
            return str(value)
        base = statistics.mean(bases)
        ratio = value / base if FIGURES[name][1] == HIGHER else base / value
        return f"{value} ({ratio:.2f})"

    rows = [(text, *(show(case, name) for case in cases)) for name, (text, _) in FIGURES.items()]
    rows += [(name, *(case.get(name, "") or "0" for case in cases)) for name in ("mib", "disturbed_by_cores")]
    return make_table(("what", *(case["case"] for case in cases)), rows)


async def main() -> None:
    """Measure the cases that the arguments choose, each beside the empty one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_000_000, help="stored")
    parser.add_argument("--entries", type=int, default=10, help="of the log of each stored job")
    parser.add_argument("--queued", type=int, default=1_000_000)
    parser.add_argument("--churned", type=int, default=300_000)
    parser.add_argument("--held-s", type=float, default=600.0, help="how long the transaction is open before")
    parser.add_argument("--backlog", type=int, default=40_000, help="facts that are published at once")
    parser.add_argument("--lives", type=int, default=400, help="of a paced round")
    parser.add_argument("--burst", type=int, default=2_000, help="lives of a round at saturation")
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(CASES)[1:-1], action="append")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    cases, version = [], ""
    for name in CASES:
        if name in {EMPTY, EMPTY_AGAIN, *(arguments.only or CASES)}:
            case, version = await measure(name, arguments)
            print(json.dumps(case), flush=True)
            cases.append(case)
    table = compare_cases(cases)
    print("\n".join(table))
    if not arguments.dry:
        sizes = f"{arguments.jobs} jobs with {arguments.entries} entries each stored; {arguments.queued} queued"
        about = f"{sizes}; {arguments.churned} lives of churn; a transaction open for {arguments.held_s:g} s elsewhere."
        write_section("growth", sys.argv[1:], {"PostgreSQL": version}, [about, "", *table])


if __name__ == "__main__":
    uvloop.run(main())
