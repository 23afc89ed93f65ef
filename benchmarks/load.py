"""Measure what foreign load does: programs of others drive every door beyond saturation, with much stored.

ghz calls gRPC, autocannon REST, librdkafka writes to topics; watchers of both doors read nothing, and connections stand
idle. Said of each door: what it answered; of each service: its memory; of workers: which of their calls failed; of an
open page: how late it is told of changes; and how long afterwards a life takes as long as before. Ends with status 1 at
an answer that is no clear refusal, at a 429 that does not say by Retry-After when to come again, at a worker's call
that failed, at a page that is told later than 10 s, at memory that grows by more than a tenth from the first half of
the load to the second, or without recovery within 10 s.

    .venv/bin/python benchmarks/load.py [--seconds 600] [--jobs 1000000] [--dry]
"""

import argparse
import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import uvloop
from lives import Bench, compute_percentile, run_bench
from measuring import foreign, seeding
from measuring.figures import find_version, make_table, write_section
from measuring.host import measure_memory

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, to_call_begun
from contracts.resources import NewAgent
from contracts.topics import TOPIC_OF
from signoff import AsyncClient
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.values import new_execution_id

JOB = {"title": "Foreign", "acceptance_criteria": "Is not empty", "tenant": "foreign", "agent_id": "paused"}
CALLS: Mapping[str, Any] = {
    "CreateJob": {"job": {**JOB, "id": "{{.UUID}}", "payload_json": '{"n": {{.RequestNumber}}}'}},
    "GetJob": {"job_id": "job-00000777"},
    "ListJobs": {"page_size": 100},
    "ListJobLogs": {"job_id": "job-00000777"},
    "CountJobs": {},
}
REQUESTS = (
    ("POST", "/api/jobs", json.dumps(JOB)),
    ("POST", "/api/jobs/job-00000777/execute", "{}"),  # refused: the job is done
    ("GET", "/api/jobs?page_size=100&status=COMPLETED"),
    ("GET", "/api/jobs/job-00000777/logs"),
    ("GET", "/api/overview?range=1h"),
)
#: What is no error: it was done, or clearly refused. 409 is what the request for a job that is done gets.
CLEAR = {"OK", "RESOURCE_EXHAUSTED", "200", "201", "409", "429"}
GROUPS = {
    ExecuteRequested: "signoff-executor",
    CancelRequested: "signoff-jobstore-cancels",
    JobStatusReported: "signoff-jobstore-reports",
}
SAMPLE_S, WINDOW = 5.0, 60
RECOVERY_MAX_S = 10.0
PAGE_MAX_MS = 10_000.0
#: By how much more than in the first half of the load a service may hold in the second: memory is flat.
FLAT, FLAT_MIB = 1.1, 16
#: Whose memory is their own affair.
BACKING = {"kafka", "postgres"}
TOO_MANY = 429
#: How much longer than before the load a life may take to count as recovered: the bound of what figures are believed.
RECOVERED = 1.33


def make_record(event: type[Any], number: int) -> bytes:
    """Make a record: an upstream's request of a job, which in one case of twenty is carried out; or of no use."""
    ids = {"execution_id": str(new_execution_id()), "job_id": f"foreign:{uuid4().hex}"}
    if event is CancelRequested:
        return json.dumps({**ids, "reason": "foreign"}).encode()
    if event is JobStatusReported:
        return to_call_begun(new_execution_id(), ids["job_id"], 1, 1, datetime.now(UTC)).model_dump_json().encode()
    answer = {"payload": {"answer": {"text": "a"}}, "agent_id": "bench"} if number % 20 == 0 else {}
    return json.dumps({**ids, "job": {**JOB, **answer}}).encode()


@asynccontextmanager
async def hold_watchers(endpoints: Mapping[str, Any], count: int) -> AsyncIterator[None]:
    """Hold watchers of both doors who read nothing, and as many idle connections."""
    host, _, port = endpoints["http"].removeprefix("http://").rpartition(":")
    request = f"GET /api/events?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {endpoints['token']}\r\n\r\n"
    loop, held = asyncio.get_running_loop(), []
    async with grpc.aio.insecure_channel(endpoints["grpc"]) as channel:
        watch = JobServiceStub(channel).WatchJobs
        metadata = (("authorization", f"Bearer {endpoints['token']}"),)
        calls = [watch(jobs_pb.WatchJobsRequest(after=0), metadata=metadata) for _ in range(count)]
        for number in range(2 * count):
            transport, _ = await loop.create_connection(asyncio.Protocol, host, int(port))
            if number % 2:
                transport.pause_reading()
                transport.write(request.encode())
            held.append(transport)
        try:
            yield
        finally:
            for call in calls:
                call.cancel()
            for transport in held:
                transport.abort()


async def drive(bench: Bench, folder: Path, arguments: argparse.Namespace) -> list[foreign.Answers]:
    """Drive every door at once; return what each answered."""
    ends, stop, bounds = bench.endpoints, threading.Event(), {"seconds": arguments.seconds}
    calls = [
        foreign.call_grpc(
            *(folder, ends["grpc"], ends["token"], f"signoff.v1.JobService.{name}", data),
            callers=arguments.callers // len(CALLS),
            **bounds,
        )
        for name, data in CALLS.items()
    ]
    requests = [
        foreign.call_rest(
            *(folder, ends["http"], ends["token"], request), callers=arguments.callers // len(REQUESTS), **bounds
        )
        for request in REQUESTS
    ]
    loads = [
        foreign.RecordLoad(
            *(ends["kafka"], TOPIC_OF[event], group, lambda number, event=event: make_record(event, number)),
            waiting=arguments.records // (1 if event is ExecuteRequested else 10),
        )
        for event, group in GROUPS.items()
    ]
    writing = [asyncio.to_thread(load.run, arguments.seconds, stop) for load in loads]
    try:
        return await asyncio.gather(*calls, *requests, *writing)
    finally:
        stop.set()


async def sample_memory(bench: Bench, samples: list[dict[str, float]]) -> None:
    """Note the memory of each service now and then, until cancelled."""
    while True:
        samples.append(await asyncio.to_thread(measure_memory, seeding.read_processes(bench.endpoints)))
        await asyncio.sleep(SAMPLE_S)


async def look_at_page(endpoints: Mapping[str, Any], ages_s: list[float]) -> None:
    """Note, until cancelled, how old each change is when an open page is told of it."""
    headers = {"Authorization": f"Bearer {endpoints['token']}"}
    forever = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(endpoints["http"], headers=headers, timeout=forever) as session,
        session.get("/api/events") as response,
    ):
        async for line in response.content:
            if line.startswith(b"data:") and (entry := json.loads(line.removeprefix(b"data:")).get("log")):
                age = datetime.now(UTC) - datetime.fromisoformat(entry["created_at"])
                ages_s.append(age.total_seconds())


async def look_at_refusals(endpoints: Mapping[str, Any], found: Counter[str]) -> None:
    """Count, until cancelled, the REST refusals that say when to come again, and those that do not."""
    headers = {"Authorization": f"Bearer {endpoints['token']}"}
    async with aiohttp.ClientSession(endpoints["http"], headers=headers) as session:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get("/api/jobs?page_size=100&status=COMPLETED") as response:
                    if response.status == TOO_MANY:
                        found["with" if is_delay(response.headers.get("Retry-After")) else "without"] += 1
            await asyncio.sleep(0.1)


def is_delay(retry_after: str | None) -> bool:
    """Whether a Retry-After says so many seconds, one at least."""
    return retry_after is not None and retry_after.isdecimal() and int(retry_after) > 0


async def measure_recovery(bench: Bench, before_ms: float, rate: float) -> float | None:
    """Return after how many seconds lives take as long as before; None: they do not in time."""
    began = time.monotonic()
    while (begun_s := time.monotonic() - began) < RECOVERY_MAX_S:
        figures = await bench.run(WINDOW, rate)
        print(json.dumps({"after_s": round(begun_s, 1), "to_final_ms": figures["to_final_ms"]}), flush=True)
        if figures["to_final_ms"][1] <= before_ms * RECOVERED:
            return round(begun_s, 1)
    return None


def read_failures(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Return from the logs the calls of workers that failed, by method and status, and the errors of all services."""
    calls: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for file in folder.glob("*.log*"):
        with file.open(errors="replace") as lines:
            for line in lines:
                if "WorkService" in line or '"ERROR"' in line:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if "WorkService" in entry.get("method", ""):
                        calls[f"{entry['method'].rpartition('/')[2]} {entry['status']}"] += 1
                    if entry["level"] == "ERROR":
                        errors[f"{entry['service']}: {entry['message'][:60]}"] += 1
    return calls, errors


def show_memory(samples: list[dict[str, float]]) -> list[tuple[str, int, int, int, int]]:
    """Return the rows of a table: MiB of each service at the begin, and at most in each half of the load."""
    half = len(samples) // 2
    parts = [[each[name] for each in samples if name in each] for name in samples[0]]
    rows = zip(samples[0], parts, strict=True)
    return [(n, round(of[0]), round(max(of[: half + 1])), round(max(of[half:])), round(of[-1])) for n, of in rows]


def tell_of_memory(samples: list[dict[str, float]]) -> str:
    """Say how many MiB each service of ours held in the course of the load."""
    some = samples[:: max(1, len(samples) // 10)]
    names = [name for name in samples[0] if name not in BACKING]
    held = [f"{name} {' '.join(str(round(of[name])) for of in some if name in of)}" for name in names]
    return f"In its course, in MiB: {'; '.join(held)}."


def find_growth(samples: list[dict[str, float]]) -> dict[str, str]:
    """Return the services of ours whose memory was not flat under load, each with its MiB at most in each half."""
    most = {name: (first, second) for name, _, first, second, _ in show_memory(samples) if name not in BACKING}
    return {
        str(name): f"{first} to {second} MiB"
        for name, (first, second) in most.items()
        if second > max(first * FLAT, first + FLAT_MIB)
    }


def tell_of_lives(before_ms: float, beside_ms: tuple[float, float], recovery_s: float | None) -> list[str]:
    """Say how long lives took: before (p99), beside those who read nothing (p50 and p99), and after the load."""
    again = "not" if recovery_s is None else f"{recovery_s:g} s"
    p50, p99 = beside_ms
    return [
        f"A life took {before_ms:g} ms (p99) before, and again {again} after the end.",
        f"While the watchers came, and beside them, it took {p50:g} ms (p50; p99 {p99:g}).",
    ]


async def add_foreign(client: AsyncClient) -> None:
    """Register the tenant of the foreign jobs, and their agent, which begins none."""
    await client.create_tenant(name="foreign")
    await client.create_agent(NewAgent(id="paused", name="paused", url="http://127.0.0.1:9/"))
    await client.pause("agent:paused")


async def main() -> int:
    """Measure; the status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0, help="of load")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="stored before")
    parser.add_argument("--callers", type=int, default=2_000, help="of gRPC, and of REST")
    parser.add_argument("--records", type=int, default=5_000, help="that wait in a topic")
    parser.add_argument("--watchers", type=int, default=2_000, help="of each door, who read nothing")
    parser.add_argument("--rate", type=float, default=20.0, help="lives a second before and after")
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    folder, samples = foreign.fetch(), []
    async with run_bench() as bench:
        await add_foreign(bench.client)
        version = await find_version(bench.database)

        async def store() -> None:
            await seeding.store_jobs(bench.database, arguments.jobs)
            await seeding.settle(bench.endpoints["postgres"])

        await seeding.while_all_stopped(bench.endpoints, bench.client, store)
        await bench.run(2 * WINDOW, arguments.rate)
        before_ms = (await bench.run(5 * WINDOW, arguments.rate))["to_final_ms"][1]
        calls_before, errors_before = read_failures(Path(bench.endpoints["logs"]))
        sampling = asyncio.create_task(sample_memory(bench, samples))
        refusals: Counter[str] = Counter()
        looking = asyncio.create_task(look_at_refusals(bench.endpoints, refusals))
        async with hold_watchers(bench.endpoints, arguments.watchers):
            beside_ms = (await bench.run(5 * WINDOW, arguments.rate))["to_final_ms"]
            ages_s: list[float] = []
            page = asyncio.create_task(look_at_page(bench.endpoints, ages_s))
            answers = await drive(bench, folder, arguments)
            page.cancel()
        looking.cancel()
        grown = find_growth(samples)
        recovery_s = await measure_recovery(bench, before_ms, arguments.rate)
        sampling.cancel()
        calls, errors = read_failures(Path(bench.endpoints["logs"]))
        restarted = seeding.read_processes(bench.endpoints) != bench.endpoints["processes"]
    calls, errors = calls - calls_before, errors - errors_before
    unclear = {each.door: {c: n for c, n in each.codes.items() if c not in CLEAR} for each in answers}
    unclear = {door: codes for door, codes in unclear.items() if codes}
    rows = [
        (each.door, round(each.a_second), "-" if each.p99_ms is None else round(each.p99_ms), _show(each.codes))
        for each in answers
    ]
    page_ms, late_ms = (compute_percentile(ages_s, percent) for percent in (50, 99))
    lines = [
        *make_table(("door", "requests/s", "p99 ms", "answers"), rows),
        "",
        *make_table(("MiB of", "at the begin", "first half, most", "second half, most", "after"), show_memory(samples)),
        "",
        tell_of_memory(samples),
        f"Workers' calls that failed: {_show(calls) or 'none'}. Errors in logs: {_show(errors) or 'none'}.",
        *tell_of_lives(before_ms, beside_ms, recovery_s),
        f"An open page was told of {len(ages_s)} changes under load: {page_ms} ms after it (p50), {late_ms} (p99).",
    ]
    print("\n".join(lines))
    print(json.dumps({"unclear": unclear, "restarted": restarted, "grown": grown, "Retry-After": refusals}))
    if not arguments.dry:
        held = f"{arguments.watchers} watchers of each who read nothing, and as many idle connections"
        about = (
            f"{arguments.seconds:g} s; {arguments.jobs} jobs stored; {arguments.callers} callers of each door, {held}."
        )
        write_section("load", sys.argv[1:], {"PostgreSQL": version}, [about, "", *lines])
    is_wrong = unclear or calls or errors or restarted or grown or refusals["without"] or late_ms > PAGE_MAX_MS
    return int(bool(is_wrong or recovery_s is None))


def _show(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
