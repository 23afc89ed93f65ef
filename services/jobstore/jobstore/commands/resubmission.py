"""What follows a not-met verdict by the job's policy: the next submission, also to another agent, or a rest; pure."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid5

from contracts.status import Resubmit
from jobstore.commands.assigning import hand_on
from jobstore.commands.requesting import ExecutionRequest, find_obstacle, request_execution
from jobstore.commands.unit_of_work import AgentHistory, UnitOfWork
from jobstore.domain.matching import best
from jobstore.domain.model import Decision, Execution, ExecutionState, Job, Refusal, Report, TransitionKind

#: What a job's log says of who had it, and how that was judged.
TELLING: Final = (
    TransitionKind.CREATED,
    TransitionKind.ASSIGNED,
    TransitionKind.MATCHED,
    TransitionKind.HANDED_ON,
    TransitionKind.NOT_MET,
)
_BEGINS: Final = {TransitionKind.CREATED, TransitionKind.ASSIGNED, TransitionKind.MATCHED}


def history_of(rows: Iterable[Any]) -> AgentHistory:
    """What a job's log tells: (kind, agent_id, result_hash) in the order of versions."""
    past = AgentHistory()
    for row in rows:
        if row.kind in _BEGINS:
            past = AgentHistory(frozenset({row.agent_id} - {None}))
        elif row.kind == TransitionKind.HANDED_ON:
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


def job_to_resubmit(uow: UnitOfWork, execution_id: UUID) -> Collection[str]:
    """The job whose past must be loaded before a not-met verdict on this execution is recorded, if any."""
    execution = uow.executions.get(execution_id)
    live = execution is not None and execution.state is not ExecutionState.DONE and execution.job_id in uow.jobs
    return (execution.job_id,) if execution and live and is_automatic(execution) else ()


def capabilities_to_seek(uow: UnitOfWork, execution_id: UUID) -> Collection[str]:
    """The capabilities of which agents must be loaded besides, once its past and its texts are."""
    due = job_to_resubmit(uow, execution_id) and _hands_over(uow, uow.executions[execution_id])
    return uow.specs[uow.executions[execution_id].job_id].capabilities if due else ()


def record_not_met(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict and, where the policy says so and its job's past is loaded, what follows from it."""
    job = uow.jobs[execution.job_id]
    past = uow.histories.get(job.id)
    if past is None or not is_automatic(execution):
        return uow.record(job.id, execution, report)
    other = _other_agent(uow, job, execution, past)
    asked = ExecutionRequest(batch_id=execution.batch_id, by_policy=_note(uow, execution, other))
    stop = _why_not(uow, execution, report, asked, other)
    if stop is not None:
        report = replace(report, code=stop.code, message=f"{report.message}; not submitted again: {stop.message}")
    decision = uow.record(job.id, execution, report)
    if stop is None and isinstance(decision, Decision):
        if other is not None:
            count = past.not_met + 1
            hand_on(uow, job.id, other, f"after {count} not-met {'verdict' if count == 1 else 'verdicts'}")
        request_execution(uow, job.id, next_id(execution.execution_id), asked)
    return decision


def _note(uow: UnitOfWork, execution: Execution, other: str | None) -> str:
    if other is not None:
        return f"by policy, of {other}"
    if _hands_over(uow, execution):
        return f"by policy; {execution.agent_id} keeps the job, since no other agent matches"
    return "by policy"


def _hands_over(uow: UnitOfWork, execution: Execution) -> bool:
    """Whether another agent is to have the job after a not-met verdict on this execution."""
    after = (execution.policy or {}).get("hand_over_after")
    needs, past = uow.specs[execution.job_id].capabilities, uow.histories[execution.job_id]
    return after is not None and bool(needs) and past.not_met + 1 >= int(after)


def _other_agent(uow: UnitOfWork, job: Job, execution: Execution, past: AgentHistory) -> str | None:
    if not _hands_over(uow, execution):
        return None
    had = past.agents | {job.agent_id or ""}
    other = best(job.id, uow.specs[job.id].capabilities, uow.candidates.values(), without=had)
    return other.agent_id if other else None


def _why_not(
    uow: UnitOfWork, execution: Execution, report: Report, asked: ExecutionRequest, other: str | None
) -> Refusal | None:
    """Why there is no next submission by policy."""
    job = uow.jobs[execution.job_id]
    if next_id(execution.execution_id) in uow.executions:
        return Refusal("execution_conflict", "its next execution was cancelled before it came, or asked for")
    spent_usd, spent_tokens = job.spent_usd + report.cost_usd, job.spent_tokens + report.tokens
    after = replace(job, agent_id=other or job.agent_id, spent_usd=spent_usd, spent_tokens=spent_tokens)
    obstacle = find_obstacle(uow, after, asked)
    if obstacle is None and other is None and _same_again(job, execution, report, uow.histories[job.id]):
        return Refusal("no_progress", "the answer is the one before, and the same criteria fail")
    return obstacle


def _same_again(job: Job, execution: Execution, report: Report, past: AgentHistory) -> bool:
    same_answer = execution.result_hash is not None and execution.result_hash == past.result_hash
    return same_answer and job.feedback is not None and _lacking(job.feedback) == _lacking(report.feedback or "{}")


def _lacking(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback).get("criteria", [])]
