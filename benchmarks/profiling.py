"""Say what a life asks for, hop by hop, and where the CPU of each process goes.

First a system that notes each request lives one life at a time: statements and requests to Kafka a life, and the
timeline of the life whose length is the median. Then py-spy looks at each process of another one while lives come at a
rate, all at once, or not at all.

    .venv/bin/python benchmarks/profiling.py [lives|burst|idle] [--seconds 20] [--rate 20]
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import uvloop
from lives import Bench, run_bench
from measuring.alone import Life, run_alone
from measuring.counting import Note, RequestCounter

SERVICES = ("jobstore", "executor", "validator", "console")
OWN = re.compile(r"(contracts|servicekit|jobstore|executor|validator|console)/")
SAMPLES_HZ = 100
#: Threads that wait for work: gRPC's, and those of pools.
WAITING = re.compile(r"\((?:threading|concurrent/futures/thread)\.py(?::\d+)?\)$")
AROUND = ("BEGIN", "COMMIT", "ROLLBACK")
WARM_UP, TOP, TEXT_MAX = 3, 15, 100


async def live_alone(count: int) -> tuple[list[Life], dict[str, float]]:
    """Run lives one at a time; return them, and when the agent was called for each job."""
    with tempfile.TemporaryDirectory(prefix="signoff-counts-") as folder:
        counter = RequestCounter(Path(folder) / "counts")
        os.environ["PYTHONPATH"] = counter.path
        async with run_bench() as bench:
            async with run_alone(bench.client, bench.endpoints["kafka"], counter, "bench") as alone:
                lives = [await alone.run() for _ in range(WARM_UP + count)][WARM_UP:]
            called = dict(bench.agent.called)
        del os.environ["PYTHONPATH"]
    return lives, called


def show_requests(lives: list[Life]) -> Iterator[str]:
    """Yield what a life asks for: each kind of request with its number and its time."""
    for title, is_sql in (("statements", True), ("Kafka requests", False)):
        took: defaultdict[str, list[float]] = defaultdict(list)
        for note in (note for life in lives for note in life.notes if (note.kind == "sql") == is_sql):
            name = note.what if is_sql else f"{note.service} {note.kind} {note.what}"
            took[name].append((note.ended - note.began) * 1000)
        yield f"\n{title}, a life: {sum(map(len, took.values())) / len(lives):.1f}"
        for name, ms in sorted(took.items(), key=lambda item: -len(item[1])):
            yield f"{len(ms) / len(lives):6.2f}  {sum(ms) / len(ms):6.2f} ms  {name[:TEXT_MAX]}"


def show_timeline(lives: list[Life], called: dict[str, float]) -> Iterator[str]:
    """Yield the hops of the life whose length is the median, in ms since it was asked for."""
    life = sorted(lives, key=lambda each: each.ended - each.asked)[len(lives) // 2]
    hops = [(called[life.job_id], 0.0, "agent: called"), (life.ended, 0.0, "the last fact is seen")]
    hops += [(began, ended - began, text) for began, ended, text in find_hops(life.notes)]
    yield f"\nthe median life of {len(lives)}, from the request on: ms, took"
    for began, took, text in sorted(hops):
        if began + took >= life.asked:
            yield f"{(began - life.asked) * 1000:8.1f} {took * 1000:7.1f}  {text}"


def find_hops(notes: Iterable[Note]) -> Iterator[tuple[float, float, str]]:
    """Yield each transaction, whose statements are one hop, and each request to Kafka: when it began and ended."""
    open_: defaultdict[int, list[Note]] = defaultdict(list)
    for note in notes:
        if note.kind != "sql":
            yield note.began, note.ended, f"{note.service}: {note.kind} {note.what}"
            continue
        statements = open_[note.connection]
        statements.append(note)
        if note.ends:
            dearest = max(statements, key=lambda each: (not each.what.startswith(AROUND), each.ended - each.began))
            text = f"{note.service}: {len(statements)} statements, above all {dearest.what[:TEXT_MAX]}"
            yield statements[0].began, note.ended, text
            statements.clear()


async def look(bench: Bench, arguments: argparse.Namespace, folder: Path) -> None:
    """Let py-spy look at each service while lives come."""
    spy = Path(sys.executable).with_name("py-spy")
    options = ["--duration", str(arguments.seconds), "--rate", str(SAMPLES_HZ), "--format", "raw"]
    spies = [
        await asyncio.create_subprocess_exec(
            *(spy, "record", "--pid", str(bench.endpoints["processes"][name]), *options, "--output", folder / name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        for name in SERVICES
    ]
    ends = asyncio.gather(*(each.communicate() for each in spies))
    while not ends.done() and arguments.what != "idle":
        await bench.run(arguments.burst) if arguments.what == "burst" else await bench.run(
            round(arguments.rate), arguments.rate
        )
    for each, (_, errors) in zip(spies, await ends, strict=True):
        if each.returncode:
            raise SystemExit(f"py-spy: {errors.decode()}")


def show_samples(name: str, samples: str) -> Iterator[str]:
    """Yield where a process spends its time: by package, where it is, and by function of ours, with what that calls."""
    packages, functions = Counter[str](), Counter[str]()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        if WAITING.search(stack):
            continue
        frames = [re.sub(r":\d+\)$", ")", frame) for frame in stack.split(";")]
        where = re.search(r"\((?:.*site-packages/)?([^/)]+)", frames[-1])
        packages[where[1] if where else "?"] += int(count)
        for frame in {frame for frame in frames if OWN.search(frame)}:
            functions[frame] += int(count)
    total = max(1, packages.total())
    yield f"\n{name}: {total / SAMPLES_HZ:.1f} s busy"
    for title, counts in (("it is in", packages), ("below", functions)):
        listed = (f"{100 * count / total:5.1f} %  {what[:TEXT_MAX]}" for what, count in counts.most_common(TOP))
        yield from (f"  {title} {line}" for line in listed)


async def main() -> None:
    """Count, then look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["lives", "burst", "idle"], default="lives")
    parser.add_argument("--alone", type=int, default=20, help="lives one at a time; 0 leaves them out")
    parser.add_argument("--seconds", type=int, default=20, help="how long py-spy looks; 0 leaves it out")
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--burst", type=int, default=1_000, help="lives at once")
    arguments = parser.parse_args()
    if arguments.alone:
        lives, called = await live_alone(arguments.alone)
        print("\n".join([*show_requests(lives), *show_timeline(lives, called)]))
    if arguments.seconds:
        with tempfile.TemporaryDirectory(prefix="signoff-samples-") as folder:
            async with run_bench() as bench:
                await bench.run(100)
                await look(bench, arguments, Path(folder))
            for name in SERVICES:
                print("\n".join(show_samples(name, (Path(folder) / name).read_text())))


if __name__ == "__main__":
    uvloop.run(main())
