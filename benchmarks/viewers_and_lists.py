"""Measure the console: many viewers at once, and lists of a million jobs.

Prints JSON lines: what `--viewers` event streams on one process cost, and how long a transition takes to reach them
all; then, in a database that is filled with `--jobs` jobs and five entries of logs for each, how long each list, count
and overview takes over REST.

    .venv/bin/python benchmarks/viewers_and_lists.py [--viewers 2000] [--rate 5] [--jobs 1000000] [--only viewers|lists]
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import psutil
from aiohttp import web
from measuring.seeding import store_jobs, vacuum

from contracts.resources import NewJob
from contracts.signing import make_secret
from jobstore.engine.database import Database
from localstack.backing import infrastructure
from signoff import AsyncClient

TOKEN = "a-benchmarks-token-of-32-characters"  # noqa: S105 - of a database that is thrown away
TRANSITIONS = 50
REPEATS = 40

QUERIES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "newest": ("/api/jobs", {}),
    "oldest": ("/api/jobs", {"order": "created_at"}),
    "last updated": ("/api/jobs", {"order": "-updated_at"}),
    "status, many": ("/api/jobs", {"status": "COMPLETED"}),
    "status, few": ("/api/jobs", {"status": "IN_PROGRESS"}),
    "agent": ("/api/jobs", {"agent_id": "agent-7"}),
    "agent, rare": ("/api/jobs", {"agent_id": "rare"}),
    "agent, last updated": ("/api/jobs", {"agent_id": "agent-7", "order": "-updated_at"}),
    "tenant": ("/api/jobs", {"tenant": "tenant-3"}),
    "batch": ("/api/jobs", {"batch_id": "BATCH"}),
    "label, many": ("/api/jobs", {"label": "team:t3"}),
    "label, few": ("/api/jobs", {"label": "customer:c77"}),
    "created within": ("/api/jobs", {"created_after": "2020-01-01T00:00:00Z"}),
    "status and agent": ("/api/jobs", {"status": "FAILED", "agent_id": "agent-2"}),
    "status and label": ("/api/jobs", {"status": "PENDING", "label": "customer:c77"}),
    "text, many": ("/api/jobs", {"text": "translate"}),
    "text, few": ("/api/jobs", {"text": "customer 10006"}),
    "text, none": ("/api/jobs", {"text": "nobody wrote this"}),
    "counts": ("/api/job-counts", {}),
    "counts of an agent": ("/api/job-counts", {"agent_id": "agent-7"}),
    "counts of a label": ("/api/job-counts", {"label": "customer:c77"}),
    "counts of a text": ("/api/job-counts", {"text": "customer 10006"}),
    "one job": ("/api/jobs/job-00000777", {}),
    "its log": ("/api/jobs/job-00000777/logs", {}),
    "overview, an hour": ("/api/overview", {"range": "1h"}),
    "overview, a week": ("/api/overview", {"range": "7d"}),
    "agents' stats": ("/api/agent-stats", {}),
}


@asynccontextmanager
async def make_database(postgres: str) -> AsyncIterator[str]:
    """Make an empty database, and drop it afterwards; yield its URL."""
    name = f"bench_{uuid4().hex}"
    server = await asyncpg.connect(postgres)
    await server.execute(f'CREATE DATABASE "{name}"')
    yield postgres.rsplit("/", 1)[0] + f"/{name}"
    await server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await server.close()


def find_free_port() -> int:
    """Find a port at which nothing listens now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def make_settings(kafka: str, url: str, grpc: str, http: str = "") -> dict[str, str]:
    """Return the environment of a jobstore at an address, and of a console before it."""
    return {
        "SIGNOFF_KAFKA": kafka,
        "SIGNOFF_DATABASE_URL": url.replace("postgresql://", "postgresql+asyncpg://"),
        "SIGNOFF_TOKEN": TOKEN,
        "SIGNOFF_EXECUTOR_TOKEN": TOKEN + "-2",
        "SIGNOFF_VALIDATOR_TOKEN": TOKEN + "-3",
        "SIGNOFF_SECRETS": make_secret("benchmark", TOKEN.encode()),
        "SIGNOFF_SESSION_SECRET": "A" * 43,
        "SIGNOFF_ID_KEY": "0" * 44,
        "SIGNOFF_GRPC_ADDRESS": grpc,
        "SIGNOFF_JOBSTORE": grpc,
        "SIGNOFF_HTTP_ADDRESS": http,
        "SIGNOFF_HEALTH_ADDRESS": "",
    }


async def start_service(name: str, settings: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Start a service, which writes nowhere."""
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
    env = {**os.environ, "PYTHONPATH": "", **settings}
    # `-P`, or `-m console` might find this very file.
    return await asyncio.create_subprocess_exec(sys.executable, "-P", "-m", name, env=env, **quiet)


@asynccontextmanager
async def run_services(kafka: str, url: str) -> AsyncIterator[tuple[str, str, psutil.Process]]:
    """Run a jobstore and a console; yield the addresses of both, and the console's process."""
    grpc, http = f"127.0.0.1:{find_free_port()}", f"127.0.0.1:{find_free_port()}"
    settings = make_settings(kafka, url, grpc, http)
    processes = [await start_service(name, settings) for name in ("jobstore", "console")]
    try:
        async with aiohttp.ClientSession(f"http://{http}") as session:
            while not await _is_ready(session):  # noqa: ASYNC110 - it tells by no event
                await asyncio.sleep(0.2)
        yield grpc, http, psutil.Process(processes[1].pid)
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/api/health") as answer:
            return bool((await answer.json())["live"])
    except (aiohttp.ClientError, KeyError):
        return False


class Viewer(asyncio.Protocol):
    """A viewer that notes when each event arrives, and parses nothing else."""

    arrivals: list[tuple[float, bytes]] = []  # noqa: RUF012 - of all

    def data_received(self, data: bytes) -> None:
        """Note the time of each event in the data."""
        if b"job-changed" in data:
            now = time.time()
            for line in data.split(b"\n"):
                if line.startswith(b"data: ") and b'"log"' in line:
                    self.arrivals.append((now, line[6:]))


async def measure_viewers(kafka: str, url: str, count: int, rate: float) -> dict[str, Any]:
    """Measure how long transitions take to reach all viewers."""
    async with run_services(kafka, url) as (grpc, http, console), AsyncClient(grpc, TOKEN) as jobstore:
        host, _, port = http.rpartition(":")
        for number in range(20):  # warm
            await jobstore.create_job(NewJob(title=f"warm {number}", acceptance_criteria="It is warm"))
        before = console.memory_info().rss
        loop = asyncio.get_running_loop()
        request = f"GET /api/events HTTP/1.1\r\nHost: {http}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        transports = []
        for _ in range(count):
            transport, _ = await loop.create_connection(Viewer, host, int(port))
            transport.write(request)
            transports.append(transport)
            if len(transports) % 50 == 0:
                await asyncio.sleep(0.1)
        await asyncio.sleep(5)
        memory = console.memory_info().rss - before
        Viewer.arrivals.clear()
        cpu = console.cpu_times()
        begun = time.monotonic()
        for number in range(TRANSITIONS):
            await jobstore.create_job(NewJob(title=f"seen {number}", acceptance_criteria="It is seen"))
            await asyncio.sleep(max(0.0, begun + (number + 1) / rate - time.monotonic()))
        for _ in range(100):
            if len(Viewer.arrivals) >= count * TRANSITIONS:
                break
            await asyncio.sleep(0.1)
        used = console.cpu_times()
        took = [(at - _parse_time(line)) * 1_000 for at, line in Viewer.arrivals]
        for transport in transports:
            transport.close()
    busy = used.user + used.system - cpu.user - cpu.system
    return {
        "viewers": count,
        "transitions_per_s": rate,
        "events": len(took),
        "lost": count * TRANSITIONS - len(took),
        "ms_p50": _compute_percentile(took, 50),
        "ms_p99": _compute_percentile(took, 99),
        "kb_a_viewer": round(memory / count / 1024, 1),
        "console_cpu_us_an_event": round(busy / max(1, len(took)) * 1e6, 1),
    }


def _parse_time(line: bytes) -> float:
    at: str = json.loads(line)["log"]["created_at"]
    return datetime.fromisoformat(at).astimezone(UTC).timestamp()


async def seed(url: str, jobs: int) -> dict[str, Any]:
    """Fill the database, indexes last."""
    made = Database(url.replace("postgresql://", "postgresql+asyncpg://"))
    await made.migrate()
    await made.close()
    begun = time.monotonic()
    connection = await asyncpg.connect(url)
    await store_jobs(connection, jobs)
    await connection.execute("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)")
    await vacuum(connection)
    size = await connection.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    indexes = await connection.fetch(
        "SELECT indexname, pg_size_pretty(pg_relation_size(indexname::regclass)) AS size FROM pg_indexes "
        "WHERE tablename = 'jobs' ORDER BY 1"
    )
    await connection.close()
    seconds = round(time.monotonic() - begun, 1)
    return {"jobs": jobs, "logs": 5 * jobs, "seconds": seconds, "size": size, "indexes": {i[0]: i[1] for i in indexes}}


async def measure_lists(kafka: str, url: str, jobs: int) -> dict[str, Any]:
    """Measure how long every list takes."""
    print(json.dumps({"seeded": await seed(url, jobs)}), flush=True)
    async with run_services(kafka, url) as (_, http, _):
        counted = await _wait_for_rollups(url)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(f"http://{http}", headers=headers) as session:
            return {"rollups": counted, "ms": {name: await _measure_query(session, url, name) for name in QUERIES}}


async def _wait_for_rollups(url: str) -> dict[str, Any]:
    """Wait until the rollups have counted everything; return how long it took."""
    connection, begun = await asyncpg.connect(url), time.monotonic()
    while await connection.fetchval("SELECT coalesce((SELECT seq FROM rollup), 0) < published_seq FROM relay"):  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    await connection.close()
    return {"seconds": round(time.monotonic() - begun, 1)}


async def _measure_query(session: aiohttp.ClientSession, url: str, name: str) -> dict[str, Any]:
    path, parameters = QUERIES[name]
    parameters = dict(parameters)
    if parameters.get("batch_id") == "BATCH":
        connection = await asyncpg.connect(url)
        parameters["batch_id"] = str(await connection.fetchval("SELECT md5('7')::uuid"))
        await connection.close()
    return await measure_list(session, path, parameters, REPEATS)


async def measure_list(
    session: aiohttp.ClientSession, path: str, parameters: Mapping[str, str], repeats: int
) -> dict[str, Any]:
    """Measure how long a list takes."""
    if path == "/api/jobs":
        parameters = {**parameters, "page_size": "100"}
    took, items = [], None
    for _ in range(repeats):
        begun = time.perf_counter()
        async with session.get(path, params=parameters) as answer:
            body = await answer.json()
            assert answer.status == web.HTTPOk.status_code, body
        took.append((time.perf_counter() - begun) * 1_000)
        items = len(body["items"]) if "items" in body else None
    p50, p95 = (_compute_percentile(took, percent) for percent in (50, 95))
    return {"p50": p50, "p95": p95, "first": round(took[0], 1), "items": items}


def _compute_percentile(values: list[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 1)


async def main() -> None:
    """Run the measurements that the arguments choose."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--viewers", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=5.0)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["viewers", "lists"])
    chosen = parser.parse_args()
    with infrastructure(short_lived=False) as servers:
        if chosen.only != "lists":
            async with make_database(servers.postgres) as url:
                print(json.dumps(await measure_viewers(servers.kafka, url, chosen.viewers, chosen.rate)), flush=True)
        if chosen.only != "viewers":
            async with make_database(servers.postgres) as url:
                print(json.dumps(await measure_lists(servers.kafka, url, chosen.jobs), indent=1), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
