"""Measure the CPU of processes and of the whole machine, and throw out what was measured beside others' work."""

import os
import platform
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

#: A round does not count in which others took more than this share of what the benchmark and its system took, or of a
#: core where those took less.
FOREIGN_MAX = 0.15
#: Parts that stand in for the outside world: what they take is no cost of ours.
STANDING_IN = {"agents", "judge"}


@dataclass(frozen=True)
class Reading:
    """CPU seconds so far: of each part with its children, of this process and all below it, of the whole machine."""

    at: float
    parts: Mapping[str, float]
    own: float
    machine: float


@dataclass(frozen=True)
class Usage:
    """What was used between two readings, in CPU seconds."""

    took_s: float
    parts: Mapping[str, float]
    own: float
    foreign: float

    @property
    def all_parts(self) -> float:
        """CPU seconds of the system, without what stands in for the outside world."""
        return sum(seconds for name, seconds in self.parts.items() if name not in STANDING_IN)

    @property
    def is_disturbed(self) -> bool:
        """Return whether others worked beside."""
        return self.foreign > FOREIGN_MAX * max(self.own, self.took_s)


def read_cpu(processes: Mapping[str, int]) -> Reading:
    """Read the clocks of the CPU."""
    parts = {name: _sum_tree(psutil.Process(pid)) for name, pid in processes.items()}
    machine = psutil.cpu_times()
    busy = machine.user + machine.nice + machine.system + getattr(machine, "steal", 0.0)
    return Reading(time.perf_counter(), parts, _sum_tree(psutil.Process()), busy)


def compare(before: Reading, after: Reading) -> Usage:
    """Return what was used between two readings."""
    own = after.own - before.own
    parts = {name: seconds - before.parts[name] for name, seconds in after.parts.items() if name in before.parts}
    return Usage(after.at - before.at, parts, own, max(0.0, after.machine - before.machine - own))


def measure_memory(processes: Mapping[str, int]) -> dict[str, float]:
    """Return the MiB of each part with its children; pages that several share are counted once."""
    trees = {name: _list_tree(psutil.Process(pid)) for name, pid in processes.items()}
    return {name: sum(map(_measure_pss, tree)) / (1 << 20) for name, tree in trees.items()}


def _measure_pss(process: psutil.Process) -> int:
    try:
        return process.memory_full_info().pss
    except psutil.NoSuchProcess:  # a child that ended since it was listed
        return 0


async def repeat(measure: Callable[[], Awaitable[dict[str, Any]]], rounds: int) -> list[dict[str, Any]]:
    """Measure rounds that nobody disturbed, but at most twice as many in all; then the least disturbed must do."""
    measured: list[dict[str, Any]] = []
    while sum(not each["disturbed"] for each in measured) < rounds and len(measured) < 2 * rounds:
        measured.append(await measure())
    return sorted(measured, key=lambda each: (each["disturbed"], each["foreign_cores"]))[:rounds]


def describe_machine() -> str:
    """Return the machine in a few words, without its name."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((value.strip() for key, _, value in lines if key.strip() == "model name"), model)
    memory = psutil.virtual_memory().total / (1 << 30)
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, {platform.system()}"


def _list_tree(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _sum_tree(process: psutil.Process) -> float:
    """Sum the CPU seconds of a process and all below it, those included that have ended."""
    seconds = 0.0
    for each in _list_tree(process):
        try:
            seconds += sum(each.cpu_times()[:4])  # user and system; the same of children that have ended
        except psutil.NoSuchProcess:  # it ended just now, and is its parent's
            continue
    return seconds
