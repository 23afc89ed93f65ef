"""Measure the CPU that the process takes that sends traces, a job: its own beside real lives, which is to be 0.1 ms.

Lives come all at once, by the mix of lives.py, while the receiver of spans refuses them; then it takes them, and
what is measured is how the process reads and sends what it is behind. A trace of each job must come. Prints a JSON line
a round; ends with status 1 if the median is over the bar.

    make bench OF=traces ARGS="[--jobs 2000] [--rounds 3]"
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import uvloop
from aiohttp import web
from lives import Bench, run_bench
from measuring.figures import find_median
from measuring.host import compare, read_cpu, repeat
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BAR_MS: Final = 0.1
WAIT_S: Final = 120.0


class Receiver:
    """Takes spans, and counts the traces and spans that came."""

    def __init__(self) -> None:
        self.is_away = False
        self.traces = set[bytes]()
        self.spans = 0

    async def on_traces(self, request: web.Request) -> web.Response:
        """Take the spans of a request, or refuse them."""
        if self.is_away:
            raise web.HTTPServiceUnavailable
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for span in (span for of in sent.resource_spans for scope in of.scope_spans for span in scope.spans):
            self.traces.add(span.trace_id)
            self.spans += 1
        return web.Response()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve, and yield where."""
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/v1/traces", self.on_traces)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "http://{}:{}".format(*runner.addresses[0][:2])
        await runner.cleanup()


async def measure(bench: Bench, receiver: Receiver, jobs: int) -> dict[str, Any]:
    """Run a round of lives, and return what the sender took until all traces had come."""
    processes = {"traces": bench.endpoints["processes"]["traces"]}
    traces, spans, receiver.is_away = len(receiver.traces), receiver.spans, True
    lives = await bench.run(jobs)
    before, receiver.is_away = read_cpu(processes), False
    async with asyncio.timeout(WAIT_S):
        while len(receiver.traces) < traces + jobs:  # noqa: ASYNC110 - an event a request would be measured, too
            await asyncio.sleep(0.1)
    used = compare(before, read_cpu(processes))
    figures = {
        "cpu_ms_a_job": round(used.parts["traces"] * 1000 / jobs, 4),
        "spans_a_job": round((receiver.spans - spans) / jobs, 2),
        "lives_a_second": lives["lives_a_second"],
        "foreign_cores": round(used.foreign / used.took_s, 2),
        "disturbed": used.is_disturbed,
    }
    print(json.dumps(figures), flush=True)
    return figures


async def main() -> int:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="undisturbed ones; twice as many are tried")
    arguments = parser.parse_args()
    receiver = Receiver()
    async with receiver.serving() as url:
        os.environ["SIGNOFF_OTLP_ENDPOINT"] = url
        async with run_bench() as bench:
            await measure(bench, receiver, arguments.jobs // 4)  # warms up
            rounds = await repeat(lambda: measure(bench, receiver, arguments.jobs), arguments.rounds)
    cpu_ms = find_median(rounds, "cpu_ms_a_job", 3)
    print(f"{cpu_ms:.3f} ms of CPU a job; the bar is {BAR_MS:g}")
    return int(cpu_ms > BAR_MS)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
