"""Measure how late due times act: deadlines, times that jobs wait for, and calls that are made again.

Prints one JSON line for each kind, in seconds after the time that was due, by the database's clock; the first of a kind
after the start of the stack is told apart. Ends with status 1 where a median or a first is later than 0.3 s.

    .venv/bin/python benchmarks/due_times.py --jobs 20
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from aiohttp import web
from lives import run_system

from contracts.resources import NewAgent, NewJob, Policy
from signoff import AsyncClient
from signoff.types import JobLog

#: Seconds that are asked for: as deadline, until a start, and until the next call.
ASKED_S = 2.0
LATE_MAX_S = 0.3
#: Within one lease of its start a jobstore ends nothing.
SETTLED_S = 18.0
#: Between two requests of a kind: by no part of a second that the system's own rounds take.
APART_S = 0.37
ANSWERED_WITHIN_S = 30.0


async def answer(request: web.Request) -> web.Response:
    """Answer a call: with a failure, or at /slow with a result that comes too late."""
    if request.path == "/slow":
        await asyncio.sleep(2 * ASKED_S)
        return web.json_response({})
    return web.Response(status=503)


async def find_entry(client: AsyncClient, job_id: str, kind: str) -> JobLog:
    """Return a job's first log entry of a kind, once it is there."""
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        while not (entries := (await client.list_job_logs(job_id, kinds=[kind]))[0]):  # noqa: ASYNC110 - seldom
            await asyncio.sleep(0.1)
    return entries[0]


async def measure_deadline(client: AsyncClient, agent: str) -> float:
    """Return how late a deadline acts."""
    policy = Policy(deadline_s=ASKED_S, max_calls=1)
    job = await client.create_job(NewJob(title="t", acceptance_criteria="c", agent_id=agent, policy=policy))
    await client.execute_job(job.id)
    asked, ended = await find_entry(client, job.id, "requested"), await find_entry(client, job.id, "deadline")
    return (ended.created_at - asked.created_at).total_seconds() - ASKED_S


async def measure_start(client: AsyncClient) -> float:
    """Return how late a worker takes what waits for a time."""
    job = await client.create_job(NewJob(title="t", acceptance_criteria="c", agent_id="slow"))
    due = datetime.now(UTC) + timedelta(seconds=ASKED_S)
    await client.execute_job(job.id, not_before=due)
    return ((await find_entry(client, job.id, "claimed")).created_at - due).total_seconds()


async def measure_next_call(client: AsyncClient, url: str) -> float:
    """Return how late a second call has failed, which it does at once; of an agent of its own, so no circuit opens."""
    agent = await client.create_agent(NewAgent(name="failing", url=url))
    policy = Policy(max_calls=2, backoff_first_s=ASKED_S)
    job = await client.create_job(NewJob(title="t", acceptance_criteria="c", agent_id=agent.id, policy=policy))
    await client.execute_job(job.id)
    first, second = await find_entry(client, job.id, "call_failed"), await find_entry(client, job.id, "failed")
    assert first.next_attempt_at is not None
    return (second.created_at - first.next_attempt_at).total_seconds()


async def measure(name: str, one: Callable[[], Awaitable[float]], jobs: int) -> bool:
    """Measure one, and then so many more; print the figures, and return whether none is later than it may be."""

    async def measure_later(number: int) -> float:
        await asyncio.sleep(number * APART_S)
        return await one()

    first = await one()
    late = await asyncio.gather(*map(measure_later, range(jobs)))
    figures = {"first": first, "median": statistics.median(late), "most": max(late)}
    print(
        json.dumps({"due": name, **{key: round(value, 3) for key, value in figures.items()}, "jobs": jobs}), flush=True
    )
    return max(figures["first"], figures["median"]) <= LATE_MAX_S


async def main() -> int:
    """Measure each kind; return 0 if all were soon enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=20)
    jobs = parser.parse_args().jobs
    app = web.Application()
    app.router.add_post("/{path}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as directory:
        async with (
            run_system(Path(directory)) as endpoints,
            AsyncClient(endpoints["grpc"], endpoints["token"]) as client,
        ):
            for name in ("slow", "paused"):
                await client.create_agent(NewAgent(id=name, name=name, url=f"{url}/{name}"))
            await client.pause("agent:paused")
            await asyncio.sleep(SETTLED_S)
            soon = [
                await measure("deadline, its agent being called", lambda: measure_deadline(client, "slow"), jobs),
                await measure("deadline, its agent paused", lambda: measure_deadline(client, "paused"), jobs),
                await measure("start at a time", lambda: measure_start(client), jobs),
                await measure("next call after a failure", lambda: measure_next_call(client, f"{url}/failing"), jobs),
            ]
    await runner.cleanup()
    return 0 if all(soon) else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
