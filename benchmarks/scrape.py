"""Measure a scrape of a jobstore that has met more of everything than it names: its series, and the CPU it takes.

Each method of gRPC has ended by each code that there is for it; 10,000 agents, judge policies and codes of failures,
and 1,000 tenants were seen; each bucket of each time has an exemplar. Prints a line for each format.

    .venv/bin/python benchmarks/scrape.py [--rounds 50]
"""

import argparse
import json
import time
from datetime import UTC, datetime
from importlib import import_module
from statistics import median
from types import SimpleNamespace
from typing import Any, Final
from uuid import uuid4

import grpc

from contracts.access import ACCESS
from jobstore.api.server import DURATIONS, REQUESTS, UNKNOWN
from jobstore.insights import measures
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.store import DECISIONS
from servicekit.metrics import LIFE_BUCKETS, write

AGENTS, TENANTS = 10_000, 1_000
ENDS: Final = ("completed", "failed", "rejected", "resubmission_required", "cancelled")
#: Codes by which no call ends of a method that is there.
NEVER: Final = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS, grpc.StatusCode.UNIMPLEMENTED}
#: What asks for each format, as Prometheus does.
FORMATS: Final = {"text": "text/plain;version=0.0.4", "OpenMetrics": "application/openmetrics-text;version=1.0.0"}


def fill() -> None:
    """Count what a busy jobstore counts."""
    import_module("jobstore.app")  # whose modules have all families
    for method in (each.removeprefix("/") for each in ACCESS):
        DURATIONS.labels(method).observe(0.1)
        for code in set(grpc.StatusCode) - NEVER:
            REQUESTS.labels(method, code.name).inc()
    DURATIONS.labels(UNKNOWN).observe(0.1)
    REQUESTS.labels(UNKNOWN, grpc.StatusCode.UNIMPLEMENTED.name).inc()
    for kind in TransitionKind:
        for outcome in ("recorded", "repeat", "stale_lease", "unknown_execution"):
            DECISIONS.labels(kind.value, outcome).inc()
    measures.note(_make_entry(number) for number in range(AGENTS * len(ENDS)))


def _make_entry(number: int) -> Any:
    agent, column = number % AGENTS, ENDS[number // AGENTS]
    row = {
        "created_at": datetime.now(UTC),
        "execution_id": uuid4(),
        "tenant": f"tenant-{agent % TENANTS}",
        "agent_id": f"agent-{agent}",
        "judge": "judge",
        "judged_by": f"judge-{agent}",
        "code": f"judge_{agent}",
        "kind": TransitionKind.MET if column == "completed" else TransitionKind.NOT_MET,
        "traceparent": None,
        "tokens": 7,
        "cost_nanos": 7,
    }
    seconds = (*LIFE_BUCKETS, 2 * LIFE_BUCKETS[-1])[agent % (len(LIFE_BUCKETS) + 1)]
    return measures.Told(SimpleNamespace(**row), column, [(name, seconds) for name in measures.TIMES])


def measure(accept: str, rounds: int) -> dict[str, object]:
    """Return the series of a scrape, its bytes, and the CPU of such a scrape."""
    took = []
    for _ in range(rounds):
        began = time.thread_time()
        text = write(accept, names=True)[0]
        took.append(1_000 * (time.thread_time() - began))
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    return {"series": series, "bytes": len(text), "cpu_ms": round(median(took), 1), "least_ms": round(min(took), 1)}


def main() -> None:
    """Print the figures of each format."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    fill()
    for name, accept in FORMATS.items():
        print(json.dumps({"format": name, **measure(accept, rounds)}))


if __name__ == "__main__":
    main()
