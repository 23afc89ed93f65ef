"""Write the page of figures, docs/performance.md: a section a benchmark, each replaced by its next run."""

import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from localstack.kafka import KAFKA_VERSION
from measuring.host import describe_machine

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "performance.md"
NOT_MEASURED = "Not measured yet."

HEAD = """\
# Performance

For people who size an installation or make it faster. After this page you know what the life of a job costs, how fast
the doors answer, and how each figure was measured. The benchmarks write this page, so edits by hand are lost with the
next run. PostgreSQL has `fsync` and `synchronous_commit` on, Kafka has `acks=all`. CPU is exact to 10 %; latencies
differ only if they differ by more than a third. A round in which other programs took more than 0.15 of the benchmark's
CPU is discarded and repeated; if that did not help, its line says so.
"""
#: Title and command of each section, by name, in order.
SECTIONS: Mapping[str, tuple[str, str]] = {
    "table": ("A life", "make bench"),
    "storage": ("What a life leaves behind", "make bench OF=storage"),
    "steady": ("At a steady rate with a retention", "make bench OF=steady"),
    "jobstores": ("Several jobstores", "make bench OF=jobstores"),
    "encryption": ("With everything encrypted", "make bench OF=encryption"),
    "slow_judge": ("A judge of five seconds", "make bench OF=slow_judge"),
    "rebuild": ("A rebuild", "make bench OF=rebuild"),
    "removed": ("A rebuild where most jobs are removed", "make bench OF=rebuild"),
    "growth": ("With much stored", "make bench OF=growth"),
    "load": ("Under foreign load", "make bench OF=load"),
    "lists": ("Lists of a million jobs", "make bench OF=lists"),
    "tenants": ("Lists of a tenant", "make bench OF=tenants"),
    "tokens": ("Many tokens and tenants", "make bench OF=tokens"),
    "rejudging": ("Judging again", "make bench OF=judging/rejudge"),
    "peers": ("Beside DBOS", "make bench-peers"),
}
_BODY = "<!-- begin {0} -->\n{1}\n<!-- end {0} -->"


def write_section(name: str, arguments: Sequence[str], versions: Mapping[str, str], lines: Iterable[str]) -> None:
    """Replace a section by lines of Markdown, below how they were made."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else ""
    made = describe_making(name, arguments, versions)
    PAGE.write_text(render({**parse(text), name: "\n".join([made, "", *lines])}), "utf-8")


def describe_making(name: str, arguments: Sequence[str], versions: Mapping[str, str]) -> str:
    """Return a line that says how a section was made, when, of what and on what."""
    command = SECTIONS[name][1] + (f' ARGS="{" ".join(arguments)}"' if arguments else "")
    used = {"Python": platform.python_version(), "Kafka": KAFKA_VERSION, **versions}
    named, day = ", ".join(f"{what} {version}" for what, version in used.items()), f"{datetime.now(UTC):%Y-%m-%d}"
    return f"Measured {day} by `{command}` at commit {find_commit()}: {named}; {describe_machine()}."


def parse(text: str) -> dict[str, str]:
    """Return the sections of a page, by name."""
    return dict(re.findall(r"<!-- begin (\w+) -->\n(.*?)\n<!-- end \1 -->", text, re.DOTALL))


def render(bodies: Mapping[str, str]) -> str:
    """Return the page with these sections."""
    parts = [
        f"## {title}\n\n{_BODY.format(name, bodies.get(name, NOT_MEASURED))}" for name, (title, _) in SECTIONS.items()
    ]
    return "\n\n".join([HEAD.rstrip(), *parts]) + "\n"


def make_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table."""
    return [f"| {' | '.join(map(str, cells))} |" for cells in (header, ["---"] * len(header), *rows)]


def find_median(rounds: Sequence[Mapping[str, float]], name: str, digits: int = 1) -> float:
    """Return the median of a figure over rounds."""
    return round(statistics.median(each[name] for each in rounds), digits)


async def find_version(database: asyncpg.Connection) -> str:
    """Return the version of the PostgreSQL that a connection is to, such as 18.4."""
    version: str = await database.fetchval("SHOW server_version")
    return version.split(maxsplit=1)[0]


def find_commit() -> str:
    """Return the commit that is measured."""
    command = ["git", "describe", "--always", "--dirty"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - git
    return shown.stdout.strip().replace("-dirty", ", with changes") or "unknown"
