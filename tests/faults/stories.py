"""A run that went well, of one job, as the checker is told of it; tests tell it with changes."""

import json
from datetime import UTC, datetime

from faults.checking.observed import (
    AgentCall,
    Asked,
    ExecutionRow,
    JobRow,
    JudgeCall,
    LogRow,
    Model,
    Observed,
    Record,
    Replayed,
    Stop,
)

E, J = "execution-1", "job-1"
PID = 100


def entry(version: int, kind: str, status: str, **fields: object) -> LogRow:
    about = {"execution_id": E, "attempt": 1, "lease": 1, "at": 100.0 + version, "agent_id": "steady", **fields}
    job_status = about.pop("job_status", "ASSIGNED" if status == "CANCELLED" else status)
    return LogRow(J, version, f"fact-{version}", status, job_status, kind, **about)  # type: ignore[arg-type]


LIFE = (
    entry(1, "created", "ASSIGNED", execution_id=None, attempt=None, lease=None),
    entry(2, "requested", "ASSIGNED", attempt=None, lease=None),
    entry(3, "claimed", "IN_PROGRESS"),
    entry(4, "result", "IN_PROGRESS", event_id="result-1", shown=("begin", "end")),
    entry(5, "met", "COMPLETED", lease=2, event_id="verdict-1", is_valid=True, stages=("single",)),
)


def _log(entry: LogRow) -> dict[str, object]:
    whole = {
        name: getattr(entry, name) for name in ("id", "kind", "status", "code", "execution_id", "attempt", "lease")
    }
    verdict = None if entry.is_valid is None else {"is_valid": entry.is_valid}
    return {**whole, "created_at": datetime.fromtimestamp(entry.at, UTC).isoformat(), "verdict": verdict}


def facts(*logs: LogRow) -> list[Record]:
    bodies = [{"job_id": e.job_id, "version": e.version, "log": _log(e)} for e in logs]
    return [Record("job-changed", 0, n, None, json.dumps(body).encode()) for n, body in enumerate(bodies)]


def call(at: float, **fields: object) -> AgentCall:
    whole = {"begun_at": at, "ended_at": at + 0.5, "ended": "answered", "pid": PID, "key": E, "body": "same"}
    return AgentCall("steady", E, J, **{**whole, **fields})  # type: ignore[arg-type]


def observed(*logs: LogRow, **fields: object) -> Observed:
    """A run with one job that lived as LIFE says, but for what a test plants."""
    logs = logs or LIFE
    last = logs[-1]
    execution = ExecutionRow(E, J, "DONE", "completed", requested=True)
    whole = {
        "jobs": [JobRow(J, last.job_status, last.version, live=False)],
        "executions": [execution],
        "logs": logs,
        "topics": {"job-changed": facts(*logs), "execute-requested-dlq": []},
        "agent_calls": [call(103.0)],
        "judge_calls": [JudgeCall(E, 104.5, "verdict", is_valid=True, judged="end")],
        "asked": [Asked(E, J, "steady", "grpc", 101.9, "accepted", 102.0)],
        "watched": [[(J, e.version) for e in logs]] * 2,
        "stops": [Stop("validator", 7, 100.0, 1.0, 0)],
        "rss": {"executor": 90 << 20, "jobstore": 90 << 20, "jobstore-2": 90 << 20},
        "replays": [Replayed("result-produced", True, [], 0, 0)],
    }
    return Observed(**{**whole, **fields})  # type: ignore[arg-type]


def modelled(**fields: object) -> dict[str, Model]:
    return {J: Model(**{"agents": frozenset({"steady"}), "lacking": 0, "max_submissions": 2, **fields})}  # type: ignore[arg-type]
