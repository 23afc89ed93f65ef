"""What each recorded report changes, field by field, as decisions.txt has it written out.

test_transitions.py says which status follows; here is all the rest. Who changes a decision has that page written anew
(`SIGNOFF_WRITE_EXPECTED=1`), and reads what has changed.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

from support.jobstore.builders import (
    EXECUTION_ID,
    NOW,
    OWNER,
    POLICY,
    TIMES,
    awaiting_judge,
    done,
    job,
    judging,
    offered,
    queued,
    report,
    running,
)

from jobstore.jobs.model import (
    Decision,
    Execution,
    ExecutionStage,
    ExecutionState,
    LogEntry,
    Report,
    Reusable,
    TransitionKind,
)
from jobstore.jobs.transitions import decide
from signoff.errors import ErrorCode
from signoff.status import JobStatus
from signoff.values import SUM_NANOS_MAX

WRITTEN = Path(__file__).with_name("decisions.txt")
SOON = NOW + timedelta(seconds=3)
PAST = NOW - timedelta(seconds=3)
ONCE = {**POLICY, "delivery": "at_most_once"}
TIMEOUTS = {**POLICY, "queue_timeout_s": 20.0, "judging_timeout_s": 30.0, "deadline_s": 90.0}

S = JobStatus
#: Where a job and its execution may stand.
STANDING: dict[str, tuple[JobStatus, Execution | None]] = {
    "none": (S.PENDING, None),
    "queued": (S.ASSIGNED, queued(reuse_key=b"key", seq=2, validators_lost=1, misjudged=1)),
    "queued for later": (S.ASSIGNED, queued(not_before=SOON, deadline_at=NOW + timedelta(seconds=60))),
    "queued again": (S.IN_PROGRESS, queued(attempt=1, lease=1, spent=1)),
    "offered": (S.ASSIGNED, offered(offers=3, due_at=SOON, policy=TIMEOUTS)),
    "out of the queue's time": (S.ASSIGNED, queued(fails_at=NOW, policy=TIMEOUTS)),
    "out of time": (S.ASSIGNED, queued(fails_at=NOW, deadline_at=NOW, policy=TIMEOUTS)),
    "running": (S.IN_PROGRESS, running(policy=TIMEOUTS, seq=0, offers=2)),
    "running to a deadline": (S.IN_PROGRESS, running(deadline_at=SOON)),
    "lapsed": (S.IN_PROGRESS, running(due_at=NOW, spent=1)),
    "lapsed with its last call": (S.IN_PROGRESS, running(due_at=PAST, spent=2)),
    "running once": (S.IN_PROGRESS, running(due_at=NOW, policy=ONCE)),
    "running once, to be found": (S.IN_PROGRESS, running(due_at=NOW, policy=ONCE, protocol="a2a")),
    "running once, with a handle": (S.IN_PROGRESS, running(due_at=NOW, policy=ONCE, handle="run-1")),
    "running for the last time": (S.IN_PROGRESS, running(spent=2)),
    "awaiting judge": (S.IN_PROGRESS, awaiting_judge(offers=2, policy=TIMEOUTS)),
    "awaiting judge for too long": (S.IN_PROGRESS, awaiting_judge(fails_at=NOW, policy=TIMEOUTS)),
    "judging": (S.IN_PROGRESS, judging(policy=TIMEOUTS, offers=2)),
    "judging the last submission": (S.IN_PROGRESS, judging(submission=3)),
    "judging, once misjudged": (S.IN_PROGRESS, judging(misjudged=1)),
    "judging, twice misjudged": (S.IN_PROGRESS, judging(misjudged=2)),
    "judging, lapsed": (S.IN_PROGRESS, judging(due_at=NOW, policy=ONCE)),
    "judging, lapsed for the tenth time": (S.IN_PROGRESS, judging(due_at=PAST, validators_lost=9)),
    "done": (S.RESUBMISSION_REQUIRED, done()),
    "cancelled": (S.ASSIGNED, done("cancelled", stage=ExecutionStage.EXECUTING, lease=1, result_lease=None)),
}
#: What reports of a kind may say besides.
MORE: dict[TransitionKind, dict[str, dict[str, Any]]] = {
    TransitionKind.GIVEN_BACK: {"": {}, " (begun)": {"code": "begun"}},
    TransitionKind.PROGRESS: {"": {"progress": 0.5}, " (no fraction)": {}, " (seq 0)": {"seq": 0}},
    TransitionKind.RESULT: {"": {}, " (reused)": {"reused": Reusable("job-0", 4)}},
    TransitionKind.DEADLINE: {"": {"message": None}, " (open circuit)": {"message": "its circuit is open"}},
}
SAID: dict[str, Any] = {
    "code": "code",
    "message": "said",
    "agent_id": "drafter",
    "feedback": "{}",
    "retry_after_s": 4.0,
    "call": 2,
    "cost_nanos": 250_000_000,
    "tokens": 7,
    "result_hash": b"hash",
}


def test_what_is_recorded_is_what_is_written_down() -> None:
    told = "".join(f"{line}\n" for line in decisions())
    if "SIGNOFF_WRITE_EXPECTED" in os.environ:
        WRITTEN.write_text(told, "utf-8")
    assert told.splitlines() == WRITTEN.read_text("utf-8").splitlines()


def decisions() -> Iterator[str]:
    """Each effect, after where it is the same."""
    for kind in TransitionKind:
        for said, fields_said in MORE.get(kind, {"": {}}).items():
            places: dict[str, list[str]] = defaultdict(list)
            for name, (status, standing) in STANDING.items():
                effect = effect_of(kind, status, standing, fields_said)
                if effect is not None:
                    places[effect].append(name)
            for effect, names in places.items():
                yield from (f"{kind}{said} at: {'; '.join(names)}", *effect.splitlines())


def effect_of(kind: TransitionKind, status: JobStatus, standing: Execution | None, said: dict[str, Any]) -> str | None:
    """What a report in order changes; None where it is fenced, or no arrow of the table."""
    is_new = kind is TransitionKind.REQUESTED and standing is not None and standing.state is ExecutionState.QUEUED
    live = standing is not None and standing.state is not ExecutionState.DONE and not is_new
    before = job(status, live=live, not_met=1, feedback="[]", progress=0.25, progress_message="half", tokens=3)
    lease = standing.lease if standing else 0
    told = report(kind, 1 if kind is TransitionKind.RESULT else lease, **{**SAID, **said})
    decision = decide(before, standing, told, TIMES)
    if isinstance(decision, Decision):
        is_logged = decision.entry is not None
        counted = replace(before, version=8, cost_nanos=250_000_000, tokens=10) if is_logged else before
        lines = [
            f"  job: {differences(counted, decision.job)}",
            f"  execution: {differences(standing, decision.execution)}",
            f"  log: {entry(decision.entry, told, decision)}",
        ]
        return "\n".join(line for line in lines if not line.endswith(": "))
    return None if decision.code in {"fenced", "illegal_transition"} else f"  refused: {decision.code}"


def entry(added: LogEntry | None, told: Report, decision: Decision) -> str:
    if added is None:
        return "no entry"
    assert added.job == decision.job
    names = ("result_version", "result_job_id", "next_attempt_at")
    besides = [f"{name} {shown(value)}" for name in names if (value := getattr(added, name)) is not None]
    said = differences(told, added.report)
    numbers = differences(added.execution, decision.execution)
    parts = [added.status.value, *besides, *filter(None, [said, numbers and f"with the execution before {numbers}"])]
    return "; ".join(parts)


def differences(before: Any, after: Any) -> str:
    if before is None or after is None:
        return "" if before is after else f"{'none' if after is None else 'one'}"
    changed = [each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name)]
    return ", ".join(f"{name} {shown(getattr(after, name))}" for name in changed)


def shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{(value - NOW).total_seconds():+g} s"
    if isinstance(value, ErrorCode):  # as it is stored: a text
        return repr(str(value))
    if isinstance(value, Enum):
        return str(value.value)
    return {OWNER: "the worker", EXECUTION_ID: "this one"}.get(value, repr(value)) if value is not None else "-"


def test_tokens_are_counted_up_to_a_number_that_every_reader_keeps_exact() -> None:
    decision = decide(job(tokens=2**53 - 1), running(), report(TransitionKind.RESULT, tokens=9), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.tokens == 2**53


def test_what_a_job_has_cost_is_added_up_exactly_and_to_no_more_than_a_column_holds() -> None:
    total = job()
    for _ in range(10):
        decision = decide(total, running(), report(TransitionKind.RESULT, cost_nanos=100_000_000), TIMES)
        assert isinstance(decision, Decision)
        total = replace(job(), cost_nanos=decision.job.cost_nanos)
    assert total.cost_nanos == 1_000_000_000
    decision = decide(job(cost_nanos=SUM_NANOS_MAX), running(), report(TransitionKind.RESULT, cost_nanos=1), TIMES)
    assert isinstance(decision, Decision)
    assert decision.job.cost_nanos == SUM_NANOS_MAX < 2**63
