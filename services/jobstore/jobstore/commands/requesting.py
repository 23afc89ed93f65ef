"""Request an execution of a job, with what it will run frozen; or say what stands in its way."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.resources import Agent, Policy
from contracts.spending import Budget
from contracts.status import JobStatus
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.limits import flow_of
from jobstore.domain.model import (
    Decision,
    Execution,
    Job,
    Refusal,
    Report,
    TransitionKind,
)
from jobstore.domain.reuse import result_key
from jobstore.domain.spec import Spec, request_body, what_is_asked


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """What an execution is requested with, beside its job. `by_policy`: why, where nobody asked for it."""

    comment: str | None = None
    not_before: datetime | None = None
    batch_id: UUID | None = None
    by_policy: str | None = None


PLAIN_REQUEST: Final = ExecutionRequest()


def _requested(execution: Execution, asked: ExecutionRequest) -> str:
    said = f"submission {execution.submission} was requested"
    return f"{said} {asked.by_policy}" if asked.by_policy else said


def request_execution(
    uow: UnitOfWork, job_id: str, execution_id: UUID, asked: ExecutionRequest = PLAIN_REQUEST
) -> Decision | Refusal:
    """Request an execution, with what it will run frozen."""
    job, spec = uow.jobs[job_id], uow.specs[job_id]
    agent = uow.agents.get(job.agent_id or "")
    policy = spec.policy.over(agent.policy if agent else Policy()).over(uow.defaults)
    not_before = max((t for t in (spec.not_before, asked.not_before) if t), default=None)
    begins = max(uow.clock.now, not_before or uow.clock.now)
    execution = Execution(
        execution_id,
        job_id,
        submission=1 + job.not_met,
        agent_id=job.agent_id,
        policy=policy.model_dump(mode="json", exclude_none=True),
        priority=spec.priority,
        deadline_at=begins + timedelta(seconds=policy.deadline_s) if policy.deadline_s else None,
        tenant=spec.tenant,
        flow=flow_of(job.agent_id or "", spec.labels, asked.batch_id, uow.limits),
        batch_id=asked.batch_id,
        not_before=not_before,
    )
    if agent is not None and agent.deterministic and uow.reuse.result_age_s:
        execution.reuse_key = result_key(agent.id, agent.updated_at, what_is_asked(job, spec, asked.comment))
    body = request_body(job, spec, execution, asked.comment)
    report = Report(TransitionKind.REQUESTED, request=body, message=_requested(execution, asked))
    refusal = find_obstacle(uow, job, asked)
    if refusal is not None:
        uow.refusals.append((job_id, report, refusal))
        return refusal
    decision = uow.record(job_id, execution, report)
    if isinstance(decision, Decision) and spec.tenant in uow.may_wait:
        uow.may_wait[spec.tenant] -= 1
    return decision


def find_obstacle(uow: UnitOfWork, job: Job, asked: ExecutionRequest) -> Refusal | None:
    """Why no execution of a job, as it would stand then, may be requested, whatever else its status says."""
    spec, agent = uow.specs[job.id], uow.agents.get(job.agent_id or "")
    if job.status is JobStatus.PENDING and spec.capabilities:
        return Refusal("no_agent_matches", f"no agent was found that has all of {', '.join(spec.capabilities)}")
    if agent is not None and not agent.enabled:
        return Refusal("agent_disabled", f"the agent {agent.id} is disabled")
    if uow.may_wait.get(spec.tenant, 1) <= 0 and not asked.by_policy:
        return Refusal("queue_full", f"as many executions of tenant {spec.tenant} wait as its limit allows")
    if used_up := _budget_of(uow, job, spec, agent).used_up:
        return Refusal("budget_exhausted", f"the job's budget is used up: {used_up}")
    return None


def _budget_of(uow: UnitOfWork, job: Job, spec: Spec, agent: Agent | None) -> Budget:
    policies = [spec.policy, *([agent.policy] if agent else []), uow.defaults]
    usd = next((p.budget_usd for p in policies if p.budget_usd is not None), None)
    tokens = next((p.budget_tokens for p in policies if p.budget_tokens is not None), None)
    return Budget(usd, tokens, job.spent_usd, job.spent_tokens)
