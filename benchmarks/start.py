"""Measure how long the command line takes: CPU seconds and seconds until it has ended, medians.

Prints one line of JSON for each command. Starts a stack with a job in it, or asks the one of --endpoints.

    .venv/bin/python benchmarks/start.py --runs 20
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from lives import run_system

from contracts.resources import NewJob
from signoff import AsyncClient

SIGNOFF = Path(sys.executable).with_name("signoff")
COMMANDS = (
    ["--help"],
    ["jobs", "list"],
    ["jobs", "list", "--json"],
    ["jobs", "create", "--title", "t", "--criteria", "c"],
)


def measure(command: list[str], runs: int) -> dict[str, object]:
    """Run a command so many times, after once that does not count."""
    figures = [_run(command) for _ in range(runs + 1)][1:]
    cpu_s, wall_s = (round(statistics.median(column), 3) for column in zip(*figures, strict=True))
    return {"command": " ".join(["signoff", *command]), "cpu_s": cpu_s, "wall_s": wall_s, "runs": runs}


def _run(command: list[str]) -> tuple[float, float]:
    before, began = os.times(), time.perf_counter()
    subprocess.run([SIGNOFF, *command], check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    wall_s, after = time.perf_counter() - began, os.times()
    return sum(after[2:4]) - sum(before[2:4]), wall_s


async def main() -> int:
    """Measure each command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--endpoints", type=Path, help="of a stack that runs; it gets new jobs, which nobody executes")
    arguments = parser.parse_args()
    async with AsyncExitStack() as stack:
        if (file := arguments.endpoints) is None:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="signoff-bench-")))
            await stack.enter_async_context(run_system(data))
            file = data / "endpoints.json"
        endpoints = json.loads(file.read_text())
        async with AsyncClient(endpoints["grpc"], endpoints["token"]) as client:
            await client.create_job(NewJob(title="a job", acceptance_criteria="It is there"))
        os.environ["SIGNOFF_ENDPOINTS"] = str(file)
        for command in COMMANDS:
            print(json.dumps(await asyncio.to_thread(measure, command, arguments.runs)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
