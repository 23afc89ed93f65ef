"""Request an execution of a job, and freeze its body and policy, or return why it may not be requested. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from contracts.agent_settings import format_settings, hash_settings
from contracts.events import hash_task
from contracts.resources import Policy
from contracts.spending import Budget
from contracts.traceparent import go_on
from jobstore.agents.rules import AgentHistory, Agents, AgentsWish, choose_usable, find_best, may_use
from jobstore.engine.parts import NOTHING, UnitOfWork, Wishes, optional
from jobstore.executions.rows import Executions, Grant, record
from jobstore.executions.states import offer
from jobstore.jobs.commands import hand_on
from jobstore.jobs.model import (
    SIGNOFF,
    UNPROVEN,
    Actor,
    Decision,
    Execution,
    ExecutionState,
    Job,
    Refusal,
    Report,
    TransitionKind,
    format_request_body,
    format_request_content,
)
from jobstore.jobs.rows import Jobs, JobsWish
from jobstore.jobs.transitions import REJUDGED
from jobstore.judging.commands import find_criteria, find_judged_max_chars, find_judging_obstacle, freeze
from jobstore.judging.rules import result_key
from jobstore.limits.rules import Limits, Queues, flow_of
from signoff.errors import ErrorCode
from signoff.status import JobStatus, Protocol, Resubmit


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """The parameters of a request for an execution.

    `comment` is sent to the agent as feedback. `policy_note` is set on a submission that follows by policy, and ends
    the message in the log: "by policy". `traceparent` is that of whoever asks, or of the submission before.
    """

    comment: str | None = None
    not_before: datetime | None = None
    batch_id: UUID | None = None
    policy_note: str | None = None
    traceparent: str | None = None


PLAIN_REQUEST: Final = ExecutionRequest()


def request_execution(
    uow: UnitOfWork, job_id: str, execution_id: UUID, actor: Actor, parameters: ExecutionRequest = PLAIN_REQUEST
) -> Decision | Refusal:
    """Request an execution: record it with the request body, policy, submission number and deadline frozen.

    The execution is offered at once if there is an opening for it (Openings), else queued.
    """
    job, spec = uow[Jobs].jobs[job_id], uow[Jobs].specs[job_id]
    agent = uow[Agents].agents.get(job.agent_id or "")
    asked = merge_policies(uow, job)
    if asked.criteria_set is not None:
        spec = replace(spec, acceptance_criteria=find_criteria(uow, spec, asked))
    judged_max_chars = find_judged_max_chars(uow, asked) or uow[Executions].judged_max_chars
    policy = freeze(uow, asked)
    not_before = max((t for t in (spec.not_before, parameters.not_before) if t), default=None)
    starts_at = max(uow.clock.now, not_before or uow.clock.now)
    protocol = agent.protocol if agent is not None and agent.protocol != Protocol.HTTP else None
    execution = Execution(
        execution_id,
        job_id,
        submission=1 + job.not_met,
        agent_id=job.agent_id,
        policy=policy.model_dump(mode="json", exclude_none=True),
        priority=spec.priority,
        deadline_at=starts_at + timedelta(seconds=policy.deadline_s) if policy.deadline_s else None,
        tenant=spec.tenant,
        flow=flow_of(job.agent_id or "", spec.labels, parameters.batch_id, uow[Limits].names, protocol),
        batch_id=parameters.batch_id,
        not_before=not_before,
        task_hash=hash_task(spec.title, spec.description, spec.payload),
        protocol=protocol,
        traceparent=parameters.traceparent,
        settings_hash=hash_settings(agent.settings) if agent is not None and protocol is not None else None,
    )
    if agent is not None and agent.deterministic and uow.terms.reuse.result_age_s:
        content = format_request_content(job, spec, parameters.comment)
        execution.reuse_key = result_key(spec.tenant, agent.id, agent.updated_at, content)
    body = format_request_body(job, spec, execution, parameters.comment)
    message = f"submission {execution.submission} was requested"
    if parameters.policy_note:
        message = f"{message} {parameters.policy_note}"
    report = Report(TransitionKind.REQUESTED, request=body, message=message, actor=actor)
    obstacle = find_obstacle(uow, job, asked, parameters)
    if obstacle is not None:
        return uow[Jobs].refuse(job_id, report, obstacle, execution.execution_id)
    decision = record(uow, job_id, execution, report)
    if isinstance(decision, Refusal):
        return decision
    queued, clock = uow[Executions].executions[execution_id], uow.clock
    if uow[Executions].openings.take(queued, clock.now):
        uow[Executions].put(offer(queued, clock.now, clock.offer_again_s, clock.offer_again_s))
    elif spec.tenant in uow[Queues].room:
        uow[Queues].room[spec.tenant] -= 1
    assert agent is not None  # else the job is PENDING
    settings = format_settings(agent.settings) if agent.settings else ""
    uow[Executions].grants[execution_id] = Grant(
        body, agent.protocol, agent.url, agent.headers, judged_max_chars, settings, agent.signing, agent.tenant
    )
    return decision


def find_obstacle(uow: UnitOfWork, job: Job, policy: Policy, parameters: ExecutionRequest) -> Refusal | None:
    """Return why no execution of a job may be requested, apart from the job's status; None if nothing is in the way.

    `policy` is the job's, as `merge_policies` returns it.
    """
    spec, agent = uow[Jobs].specs[job.id], uow[Agents].agents.get(job.agent_id or "")
    if job.status is JobStatus.PENDING and spec.capabilities:
        return Refusal(ErrorCode.NO_AGENT_MATCHES, f"no agent was found that has all of {', '.join(spec.capabilities)}")
    if (obstacle := find_judging_obstacle(uow, spec, policy)) is not None:
        return obstacle
    if agent is not None and not may_use(agent, spec.tenant):  # it was shared as it was assigned
        return Refusal(ErrorCode.UNKNOWN_AGENT, f"no agent has the id {agent.id}")
    if agent is not None and not agent.enabled:
        return Refusal(ErrorCode.AGENT_DISABLED, f"the agent {agent.id} is disabled")
    if uow[Queues].room.get(spec.tenant, 1) <= 0 and not parameters.policy_note:
        return Refusal(ErrorCode.QUEUE_FULL, f"as many executions of tenant {spec.tenant} wait as its limit allows")
    return _find_used_up(job, policy)


def _find_used_up(job: Job, policy: Policy) -> Refusal | None:
    """Return the refusal of a job that has used up the submissions or the budget of its policy, else None."""
    if policy.max_submissions is not None and job.not_met >= policy.max_submissions:
        message = f"{job.not_met} submissions were not met, and the job's policy allows {policy.max_submissions}"
        return Refusal(ErrorCode.SUBMISSIONS_EXHAUSTED, message)
    if used_up := Budget.under(vars(policy), job.cost_nanos, job.tokens).used_up:
        return Refusal(ErrorCode.BUDGET_EXHAUSTED, f"the job's budget is used up: {used_up}")
    return None


def merge_policies(uow: UnitOfWork, job: Job) -> Policy:
    """Return the policy of a job: each field as the job sets it, or else its agent, or else the service."""
    agent = uow[Agents].agents.get(job.agent_id or "")
    return uow[Jobs].specs[job.id].policy.over(agent.policy if agent else Policy()).over(uow.terms.policy)


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
    """An entry of a job's log whose kind is one of HISTORY_KINDS."""

    kind: str
    agent_id: str | None
    result_hash: bytes | None


def build_history(rows: Iterable[HistoryRow]) -> AgentHistory:
    """Return the history of a job's agents, from entries of the job's log in the order of versions."""
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


def read_for_resubmission(uow: UnitOfWork, execution_id: UUID) -> Wishes:
    """Return the wishes of the next submission by policy; none if a not-met verdict on the execution leads to none."""
    execution = uow[Executions].executions.get(execution_id)
    job = uow[Jobs].jobs.get(execution.job_id) if execution is not None else None
    if execution is None or job is None or not is_automatic(execution):
        return NOTHING
    if execution.state is ExecutionState.DONE and job.code != UNPROVEN:
        return NOTHING
    job_ids = frozenset({job.id})
    others = job_ids if (execution.policy or {}).get("hand_over_after") else frozenset()
    agents = AgentsWish(histories=job_ids, read=optional(job.agent_id), match_jobs=others)
    return (JobsWish(specs=job_ids), agents)


def record_not_met(uow: UnitOfWork, execution: Execution, report: Report) -> Decision | Refusal:
    """Record a not-met verdict, and request the next submission if the policy says so and nothing is in the way."""
    job = uow[Jobs].jobs[execution.job_id]
    history = uow[Agents].histories.get(job.id)
    if history is None or report.is_unjudged or not is_automatic(execution):
        return record(uow, job.id, execution, report)
    other = _find_other_agent(uow, job, execution, history)
    is_rejudged = report.code == REJUDGED  # no more is made of the batch, of which its item has ended
    batch_id = None if is_rejudged else execution.batch_id
    note = _policy_note(uow, execution, other)
    trace = None if is_rejudged else go_on(execution.traceparent, execution.execution_id)
    parameters = ExecutionRequest(batch_id=batch_id, policy_note=note, traceparent=trace)
    refusal = _refuse_resubmission(uow, execution, report, parameters, other)
    if refusal is not None:
        message = f"{report.message}; not submitted again: {refusal.message}"
        report = replace(report, code=REJUDGED if is_rejudged else refusal.code, message=message)
    decision = record(uow, job.id, execution, report)
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
    """Return whether, after a not-met verdict on an execution, the policy gives the job to another agent."""
    after = (execution.policy or {}).get("hand_over_after")
    capabilities, history = uow[Jobs].specs[execution.job_id].capabilities, uow[Agents].histories[execution.job_id]
    return after is not None and bool(capabilities) and history.not_met + 1 >= int(after)


def _find_other_agent(uow: UnitOfWork, job: Job, execution: Execution, history: AgentHistory) -> str | None:
    """Return the id of the best agent that has not had the job, if the job must be handed on, else None."""
    if not _must_hand_on(uow, execution):
        return None
    previous, spec = history.agents | optional(job.agent_id), uow[Jobs].specs[job.id]
    candidates = choose_usable(uow[Agents].candidates.values(), spec.tenant)
    other = find_best(job.id, spec.capabilities, candidates, without=previous)
    return other.agent_id if other else None


def _refuse_resubmission(
    uow: UnitOfWork, execution: Execution, report: Report, parameters: ExecutionRequest, other: str | None
) -> Refusal | None:
    """Return why no submission follows by policy, for the job as the verdict leaves it; None if one follows."""
    job = uow[Jobs].jobs[execution.job_id]
    if uow.terms.ids.derive_next(execution.execution_id) in uow[Executions].executions:
        return Refusal(ErrorCode.EXECUTION_CONFLICT, "its next execution was cancelled before it came, or asked for")
    cost_nanos, tokens = job.cost_nanos + report.cost_nanos, job.tokens + report.tokens
    agent_id, not_met = other or job.agent_id, job.not_met + 1
    after = replace(job, agent_id=agent_id, not_met=not_met, cost_nanos=cost_nanos, tokens=tokens)
    obstacle = find_obstacle(uow, after, merge_policies(uow, after), parameters)
    if obstacle is None and other is None and _repeats_itself(job, execution, report, uow[Agents].histories[job.id]):
        return Refusal(ErrorCode.NO_PROGRESS, "the answer is the one before, and the same criteria fail")
    return obstacle


def _repeats_itself(job: Job, execution: Execution, report: Report, history: AgentHistory) -> bool:
    """Return whether the agent gave its previous result again, and the same criteria were not met as before.

    The first result after a hand-over is compared with nothing: the result before was another agent's.
    """
    if not history.not_met or job.feedback is None:
        return False
    if execution.result_hash is None or execution.result_hash != history.result_hash:
        return False
    assert report.feedback is not None  # it is of a verdict
    return _unmet_criteria(job.feedback) == _unmet_criteria(report.feedback)


def _unmet_criteria(feedback: str) -> list[tuple[str, str]]:
    return [(c["text"], c["outcome"]) for c in json.loads(feedback)["criteria"]]
