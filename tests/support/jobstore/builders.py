"""Jobs, executions and reports for tests of deciding, with everything that a test does not name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from jobstore.jobs.model import Clock, Decision, Execution, ExecutionStage, ExecutionState, Job, Report, TransitionKind
from jobstore.jobs.transitions import decide
from signoff.status import JobStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = Clock(NOW, lease_s=10.0, offer_again_s=5.0)
EXECUTION_ID = UUID("01900000-0000-7000-8000-000000000001")
OWNER = UUID("01900000-0000-7000-8000-0000000000aa")
POLICY = {"max_calls": 3, "max_submissions": 3, "attempt_timeout_s": 60.0, "delivery": "at_least_once"}


def job(status: JobStatus = JobStatus.IN_PROGRESS, **fields: Any) -> Job:
    live = status in {JobStatus.ASSIGNED, JobStatus.IN_PROGRESS}
    defaults = {"version": 7, "agent_id": "writer", "execution_id": EXECUTION_ID, "live": live}
    return Job("job-1", status, **{**defaults, **fields})


def queued(**fields: Any) -> Execution:
    defaults: dict[str, Any] = {"due_at": NOW, "policy": POLICY, "agent_id": "writer", "request_version": 2}
    return Execution(EXECUTION_ID, "job-1", **{**defaults, **fields})


def offered(**fields: Any) -> Execution:
    return replace(queued(**fields), state=ExecutionState.OFFERED)


def running(**fields: Any) -> Execution:
    lease = {
        "state": ExecutionState.LEASED,
        "attempt": 1,
        "lease": 1,
        "owner": OWNER,
        "due_at": NOW + timedelta(seconds=10),
    }
    return queued(**{**lease, **fields})


def awaiting_judge(**fields: Any) -> Execution:
    result = {
        "stage": ExecutionStage.JUDGING,
        "state": ExecutionState.OFFERED,
        "result_lease": 1,
        "result_version": 5,
        "owner": None,
    }
    return running(**{**result, **fields})


def judging(**fields: Any) -> Execution:
    return awaiting_judge(**{"state": ExecutionState.LEASED, "lease": 2, "owner": OWNER, **fields})


def done(answer: str = "completed", **fields: Any) -> Execution:
    return judging(**{"state": ExecutionState.DONE, "answer": answer, "due_at": None, **fields})


def report(kind: TransitionKind, lease: int = 1, **fields: Any) -> Report:
    defaults: dict[str, Any] = {"seq": 1, "owner": OWNER, "agent_id": "writer"}
    return Report(kind, lease, **{**defaults, **fields})


def next_of(
    execution: Execution, kind: TransitionKind, standing: JobStatus = JobStatus.IN_PROGRESS, **fields: Any
) -> Execution:
    """The execution after a report that is recorded."""
    decision = decide(
        job(standing, live=kind is not TransitionKind.REQUESTED), execution, report(kind, **fields), TIMES
    )
    assert isinstance(decision, Decision)
    assert decision.execution is not None
    return decision.execution
