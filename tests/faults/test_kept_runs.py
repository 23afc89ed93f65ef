"""What is kept of a run is the same run again, and its report says what each fault hit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.checking.observed import AgentCall, Fault, LogRow, Observed, Violation
from faults.checking.report import report
from faults.history import keep, read_seen, read_storm
from faults.outcome import Outcome, Storm
from faults.storm import kept_if_broken_off
from localstack.datadir import DataDir

E, J, PID = "execution-1", "job-1", 100
TESTS = Path(__file__).parents[1]
STORM = Storm(7, 50, 12, 3.0, forges_facts=False, jobstores=1)


def entry(version: int, kind: str, status: str, at: float) -> LogRow:
    return LogRow(J, version, f"fact-{version}", status, status, kind, at, execution_id=E, agent_id="slow")


def call(begun_at: float, ended: str) -> AgentCall:
    return AgentCall("slow", E, J, E, "same", begun_at, begun_at + 0.5, ended, PID)


SEEN = Observed(
    logs=[
        entry(1, "requested", "ASSIGNED", 100.0),
        entry(2, "claimed", "IN_PROGRESS", 101.0),
        entry(3, "lapsed", "IN_PROGRESS", 107.0),
        entry(4, "claimed", "IN_PROGRESS", 119.0),
        entry(5, "result", "IN_PROGRESS", 119.5),
        entry(6, "met", "COMPLETED", 120.0),
    ],
    agent_calls=[call(101.1, "aborted"), call(119.1, "answered")],
    faults=[Fault("kill", "executor", 101.2, 103.0, PID), Fault("freeze", "postgres", 108.0, 118.0, acted=9)],
)


def test_a_run_that_was_kept_is_run_again(tmp_path: Path) -> None:
    outcome = Outcome(STORM, SEEN, [Violation(1, "lost")], [], [], 12.0)
    keep(outcome, tmp_path / "history")
    again = read_storm(tmp_path / "history")
    assert again == STORM
    assert again.plan == STORM.plan
    assert read_seen(tmp_path / "history") == SEEN
    assert "lost" in (tmp_path / "history" / "findings.txt").read_text()
    events = (tmp_path / "history" / "events.jsonl").read_text().splitlines()
    assert ["requested" in event for event in events].index(True) < ['"fault"' in event for event in events].index(True)


def faults(arguments: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "faults", *arguments.split()],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.real
def test_a_run_that_an_error_ends_is_kept(tmp_path: Path) -> None:
    with DataDir(tmp_path).lock():  # so that nothing can start there
        ended = faults(f"--seed 7 --jobs 50 --faults 12 --dir {tmp_path}")
    assert ended.returncode == 1
    assert f"logs: {tmp_path}; history: {tmp_path / 'history'}" in ended.stdout
    assert read_storm(tmp_path / "history").plan == Storm(7, 50, 12).plan
    assert "choose another data directory" in (tmp_path / "history" / "findings.txt").read_text()


@pytest.mark.real
def test_a_run_that_passes_its_limit_is_kept(tmp_path: Path) -> None:
    ended = faults(f"--seed 7 --jobs 50 --faults 12 --limit-s 0 --dir {tmp_path}")
    assert ended.returncode == 1
    assert read_storm(tmp_path / "history").plan == Storm(7, 50, 12).plan
    assert "TimeoutError" in (tmp_path / "history" / "findings.txt").read_text()


def test_what_was_seen_of_a_run_that_is_broken_off_is_kept(tmp_path: Path) -> None:
    outcome = Outcome(STORM, Observed(), broken_off="TimeoutError")
    with pytest.raises(TimeoutError), kept_if_broken_off(outcome, lambda: SEEN):
        raise TimeoutError
    assert not outcome.is_good
    keep(outcome, tmp_path / "history")
    assert read_seen(tmp_path / "history") == SEEN
    assert "every invariant holds" not in (tmp_path / "history" / "report.txt").read_text()


def test_a_report_says_what_each_fault_hit() -> None:
    made = report(SEEN)
    killed, frozen = made.hits["kill executor"], made.hits["freeze postgres"]
    assert (killed.executions, killed.repeats, killed.wait.lasted_s if killed.wait else 0) == (1, 1, 6.0)
    assert (frozen.executions, frozen.acted, frozen.wait.what if frozen.wait else "") == (1, 9, "to begin again")
    assert made.repeats == {"kill executor": 1}
    assert {cause: wait.lasted_s for cause, wait in made.waits.items() if cause == "freeze"} == {"freeze": 12.0}
    assert all("executor" not in line or "1" in line for line in made.lines())
