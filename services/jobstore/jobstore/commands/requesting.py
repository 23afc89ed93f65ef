"""Request an execution of a job, with what it will run frozen, or say why none may be requested. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.events import hash_task
from contracts.resources import Policy
from contracts.spending import Budget
from jobstore.commands.judging.freezing import find_criteria, find_judged_max_chars, find_judging_obstacle, freeze
from jobstore.commands.rows import Grant
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import Actor
from jobstore.domain.execution_states import offer
from jobstore.domain.limits import flow_of
from jobstore.domain.model import Decision, Execution, Job, Refusal, Report, TransitionKind
from jobstore.domain.reuse import result_key
from jobstore.domain.spec import format_request_body, format_request_content
from signoff.errors import ErrorCode
from signoff.status import JobStatus


@dataclass(frozen=True, slots=True)
class ExecutionRequest:
    """The parameters of a request for an execution.

    `comment` is sent to the agent as feedback. `policy_note` is set on a resubmission by policy, and ends the log's
    message: "by policy".
    """

    comment: str | None = None
    not_before: datetime | None = None
    batch_id: UUID | None = None
    policy_note: str | None = None


PLAIN_REQUEST: Final = ExecutionRequest()


def request_execution(
    uow: UnitOfWork, job_id: str, execution_id: UUID, actor: Actor, parameters: ExecutionRequest = PLAIN_REQUEST
) -> Decision | Refusal:
    """Request an execution: record it with the request body, policy, submission number and deadline frozen.

    It is offered at once where that takes no other's turn (Openings), else queued.
    """
    job, spec = uow.jobs[job_id], uow.specs[job_id]
    agent = uow.stored.agents.get(job.agent_id or "")
    asked = merge_policies(uow, job)
    if asked.criteria_set is not None:
        spec = replace(spec, acceptance_criteria=find_criteria(uow.stored, spec, asked))
    judged_max_chars = find_judged_max_chars(uow.stored, asked) or uow.stored.judged_max_chars
    policy = freeze(uow.stored, asked)
    not_before = max((t for t in (spec.not_before, parameters.not_before) if t), default=None)
    starts_at = max(uow.stored.clock.now, not_before or uow.stored.clock.now)
    execution = Execution(
        execution_id,
        job_id,
        submission=1 + job.not_met,
        agent_id=job.agent_id,
        policy=policy.model_dump(mode="json", exclude_none=True),
        priority=spec.priority,
        deadline_at=starts_at + timedelta(seconds=policy.deadline_s) if policy.deadline_s else None,
        tenant=spec.tenant,
        flow=flow_of(job.agent_id or "", spec.labels, parameters.batch_id, uow.stored.limit_names),
        batch_id=parameters.batch_id,
        not_before=not_before,
        task_hash=hash_task(spec.title, spec.description, spec.payload),
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
        return uow.refuse(job_id, report, obstacle)
    decision = uow.record(job_id, execution, report)
    if isinstance(decision, Refusal):
        return decision
    queued, clock = uow.executions[execution_id], uow.stored.clock
    if uow.stored.openings.take(queued, clock.now):
        uow.put_execution(offer(queued, clock.now, clock.offer_again_s, clock.offer_again_s))
    elif spec.tenant in uow.stored.queue_room:
        uow.stored.queue_room[spec.tenant] -= 1
    assert agent is not None  # else the job is PENDING
    uow.grants[execution_id] = Grant(body, agent.protocol, agent.url, agent.headers, judged_max_chars)
    return decision


def find_obstacle(uow: UnitOfWork, job: Job, policy: Policy, parameters: ExecutionRequest) -> Refusal | None:
    """Return why no execution of a job may be requested, apart from its status; None if nothing is in the way.

    `policy` is the job's, as `merge_policies` returns it.
    """
    spec, agent = uow.specs[job.id], uow.stored.agents.get(job.agent_id or "")
    if job.status is JobStatus.PENDING and spec.capabilities:
        return Refusal(ErrorCode.NO_AGENT_MATCHES, f"no agent was found that has all of {', '.join(spec.capabilities)}")
    if (obstacle := find_judging_obstacle(uow, spec, policy)) is not None:
        return obstacle
    if agent is not None and not agent.enabled:
        return Refusal(ErrorCode.AGENT_DISABLED, f"the agent {agent.id} is disabled")
    if uow.stored.queue_room.get(spec.tenant, 1) <= 0 and not parameters.policy_note:
        return Refusal(ErrorCode.QUEUE_FULL, f"as many executions of tenant {spec.tenant} wait as its limit allows")
    return _find_used_up(job, policy)


def _find_used_up(job: Job, policy: Policy) -> Refusal | None:
    """Return which allowance of its policy a job has used up: the submissions that it allows by now, or its budget."""
    if policy.max_submissions is not None and job.not_met >= policy.max_submissions:
        message = f"{job.not_met} submissions were not met, and the job's policy allows {policy.max_submissions}"
        return Refusal(ErrorCode.SUBMISSIONS_EXHAUSTED, message)
    if used_up := Budget.under(vars(policy), job.cost_nanos, job.tokens).used_up:
        return Refusal(ErrorCode.BUDGET_EXHAUSTED, f"the job's budget is used up: {used_up}")
    return None


def merge_policies(uow: UnitOfWork, job: Job) -> Policy:
    """Return the policy of a job, over its agent's, over the service's."""
    agent = uow.stored.agents.get(job.agent_id or "")
    return uow.specs[job.id].policy.over(agent.policy if agent else Policy()).over(uow.terms.policy)
