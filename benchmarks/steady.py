"""Run lives at a rate under a retention, and say each minute how large tables, topics and processes are.

Lives come by all three doors. The figures of the last minutes are fitted by a line: by how much it rises or falls over
them, as a share of their mean, is the drift of each. Lines of removed jobs stay for 30 days at least, and are told
apart.

make bench OF=steady ARGS="--minutes 60 --rate 20 --retention 600"
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import uuid4

import aiohttp
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from lives import DOORS, FINAL, MIX, Bench, compute_percentile, find_kafka, read_fact, run_bench
from measuring import figures
from measuring.host import STANDING_IN, measure_memory

from contracts.events import ExecuteRequested, JobChanged
from contracts.resources import NewJob, Policy
from contracts.signing import is_marker
from contracts.topics import TOPIC_OF
from signoff.values import new_execution_id

MIB: Final = 1 << 20
#: The last minutes, which are compared; of a run that is shorter, a third.
LAST_MINUTES: Final = 20
#: Minutes at the begin that are no measure of what follows.
WARM_MINUTES: Final = 2
DRIFT_MAX: Final = 0.10
#: Of how long others wait, with removal beside them and before.
SLOWER_MAX: Final = 1.33
#: A list is asked for so often.
PROBED_EVERY_S: Final = 0.5
#: Statuses of jobs, each kept for the retention.
KEPT: Final = ("completed_s", "failed_s", "rejected_s", "resubmission_required_s", "cancelled_s", "operations_s")
#: What must end flat.
FLAT: Final = ("tables_mib", "topics_mib", "memory_mib")

_TABLES: Final = """
SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
#: The entries that stay of removed jobs, and their executions: their number, and their bytes without indexes.
_LINES: Final = """
SELECT count(*) AS number, coalesce(sum(pg_column_size(l.*)), 0)::bigint
    + coalesce((SELECT sum(pg_column_size(e.*)) FROM executions e
        WHERE e.job_id = ANY (SELECT job_id FROM job_logs WHERE kind = 'removed')), 0)::bigint AS bytes
FROM job_logs l WHERE kind = 'removed'"""


class Load:
    """Ask for lives at a rate, by each door in turn, and for a list; note how long each took."""

    def __init__(self, bench: Bench, rate: float) -> None:
        self._bench, self._rate = bench, rate
        self._asked: dict[str, float] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self.lives: list[float] = []
        self.lists: list[float] = []
        self.failed: list[str] = []

    async def run(self) -> None:
        """Ask for lives, for ever."""
        kafka, bearer = find_kafka(self._bench.endpoints), {"Authorization": f"Bearer {self._bench.endpoints['token']}"}
        consumer, producer = kafka.make_consumer(TOPIC_OF[JobChanged]), kafka.make_producer(acks="all")
        await consumer.start()
        await producer.start()
        await consumer.seek_to_end()
        try:
            async with aiohttp.ClientSession(self._bench.endpoints["http"], headers=bearer) as http:
                await asyncio.gather(self._pace(http, producer), self._watch(consumer), self._probe(http))
        finally:
            await asyncio.gather(consumer.stop(), producer.stop())

    async def _pace(self, http: aiohttp.ClientSession, producer: AIOKafkaProducer) -> None:
        began, number = time.perf_counter(), 0
        while True:
            await asyncio.sleep(max(0.0, began + number / self._rate - time.perf_counter()))
            asking = asyncio.create_task(self._ask(number, http, producer))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            number += 1

    async def _ask(self, number: int, http: aiohttp.ClientSession, producer: AIOKafkaProducer) -> None:
        answer, policy, _ = MIX[number % len(MIX)]
        job = NewJob(
            id=f"steady-{uuid4().hex}",
            title="A life",
            acceptance_criteria='Says "blue"\nIs not empty',
            payload={"answer": answer, "filler": "p" * 200},
            agent_id="bench",
            policy=Policy(**policy),
        )
        assert job.id is not None
        self._asked[job.id] = time.perf_counter()
        try:
            match DOORS[number % len(DOORS)]:
                case "grpc":
                    await self._bench.client.create_job(job)
                    await self._bench.client.execute_job(job.id)
                case "rest":
                    body = job.model_dump(mode="json", exclude_defaults=True)
                    async with http.post("/api/jobs", json=body) as made:
                        made.raise_for_status()
                    async with http.post(f"/api/jobs/{job.id}/execute", json={}) as executed:
                        executed.raise_for_status()
                case _:
                    event = ExecuteRequested(execution_id=new_execution_id(), job_id=job.id, job=job)
                    await producer.send_and_wait(TOPIC_OF[ExecuteRequested], event.model_dump_json().encode())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted, and the load goes on
            self.failed.append(repr(error))

    async def _watch(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            if is_marker(record):
                continue
            fact = read_fact(record.value)
            if fact.job.status in FINAL and (asked := self._asked.pop(fact.job_id, None)) is not None:
                self.lives.append(time.perf_counter() - asked)
                self._bench.agent.called.pop(fact.job_id, None)

    async def _probe(self, http: aiohttp.ClientSession) -> None:
        while True:
            began = time.perf_counter()
            async with http.get("/api/jobs", params={"page_size": "50"}) as answer:
                await answer.read()
            self.lists.append(time.perf_counter() - began)
            await asyncio.sleep(PROBED_EVERY_S)

    def take(self) -> dict[str, float]:
        """Return the figures since the last call."""
        taken = {
            "lives": len(self.lives),
            "under_way": len(self._asked),
            "life_p99_ms": compute_percentile(self.lives, 99) if len(self.lives) > 1 else 0.0,
            "list_p99_ms": compute_percentile(self.lists, 99) if len(self.lists) > 1 else 0.0,
            "failed": len(self.failed),
        }
        if self.failed:
            print(f"failed: {self.failed[0]}", flush=True)
        self.lives, self.lists, self.failed = [], [], []
        return taken


async def measure(bench: Bench, archive: Path) -> dict[str, float]:
    """Measure how large all is now."""
    lines = await bench.database.fetchrow(_LINES)
    assert lines is not None
    tables = await bench.database.fetchval(_TABLES)
    memory = measure_memory(bench.endpoints["processes"])
    return {
        "jobs": await bench.database.fetchval("SELECT count(*) FROM jobs"),
        "lines": lines["number"],
        "tables_mib": (tables - lines["bytes"]) / MIB,
        "lines_mib": lines["bytes"] / MIB,
        "topics_mib": sum_sizes(Path(bench.endpoints["data_dir"]) / "kafka", "*.log*") / MIB,
        "archive_mib": sum_sizes(archive, "*") / MIB,
        "memory_mib": sum(mib for name, mib in memory.items() if name not in STANDING_IN),
    }


def sum_sizes(folder: Path, pattern: str) -> int:
    """Sum the bytes of files, of which some may go meanwhile."""
    total = 0
    for file in folder.rglob(pattern):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def find_drift(values: Sequence[float]) -> float:
    """Return by how much of their mean values rise, or fall, from the first to the last, by the line that fits best."""
    mean = statistics.mean(values)
    slope = statistics.linear_regression(range(len(values)), values).slope
    return slope * (len(values) - 1) / mean if mean else 0.0


def judge(minutes: Sequence[Mapping[str, float]]) -> tuple[list[tuple[str, str, str]], bool]:
    """Return the rows of the table, and whether the end is flat and nobody waits for longer than before removal."""
    last = minutes[-min(LAST_MINUTES, max(2, len(minutes) // 3)) :]
    rows, is_well = [], True
    for name in FLAT:
        values = [each[name] for each in last]
        drift = find_drift(values)
        is_well &= abs(drift) <= DRIFT_MAX
        mean, spread = statistics.mean(values), f"{min(values):,.0f} to {max(values):,.0f}"
        rows.append((name.replace("_mib", ", MiB"), f"{mean:,.0f}", f"{spread}; drift {drift:+.1%}"))
    before = [each for each in minutes[WARM_MINUTES:] if not each["lines"]]
    for name in ("life_p99_ms", "list_p99_ms"):
        after_ms = statistics.median(each[name] for each in last)
        ratio = after_ms / statistics.median(each[name] for each in before) if before else None
        is_well &= ratio is None or ratio <= SLOWER_MAX
        words = "nothing was measured before removal" if ratio is None else f"{ratio:.2f} of before removal"
        rows.append((name.replace("_p99_ms", ", p99 ms"), f"{after_ms:,.0f}", words))
    end = last[-1]
    rows += [
        ("jobs", f"{end['jobs']:,.0f}", "in the last minute"),
        ("lines of removed jobs", f"{end['lines']:,.0f}", f"{end['lines_mib']:,.0f} MiB, which are not in the tables"),
        ("archive, MiB", f"{end['archive_mib']:,.0f}", "which grows"),
        ("failed requests", f"{sum(each['failed'] for each in minutes):,.0f}", "of all minutes"),
    ]
    return rows, is_well and not any(each["failed"] for each in minutes)


@asynccontextmanager
async def run_kept(retention_s: float) -> AsyncIterator[tuple[Bench, Path]]:
    """Run a system that keeps jobs, records and facts for so long, with its archive."""
    with TemporaryDirectory(prefix="signoff-archive-") as archive:
        os.environ |= {
            "SIGNOFF_ARCHIVE": archive,
            "SIGNOFF_ARCHIVE_EVERY_S": f"{min(60.0, retention_s / 10):g}",
            "SIGNOFF_CHECKPOINT_EVERY_S": f"{max(60.0, retention_s / 2):g}",
            "SIGNOFF_FACTS_KEPT_S": f"{retention_s:g}",
            "SIGNOFF_WORK_KEPT_S": f"{retention_s:g}",
            "SIGNOFF_RESULT_REUSE_AGE_S": "0",
        }
        async with run_bench() as bench:
            bearer = {"Authorization": f"Bearer {bench.endpoints['token']}"}
            async with (
                aiohttp.ClientSession(bench.endpoints["http"], headers=bearer) as http,
                http.put("/api/retentions/tenant:*", json=dict.fromkeys(KEPT, retention_s)) as answer,
            ):
                if not answer.ok:
                    raise SystemExit(f"the retention is refused: {await answer.text()}")
            yield bench, Path(archive)


async def main() -> None:
    """Run, print a line each minute, and the table; the status is 1 unless the end is flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=20.0, help="lives a second")
    parser.add_argument("--retention", type=float, default=600.0, help="seconds for which jobs are kept, 60 at least")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    arguments = parser.parse_args()
    minutes: list[dict[str, Any]] = []
    async with run_kept(arguments.retention) as (bench, archive):
        version = await figures.find_version(bench.database)
        load = Load(bench, arguments.rate)
        running, began = asyncio.create_task(load.run()), time.monotonic()
        try:
            for minute in range(1, arguments.minutes + 1):
                await asyncio.wait({running}, timeout=max(0.0, began + 60 * minute - time.monotonic()))
                if running.done():
                    running.result()
                figures_now = {"minute": minute, **load.take(), **await measure(bench, archive)}
                minutes.append(figures_now)
                print(json.dumps({name: round(value, 1) for name, value in figures_now.items()}), flush=True)
        finally:
            running.cancel()
            await asyncio.wait({running})
    rows, is_well = judge(minutes)
    lines = figures.make_table(("what", "in the last minutes", "how"), rows)
    print("\n".join(lines))
    if not arguments.dry:
        figures.write_section("steady", sys.argv[1:], {"PostgreSQL": version}, lines)
    print("it ends flat" if is_well else "IT DOES NOT END FLAT, or others wait for longer")
    sys.exit(not is_well)


if __name__ == "__main__":
    uvloop.run(main())
