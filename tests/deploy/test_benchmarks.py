"""Every benchmark starts as a person starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
#: Starts one after the other, in one process: most of the time would go by with imports.
SCRIPT = """
import contextlib, runpy, sys
sys.path[0], *paths = sys.argv[1:]
for path in paths:
    sys.argv = [path, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_path(path, run_name="__main__")
"""


@pytest.mark.real
def test_every_benchmark_starts() -> None:
    paths = sorted(BENCHMARKS.glob("*.py"))
    command = [sys.executable, "-c", SCRIPT, BENCHMARKS, *paths]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert all(f"usage: {path.name} " in ran.stdout for path in paths), ran.stdout
