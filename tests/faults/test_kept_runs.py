"""What is kept of a run is the same run again, and its report says what each fault hit."""

from pathlib import Path

from faults.checking.observed import AgentCall, Fault, LogRow, Observed, Violation
from faults.checking.report import report
from faults.history import keep, read_seen, read_storm
from faults.outcome import Outcome, Storm

E, J, PID = "execution-1", "job-1", 100
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


def test_a_report_says_what_each_fault_hit() -> None:
    made = report(SEEN)
    killed, frozen = made.hits["kill executor"], made.hits["freeze postgres"]
    assert (killed.executions, killed.repeats, killed.wait.lasted_s if killed.wait else 0) == (1, 1, 6.0)
    assert (frozen.executions, frozen.acted, frozen.wait.what if frozen.wait else "") == (1, 9, "to begin again")
    assert made.repeats == {"kill executor": 1}
    assert {cause: wait.lasted_s for cause, wait in made.waits.items() if cause == "freeze"} == {"freeze": 12.0}
    assert all("executor" not in line or "1" in line for line in made.lines())
