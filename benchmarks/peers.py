"""Measure DBOS, by its queue and by direct calls, and Signoff, in turn: medians and ratios, for docs/performance.md.

DBOS is installed into a folder of its own below the cache, pinned by hash. Each runs alone, on a PostgreSQL with the
same settings; agent and judge are answered by this process, or one beside it. DBOS's lives all complete; Signoff's end
mixed, by three doors. CPU is that of all processes that carry lives: PostgreSQL and the one that runs DBOS; PostgreSQL,
Kafka and Signoff's services. What asks is in DBOS's one a loop of a few microseconds a life, and elsewhere in ours.

    .venv/bin/python benchmarks/peers.py [--rounds 3] [--dry]
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import uvloop
from aiohttp import web
from lives import run_bench
from measuring.figures import find_version, make_table, write_section
from measuring.host import compare, read_cpu, repeat

from localstack.backing import make_backing
from localstack.datadir import DataDir
from localstack.maven import get_cache_dir
from localstack.supervisor import Supervisor, ignore_progress

FOLDER = Path(__file__).parent / "peer_dbos"
PINS = FOLDER / "requirements.txt"
#: A Python process with threads runs faster on one core than on two that it shares.
PEERS: dict[str, list[str]] = {
    "DBOS queue": ["queue"],
    "DBOS direct": ["direct"],
    "DBOS direct, on one core": ["direct", "--core", str(max(os.sched_getaffinity(0)))],
}
OURS = "Signoff"
FIGURES = {
    "p50_ms": "p50 ms at a rate",
    "p99_ms": "p99 ms at a rate",
    "cpu_paced": "CPU ms a life at a rate",
    "lives_a_second": "lives/s at saturation",
    "cpu_burst": "CPU ms a life at saturation",
}

Figures = dict[str, Any]


def install() -> Path:
    """Install DBOS unless it is there; return its Python."""
    digest = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    environment = get_cache_dir() / f"peer-dbos-{digest}"
    python, uv = environment / "bin" / "python", Path(sys.executable).with_name("uv")
    if not (environment / "ready").exists():
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True)  # noqa: S603 - ours
        install_pins = ["pip", "sync", "--quiet", "--require-hashes", "--python", python, PINS]
        subprocess.run([uv, *install_pins], check=True)  # noqa: S603 - ours
        (environment / "ready").touch()
    return python


@asynccontextmanager
async def run_postgres() -> AsyncIterator[tuple[str, int]]:
    """Run PostgreSQL alone; yield its URL and process id."""
    with tempfile.TemporaryDirectory(prefix="signoff-peers-") as folder:
        directory = DataDir(Path(folder))
        with directory.lock():
            supervisor = Supervisor(directory.logs, progress=ignore_progress)
            postgres, _ = make_backing(directory, progress=ignore_progress)
            await supervisor.start([postgres.make_spec()])
            try:
                yield postgres.url, supervisor.get_pids()["postgres"]
            finally:
                await supervisor.stop()


@asynccontextmanager
async def serve_stub() -> AsyncIterator[str]:
    """Answer as the agent and as the judge of the peer."""

    async def answer_call(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"text": "the sky is blue"})

    async def judge(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"is_valid": True})

    app = web.Application()
    app.router.add_post("/agent", answer_call)
    app.router.add_post("/judge", judge)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def run_peer(python: Path, peer: str, arguments: argparse.Namespace) -> Figures:
    """Measure a peer at the rate and at saturation, each in a process of its own on a server of its own."""
    async with run_postgres() as (url, pid), serve_stub() as stub:

        async def run(lives: int, rate: float) -> Figures:
            name = f"peer_{uuid4().hex}"
            server = await asyncpg.connect(url)
            await server.execute(f"CREATE DATABASE {name}")
            await server.close()
            database = f"{url.rpartition('/')[0]}/{name}"
            options = ["--database", database, "--stub", stub, "--lives", str(lives), "--rate", str(rate)]
            process = await asyncio.create_subprocess_exec(
                *(python, FOLDER / "workflow.py", *PEERS[peer], *options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            if await process.stdout.readline() != b"ready\n":
                raise SystemExit(f"{peer} did not start")
            processes = {"python": process.pid, "postgres": pid}
            before = read_cpu(processes)
            process.stdin.write(b"go\n")
            figures = json.loads(await process.stdout.readline())
            used = compare(before, read_cpu(processes))
            process.stdin.write(b"end\n")
            await process.wait()
            disturbed = {"disturbed": used.is_disturbed, "foreign_cores": round(used.foreign / used.took_s, 2)}
            return {**figures, **disturbed, "cpu": used.all_parts * 1000 / lives}

        (paced,) = await repeat(lambda: run(arguments.lives, arguments.rate), 1)
        (burst,) = await repeat(lambda: run(arguments.peer_burst, 0.0), 1)
    return join(paced, burst)


async def run_ours(arguments: argparse.Namespace) -> Figures:
    """Measure Signoff at the rate and at saturation."""
    async with run_bench() as bench:
        await bench.run(round(arguments.warm_s * arguments.rate), arguments.rate)
        (paced,) = await repeat(lambda: bench.run(arguments.lives, arguments.rate), 1)
        await bench.run(arguments.burst // 4)
        (burst,) = await repeat(lambda: bench.run(arguments.burst), 1)
    for each in (paced, burst):
        each["p50_ms"], each["p99_ms"] = each["to_final_ms"]
        each["cpu"] = each["cpu_ms_a_life"]
    return join(paced, burst)


def join(paced: Figures, burst: Figures) -> Figures:
    """Join the figures of both ways of asking."""
    return {
        **{name: paced[name] for name in ("p50_ms", "p99_ms")},
        "lives_a_second": burst["lives_a_second"],
        "cpu_paced": paced["cpu"],
        "cpu_burst": burst["cpu"],
        "disturbed": max(each["foreign_cores"] * each["disturbed"] for each in (paced, burst)),
    }


def make_rows(rounds: list[dict[str, Figures]]) -> list[str]:
    """Return the lines of a table: medians over rounds, and the medians of each round's ratio of ours to a peer's."""
    header = ["what", *PEERS, OURS, *(f"{OURS} to {peer}" for peer in PEERS)]
    rows = []
    for name, text in FIGURES.items():
        medians = [statistics.median(each[who][name] for each in rounds) for who in (*PEERS, OURS)]
        ratios = [statistics.median(each[OURS][name] / each[peer][name] for each in rounds) for peer in PEERS]
        rows.append([text, *(f"{median:.1f}" for median in medians), *(f"{ratio:.2f}" for ratio in ratios)])
    disturbed = [f"{max(each[who]['disturbed'] for each in rounds):.2f}" for who in (*PEERS, OURS)]
    return make_table(header, [*rows, ["cores of others that disturbed", *disturbed, *("-" for _ in PEERS)]])


async def main() -> None:
    """Measure all in turn, round by round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--lives", type=int, default=400, help="at the rate")
    parser.add_argument("--burst", type=int, default=4_000, help="of ours, at saturation: as long as a peer's takes")
    parser.add_argument("--peer-burst", type=int, default=600, help="of a peer's, at saturation")
    parser.add_argument("--warm-s", type=float, default=120.0, help="how long ours live at the rate before")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    python, rounds = install(), []
    async with run_postgres() as (url, _):
        database = await asyncpg.connect(url)
        postgres = await find_version(database)
        await database.close()
    for number in range(1, arguments.rounds + 1):
        began = time.monotonic()
        measured = {peer: await run_peer(python, peer, arguments) for peer in PEERS}
        rounds.append({**measured, OURS: await run_ours(arguments)})
        print(json.dumps({"round": number, "seconds": round(time.monotonic() - began), **rounds[-1]}), flush=True)
    table = make_rows(rounds)
    print("\n".join(table))
    if not arguments.dry:
        about = f"{arguments.rounds} rounds in turn, {arguments.rate:g} lives a second where there is a rate."
        (dbos,) = re.findall(r"^dbos==(\S+)", PINS.read_text(), re.MULTILINE)
        write_section("peers", sys.argv[1:], {"PostgreSQL": postgres, "DBOS": dbos}, [about, "", *table])


if __name__ == "__main__":
    uvloop.run(main())
