"""Compute what 1 to 1,000 lives a second need, from measured figures of docs/performance.md, into docs/scaling.md.

make bench OF=scaling
"""

import argparse
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from measuring import figures

from contracts.topics import TOPICS

PAGE: Final = figures.ROOT / "docs" / "scaling.md"
RATES: Final = (1, 10, 100, 1_000)
#: Up to so many lives a second each costs what it costs at 20 a second; above, what it costs at saturation: facts,
#: claims and commits share round trips.
ALONE_MAX: Final = 20
#: A process of Python works on one core; beyond this part of it, latencies rise.
FULL: Final = 0.7
#: What the example assumes: seconds of an agent and of a judge, and replicas in Kafka.
AGENT_S, JUDGE_S, REPLICAS = 10, 5, 3
#: How many calls one executor holds, by itself, and asks a validator with 1 GiB of memory.
CALLS, ASKS = 1_000, 4_096
SERVICES: Final = ("jobstore", "executor", "validator", "console")
MIB, GIB, DAY_S = 1 << 20, 1 << 30, 86_400


@dataclass(frozen=True)
class Measured:
    """Figures of one life: CPU in ms by part, alone and at saturation, bytes it leaves in stores and topics, facts."""

    alone: Mapping[str, float]
    full: Mapping[str, float]
    leaves: Mapping[str, float]
    topics: Mapping[str, float]
    facts: float
    facts_max: float


def read_measured(page: str) -> Measured:
    """Read the figures that the page has."""
    sections = figures.parse(page)
    lines = [line for name in ("table", "storage", "growth") for line in sections[name].splitlines()]
    rows = {cells[0]: cells for cells in map(_split, lines)}
    return Measured(
        _read_parts(rows["CPU ms a life, all processes"][2].rpartition(";")[2]),
        _read_parts(rows["CPU ms a life at saturation"][2]),
        {store: _read(rows[store][1]) for store in ("PostgreSQL", "WAL")},
        {name: size for name, size in _read_parts(rows["Kafka"][2]).items() if name in TOPICS},
        _read(rows["facts a life"][1]),
        _read(rows["facts/s of a backlog"][1]),
    )


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def _read(text: str) -> float:
    return float(text.split(maxsplit=1)[0].replace(",", ""))


def _read_parts(text: str) -> dict[str, float]:
    return {part: _read(figure) for part, figure in re.findall(r"([\w-]+) ([\d,.]*\d)", text)}


def list_needs(measured: Measured) -> Iterator[tuple[str, str, Callable[[int], str]]]:
    """Yield what is needed, its formula, and how much that is at a rate."""
    for part in (*SERVICES, "postgres", "kafka"):
        yield (
            f"{part}, cores" + " (processes)" * (part in SERVICES),
            f"r * {measured.alone[part]:g} ms up to {ALONE_MAX}/s, r * {measured.full[part]:g} ms above",
            partial(_find_cores, measured, part),
        )
    leaves, days = measured.leaves, {n: each.retention.days for n, each in TOPICS.items() if each.retention}
    facts = sum(size for name, size in measured.topics.items() if name not in days)
    others = [(size, days[name]) for name, size in measured.topics.items() if name in days]
    kept = " + ".join(f"{size:,.0f} * {days}" for size, days in others)
    yield from (
        (
            "calls of agents under way (executors)",
            f"r * {AGENT_S} s (of {CALLS:,} calls each)",
            lambda r: f"{r * AGENT_S:,} ({math.ceil(r * AGENT_S / CALLS)})",
        ),
        (
            "asks of judges under way (validators)",
            f"r * {JUDGE_S} s (of {ASKS:,} asks each)",
            lambda r: f"{r * JUDGE_S:,} ({math.ceil(r * JUDGE_S / ASKS)})",
        ),
        (
            "GiB that PostgreSQL grows a day",
            f"r * {leaves['PostgreSQL']:,.0f} bytes * {DAY_S:,} s",
            lambda r: _say(r * leaves["PostgreSQL"] * DAY_S / GIB),
        ),
        ("MiB/s of WAL", f"r * {leaves['WAL']:,.0f} bytes", lambda r: _say(r * leaves["WAL"] / MIB)),
        (
            "GiB that facts in Kafka grow a day",
            f"r * {facts:,.0f} bytes * {DAY_S:,} s * {REPLICAS} replicas",
            lambda r: _say(r * facts * DAY_S * REPLICAS / GIB),
        ),
        (
            "GiB of other records that Kafka holds",
            f"r * ({kept} bytes and days) * {DAY_S:,} s * {REPLICAS} replicas",
            lambda r: _say(r * sum(size * days for size, days in others) * DAY_S * REPLICAS / GIB),
        ),
        (
            "% of what the relay publishes at most",
            f"r * {measured.facts:g} facts of {measured.facts_max:,.0f}/s",
            lambda r: _say(100 * r * measured.facts / measured.facts_max),
        ),
    )


def _find_cores(measured: Measured, part: str, rate: int) -> str:
    cores = rate * (measured.alone if rate <= ALONE_MAX else measured.full)[part] / 1000
    return _say(cores) + f" ({math.ceil(cores / FULL)})" * (part in SERVICES)


def _say(number: float) -> str:
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"  # noqa: PLR2004 - two digits


def render(page: str, measured: Measured) -> str:
    """Return the page with the table of what was measured."""
    rows = [(what, *map(compute, RATES), formula) for what, formula, compute in list_needs(measured)]
    lines = figures.make_table(("what", *(f"{rate:,}/s" for rate in RATES), "formula"), rows)
    made = "\n".join(["<!-- begin needs -->", *lines, "<!-- end needs -->"])
    return re.sub(r"<!-- begin needs -->\n.*?<!-- end needs -->", lambda _: made, page, flags=re.DOTALL)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PAGE.write_text(render(PAGE.read_text("utf-8"), read_measured(figures.PAGE.read_text("utf-8"))), "utf-8")
