"""Compare the CPU of an executor's call by `openai` and by `http`, in alternating rounds against the same server.

Prints one JSON line; ends with status 1 if a call by `openai` takes more than 1.2 times the CPU. Both read the same
answer, a chat completion with its usage, which is in a header, too, for `http`; both count its price.

    .venv/bin/python benchmarks/model_calls.py --rounds 12 --calls 2000
"""

import argparse
import asyncio
import json
import math
import multiprocessing
import statistics
import sys
import time
from decimal import Decimal
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from aiohttp import web

from contracts.events import ResultProduced
from contracts.resources import Policy
from executor.handlers import Attempt
from executor.http_agents import HeaderValues, HttpAgent, HttpClient
from executor.openai_agents import OpenAIAgent
from executor.ports import Agent, Grant
from servicekit.addresses import parse_allowed
from servicekit.leasing.worker import HeldLease, Lease
from signoff.jsontext import json_text
from signoff.status import Protocol
from signoff.values import new_execution_id

RATIO_MAX = 1.2
AT_ONCE = 50
USAGE = {"prompt_tokens": 300, "completion_tokens": 40, "total_tokens": 340}
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "The sky is blue. " * 10}, "finish_reason": "stop"}
    ],
    "usage": USAGE,
}
REQUEST = {
    "title": "Write a line",
    "description": "Of the colour of the sky. " * 10,
    "acceptance_criteria": 'Says "blue"\nIs short',
    "payload": {"city": "Oslo", "words": ["fjord"] * 20},
    "feedback": None,
}


def serve(ready: Connection) -> None:
    """Answer each POST with the same chat completion, in a process of its own."""
    usage = {"input_tokens": 300, "output_tokens": 40, "model": "gpt-4o-mini"}
    headers = {"Content-Type": "application/json", "Signoff-Usage": json.dumps(usage)}
    body = json.dumps(ANSWER).encode()

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, headers=headers)

    async def run() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(run())


class Worker:
    """Stand in for the worker, which is asked only when a call has failed."""

    may_wait = False


class Publisher:
    """Write and sign each report as the publisher does, and send it nowhere."""

    def __init__(self) -> None:
        self.results = 0

    async def publish_report(self, report: Any, lease: Lease) -> None:
        """Write a report."""
        lease.sign(report.model_dump_json().encode())
        self.results += isinstance(report, ResultProduced)


async def measure(agents: dict[Protocol, Agent], grant: Grant, calls: int) -> float:
    """Return the CPU milliseconds that one of so many calls takes, from its grant to its signed result."""
    left, publisher = iter(range(calls)), Publisher()

    async def work() -> None:
        for _ in left:
            held = HeldLease(grant.lease, grant.job_id, math.inf)
            attempt = Attempt(grant, Worker(), agents, publisher, 1.0, Decimal(100))  # type: ignore[arg-type]
            await (await attempt.run(held))()

    begun = time.process_time()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    took = time.process_time() - begun
    assert publisher.results == calls
    return took / calls * 1_000


async def compare(port: int, rounds: int, calls: int) -> dict[str, Any]:
    """Measure both in turn, and return the medians and their ratio."""
    allowed = parse_allowed("127.0.0.0/8")
    common = {"job_id": "job-1", "lease_s": 60.0, "attempt": 1, "submission": 1, "request": json_text(REQUEST)}
    settings = {
        "model": "gpt-4o-mini",
        "api": "chat",
        "instructions": "Answer in a line.",
        "parameters": {"temperature": 0},
    }
    took: dict[str, list[float]] = {"http": [], "openai": []}
    async with HttpClient(allowed=allowed, header_values=HeaderValues({}, None), result_max_bytes=1 << 20) as client:
        agents: dict[Protocol, Agent] = {
            Protocol.HTTP: HttpAgent(client),
            Protocol.OPENAI: OpenAIAgent(client, 5.0),
        }
        grants = {
            name: Grant(
                lease=Lease(new_execution_id(), 1, "1", b"k" * 32),
                protocol=name,
                url=f"http://127.0.0.1:{port}/v1",
                policy=Policy(connect_timeout_s=5.0, attempt_timeout_s=60.0),
                settings=settings if name is Protocol.OPENAI else {},
                **common,
            )
            for name in agents
        }
        for grant in grants.values():
            await measure(agents, grant, 200)
        for number in range(rounds):
            for name, grant in sorted(grants.items(), reverse=bool(number % 2)):
                took[name].append(await measure(agents, grant, calls))
    medians = {name: statistics.median(values) for name, values in took.items()}
    ratio = statistics.median(a / b for a, b in zip(took["openai"], took["http"], strict=True))
    return {**{f"{name}_cpu_ms": round(value, 4) for name, value in medians.items()}, "ratio": round(ratio, 3)}


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--calls", type=int, default=2_000)
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    found = uvloop.run(compare(ours.recv(), args.rounds, args.calls))
    server.terminate()
    print(json.dumps(found))
    sys.exit(found["ratio"] > RATIO_MAX)


if __name__ == "__main__":
    main()
