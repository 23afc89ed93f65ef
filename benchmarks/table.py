"""Measure a life, idleness, a rebuild and the command line; print one table, and write it into docs/performance.md.

One system after another: the first is idle, warms up, then lives come at a rate, at saturation, and beside stored jobs;
in the second each request is counted, which costs CPU.

    .venv/bin/python benchmarks/table.py [--rounds 3] [--warm-s 110] [--dry]
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from lives import Bench, run_bench
from measuring.counting import RequestCounter, count_scanned_rows, count_transactions
from measuring.figures import find_median, find_version, make_table, write_section
from measuring.host import STANDING_IN, compare, measure_memory, read_cpu, repeat

HERE = Path(__file__).parent
#: A backend tells its counts of transactions after a second, and of rows after ten where it has nothing more to do.
TELL_S, TELL_ROWS_S = 2.0, 11.0
STATEMENT = re.compile(rb"LOG:  (?:statement|execute [^:]*):")
HEADER = ("what", "measured", "how")

Row = tuple[str, str, str]


async def measure_idle(bench: Bench, seconds: float) -> dict[str, Any]:
    """Measure what a system takes to which nobody speaks."""
    processes = bench.endpoints["processes"]
    before = read_cpu(processes)
    await asyncio.sleep(seconds)
    used = compare(before, read_cpu(processes))
    memory = measure_memory(processes)
    return {
        "cores": used.all_parts / used.took_s,
        "mib": sum(mib for name, mib in memory.items() if name not in STANDING_IN),
        "disturbed": used.is_disturbed,
        "foreign_cores": round(used.foreign / used.took_s, 2),
    }


async def measure_lives(arguments: argparse.Namespace) -> tuple[list[Row], str]:
    """Measure one system from its start on; return the rows, and PostgreSQL's version."""
    rate, started = arguments.rate, time.monotonic()
    async with run_bench() as bench:
        await asyncio.sleep(arguments.idle_s)
        (idle,) = await repeat(lambda: measure_idle(bench, arguments.idle_s), 1)
        await bench.run(round(arguments.warm_s * rate), rate)
        age = f"the broker {time.monotonic() - started:.0f} s old, {arguments.warm_s:.0f} of them at {rate:g}/s"
        paced = await repeat(lambda: bench.run(arguments.lives, rate), arguments.rounds)
        burst = await repeat(lambda: bench.run(arguments.burst), arguments.rounds)
        while await bench.database.fetchval("SELECT count(*) FROM jobs") < arguments.stored:
            await bench.run(min(arguments.stored, 1_000))
        scanned = await measure_scans(bench, arguments.lives, rate)
        version = await find_version(bench.database)
    cpu, idle_how = list_parts(paced), f"{arguments.idle_s:g} s after as long; {describe([idle])}"
    at_rate, full = f"{rate:g}/s, {describe(paced)}", f"all at once, mixed ends, three doors, {describe(burst)}"
    rows = [
        ("p50 / p99 ms, request to final status", format_pair(paced, "to_final_ms"), f"{at_rate}; {age}"),
        ("p50 / p99 ms, request to agent called", format_pair(paced, "to_call_ms"), at_rate),
        ("CPU ms a life, all processes", f"{find_median(paced, 'cpu_ms_a_life')}", f"{at_rate}; {age}; {cpu}"),
        ("lives/s at saturation", f"{find_median(burst, 'lives_a_second')}", f"{arguments.burst} {full}"),
        ("CPU ms a life at saturation", f"{find_median(burst, 'cpu_ms_a_life', 2)}", list_parts(burst)),
        ("rows read by sequential scans, a life", f"{scanned:.0f}", f"after {arguments.stored} jobs"),
        ("idle: cores; MiB", f"{idle['cores']:.3f}; {idle['mib']:.0f}", idle_how),
    ]
    return rows, version


async def measure_scans(bench: Bench, lives: int, rate: float) -> float:
    """Return how many rows sequential scans read for a life."""

    async def read() -> int:
        await asyncio.sleep(TELL_ROWS_S)
        return sum((await count_scanned_rows(bench.database)).values())

    before: list[int] = []

    async def note() -> None:
        before.append(await read())

    await bench.run(lives, rate, note)
    return (await read() - before[0]) / lives


async def count_requests(lives: int, rate: float) -> list[Row]:
    """Count what lives ask for in a system that notes each request."""
    with tempfile.TemporaryDirectory(prefix="signoff-counts-") as folder:
        counter = RequestCounter(Path(folder) / "counts")
        os.environ["PYTHONPATH"] = counter.path
        async with run_bench() as bench:
            await set_logging(bench.database, "all")
            await bench.run(lives // 4, rate)
            log, begun = Path(bench.endpoints["logs"]) / "postgres.log", dict[str, float]()

            async def note() -> None:
                await asyncio.sleep(TELL_S)
                begun.update(at=time.monotonic(), transactions=await count_transactions(bench.database))
                begun.update(statements=len(STATEMENT.findall(log.read_bytes())))

            figures = await bench.run(lives, rate, note)
            until = time.monotonic()
            statements = len(STATEMENT.findall(log.read_bytes())) - begun["statements"]
            await asyncio.sleep(TELL_S)
            transactions = await count_transactions(bench.database) - begun["transactions"]
            kinds = Counter(note.kind for note in counter.read(begun["at"], until))
        del os.environ["PYTHONPATH"]
    requests = {kind: kinds[kind] / lives for kind in ("produce", "fetch", "offsetcommit")}
    listed = ", ".join(f"{kind} {number:.1f}" for kind, number in requests.items())
    how = f"{rate:g}/s, {lives} lives, with all that goes on by the clock"
    return [
        ("transactions a life, as PostgreSQL counts them", f"{transactions / lives:.1f}", how),
        (
            "statements a life, as log_statement=all shows them",
            f"{statements / lives:.1f}",
            f"{how}, BEGIN and COMMIT too",
        ),
        ("Kafka requests a life", f"{sum(requests.values()):.1f}", f"{how}; {listed}"),
        ("facts a life", f"{figures['facts_a_life']:.1f}", how),
    ]


async def set_logging(database: asyncpg.Connection, what: str) -> None:
    """Let PostgreSQL log its statements."""
    await database.execute(f"ALTER SYSTEM SET log_statement = '{what}'")
    await database.execute("SELECT pg_reload_conf()")


async def measure_rebuilding(sizes: list[int]) -> list[Row]:
    """Measure rebuilds of topics with so many facts."""
    return [
        (
            "rebuild, facts/s net of the start",
            f"{each['facts_a_second']}",
            f"{each['facts']} facts of {each['bytes_a_fact']} bytes, {each['kind']}; {each['peak_mib']} MiB at most",
        )
        for each in await run_script("rebuild.py", "--dry", "--facts", *map(str, sizes))
    ]


async def measure_command_line() -> list[Row]:
    """Measure commands, one after another."""
    return [
        (
            f"`{each['command']}`, s",
            f"{each['wall_s']}",
            f"median of {each['runs']}, against a running stack; CPU {each['cpu_s']} s",
        )
        for each in await run_script("start.py")
    ]


async def run_script(name: str, *arguments: str) -> list[dict[str, Any]]:
    """Run another benchmark, and return its lines of JSON."""
    command = [sys.executable, str(HERE / name), *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{name} failed")
    return [json.loads(line) for line in output.splitlines() if line.startswith(b"{")]


def describe(rounds: list[dict[str, Any]]) -> str:
    """Say how many rounds there were, and beside how much of others' work if that was too much."""
    disturbed = [each["foreign_cores"] for each in rounds if each["disturbed"]]
    beside = f", DISTURBED by {max(disturbed)} cores of others" if disturbed else ""
    return f"median of {len(rounds)}{beside}"


def format_pair(rounds: list[dict[str, Any]], name: str) -> str:
    """Return the medians of p50 and p99."""
    pairs = [{"p50": each[name][0], "p99": each[name][1]} for each in rounds]
    return f"{find_median(pairs, 'p50')} / {find_median(pairs, 'p99')}"


def list_parts(rounds: list[dict[str, Any]]) -> str:
    """List the median of each part's CPU, the largest first."""
    parts = [each["cpu_by_part"] for each in rounds]
    medians = {name: find_median(parts, name, 2) for name in parts[0] if name not in STANDING_IN}
    return ", ".join(f"{name} {ms}" for name, ms in sorted(medians.items(), key=lambda part: -part[1]))


async def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=20.0, help="lives a second where they are paced")
    parser.add_argument("--lives", type=int, default=400, help="of a paced round")
    parser.add_argument("--burst", type=int, default=4_000, help="lives of a round at saturation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--warm-s", type=float, default=120.0, help="how long lives come before the first round")
    parser.add_argument("--stored", type=int, default=10_000, help="jobs beside which scans are counted")
    parser.add_argument("--facts", type=int, nargs="+", default=[100_000], help="sizes of the topics that are rebuilt")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    rows, postgres = await measure_lives(arguments)
    rows += await count_requests(arguments.lives, arguments.rate)
    rows += await measure_rebuilding(arguments.facts)
    rows += await measure_command_line()
    table = make_table(HEADER, rows)
    print("\n".join(table))
    if not arguments.dry:
        write_section("table", sys.argv[1:], {"PostgreSQL": postgres}, table)


if __name__ == "__main__":
    uvloop.run(main())
