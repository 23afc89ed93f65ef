"""Measure how evenly lives spread over 1, 2 and 4 jobstores, by the CPU of each, and write it into docs/performance.md.

The relay publishes for all, in one jobstore; it stands apart, and so do the dispatchers and what both give to Kafka.

    make bench OF=jobstores
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop
from lives import Bench, run_bench
from measuring import figures
from measuring.host import compare, read_cpu

#: The most that a jobstore's CPU may differ from its share.
OFF_MAX = 0.2
#: Within which the processes have written what they took.
WRITTEN_S = 1.2


def read_roles(folder: Path, processes: Mapping[str, int]) -> dict[str, dict[str, float]]:
    """Return the CPU seconds that the roles in each jobstore have taken so far."""
    return {name: json.loads((folder / f"{pid}.json").read_text()) for name, pid in processes.items()}


async def measure(bench: Bench, folder: Path, jobs: int, rate: float) -> dict[str, Any]:
    """Run one round, and return its figures with the CPU ms a life of each jobstore, its roles apart."""
    processes = {name: pid for name, pid in bench.endpoints["processes"].items() if name.startswith("jobstore")}
    before, roles_before = read_cpu(processes), {}

    async def begin() -> None:
        nonlocal before, roles_before
        await asyncio.sleep(WRITTEN_S)
        before, roles_before = read_cpu(processes), read_roles(folder, processes)

    made = await bench.run(jobs, rate, begin)
    await asyncio.sleep(WRITTEN_S)
    used, roles = compare(before, read_cpu(processes)).parts, read_roles(folder, processes)
    apart = {
        name: sum(taken - roles_before[name].get(role, 0.0) for role, taken in each.items() if role)
        for name, each in roles.items()
    }
    of_calls = [(used[name] - apart[name]) * 1000 / jobs for name in processes]
    share = sum(of_calls) / len(of_calls)
    return {
        "lives_a_second": made["lives_a_second"],
        "cores_of_others": made["foreign_cores"],
        "cpu_ms_a_life": made["cpu_ms_a_life"],
        "of_each": [round(each, 2) for each in of_calls],
        "apart": [round(each * 1000 / jobs, 2) for each in apart.values()],
        "off": round(max(abs(each - share) for each in of_calls) / share, 3),
    }


async def main() -> None:
    """Measure each number of jobstores; the status is 1 if one of them is further off its share than OFF_MAX."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second; 0 asks for all at once")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    rows, off, version = [], 0.0, ""
    for count in arguments.counts:
        with tempfile.TemporaryDirectory(prefix="signoff-roles-") as name:
            folder = Path(name)
            shutil.copy(Path(__file__).parent / "measuring/roles/sitecustomize.py", folder)
            os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
            async with run_bench("--jobstores", str(count)) as bench:
                version = await figures.find_version(bench.database)
                await bench.run(200, arguments.rate)
                made = await measure(bench, folder, arguments.jobs, arguments.rate)
        print(f"{count} jobstores: {json.dumps(made)}", flush=True)
        off = max(off, made["off"])
        each, apart = (" + ".join(f"{one:.2f}" for one in made[name]) for name in ("of_each", "apart"))
        rows.append((count, each, f"{made['off']:.1%}", apart, made["cpu_ms_a_life"], made["cores_of_others"]))
    header = ("jobstores", "CPU ms a life of each", "off its share, most", "apart", "all processes", "cores of others")
    if not arguments.dry:
        figures.write_section("jobstores", sys.argv[1:], {"PostgreSQL": version}, figures.make_table(header, rows))
    raise SystemExit(int(off > OFF_MAX))


if __name__ == "__main__":
    uvloop.run(main())
