"""The path of a job: which files it takes to carry one from the request to its final status.

Runs the whole system with each line noted, and a life by REST: a POST that creates the job, a POST that executes it,
and all that follows until `job-changed` says COMPLETED. Prints by service the files under services/ and proto/ of which
a line ran in that time that did not run in an idle stretch of the same length, in the same processes.

This is done five times, after a first life that makes the connections, and a line counts that ran in each life and in
no idle stretch: with one life alone, what runs by the clock is counted where it falls into it by chance.

    .venv/bin/python benchmarks/tracing/path.py [--lives 5] [--lines]
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer
from lives import run_system

from contracts.events import JobChanged
from contracts.signing import is_marker
from contracts.topics import TOPIC_OF

ROOT = Path(__file__).parents[2]
TRACING = Path(__file__).with_name("sitecustomize.py")
PARTS = ("services", "proto")
SERVICES = ("console", "jobstore", "executor", "validator")
BETWEEN, LIVING, IDLE = 0, 1, 101  # windows; the number of the life or of the idle stretch is added
LIVES_MAX = 100
LIFE_MAX_S = 60
CALM_S = 3.0  # until a life has left no work behind

Line = tuple[str, int]


class Watcher:
    """Run lives, and open and close the windows in which lines are recorded."""

    def __init__(self, folder: Path, endpoints: dict[str, Any], consumer: AIOKafkaConsumer) -> None:
        self._endpoints, self._consumer = endpoints, consumer
        self._http = aiohttp.ClientSession(
            endpoints["http"], headers={"Authorization": f"Bearer {endpoints['token']}"}, raise_for_status=True
        )
        self._window = (folder / "window").open("r+b", buffering=0)

    async def warm_up(self) -> None:
        """Register an agent, and run a life that does not count."""
        agent = {"id": "path", "name": "path", "url": self._endpoints["agents"]["writer"]}
        await self._http.post("/api/agents", json=agent)
        await self._live()

    async def measure(self, number: int) -> float:
        """Run a life, be idle for as long, and return how long that was, in seconds."""
        await asyncio.sleep(CALM_S)
        self._open(LIVING + number)
        started = time.perf_counter()
        await self._live()
        self._open(BETWEEN)
        took = time.perf_counter() - started
        await asyncio.sleep(CALM_S)
        self._open(IDLE + number)
        await asyncio.sleep(took)
        self._open(BETWEEN)
        return took

    async def close(self) -> None:
        """Close the connections."""
        self._window.close()
        await self._http.close()

    def _open(self, window: int) -> None:
        os.pwrite(self._window.fileno(), bytes([window]), 0)

    async def _live(self) -> None:
        job_id = f"path-{uuid4().hex}"
        job = {
            "id": job_id,
            "title": "A life",
            "acceptance_criteria": 'Says "blue"',
            "payload": {"text": "blue"},
            "agent_id": "path",
        }
        await self._http.post("/api/jobs", json=job)
        await self._http.post(f"/api/jobs/{job_id}/execute", json={})
        async with asyncio.timeout(LIFE_MAX_S):
            while await self._next_status(job_id) != "COMPLETED":
                pass

    async def _next_status(self, job_id: str) -> str | None:
        record = await self._consumer.getone()
        if is_marker(record):
            return None
        fact = json.loads(record.value)
        return fact["job"]["status"] if fact["job_id"] == job_id else None


def find_own_lines(noted: dict[str, list[list[Any]]], lives: int) -> set[Line]:
    """Return the lines of one process that ran in each life and in no idle stretch."""

    def ran(window: int) -> set[Line]:
        return {(str(Path(name).relative_to(ROOT)), line) for name, line in noted.get(str(window), [])}

    living = set.intersection(*(ran(LIVING + number) for number in range(lives)))
    return living.difference(*(ran(IDLE + number) for number in range(lives)))


def show(title: str, lines: Iterable[Line], *, numbers: bool) -> None:
    """Print the files of some lines, each with the number of its lines or with their numbers."""
    by_file: dict[str, list[int]] = {}
    for name, line in sorted(lines):
        by_file.setdefault(name, []).append(line)
    print(f"\n{title}: {len(by_file)} files")
    for name, line_numbers in by_file.items():
        print(f"  {name}  {' '.join(map(str, line_numbers)) if numbers else len(line_numbers)}")


async def main() -> int:
    """Run the lives, and print which files they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lives", type=int, default=5, help="count what ran in each of so many lives")
    parser.add_argument("--lines", action="store_true", help="print the numbers of lines instead of how many they are")
    arguments = parser.parse_args()
    if not 1 <= arguments.lives <= LIVES_MAX:
        parser.error(f"--lives is from 1 to {LIVES_MAX}")
    with tempfile.TemporaryDirectory(prefix="signoff-path-") as temporary:
        folder = Path(temporary)
        (folder / "window").write_bytes(bytes([BETWEEN]))
        (folder / "roots").write_text(os.pathsep.join(f"{ROOT / part}{os.sep}" for part in PARTS))
        shutil.copy(TRACING, folder)
        os.environ["PYTHONPATH"] = temporary
        os.environ.pop("OPENAI_API_KEY", None)  # the local judge is to judge
        async with run_system(folder) as endpoints:
            async with AIOKafkaConsumer(
                TOPIC_OF[JobChanged], bootstrap_servers=endpoints["kafka"], auto_offset_reset="earliest"
            ) as consumer:
                watcher = Watcher(folder, endpoints, consumer)
                await watcher.warm_up()
                took = [await watcher.measure(number) for number in range(arguments.lives)]
                await watcher.close()
            processes = endpoints["processes"]
        noted = {name: json.loads((folder / f"{processes[name]}.json").read_text()) for name in SERVICES}
    print(f"{arguments.lives} lives of {' '.join(f'{seconds:.2f}' for seconds in took)} s, with each line noted")
    own = {name: find_own_lines(noted[name], arguments.lives) for name in SERVICES}
    for name, lines in own.items():
        show(name, lines, numbers=arguments.lines)
    files = {service: {name for name, _ in lines} for service, lines in own.items()}
    each = sum(map(len, files.values()))
    print(f"\ntotal: {len(set().union(*files.values()))} files; {each} with those counted twice that two services use")
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
