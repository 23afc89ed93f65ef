"""What follows a not-met verdict by the job's policy: the next submission, also to another agent, or a rest; pure."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid5

from contracts.status import Resubmit
from jobstore.ledger import Asked, Ledger, Past
from jobstore.matching import best
from jobstore.states import Decision, Execution, Job, Kind, Refusal, Report

#: What a job's log says of who had it, and how that was judged.
TELLING: Final = (Kind.CREATED, Kind.ASSIGNED, Kind.MATCHED, Kind.HANDED_ON, Kind.NOT_MET)
_BEGINS: Final = {Kind.CREATED, Kind.ASSIGNED, Kind.MATCHED}


def past_of(rows: Iterable[Any]) -> Past:
    """What a job's log tells: (kind, agent_id, result_hash) in the order of versions."""
    past = Past()
    for row in rows:
        if row.kind in _BEGINS:
            past = Past(frozenset({row.agent_id} - {None}))
        elif row.kind == Kind.HANDED_ON:
            past = replace(past, agents=past.agents | {row.agent_id}, not_met=0)
        else:
            past = replace(past, not_met=past.not_met + 1, result_hash=row.result_hash)
    return past


def is_automatic(execution: Execution) -> bool:
    """Whether a not-met verdict on it leads to another submission by policy."""
    return (execution.policy or {}).get("resubmit") == Resubmit.AUTOMATIC and execution.submissions_left


def next_id(execution_id: UUID) -> UUID:
    """The execution that follows by policy: the same, however often the verdict is told."""
    return uuid5(execution_id, "resubmission")


def hands_over(ledger: Ledger, execution: Execution) -> bool:
    """Whether another agent is to have the job after a not-met verdict on this execution."""
    after, spec, past = _hand_over_after(execution), ledger.specs[execution.job_id], ledger.pasts[execution.job_id]
    return after is not None and bool(spec.capabilities) and past.not_met + 1 >= after


def record_not_met(ledger: Ledger, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict and, where the policy says so and its job's past is loaded, what follows from it."""
    job = ledger.jobs[execution.job_id]
    past = ledger.pasts.get(job.id)
    if past is None or not is_automatic(execution):
        return ledger.record(job.id, execution, report)
    other = _other_agent(ledger, job, execution, past)
    stop = _why_not(ledger, job, execution, report, past) if other is None else None
    if stop is not None:
        report = replace(report, code=stop.code, message=f"{report.message}; {stop.message}")
    decision = ledger.record(job.id, execution, report)
    if stop is None and isinstance(decision, Decision):
        _request_next(ledger, execution, past, other)
    return decision


def _request_next(ledger: Ledger, execution: Execution, past: Past, other: str | None) -> None:
    job_id, count = execution.job_id, past.not_met + 1
    note = "by policy"
    if other is not None:
        note = f"by policy, of {other}"
        ledger.hand_on(job_id, other, f"after {count} not-met {'verdict' if count == 1 else 'verdicts'}")
    elif hands_over(ledger, execution):
        note = f"by policy; {execution.agent_id} keeps the job, since no other agent matches"
    asked = Asked(batch_id=execution.batch_id, by_policy=note)
    ledger.request(job_id, next_id(execution.execution_id), asked)


def _other_agent(ledger: Ledger, job: Job, execution: Execution, past: Past) -> str | None:
    if not hands_over(ledger, execution) or next_id(execution.execution_id) in ledger.executions:
        return None
    had = past.agents | {job.agent_id or ""}
    other = best(job.id, ledger.specs[job.id].capabilities, ledger.candidates.values(), without=had)
    return other.agent_id if other else None


def _why_not(ledger: Ledger, job: Job, execution: Execution, report: Report, past: Past) -> Refusal | None:
    """Why there is no next submission by policy."""
    agent = ledger.agents.get(job.agent_id or "")
    if next_id(execution.execution_id) in ledger.executions:
        return Refusal("execution_conflict", "not submitted again: its next execution was cancelled, or asked for")
    if agent is not None and not agent.enabled:
        return Refusal("agent_disabled", f"not submitted again: the agent {agent.id} is disabled")
    same_answer = execution.result_hash is not None and execution.result_hash == past.result_hash
    if same_answer and job.feedback is not None and _lacking(job.feedback) == _lacking(report.feedback or "{}"):
        return Refusal("no_progress", "not submitted again: the answer is the one before, and the same criteria fail")
    return None


def _lacking(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback).get("criteria", [])]


def _hand_over_after(execution: Execution) -> int | None:
    after = (execution.policy or {}).get("hand_over_after")
    return None if after is None else int(after)
