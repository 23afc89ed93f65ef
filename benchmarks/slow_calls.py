"""Measure thousands of slow calls in flight in one executor: its memory, its CPU, and whether any is made twice.

Prints one JSON line; ends with status 1 when a call was made twice, a job ended otherwise than COMPLETED, the consumer
group was rebalanced, the executor held more than a GiB, or the end of polled work was seen more than 10 s late.

    .venv/bin/python benchmarks/slow_calls.py --calls 10000 --seconds 60 --protocol openai
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from lives import FINAL, run_system

from contracts.events import ExecuteRequested, JobChanged
from contracts.resources import NewAgent, NewJob, Policy
from contracts.signing import is_marker
from contracts.topics import TOPIC_OF
from signoff import AsyncClient
from signoff.values import new_execution_id

RSS_MAX_BYTES = 1 << 30
LATE_MAX_S = 10.0
REBALANCED = re.compile(r"rebalance group signoff-executor", re.IGNORECASE)


class Agent:
    """Answer each call after so many seconds, and count the calls of each job and those under way."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.calls: Counter[str] = Counter()
        self.under_way = self.most = 0
        self.all_at = 0.0
        self.ends_at: dict[str, float] = {}  # of work that is polled
        self.late_s = 0.0
        self.polls = 0

    async def on_call(self, request: web.Request) -> web.Response:
        """Answer one call."""
        body = await request.json()
        self._begin(body["job_id"])
        await asyncio.sleep(self.seconds)
        self.under_way -= 1
        return web.json_response({"text": "the sky is blue"})

    async def on_response(self, request: web.Request) -> web.Response:
        """Begin a response in the background; its input is the job's title, which has the number of the job."""
        body = await request.json()
        self._begin(body["input"][0]["content"])
        response_id = f"resp_{len(self.ends_at)}"
        self.ends_at[response_id] = time.perf_counter() + self.seconds
        return web.json_response({"id": response_id, "status": "queued", "output": []})

    async def on_poll(self, request: web.Request) -> web.Response:
        """Answer how a response stands, and note how late its end is seen."""
        response_id = request.match_info["id"]
        if not self._has_ended(response_id):
            return web.json_response({"id": response_id, "status": "in_progress", "output": []})
        content = [{"type": "output_text", "text": "the sky is blue"}]
        output = [{"type": "message", "role": "assistant", "content": content}]
        return web.json_response({"id": response_id, "status": "completed", "output": output})

    async def on_card(self, _: web.Request) -> web.Response:
        """Answer where A2A is spoken."""
        interface = {"url": "/a2a/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"supportedInterfaces": [interface]})

    async def on_a2a(self, request: web.Request) -> web.Response:
        """Begin a task, or answer how it stands; the text of its message is the job's title."""
        body = await request.json()
        task: dict[str, Any] = {"status": {"state": "TASK_STATE_WORKING"}}
        if body["method"] == "GetTask":
            task["id"] = body["params"]["id"]
            if self._has_ended(task["id"]):
                parts = [{"text": "the sky is blue"}]
                task |= {"status": {"state": "TASK_STATE_COMPLETED"}, "artifacts": [{"parts": parts}]}
            return web.json_response({"jsonrpc": "2.0", "id": 1, "result": task})
        if body["method"] == "ListTasks":
            return web.json_response({"jsonrpc": "2.0", "id": 1, "result": {"tasks": []}})
        self._begin(body["params"]["message"]["parts"][0]["text"])
        task["id"] = f"task-{len(self.ends_at)}"
        self.ends_at[task["id"]] = time.perf_counter() + self.seconds
        return web.json_response({"jsonrpc": "2.0", "id": 1, "result": {"task": task}})

    async def on_thread(self, _: web.Request) -> web.Response:
        """Make a thread of LangGraph, or show one."""
        return web.json_response({"status": "idle"})

    async def on_run(self, request: web.Request) -> web.Response:
        """Begin the run of a thread; it has the thread's id."""
        body, thread_id = await request.json(), request.match_info["id"]
        self._begin(body["metadata"]["signoff_job_id"])
        self.ends_at[thread_id] = time.perf_counter() + self.seconds
        return web.json_response({"run_id": thread_id, "status": "pending"})

    async def on_runs(self, request: web.Request) -> web.Response:
        """Answer how the run of a thread stands."""
        thread_id = request.match_info["id"]
        status = "success" if self._has_ended(thread_id) else "running"
        return web.json_response([{"run_id": thread_id, "status": status, "metadata": {}}])

    async def on_join(self, _: web.Request) -> web.Response:
        """Answer the state at the end of a run."""
        return web.json_response({"messages": [{"type": "ai", "content": "the sky is blue"}]})

    def _has_ended(self, work_id: str) -> bool:
        """Return whether work that is polled has ended, and note how late its end is seen."""
        self.polls += 1
        late_s = time.perf_counter() - self.ends_at[work_id]
        if late_s < 0:
            return False
        self.under_way -= 1
        self.late_s = max(self.late_s, late_s)
        return True

    def _begin(self, name: str) -> None:
        self.calls[name] += 1
        self.under_way += 1
        if self.under_way > self.most:
            self.most, self.all_at = self.under_way, time.perf_counter()


async def wait_for_ends(consumer: AIOKafkaConsumer, count: int) -> Counter[str]:
    """Read the facts until `count` jobs have ended; return how many ended at each status."""
    ends: dict[str, str] = {}
    while len(ends) < count:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            facts = (json.loads(record.value) for record in records if not is_marker(record))
            ends |= {fact["job_id"]: fact["job"]["status"] for fact in facts if fact["job"]["status"] in FINAL}
    return Counter(ends.values())


async def measure(endpoints: dict[str, Any], data: Path, agent: Agent, calls: int) -> dict[str, Any]:
    """Run all calls at once, from the first request to the last verdict; return the figures."""
    executor = psutil.Process(endpoints["processes"]["executor"])
    broker_log = data / "logs" / "kafka.log"
    consumer = AIOKafkaConsumer(TOPIC_OF[JobChanged], bootstrap_servers=endpoints["kafka"])
    await consumer.start()
    await consumer.seek_to_end()
    producer = AIOKafkaProducer(bootstrap_servers=endpoints["kafka"], acks="all", linger_ms=5)
    await producer.start()
    before = len(REBALANCED.findall(broker_log.read_text()))
    assert before, "the broker's log tells of no group"
    rss_idle, cpu = executor.memory_info().rss, sum(executor.cpu_times()[:2])
    rss, began = rss_idle, time.perf_counter()
    ending = asyncio.create_task(wait_for_ends(consumer, calls))
    for number in range(calls):
        job = NewJob(title=f"Slow job {number}", acceptance_criteria='Says "blue"', agent_id="slow", payload="p" * 500)
        event = ExecuteRequested(execution_id=new_execution_id(), job_id=f"slow-{number}", job=job)
        await producer.send(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())
    await producer.flush()
    while not ending.done():
        rss = max(rss, executor.memory_info().rss)
        await asyncio.wait({ending}, timeout=0.5)
    took, used = time.perf_counter() - began, sum(executor.cpu_times()[:2]) - cpu
    await asyncio.gather(consumer.stop(), producer.stop())
    return {
        "calls": calls,
        "seconds_a_call": agent.seconds,
        "most_in_flight": agent.most,
        "most_in_flight_after_s": round(agent.all_at - began, 1),
        "all_ended_after_s": round(took, 1),
        "executor_rss_mib": {"idle": rss_idle >> 20, "most": rss >> 20},
        "executor_cpu_s": round(used, 1),
        "polls": agent.polls,
        "end_seen_late_s": round(agent.late_s, 1),
        "called_twice": sum(count > 1 for count in agent.calls.values()),
        "rebalances": len(REBALANCED.findall(broker_log.read_text())) - before,
        "same_executor": executor.is_running() and executor.pid == read_endpoints(data)["processes"]["executor"],
        "ended": dict(await ending),
        "within": rss <= RSS_MAX_BYTES and agent.late_s <= LATE_MAX_S,
    }


def read_endpoints(data: Path) -> dict[str, Any]:
    """Read the endpoints file as it is now."""
    parsed: dict[str, Any] = json.loads((data / "endpoints.json").read_text())
    return parsed


async def main() -> int:
    """Measure once; return 0 if every bound was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--protocol", choices=("http", "openai", "langgraph", "a2a"), default="http")
    arguments = parser.parse_args()
    os.environ["SIGNOFF_VERDICT_REUSE_AGE_S"] = "0"
    os.environ["SIGNOFF_CAPACITY"] = str(arguments.calls * 5 // 4)  # one agent has four fifths of it
    agent, app = Agent(arguments.seconds), web.Application()
    app.router.add_post("/agent", agent.on_call)
    app.router.add_post("/v1/responses", agent.on_response)
    app.router.add_get("/v1/responses/{id}", agent.on_poll)
    app.router.add_get("/a2a/.well-known/agent-card.json", agent.on_card)
    app.router.add_post("/a2a/rpc", agent.on_a2a)
    app.router.add_post("/threads", agent.on_thread)
    app.router.add_get("/threads/{id}", agent.on_thread)
    app.router.add_post("/threads/{id}/runs", agent.on_run)
    app.router.add_get("/threads/{id}/runs", agent.on_runs)
    app.router.add_get("/threads/{id}/runs/{run}/join", agent.on_join)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    url, settings = f"http://127.0.0.1:{runner.addresses[0][1]}/agent", {}
    if arguments.protocol == "openai":
        url, settings = url.replace("/agent", "/v1"), {"model": "slow", "template": "{{title}}", "background": True}
    elif arguments.protocol == "a2a":
        url, settings = url.replace("/agent", "/a2a"), {"template": "{{title}}"}
    elif arguments.protocol == "langgraph":
        url, settings = url.removesuffix("/agent"), {"assistant": "slow"}
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as directory:
        data = Path(directory)
        async with run_system(data) as endpoints, AsyncClient(endpoints["grpc"], endpoints["token"]) as client:
            policy = Policy(attempt_timeout_s=arguments.seconds * 3, connect_timeout_s=60)
            slow = NewAgent(
                id="slow", name="slow", protocol=arguments.protocol, url=url, settings=settings, policy=policy
            )
            await client.create_agent(slow)
            figures = await measure(endpoints, data, agent, arguments.calls)
    await runner.cleanup()
    print(json.dumps(figures))
    right = figures["ended"] == {"COMPLETED": arguments.calls} and figures["same_executor"] and figures["within"]
    return 0 if right and not figures["called_twice"] and not figures["rebalances"] else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
