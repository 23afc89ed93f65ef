"""What follows a not-met verdict by the job's policy: the next submission, also to another agent, or a rest; pure."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid5

from contracts.status import Resubmit
from jobstore.commands.unit_of_work import Asked, Ledger, Past
from jobstore.domain.matching import best
from jobstore.domain.model import Decision, Execution, Job, Kind, Refusal, Report, State

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


def submitted_again(ledger: Ledger, execution_id: UUID) -> Collection[str]:
    """The job whose past must be loaded before a not-met verdict on this execution is recorded, if any."""
    execution = ledger.executions.get(execution_id)
    live = execution is not None and execution.state is not State.DONE and execution.job_id in ledger.jobs
    return (execution.job_id,) if execution and live and is_automatic(execution) else ()


def sought(ledger: Ledger, execution_id: UUID) -> Collection[str]:
    """The capabilities of which agents must be loaded besides, once its past and its texts are."""
    due = submitted_again(ledger, execution_id) and _hands_over(ledger, ledger.executions[execution_id])
    return ledger.specs[ledger.executions[execution_id].job_id].capabilities if due else ()


def record_not_met(ledger: Ledger, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict and, where the policy says so and its job's past is loaded, what follows from it."""
    job = ledger.jobs[execution.job_id]
    past = ledger.pasts.get(job.id)
    if past is None or not is_automatic(execution):
        return ledger.record(job.id, execution, report)
    other = _other_agent(ledger, job, execution, past)
    asked = Asked(batch_id=execution.batch_id, by_policy=_note(ledger, execution, other))
    stop = _why_not(ledger, execution, report, asked, other)
    if stop is not None:
        report = replace(report, code=stop.code, message=f"{report.message}; not submitted again: {stop.message}")
    decision = ledger.record(job.id, execution, report)
    if stop is None and isinstance(decision, Decision):
        if other is not None:
            count = past.not_met + 1
            ledger.hand_on(job.id, other, f"after {count} not-met {'verdict' if count == 1 else 'verdicts'}")
        ledger.request(job.id, next_id(execution.execution_id), asked)
    return decision


def _note(ledger: Ledger, execution: Execution, other: str | None) -> str:
    if other is not None:
        return f"by policy, of {other}"
    if _hands_over(ledger, execution):
        return f"by policy; {execution.agent_id} keeps the job, since no other agent matches"
    return "by policy"


def _hands_over(ledger: Ledger, execution: Execution) -> bool:
    """Whether another agent is to have the job after a not-met verdict on this execution."""
    after = (execution.policy or {}).get("hand_over_after")
    needs, past = ledger.specs[execution.job_id].capabilities, ledger.pasts[execution.job_id]
    return after is not None and bool(needs) and past.not_met + 1 >= int(after)


def _other_agent(ledger: Ledger, job: Job, execution: Execution, past: Past) -> str | None:
    if not _hands_over(ledger, execution):
        return None
    had = past.agents | {job.agent_id or ""}
    other = best(job.id, ledger.specs[job.id].capabilities, ledger.candidates.values(), without=had)
    return other.agent_id if other else None


def _why_not(ledger: Ledger, execution: Execution, report: Report, asked: Asked, other: str | None) -> Refusal | None:
    """Why there is no next submission by policy."""
    job = ledger.jobs[execution.job_id]
    if next_id(execution.execution_id) in ledger.executions:
        return Refusal("execution_conflict", "its next execution was cancelled before it came, or asked for")
    spent_usd, spent_tokens = job.spent_usd + report.cost_usd, job.spent_tokens + report.tokens
    after = replace(job, agent_id=other or job.agent_id, spent_usd=spent_usd, spent_tokens=spent_tokens)
    hindered = ledger.hindered(after, asked)
    if hindered is None and other is None and _same_again(job, execution, report, ledger.pasts[job.id]):
        return Refusal("no_progress", "the answer is the one before, and the same criteria fail")
    return hindered


def _same_again(job: Job, execution: Execution, report: Report, past: Past) -> bool:
    same_answer = execution.result_hash is not None and execution.result_hash == past.result_hash
    return same_answer and job.feedback is not None and _lacking(job.feedback) == _lacking(report.feedback or "{}")


def _lacking(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback).get("criteria", [])]
