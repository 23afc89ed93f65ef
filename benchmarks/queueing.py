"""Measure the queue: what one tenant's flood costs the others, and what a million waiting rows cost the dispatcher.

Prints JSON lines: rounds with and without the flood, alternating, on the whole system; the time to accept a batch of
10,000 jobs; then the time of dispatching from a short and from a long queue, alternating, on PostgreSQL alone, with the
plan of the statement that reads it.

    .venv/bin/python benchmarks/queueing.py [--flood 100000] [--rows 1000000] [--only flood|accept|dispatch]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from lives import run_system
from measuring.seeding import queue_jobs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import NewAgent, NewJob
from jobstore.engine.database import Database
from jobstore.executions.offers import _HEADS, FairQueue, OfferTerms
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.jobs.model import ExecutionStage
from localstack.backing import infrastructure
from signoff import AsyncClient

TENANTS, JOBS_EACH = 100, 10
CALL_S, CAPACITY = 0.2, 40
ROOM, PASSES = 200, 50
BATCH = 10_000
OWNER = uuid4()
TERMS = OfferTerms(10.0, 60.0, 60.0)

_IS_PUBLISHED = "SELECT published_seq >= (SELECT max(seq) FROM job_logs) - 1000 FROM relay"
#: In the order in which they are due, as requests come in.
_QUEUE = """
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, due_at, offers, submission, agent_id,
    policy, request_version, priority, spent, tenant, flow)
SELECT gen_random_uuid(), 'job-' || n, 'EXECUTING', 'QUEUED', 0, 0, 0,
    clock_timestamp() - interval '1 min', 0, 1,
    'agent-' || n % 10, '{}', 2, 5, 0, 'tenant-' || n % 10, ARRAY['agent:agent-' || n % 10]
FROM generate_series(1, :rows) n
"""


class Agent:
    """Answer each call after CALL_S, and note when each job's call came."""

    def __init__(self) -> None:
        self.called: dict[str, float] = {}
        self.more = asyncio.Event()

    async def on_call(self, request: web.Request) -> web.Response:
        """Answer one call."""
        body = await request.json()
        self.called[body["job_id"]] = time.perf_counter()
        self.more.set()
        await asyncio.sleep(CALL_S)
        return web.json_response({"text": body["job_id"]})

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait for calls until a condition holds."""
        while not condition():
            self.more.clear()
            await self.more.wait()


async def measure_small_tenants(client: AsyncClient, agent: Agent) -> list[float]:
    """Execute the jobs of many small tenants at once; return how long each waited for its call, in seconds."""
    new = [
        NewJob(
            id=f"small-{uuid4().hex}",
            title="A job",
            acceptance_criteria="Is not empty",
            agent_id="slow",
            tenant=f"small-{n % TENANTS}",
        )
        for n in range(TENANTS * JOBS_EACH)
    ]
    asked = time.perf_counter()
    await client.execute_jobs(jobs=new)
    await agent.wait_until(lambda: all(job.id in agent.called for job in new))
    return [agent.called[str(job.id)] - asked for job in new]


async def measure_flood(data: Path, jobs: int, rounds: int) -> None:
    """Measure small tenants alone, and beside one with a flood of waiting jobs, in turn."""
    os.environ["SIGNOFF_CAPACITY"] = str(CAPACITY)
    agent, app = Agent(), web.Application()
    app.router.add_post("/agent", agent.on_call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/agent"
    waits: dict[str, list[float]] = {"alone": [], "beside": []}
    meanwhile: list[int] = []
    async with (
        run_system(data) as endpoints,
        AsyncClient(endpoints["grpc"], endpoints["token"], timeout_s=60) as client,
    ):
        await client.create_agent(NewAgent(id="slow", name="slow", url=url))
        database = await asyncpg.connect(endpoints["postgres"])
        await measure_small_tenants(client, agent)
        for _ in range(rounds):
            waits["alone"].append(compute_p99(await measure_small_tenants(client, agent)))
            await queue_jobs(database, jobs, f"flood-{uuid4().hex}-", "slow")
            await database.execute("ANALYZE executions; ANALYZE jobs; ANALYZE job_logs")
            before = len(agent.called)
            while not await database.fetchval(_IS_PUBLISHED):  # noqa: ASYNC110 - else the measurement would be of the relay
                await asyncio.sleep(0.5)
            await agent.wait_until(lambda before=before: len(agent.called) >= before + CAPACITY)
            before = len(agent.called)
            waits["beside"].append(compute_p99(await measure_small_tenants(client, agent)))
            meanwhile.append(len(agent.called) - before - TENANTS * JOBS_EACH)
            await database.execute("DELETE FROM executions WHERE tenant = 'flood' AND state = 'QUEUED'")
        await database.close()
    await runner.cleanup()
    ratios = [beside / alone for alone, beside in zip(waits["alone"], waits["beside"], strict=True)]
    rounded = {name: [round(wait, 2) for wait in values] for name, values in waits.items()}
    figures: dict[str, object] = {
        "flood": jobs,
        "small": f"{TENANTS} tenants, {JOBS_EACH} jobs each",
        "p99_wait_s": rounded,
    }
    figures["calls_for_the_flood_meanwhile"] = meanwhile
    print(json.dumps({**figures, "ratio_median": round(statistics.median(ratios), 3)}))


async def measure_accepting(data: Path, rounds: int) -> None:
    """Accept a batch of 10,000 new jobs in one call, by gRPC and by REST; no executor takes them meanwhile."""
    took: dict[str, list[float]] = {"grpc": [], "rest": []}
    async with (
        run_system(data) as endpoints,
        AsyncClient(endpoints["grpc"], endpoints["token"], timeout_s=60) as client,
    ):
        await client.create_agent(NewAgent(id="slow", name="slow", url="http://127.0.0.1:9/"))
        await client.pause("agent:slow")
        http = aiohttp.ClientSession(endpoints["http"], headers={"Authorization": f"Bearer {endpoints['token']}"})
        for _ in range(rounds):
            new = [NewJob(title="A job", acceptance_criteria="Is not empty", agent_id="slow") for _ in range(BATCH)]
            began = time.perf_counter()
            batch = await client.execute_jobs(jobs=new)
            took["grpc"].append(round(time.perf_counter() - began, 2))
            assert all(item.accepted for item in batch.items)
            body = {"jobs": [job.model_dump(mode="json", exclude_defaults=True) for job in new]}
            began = time.perf_counter()
            async with http.post("/api/batches", json=body) as answer:
                answered = await answer.json()
            took["rest"].append(round(time.perf_counter() - began, 2))
            assert answer.status == HTTPStatus.CREATED
            assert answered["total"] == BATCH
        await http.close()
    print(json.dumps({"accepted_in_one_call": BATCH, "took_s": took}))


async def measure_dispatching(url: str, rows: int, rounds: int) -> None:
    """Measure offering from a short and from a long queue, in turn."""
    databases = {}
    for count in (1_000, rows):
        name = f"queue_{count}"
        server = await asyncpg.connect(url)
        await server.execute(f"CREATE DATABASE {name}")
        await server.close()
        own = url.rsplit("/", 1)[0].replace("postgresql://", "postgresql+asyncpg://") + f"/{name}"
        databases[count] = Database(own, pool_size=2, bounded=False)
        await databases[count].migrate()
        await fill_queue(databases[count], count)
    times: dict[int, list[float]] = {count: [] for count in databases}
    for _ in range(rounds):
        for count, database in databases.items():
            times[count].append(await measure_passes(database, count))
    async with databases[rows].transaction() as connection:
        await print_plan(connection)
    per_s = {count: [round(ROOM * PASSES / took) for took in values] for count, values in times.items()}
    ratios = [short / long for short, long in zip(*times.values(), strict=True)]
    print(
        json.dumps({"dispatched_a_second_by_rows_queued": per_s, "ratio_median": round(statistics.median(ratios), 3)})
    )
    for database in databases.values():
        await database.close()


async def fill_queue(database: Database, count: int) -> None:
    """Queue `count` executions of ten tenants."""
    async with database.transaction() as connection:
        await connection.execute(text(_QUEUE), {"rows": count})
    async with database.session() as session:
        await session.execute(text("VACUUM ANALYZE executions"))


async def measure_passes(database: Database, count: int) -> float:
    """Measure the time of offering alone, in seconds; what was offered is ended at once and replaced."""
    queue, took = FairQueue(), 0.0
    for _ in range(PASSES):
        async with database.transaction() as connection:
            await note_worker(connection, OWNER, WorkerRoom(ExecutionStage.EXECUTING, ROOM))
        began, offered = time.perf_counter(), 0
        while offered < ROOM:
            async with database.transaction() as connection:
                offered += len((await queue.offer(connection, ROOM, TERMS)).rows)
        took += time.perf_counter() - began
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE executions SET state = 'DONE' WHERE state = 'OFFERED'"))
            await connection.execute(text(_QUEUE), {"rows": ROOM})
    async with database.session() as session:
        left = await session.scalar(text("SELECT count(*) FROM executions WHERE state = 'QUEUED'"))
    assert left == count, left
    return took


async def print_plan(connection: AsyncConnection) -> None:
    """Print the plan of the statement that reads the queues."""
    parameters = {"stage": ExecutionStage.EXECUTING.value, "limit": ROOM, "depth": 2 * ROOM // 10, **asdict(TERMS)}
    plan = await connection.scalars(text(f"EXPLAIN (ANALYZE, COSTS OFF, BUFFERS) {_HEADS.text}"), parameters)
    print("\n".join(plan))


def compute_p99(seconds: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98]


def main() -> int:
    """Run the measurements that the arguments choose."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flood", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["flood", "accept", "dispatch"])
    arguments = parser.parse_args()
    if arguments.only in {None, "flood"}:
        with tempfile.TemporaryDirectory(prefix="signoff-bench-") as data:
            uvloop.run(measure_flood(Path(data), arguments.flood, arguments.rounds))
    if arguments.only in {None, "accept"}:
        with tempfile.TemporaryDirectory(prefix="signoff-bench-") as data:
            uvloop.run(measure_accepting(Path(data), arguments.rounds))
    if arguments.only in {None, "dispatch"}:
        with infrastructure(short_lived=False) as servers:
            uvloop.run(measure_dispatching(servers.postgres, arguments.rows, arguments.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
