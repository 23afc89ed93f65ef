"""Create a job, and give it to an agent: by hand, by its capabilities, or from one agent to another. Pure."""

from dataclasses import replace

from contracts.criteria import format_criteria
from contracts.resources import NewJob
from jobstore.commands.base import Reads, optional, require_agent
from jobstore.commands.judging.freezing import check_named
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import Actor
from jobstore.domain.judging.versions import list_wanted
from jobstore.domain.matching import describe_missing, find_best
from jobstore.domain.model import Decision, Job, Refusal, Report, TransitionKind
from jobstore.domain.spec import Spec, format_assignment, hash_spec
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobStatus


def read_for_creation(new: NewJob) -> Reads:
    """Return what the creation of a job needs: its agent, or those it may be matched to, and what its policy names."""
    capabilities = frozenset(() if new.agent_id else new.capabilities)
    references = frozenset(list_wanted(new.policy))
    return Reads(agents=optional(new.agent_id), capabilities=capabilities, references=references)


def check_creation(uow: UnitOfWork, new: NewJob) -> None:
    """Raise InvalidError if a new job names what is not there.

    Its code is `unknown_agent`, `unknown_judge_policy` or `unknown_criteria_set`.
    """
    require_agent(uow, new.agent_id)
    check_named(uow, new.policy)


def create_job(uow: UnitOfWork, new: NewJob, job_id: str, actor: Actor) -> Job:
    """Add a new job: ASSIGNED if it names an agent, else PENDING. Match one that names capabilities at once.

    InvalidError (`payload_too_large`): it asks for too much.
    """
    status = JobStatus.ASSIGNED if new.agent_id else JobStatus.PENDING
    job = Job(job_id, status, 1, agent_id=new.agent_id)
    now = uow.clock.now
    spec = Spec(
        title=new.title,
        description=new.description,
        acceptance_criteria=format_criteria(new.criteria) if new.criteria else "",
        references=new.references,
        payload=json_text(new.payload),
        priority=new.priority,
        tenant=new.tenant,
        labels=new.labels,
        policy=new.policy,
        capabilities=new.capabilities,
        not_before=new.not_before,
        spec_hash=hash_spec(new),
        created_at=now,
        updated_at=now,
    )
    uow.check_spec_size(spec)
    message = f"created, assigned to {new.agent_id}" if new.agent_id else "created"
    report = Report(TransitionKind.CREATED, request=format_assignment(spec.payload), message=message, actor=actor)
    uow.add_job(job, spec, report)
    if new.capabilities and not new.agent_id:
        match_agent(uow, job_id)
    return uow.jobs[job_id]


def match_agent(uow: UnitOfWork, job_id: str) -> None:
    """Assign the best agent for a PENDING job by its capabilities, or record which are missing."""
    spec = uow.specs[job_id]
    best = find_best(job_id, spec.capabilities, uow.stored.candidates.values())
    if best is None:
        message = describe_missing(spec.capabilities, uow.stored.candidates.values())
        uow.record(
            job_id, None, Report(TransitionKind.MATCHING_FAILED, code=ErrorCode.MATCHING_FAILED, message=message)
        )
        return
    best.load += 1  # later matches of this transaction count it
    _change_agent(uow, job_id, TransitionKind.MATCHED, ErrorCode.MATCHED, best.agent_id, f"matched to {best.agent_id}")


def hand_on(uow: UnitOfWork, job_id: str, agent_id: str, reason: str) -> None:
    """Give a job to another agent, by policy. `reason` ends the log's message."""
    message = f"handed on from {uow.jobs[job_id].agent_id} to {agent_id} {reason}"
    _change_agent(uow, job_id, TransitionKind.HANDED_ON, ErrorCode.HANDED_ON, agent_id, message)


def _change_agent(
    uow: UnitOfWork, job_id: str, kind: TransitionKind, code: ErrorCode, agent_id: str, message: str
) -> None:
    request = format_assignment(uow.specs[job_id].payload)
    report = Report(kind, agent_id=agent_id, code=code, message=message, request=request)
    uow.record(job_id, None, report)


def assign_agent(uow: UnitOfWork, job_id: str, agent_id: str, payload: str | None, actor: Actor) -> Decision | Refusal:
    """Assign an agent by hand. A payload, as JSON text, replaces the job's."""
    spec = uow.specs[job_id]
    if payload is not None:
        spec = replace(spec, payload=payload)
        uow.check_spec_size(spec)
    request = format_assignment(spec.payload)
    message = f"assigned to {agent_id}"
    report = Report(TransitionKind.ASSIGNED, agent_id=agent_id, request=request, message=message, actor=actor)
    decision = uow.record(job_id, None, report)
    if isinstance(decision, Decision) and payload is not None:
        uow.specs[job_id] = spec
    return decision
