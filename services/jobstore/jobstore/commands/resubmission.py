"""Resubmission by policy: after a not-met verdict, request the next submission, perhaps of another agent. Pure."""

import json
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from contracts.status import Resubmit
from jobstore.commands.assigning import hand_on
from jobstore.commands.requesting import ExecutionRequest, find_obstacle, request_execution
from jobstore.commands.unit_of_work import AgentHistory, UnitOfWork
from jobstore.domain.actor import SIGNOFF
from jobstore.domain.matching import find_best
from jobstore.domain.model import Decision, Execution, ExecutionState, Job, Refusal, Report, TransitionKind

#: The log entries from which an AgentHistory is built.
HISTORY_KINDS: Final = (
    TransitionKind.CREATED,
    TransitionKind.ASSIGNED,
    TransitionKind.MATCHED,
    TransitionKind.HANDED_ON,
    TransitionKind.NOT_MET,
)
#: Assignments that start a history anew.
_STARTS: Final = {TransitionKind.CREATED, TransitionKind.ASSIGNED, TransitionKind.MATCHED}


def build_history(rows: Iterable[Any]) -> AgentHistory:
    """Build the history of a job's agents from its log: rows (kind, agent_id, result_hash) in the order of versions."""
    history = AgentHistory()
    for row in rows:
        if row.kind in _STARTS:
            history = AgentHistory(frozenset({row.agent_id} - {None}))
        elif row.kind == TransitionKind.HANDED_ON:
            history = replace(history, agents=history.agents | {row.agent_id}, not_met=0)
        else:
            history = replace(history, not_met=history.not_met + 1, result_hash=row.result_hash)
    return history


def is_automatic(execution: Execution) -> bool:
    """Return whether a not-met verdict on an execution leads to another submission by policy."""
    return (execution.policy or {}).get("resubmit") == Resubmit.AUTOMATIC and execution.has_submissions_left


def find_jobs_to_resubmit(uow: UnitOfWork, execution_id: UUID) -> Collection[str]:
    """Return the job that may be submitted again after a not-met verdict on an execution, or nothing."""
    execution = uow.executions.get(execution_id)
    is_live = execution is not None and execution.state is not ExecutionState.DONE and execution.job_id in uow.jobs
    return (execution.job_id,) if execution and is_live and is_automatic(execution) else ()


def find_needed_capabilities(uow: UnitOfWork, execution_id: UUID) -> Collection[str]:
    """Return the capabilities that another agent needs, if a not-met verdict on an execution would hand the job on."""
    is_due = find_jobs_to_resubmit(uow, execution_id) and _must_hand_on(uow, uow.executions[execution_id])
    return uow.specs[uow.executions[execution_id].job_id].capabilities if is_due else ()


def record_not_met(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict, and request the next submission if the policy says so and nothing is in the way."""
    job = uow.jobs[execution.job_id]
    history = uow.histories.get(job.id)
    if history is None or report.is_unjudged or not is_automatic(execution):
        return uow.record(job.id, execution, report)
    other = _find_other_agent(uow, job, execution, history)
    parameters = ExecutionRequest(batch_id=execution.batch_id, policy_note=_policy_note(uow, execution, other))
    refusal = _refuse_resubmission(uow, execution, report, parameters, other)
    if refusal is not None:
        message = f"{report.message}; not submitted again: {refusal.message}"
        report = replace(report, code=refusal.code, message=message)
    decision = uow.record(job.id, execution, report)
    if refusal is None and isinstance(decision, Decision):
        if other is not None:
            count = history.not_met + 1
            hand_on(uow, job.id, other, f"after {count} not-met {'verdict' if count == 1 else 'verdicts'}")
        request_execution(uow, job.id, uow.ids.derive_next(execution.execution_id), SIGNOFF, parameters)
    return decision


def _policy_note(uow: UnitOfWork, execution: Execution, other: str | None) -> str:
    if other is not None:
        return f"by policy, of {other}"
    if _must_hand_on(uow, execution):
        return f"by policy; {execution.agent_id} keeps the job, since no other agent matches"
    return "by policy"


def _must_hand_on(uow: UnitOfWork, execution: Execution) -> bool:
    """Return whether the policy gives the job to another agent after a not-met verdict on an execution."""
    after = (execution.policy or {}).get("hand_over_after")
    capabilities, history = uow.specs[execution.job_id].capabilities, uow.histories[execution.job_id]
    return after is not None and bool(capabilities) and history.not_met + 1 >= int(after)


def _find_other_agent(uow: UnitOfWork, job: Job, execution: Execution, history: AgentHistory) -> str | None:
    """Return the best agent that has not had the job, if the job must be handed on."""
    if not _must_hand_on(uow, execution):
        return None
    previous = history.agents | {job.agent_id or ""}
    other = find_best(job.id, uow.specs[job.id].capabilities, uow.candidates.values(), without=previous)
    return other.agent_id if other else None


def _refuse_resubmission(
    uow: UnitOfWork, execution: Execution, report: Report, parameters: ExecutionRequest, other: str | None
) -> Refusal | None:
    """Return why there is no next submission by policy, as the job will be after the verdict; None if there is one."""
    job = uow.jobs[execution.job_id]
    if uow.ids.derive_next(execution.execution_id) in uow.executions:
        return Refusal("execution_conflict", "its next execution was cancelled before it came, or asked for")
    spent_usd, spent_tokens = job.spent_usd + report.cost_usd, job.spent_tokens + report.tokens
    after = replace(job, agent_id=other or job.agent_id, spent_usd=spent_usd, spent_tokens=spent_tokens)
    obstacle = find_obstacle(uow, after, parameters)
    if obstacle is None and other is None and _repeats_itself(job, execution, report, uow.histories[job.id]):
        return Refusal("no_progress", "the answer is the one before, and the same criteria fail")
    return obstacle


def _repeats_itself(job: Job, execution: Execution, report: Report, history: AgentHistory) -> bool:
    """Return whether the agent gave the previous result again, and the same criteria were not met."""
    if job.feedback is None or execution.result_hash is None or execution.result_hash != history.result_hash:
        return False
    return _unmet_criteria(job.feedback) == _unmet_criteria(report.feedback or "{}")


def _unmet_criteria(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback).get("criteria", [])]
