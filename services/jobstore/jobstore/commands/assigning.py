"""Create a job, and give it to an agent: by hand, by its capabilities, or from one agent to the next."""

from dataclasses import replace

from contracts.jsontext import json_text
from contracts.resources import NewJob
from contracts.status import JobLogStatus, JobStatus
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.matching import best, missing
from jobstore.domain.model import (
    Decision,
    Job,
    LogEntry,
    Refusal,
    Report,
    TransitionKind,
)
from jobstore.domain.spec import Spec, assignment, spec_hash


def create_job(uow: UnitOfWork, new: NewJob, job_id: str) -> Job:
    """Add a new job, ASSIGNED with an agent; PENDING without, and matched at once where it says to whom."""
    status = JobStatus.ASSIGNED if new.agent_id else JobStatus.PENDING
    job = Job(job_id, status, 1, agent_id=new.agent_id)
    now = uow.clock.now
    uow.jobs[job_id] = job
    uow.specs[job_id] = Spec(
        new.title,
        new.description,
        new.acceptance_criteria,
        json_text(new.payload),
        new.priority,
        new.tenant,
        new.labels,
        new.policy,
        new.capabilities,
        new.not_before,
        spec_hash(new),
        now,
        now,
    )
    uow.new_jobs.add(job_id)
    message = f"created, assigned to {new.agent_id}" if new.agent_id else "created"
    report = Report(TransitionKind.CREATED, request=assignment(uow.specs[job_id].payload), message=message)
    uow.recorded[TransitionKind.CREATED] += 1
    uow.entries.append(LogEntry(job, JobLogStatus(status), report, None))
    if new.capabilities and not new.agent_id:
        match_agent(uow, job_id)
    return uow.jobs[job_id]


def match_agent(uow: UnitOfWork, job_id: str) -> None:
    """Find an agent for a job that waits for one, or say what is missing."""
    spec = uow.specs[job_id]
    found = best(job_id, spec.capabilities, uow.candidates.values())
    if found is None:
        why = missing(spec.capabilities, uow.candidates.values())
        uow.record(job_id, None, Report(TransitionKind.MATCHING_FAILED, code="matching_failed", message=why))
        return
    found.load += 1
    _hand_over(uow, job_id, TransitionKind.MATCHED, found.agent_id, f"matched to {found.agent_id}")


def hand_on(uow: UnitOfWork, job_id: str, agent_id: str, why: str) -> None:
    """Give the job of one agent to another."""
    _hand_over(
        uow,
        job_id,
        TransitionKind.HANDED_ON,
        agent_id,
        f"handed on from {uow.jobs[job_id].agent_id} to {agent_id} {why}",
    )


def _hand_over(uow: UnitOfWork, job_id: str, kind: TransitionKind, agent_id: str, message: str) -> None:
    request = assignment(uow.specs[job_id].payload)
    report = Report(kind, agent_id=agent_id, code=kind.value, message=message, request=request)
    uow.record(job_id, None, report)


def assign_agent(uow: UnitOfWork, job_id: str, agent_id: str, payload: str | None) -> Decision | Refusal:
    """Assign an agent by hand, with another payload where one is given."""
    spec = uow.specs[job_id]
    text = spec.payload if payload is None else payload
    message = f"assigned to {agent_id}"
    report = Report(TransitionKind.ASSIGNED, agent_id=agent_id, request=assignment(text), message=message)
    decision = uow.record(job_id, None, report)
    if isinstance(decision, Decision) and payload is not None:
        uow.payloads[job_id] = payload
        uow.specs[job_id] = replace(spec, payload=payload)
    return decision
