"""Measure judging stored results again as a shadow, against a judge that answers at once.

A validator is killed on the way: what it held is asked for again, and nothing is recorded twice. A second shadow is
aborted: how long the judge is still asked, and when the operation has ended. Prints a JSON line, with the CPU of each
part until the validator is killed, and writes docs/performance.md. Ends with status 1 unless every result has one
verdict, none was recorded twice, the judge was asked no more often than there are results and what was under way, there
were at least 300 verdicts a second, and the aborted shadow had ended within a second.

    make bench OF=judging/rejudge ARGS="--jobs 100000"
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from typing import Any, Final

import uvloop
from aiohttp import web
from lives import Bench, run_bench
from measuring import seeding
from measuring.figures import find_version, make_table, write_section
from measuring.host import compare, read_cpu

from contracts.resources import JobFilter, NewOperation

CRITERION: Final = "Names both parties"
#: What every result was told before; now it is told the contrary.
VERDICT: Final = {
    "is_valid": True,
    "reason": "it does",
    "criteria": [{"text": CRITERION, "outcome": "pass", "required": True, "kind": "meets", "comment": ""}],
}
#: The part of the results after which the validator is killed, and the second shadow is aborted.
KILLED_AFTER: Final = 0.3
ABORTED_AFTER: Final = 0.1
#: The most that a validator holds: it judges half of its capacity at once, and reports as much.
HELD_MAX: Final = 200
A_SECOND_MIN: Final = 300
ABORT_MAX_S: Final = 1.0


class Judge:
    """Fail the one criterion of every question, at once, and count."""

    def __init__(self) -> None:
        self.asked, self.asked_at = 0, 0.0
        said = {"c1": {"evidence": None, "comment": "no", "outcome": "fail"}, "reason": "no"}
        message = {"role": "assistant", "content": json.dumps(said)}
        usage = {"prompt_tokens": 300, "completion_tokens": 30, "total_tokens": 330}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "at-once", "usage": usage}
        self._body = json.dumps(body | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one question."""
        await request.read()
        self.asked, self.asked_at = self.asked + 1, time.monotonic()
        return web.Response(text=self._body, content_type="application/json")


async def serve(judge: Judge) -> web.AppRunner:
    """Serve the judge, and have the validators of this benchmark ask it."""
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/chat/completions", judge.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    os.environ["OPENAI_BASE_URL"] = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    os.environ["OPENAI_API_KEY"] = "of the benchmark"
    return runner


async def store(bench: Bench, jobs: int) -> None:
    """Store jobs, each with a result and a verdict."""
    await seeding.store_jobs(bench.database, jobs)
    await bench.database.execute(
        "UPDATE job_logs SET response_payload = ('{\"result\":' || (response_payload -> 'result')::text"
        " || ',\"verdict\":' || $1 || '}')::json WHERE kind = 'met'",
        json.dumps(VERDICT),
        timeout=seeding.SQL_MAX_S,
    )
    await seeding.settle(bench.endpoints["postgres"])


async def begin(bench: Bench) -> str:
    """Begin a shadow of all results, and return its id."""
    chosen = JobFilter(created_after="2000-01-01T00:00:00Z")
    made = await bench.client.create_operation(NewOperation(kind="rejudge", shadow=True, filter=chosen))
    return str(made.id)


async def count_done(bench: Bench, operation_id: str) -> int:
    """Return how many verdicts are recorded."""
    query = "SELECT count(*) FROM judgings WHERE group_id = $1::uuid AND is_valid IS NOT NULL"
    return int(await bench.database.fetchval(query, operation_id))


async def until_done(bench: Bench, operation_id: str, number: float) -> None:
    """Wait until so many verdicts are recorded."""
    while await count_done(bench, operation_id) < number:  # noqa: ASYNC110 - told by no event
        await asyncio.sleep(0.5)


async def until_ended(bench: Bench, operation_id: str) -> None:
    """Wait until an operation has ended."""
    async for _ in bench.client.watch_operation(operation_id):
        pass


async def measure_shadow(bench: Bench, judge: Judge) -> dict[str, Any]:
    """Judge all again, and kill the validator on the way."""
    processes = bench.endpoints["processes"] | {"judge": os.getpid()}
    before, asked, began = read_cpu(processes), judge.asked, time.monotonic()
    operation_id = await begin(bench)
    total = (await bench.client.get_operation(operation_id)).total
    accepted_s = time.monotonic() - began
    await until_done(bench, operation_id, total * KILLED_AFTER)
    done, used = await count_done(bench, operation_id), compare(before, read_cpu(processes))
    os.kill(processes["validator"], signal.SIGKILL)
    killed_s = time.monotonic() - began
    resumed_s = await measure_resuming(judge)
    await until_ended(bench, operation_id)
    took_s = time.monotonic() - began
    report = await bench.client.get_rejudge_report(operation_id, page_size=1)
    cpu_ms = {name: round(seconds * 1000 / done, 2) for name, seconds in used.parts.items() if name != "judge"}
    cpu_ms["judge"] = round(used.parts["judge"] * 1000 / done - sum(cpu_ms.values()), 2)
    return {
        "results": total,
        "verdicts": report.judged,
        "refused": report.failed,
        "flipped": report.flipped,
        "a_second": round(report.judged / took_s, 1),
        "a_second_until_killed": round(done / killed_s, 1),
        "cpu_ms_a_verdict": round(sum(cpu_ms.values()), 2),
        "cpu_ms_by_part": cpu_ms,
        "resumed_s": round(resumed_s, 1),
        "accepted_s": round(accepted_s, 2),
        "took_s": round(took_s, 1),
        "asked_twice": judge.asked - asked - report.judged,
        "recorded_twice": await count_twice(bench, operation_id),
        "bytes_a_verdict": await measure_rows(bench, operation_id),
        "foreign_cores": round(used.foreign / used.took_s, 2),
    }


async def measure_resuming(judge: Judge) -> float:
    """Return after how many seconds the judge is asked again, once the validator was killed."""
    killed_at = time.monotonic()
    await asyncio.sleep(0.1)  # what was on its way comes
    asked = judge.asked
    while judge.asked == asked:  # noqa: ASYNC110 - told by no event
        await asyncio.sleep(0.05)
    return time.monotonic() - killed_at


async def count_twice(bench: Bench, operation_id: str) -> int:
    """Return how many verdicts there are beside the first on a result."""
    query = "SELECT count(*) - count(DISTINCT job_id) FROM judgings WHERE group_id = $1::uuid AND is_valid IS NOT NULL"
    return int(await bench.database.fetchval(query, operation_id))


async def measure_rows(bench: Bench, operation_id: str) -> int:
    """Return the bytes that a judging takes in its row, on average."""
    query = "SELECT avg(pg_column_size(g.*))::int FROM judgings g WHERE group_id = $1::uuid"
    return int(await bench.database.fetchval(query, operation_id))


async def measure_abort(bench: Bench, judge: Judge, total: int) -> dict[str, Any]:
    """Abort a shadow, and say for how long the judge was still asked, and when it had ended."""
    operation_id = await begin(bench)
    await until_done(bench, operation_id, total * ABORTED_AFTER)
    aborted_at = time.monotonic()
    await bench.client.cancel_operation(operation_id)
    answered_s = time.monotonic() - aborted_at
    await until_ended(bench, operation_id)
    ended_s = time.monotonic() - aborted_at
    await asyncio.sleep(1.0)
    return {
        "abort_answered_s": round(answered_s, 2),
        "abort_last_asked_s": round(max(0.0, judge.asked_at - aborted_at), 2),
        "abort_ended_s": round(ended_s, 2),
    }


async def main() -> None:
    """Measure, print, and check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    arguments = parser.parse_args()
    judge = Judge()
    runner = await serve(judge)
    async with run_bench() as bench:
        await seeding.while_all_stopped(bench.endpoints, bench.client, lambda: store(bench, arguments.jobs))
        version = await find_version(bench.database)
        figures = await measure_shadow(bench, judge)
        figures |= await measure_abort(bench, judge, figures["verdicts"])
    await runner.cleanup()
    print(json.dumps(figures))
    wrong = [
        figures["verdicts"] + sum(figures["refused"].values()) != figures["results"],
        figures["asked_twice"] > HELD_MAX,
        figures["recorded_twice"] > 0,
        figures["a_second"] < A_SECOND_MIN,
        figures["abort_ended_s"] > ABORT_MAX_S,
    ]
    if not arguments.dry:
        write_section("rejudging", sys.argv[1:], {"PostgreSQL": version}, tell(figures))
    sys.exit(any(wrong))


def tell(figures: dict[str, Any]) -> list[str]:
    """Return the lines of docs/performance.md."""
    return make_table(
        ("what", "measured"),
        [
            ("stored results judged again, as a shadow", figures["results"]),
            ("verdicts a second, with a validator killed on the way", figures["a_second"]),
            ("CPU ms a verdict, all parts", figures["cpu_ms_a_verdict"]),
            ("recorded twice; asked twice", f"{figures['recorded_twice']}; {figures['asked_twice']}"),
            ("s from the end of the validator to the next ask", figures["resumed_s"]),
            (
                "s from an abort to its answer; the last ask; the end",
                f"{figures['abort_answered_s']}; {figures['abort_last_asked_s']}; {figures['abort_ended_s']}",
            ),
        ],
    )


if __name__ == "__main__":
    uvloop.run(main())
