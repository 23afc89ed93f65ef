"""Run lives in DBOS: two durable events, a call of the agent, a call of the judge. Runs where DBOS alone is installed.

Says `ready` when it is warm, waits for a line, runs the lives and prints one line of JSON.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from concurrent.futures import Future
from typing import Any

import aiohttp
from dbos import DBOS

#: Lives that are under way at once where all are asked for at once; of a queue, those that are being put into it.
AT_ONCE = {"direct": 100, "queue": 50}
WARM_UP = {"paced": 40, "burst": 200}
#: What waits for a life in the queue is told of its end, and asks for its result then. DBOS's own way is to ask once a
#: second: all would wait for up to a second longer, or ask many times for nothing.
POLL_S = 0.02

_ended: dict[str, Future[None]] = {}
_http: list[aiohttp.ClientSession] = []
_stub: list[str] = []


@DBOS.step()
async def call_agent(job: str) -> Any:
    """Call the agent."""
    async with _http[0].post(f"{_stub[0]}/agent", json={"job": job, "payload": "p" * 200}) as answer:
        return await answer.json()


@DBOS.step()
async def judge(result: Any) -> Any:
    """Call the judge."""
    async with _http[0].post(f"{_stub[0]}/judge", json={"result": result}) as answer:
        return await answer.json()


@DBOS.workflow()
async def live(job: str) -> bool:
    """Live one life."""
    try:
        await DBOS.set_event_async("status", "IN_PROGRESS")
        verdict = await judge(await call_agent(job))
        await DBOS.set_event_async("status", "COMPLETED" if verdict["is_valid"] else "REJECTED")
        return bool(verdict["is_valid"])
    finally:
        if job in _ended:
            _ended.pop(job).set_result(None)


async def run_lives(mode: str, lives: int, rate: float) -> dict[str, Any]:
    """Run lives at a rate, or all at once; return the figures."""
    places, took = asyncio.Semaphore(lives if rate else AT_ONCE[mode]), list[float]()

    async def one(number: int) -> bool:
        if mode == "direct":
            async with places:
                began = time.perf_counter()
                is_valid = await live(f"j{number}")
        else:
            async with places:
                began = time.perf_counter()
                ended = _ended[f"j{number}"] = Future()
                handle = await DBOS.enqueue_workflow_async("jobs", live, f"j{number}")
            await asyncio.wrap_future(ended)
            is_valid = await handle.get_result(polling_interval_sec=POLL_S)
        took.append(time.perf_counter() - began)
        return is_valid

    began = time.perf_counter()
    tasks = []
    for number in range(lives):
        if rate:
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(number)))
    assert all(await asyncio.gather(*tasks))
    seconds, percentiles = time.perf_counter() - began, statistics.quantiles(took, n=100)
    return {"lives_a_second": lives / seconds, "p50_ms": percentiles[49] * 1000, "p99_ms": percentiles[98] * 1000}


async def main(arguments: argparse.Namespace) -> None:
    """Warm up, wait to be told, and run."""
    _stub.append(arguments.stub)
    _http.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=500)))
    DBOS.launch()
    await DBOS.register_queue_async("jobs", worker_concurrency=200, polling_interval_sec=0.05)
    await run_lives(arguments.mode, WARM_UP["paced" if arguments.rate else "burst"], 0.0)
    await asyncio.to_thread(tell_and_wait, "ready")
    figures = await run_lives(arguments.mode, arguments.lives, arguments.rate)
    tell_and_wait(json.dumps(figures))
    os._exit(0)  # its threads would go on


def tell_and_wait(line: str) -> None:
    """Print a line, and wait for one."""
    print(line, flush=True)
    sys.stdin.readline()


def parse() -> argparse.Namespace:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=list(AT_ONCE))
    parser.add_argument("--database", required=True)
    parser.add_argument("--stub", required=True)
    parser.add_argument("--lives", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--core", type=int, help="the only one that this process runs on")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    DBOS(config={"name": "bench", "system_database_url": arguments.database, "log_level": "ERROR"})
    asyncio.run(main(arguments))
