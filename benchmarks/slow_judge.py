"""Measure lives/s behind a slow judge, and the memory of the validator; write both into docs/performance.md.

A row a bound: 200 asks at once, which was that of each validator, and as many as its memory allows. What the judge
takes is found out in a round before.

    make bench OF=slow_judge
"""

import argparse
import asyncio
import json
import os
import sys
from typing import Any

import psutil
import uvloop
from aiohttp import web
from lives import MIX, Bench, run_bench
from measuring import figures

from localstack.judge import MODEL, create_app


class Judge:
    """Answer each ask by the local rules after so many seconds, and count those under way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.under_way = self.most = 0

    @web.middleware
    async def delay(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Answer late."""
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        answer: web.StreamResponse = await handler(request)
        return answer


async def measure(bench: Bench, judge: Judge, jobs: int) -> dict[str, Any]:
    """Run a round that opens the judge's window and another one; return the figures of that."""
    validator = psutil.Process(bench.endpoints["processes"]["validator"])
    before = most = validator.memory_info().rss
    await bench.run(jobs)
    judge.most = 0
    running = asyncio.create_task(bench.run(jobs))
    while not running.done():
        most = max(most, validator.memory_info().rss)
        await asyncio.wait({running}, timeout=0.2)
    made = running.result()
    return {
        "lives_a_second": made["lives_a_second"],
        "most_asks": judge.most,
        "rss_mib": (before >> 20, most >> 20),
        "kib_an_ask": (most - before) // judge.most >> 10,
        "cores_of_others": made["foreign_cores"],
    }


async def main() -> None:
    """Measure each bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1_200)
    parser.add_argument("--seconds", type=float, default=5.0, help="that the judge takes")
    parser.add_argument("--bytes", type=int, default=0, help="of each result, besides its words")
    parser.add_argument("--bounds", nargs="+", default=["200", ""], help="SIGNOFF_CAPACITY; empty: by memory")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    for answer, _, _ in MIX:
        if answer is not None and arguments.bytes:
            answer["filler"] = "f" * arguments.bytes
    judge, rows, version = Judge(arguments.seconds), [], ""
    app = create_app()
    app.middlewares.append(judge.delay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    os.environ |= {
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
        "SIGNOFF_JUDGE_MODEL": MODEL,
    }
    for bound in arguments.bounds:
        os.environ.pop("SIGNOFF_CAPACITY", None)
        os.environ |= {"SIGNOFF_CAPACITY": bound} if bound else {}
        async with run_bench() as bench:
            version = await figures.find_version(bench.database)
            made = await measure(bench, judge, arguments.jobs)
        print(f"{bound or 'memory'}: {json.dumps(made)}", flush=True)
        memory = " to ".join(map(str, made["rss_mib"]))
        row = (made["lives_a_second"], made["most_asks"], memory, made["cores_of_others"])
        rows.append((f"{bound} asks at once" if bound else "its memory", *row))
    await runner.cleanup()
    header = ("a validator is bounded by", "lives/s", "asks at once, most", "MiB of the validator", "cores of others")
    if not arguments.dry:
        table = figures.make_table(header, rows)
        figures.write_section("slow_judge", sys.argv[1:], {"PostgreSQL": version}, table)


if __name__ == "__main__":
    uvloop.run(main())
