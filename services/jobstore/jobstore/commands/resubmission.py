"""Resubmission by policy: after a not-met verdict, request the next submission, perhaps of another agent. Pure."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

from jobstore.commands.assigning import hand_on
from jobstore.commands.base import NOTHING, Reads, optional
from jobstore.commands.requesting import ExecutionRequest, find_obstacle, merge_policies, request_execution
from jobstore.commands.rows import AgentHistory, Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import SIGNOFF
from jobstore.domain.decisions import REJUDGED
from jobstore.domain.matching import find_best
from jobstore.domain.model import UNPROVEN, Decision, Execution, ExecutionState, Job, Refusal, Report, TransitionKind
from signoff.errors import ErrorCode
from signoff.status import Resubmit

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


class HistoryRow(NamedTuple):
    """An entry of a job's log, of one of HISTORY_KINDS."""

    kind: str
    agent_id: str | None
    result_hash: bytes | None


def build_history(rows: Iterable[HistoryRow]) -> AgentHistory:
    """Build the history of a job's agents from its log, in the order of versions."""
    history = AgentHistory()
    for row in rows:
        if row.kind in _STARTS:
            history = AgentHistory(optional(row.agent_id))
        elif row.kind == TransitionKind.HANDED_ON:
            history = replace(history, agents=history.agents | optional(row.agent_id), not_met=0)
        else:
            history = replace(history, not_met=history.not_met + 1, result_hash=row.result_hash)
    return history


def is_automatic(execution: Execution) -> bool:
    """Return whether a not-met verdict on an execution leads to another submission by policy."""
    return (execution.policy or {}).get("resubmit") == Resubmit.AUTOMATIC and execution.has_submissions_left


def read_for_resubmission(stored: Stored, execution_id: UUID) -> Reads:
    """Return what the next submission by policy needs after a not-met verdict on an execution, if there may be one."""
    execution = stored.executions.get(execution_id)
    job = stored.jobs.get(execution.job_id) if execution is not None else None
    if execution is None or job is None or not is_automatic(execution):
        return NOTHING
    if execution.state is ExecutionState.DONE and job.code != UNPROVEN:
        return NOTHING
    job_ids = frozenset({job.id})
    return Reads(
        specs=job_ids - stored.specs.keys(),
        histories=job_ids,
        agents=optional(job.agent_id),
        match_jobs=job_ids if (execution.policy or {}).get("hand_over_after") else frozenset(),
    )


def record_not_met(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict, and request the next submission if the policy says so and nothing is in the way."""
    job = uow.jobs[execution.job_id]
    history = uow.stored.histories.get(job.id)
    if history is None or report.is_unjudged or not is_automatic(execution):
        return uow.record(job.id, execution, report)
    other = _find_other_agent(uow, job, execution, history)
    is_rejudged = report.code == REJUDGED  # no more is made of the batch, of which its item has ended
    batch_id = None if is_rejudged else execution.batch_id
    parameters = ExecutionRequest(batch_id=batch_id, policy_note=_policy_note(uow, execution, other))
    refusal = _refuse_resubmission(uow, execution, report, parameters, other)
    if refusal is not None:
        message = f"{report.message}; not submitted again: {refusal.message}"
        report = replace(report, code=REJUDGED if is_rejudged else refusal.code, message=message)
    decision = uow.record(job.id, execution, report)
    if refusal is None and isinstance(decision, Decision):
        if other is not None:
            count = history.not_met + 1
            hand_on(uow, job.id, other, f"after {count} not-met {'verdict' if count == 1 else 'verdicts'}")
        request_execution(uow, job.id, uow.terms.ids.derive_next(execution.execution_id), SIGNOFF, parameters)
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
    capabilities, history = uow.specs[execution.job_id].capabilities, uow.stored.histories[execution.job_id]
    return after is not None and bool(capabilities) and history.not_met + 1 >= int(after)


def _find_other_agent(uow: UnitOfWork, job: Job, execution: Execution, history: AgentHistory) -> str | None:
    """Return the best agent that has not had the job, if the job must be handed on."""
    if not _must_hand_on(uow, execution):
        return None
    previous = history.agents | optional(job.agent_id)
    other = find_best(job.id, uow.specs[job.id].capabilities, uow.stored.candidates.values(), without=previous)
    return other.agent_id if other else None


def _refuse_resubmission(
    uow: UnitOfWork, execution: Execution, report: Report, parameters: ExecutionRequest, other: str | None
) -> Refusal | None:
    """Return why there is no next submission by policy, as the job will be after the verdict; None if there is one."""
    job = uow.jobs[execution.job_id]
    if uow.terms.ids.derive_next(execution.execution_id) in uow.executions:
        return Refusal(ErrorCode.EXECUTION_CONFLICT, "its next execution was cancelled before it came, or asked for")
    cost_nanos, tokens = job.cost_nanos + report.cost_nanos, job.tokens + report.tokens
    after = replace(
        job,
        agent_id=other or job.agent_id,
        not_met=job.not_met + 1,
        cost_nanos=cost_nanos,
        tokens=tokens,
    )
    obstacle = find_obstacle(uow, after, merge_policies(uow, after), parameters)
    if obstacle is None and other is None and _repeats_itself(job, execution, report, uow.stored.histories[job.id]):
        return Refusal(ErrorCode.NO_PROGRESS, "the answer is the one before, and the same criteria fail")
    return obstacle


def _repeats_itself(job: Job, execution: Execution, report: Report, history: AgentHistory) -> bool:
    """Return whether the agent gave its previous result again, and the same criteria were not met.

    The first answer after a hand-over is compared with nothing: the one before was another agent's.
    """
    if not history.not_met or job.feedback is None:
        return False
    if execution.result_hash is None or execution.result_hash != history.result_hash:
        return False
    assert report.feedback is not None  # it is of a verdict
    return _unmet_criteria(job.feedback) == _unmet_criteria(report.feedback)


def _unmet_criteria(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback)["criteria"]]
