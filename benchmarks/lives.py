"""Measure lives by all three doors: rate, durations, CPU; and check that every transition is published.

A life is: asked for, the agent called, the result judged, the final status recorded. Prints a JSON line a round; ends
with status 1 when a transition is missing, out of order, or a job ended otherwise than it must.

    .venv/bin/python benchmarks/lives.py --jobs 500 [--rate 20] [--rounds 3]
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from measuring.host import Usage, compare, read_cpu, repeat
from msgspec import Struct
from msgspec.json import Decoder

from contracts.events import ExecuteRequested, JobChanged
from contracts.resources import NewAgent, NewJob, Policy
from contracts.signing import is_marker
from contracts.topics import TOPIC_OF
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.settings import KafkaFields
from signoff import AsyncClient
from signoff.tls import name_tls
from signoff.values import new_execution_id

#: Ten jobs: what the agent answers, the policy, the final status.
MIX = [
    *[({"text": "the sky is blue"}, {}, "COMPLETED")] * 7,
    ({"text": "red"}, {}, "RESUBMISSION_REQUIRED"),
    ({"text": "red"}, {"max_submissions": 1}, "REJECTED"),
    (None, {}, "FAILED"),
]
DOORS = ("grpc", "rest", "event")
FINAL = {"COMPLETED", "RESUBMISSION_REQUIRED", "REJECTED", "FAILED"}


class Status(Struct):
    """What is looked at of a fact's job."""

    status: str


class Fact(Struct):
    """What is looked at of a fact: to read all of it would take a thirtieth of the machine from what is measured."""

    job_id: str
    version: int
    job: Status


read_fact = Decoder(Fact).decode


class Agent:
    """Answer at once, as the job's payload says, and note when each job's call came."""

    def __init__(self) -> None:
        self.called: dict[str, float] = {}
        self.calls = 0

    async def on_call(self, request: web.Request) -> web.Response:
        """Answer one call."""
        body = await request.json()
        self.called.setdefault(body["job_id"], time.perf_counter())
        self.calls += 1
        answer = body["payload"]["answer"]
        return web.Response(status=400) if answer is None else web.json_response(answer)


@asynccontextmanager
async def run_system(data: Path, *options: str) -> AsyncIterator[dict[str, Any]]:
    """Run `signoff up` with these options, and yield its endpoints file once it is ready."""
    file = data / "endpoints.json"
    os.environ["SIGNOFF_VERDICT_REUSE_AGE_S"] = "0"  # every life is to be judged
    os.environ["SIGNOFF_STORAGE_FULL_AT"] = "1"  # however full this machine's disk is
    command = [sys.executable, "-m", "cli", "up", "--data-dir", str(data), "--endpoints-file", str(file), *options]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        while not file.exists():
            if process.returncode is not None:
                raise SystemExit("signoff up ended early")
            await asyncio.sleep(0.1)
        yield json.loads(file.read_text())
    finally:
        process.terminate()
        await process.wait()


class Run:
    """One round: `jobs` lives, each by the next door."""

    def __init__(self, endpoints: dict[str, Any], agent: Agent, client: AsyncClient, jobs: int, rate: float) -> None:
        self.endpoints, self.agent, self.client, self.rate = endpoints, agent, client, rate
        self.ids = [f"life-{uuid4().hex}" for _ in range(jobs)]
        self.asked: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.facts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)

    def make_job(self, number: int) -> NewJob:
        """Make the job with this number."""
        answer, policy, _ = MIX[number % len(MIX)]
        return NewJob(
            id=self.ids[number],
            title="A life",
            acceptance_criteria='Says "blue"\nIs not empty',
            payload={"answer": answer, "filler": "p" * 200},
            agent_id="bench",
            policy=Policy(**policy),
        )

    async def measure(self, on_begin: Callable[[], Awaitable[Any]] | None = None) -> dict[str, Any]:
        """Run all lives, and return the figures; `on_begin` is called when all is prepared."""
        kafka = find_kafka(self.endpoints)
        consumer = kafka.make_consumer(TOPIC_OF[JobChanged])
        await consumer.start()
        await consumer.seek_to_end()
        await self._run_together(self._create(n) for n in range(len(self.ids)) if DOORS[n % 3] != "event")
        http = aiohttp.ClientSession(
            self.endpoints["http"], headers={"Authorization": f"Bearer {self.endpoints['token']}"}
        )
        producer = kafka.make_producer(acks="all")
        await producer.start()
        ask: dict[str, Callable[[int], Awaitable[Any]]] = {
            "grpc": lambda n: self.client.execute_job(self.ids[n]),
            "rest": lambda n: self._execute_by_rest(http, n),
            "event": lambda n: self._publish_event(producer, n),
        }
        if on_begin is not None:
            await on_begin()
        processes = self.endpoints["processes"]
        before, started = read_cpu(processes), time.perf_counter()
        watching = asyncio.create_task(self._watch(consumer))
        await self._run_paced(lambda n: ask[DOORS[n % 3]](n))
        await asyncio.wait_for(watching, 120)
        took = max(self.ended.values()) - started
        used = compare(before, read_cpu(processes))
        await asyncio.gather(consumer.stop(), http.close(), producer.stop())
        return self._make_figures(took, used)

    async def _create(self, number: int) -> None:
        await self.client.create_job(self.make_job(number))

    async def _execute_by_rest(self, http: aiohttp.ClientSession, number: int) -> None:
        async with http.post(f"/api/jobs/{self.ids[number]}/execute", json={}) as answer:
            answer.raise_for_status()

    async def _publish_event(self, producer: AIOKafkaProducer, number: int) -> None:
        event = ExecuteRequested(execution_id=new_execution_id(), job_id=self.ids[number], job=self.make_job(number))
        await producer.send_and_wait(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())

    async def _run_paced(self, ask: Callable[[int], Awaitable[Any]]) -> None:
        async def one(number: int) -> None:
            self.asked[self.ids[number]] = time.perf_counter()
            await ask(number)

        if not self.rate:
            await self._run_together(one(number) for number in range(len(self.ids)))
            return
        began, tasks = time.perf_counter(), []
        for number in range(len(self.ids)):
            await asyncio.sleep(max(0.0, began + number / self.rate - time.perf_counter()))
            tasks.append(asyncio.create_task(one(number)))
        await asyncio.gather(*tasks)

    async def _run_together(self, work: Iterable[Awaitable[Any]]) -> None:
        """Await all of it, 100 at a time."""
        places = asyncio.Semaphore(100)

        async def one(item: Awaitable[Any]) -> None:
            async with places:
                await item

        await asyncio.gather(*(one(item) for item in work))

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        """Read the facts until every job has ended."""
        left = set(self.ids)
        while left:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if is_marker(record):
                        continue
                    fact = read_fact(record.value)
                    self.facts[fact.job_id].append((fact.version, fact.job.status))
                    if fact.job.status in FINAL and fact.job_id in left:
                        left.discard(fact.job_id)
                        self.ended[fact.job_id] = time.perf_counter()

    def _make_figures(self, took: float, used: Usage) -> dict[str, Any]:
        called = [self.agent.called[i] - self.asked[i] for i in self.ids]
        ended = [self.ended[i] - self.asked[i] for i in self.ids]
        lives = len(self.ids)
        return {
            "lives_a_second": round(lives / took, 1),
            "to_call_ms": (compute_percentile(called, 50), compute_percentile(called, 99)),
            "to_final_ms": (compute_percentile(ended, 50), compute_percentile(ended, 99)),
            "cpu_ms_a_life": round(used.all_parts * 1000 / lives, 2),
            "cpu_by_part": {name: round(seconds * 1000 / lives, 2) for name, seconds in used.parts.items()},
            "facts_a_life": round(sum(map(len, self.facts.values())) / lives, 2),
            "foreign_cores": round(used.foreign / used.took_s, 2),
            "disturbed": used.is_disturbed,
            "wrong": self._find_wrong(),
        }

    def _find_wrong(self) -> list[str]:
        """List what is wrong in the facts: a gap, a repeat, another end."""
        wrong = []
        for number, job_id in enumerate(self.ids):
            versions = [version for version, _ in self.facts[job_id]]
            if versions != list(range(1, 1 + len(versions))):
                wrong.append(f"{job_id}: versions {versions}")
            if self.facts[job_id][-1][1] != MIX[number % len(MIX)][2]:
                wrong.append(f"{job_id}: ended {self.facts[job_id][-1][1]}")
        return wrong


def _connect(endpoints: dict[str, Any]) -> AsyncClient:
    tls = name_tls(endpoints["jobstore_ca"], None, None)
    return AsyncClient(endpoints["grpc"], endpoints["token"], timeout_s=60, credentials=tls)


def find_kafka(endpoints: dict[str, Any]) -> KafkaAccess:
    """Return how the brokers of a running system are reached, as its operator."""
    settings = {f"kafka_{name}": value for name, value in endpoints["kafka_settings"].items()}
    return KafkaAccess.of(KafkaFields(kafka=endpoints["kafka"], **settings))


def compute_percentile(seconds: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return round(statistics.quantiles(seconds, n=100)[percent - 1] * 1000, 1)


@dataclass(frozen=True)
class Bench:
    """A running system, the agent that it calls, and a client of it."""

    endpoints: dict[str, Any]
    agent: Agent
    client: AsyncClient
    database: asyncpg.Connection

    async def run(
        self, jobs: int, rate: float = 0.0, on_begin: Callable[[], Awaitable[Any]] | None = None
    ) -> dict[str, Any]:
        """Run one round, and return its figures. Each fact must be right."""
        figures = await Run(self.endpoints, self.agent, self.client, jobs, rate).measure(on_begin)
        if figures["wrong"]:
            raise SystemExit(f"WRONG: {figures['wrong'][:5]}")
        return figures


@asynccontextmanager
async def run_bench(*options: str) -> AsyncIterator[Bench]:
    """Run the whole system in a folder that is thrown away, with the agent `bench`; `options` are of `signoff up`."""
    agent, app = Agent(), web.Application()
    app.router.add_post("/agent", agent.on_call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/agent"
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as data:
        async with run_system(Path(data), *options) as endpoints, _connect(endpoints) as client:
            await client.create_agent(NewAgent(id="bench", name="bench", url=url))
            database = await asyncpg.connect(endpoints["postgres"])
            files = {"logs": f"{data}/logs", "file": f"{data}/endpoints.json"}
            yield Bench({**endpoints, **files}, agent, client, database)
            await database.close()
    await runner.cleanup()


async def main() -> None:
    """Run the rounds; the status is 1 unless every fact is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0 asks for all at once")
    parser.add_argument("--rounds", type=int, default=3, help="undisturbed ones; twice as many are tried")
    arguments = parser.parse_args()
    async with run_bench() as bench:

        async def run(name: str = "round") -> dict[str, Any]:
            figures = await bench.run(arguments.jobs, arguments.rate)
            setting = {"jobs": arguments.jobs, "rate": arguments.rate}
            print(f"{name}: {json.dumps({**figures, **setting, 'wrong': 0})}", flush=True)
            return figures

        await run("warm-up")
        await repeat(run, arguments.rounds)
    print("every transition of every job is in job-changed, in order")


if __name__ == "__main__":
    uvloop.run(main())
