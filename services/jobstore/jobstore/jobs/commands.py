"""Commands on jobs: create or edit a job, assign an agent to it, or match an agent to it. Pure."""

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final, Generic, NamedTuple

from contracts.criteria import format_criteria, parse_stored_criteria
from contracts.resources import JobPatch, NewJob, Policy
from jobstore.agents.rules import Agents, AgentsWish, choose_usable, describe_missing, find_best
from jobstore.engine.parts import (
    NOTHING,
    Command,
    Creation,
    R_co,
    UnitOfWork,
    Wishes,
    check_version,
    merge_patch,
    optional,
    raise_refusal,
)
from jobstore.errors import ConflictError, InvalidError
from jobstore.executions.rows import record
from jobstore.jobs.model import (
    Actor,
    Decision,
    Job,
    Refusal,
    Report,
    RequestKey,
    Spec,
    TransitionKind,
    format_assignment,
    format_edit,
    hash_spec,
    is_same,
)
from jobstore.jobs.rows import Jobs, JobsWish, JobView, KeysWish, RequestKeys
from jobstore.jobs.transitions import NO_ENDING
from jobstore.judging.commands import check_criteria, check_named, check_references, read_named
from jobstore.limits.rules import QueuesWish
from jobstore.tenants.rules import Tenants, read_owner
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobStatus
from signoff.values import time_text

#: The fields of a spec that a new job has by the same names.
_ASKED: Final = [field.name for field in fields(Spec) if field.name in NewJob.model_fields]


def read_for_creation(new: NewJob, job_id: str) -> Wishes:
    """Return the wishes to create a job: for its tenant, its agent, or agents that may match, and what it names."""
    capabilities = frozenset(() if new.agent_id else new.capabilities)
    agents = AgentsWish(read=optional(new.agent_id), capabilities=capabilities)
    return (read_owner(new.tenant, job_id), agents, read_named(new.policy))


def check_creation(uow: UnitOfWork, new: NewJob, job_id: str) -> None:
    """Raise InvalidError if a new job names an unknown tenant, agent, judge policy or criteria set, or has a wrong id.

    `id_prefix`: the id is not one that may be chosen in this tenant.
    """
    tenant = uow[Tenants].resolve_owner(new.tenant, job_id)
    uow[Agents].require(new.agent_id, tenant)
    check_named(uow, new.policy, tenant)


def create_job(uow: UnitOfWork, new: NewJob, job_id: str, actor: Actor) -> Job:
    """Add a new job: ASSIGNED if it names an agent, else PENDING; then match an agent, if it names capabilities.

    InvalidError (`payload_too_large`): the job is too large.
    """
    status = JobStatus.ASSIGNED if new.agent_id else JobStatus.PENDING
    job = Job(job_id, status, 1, agent_id=new.agent_id)
    now = uow.clock.now
    asked = {name: getattr(new, name) for name in _ASKED}
    asked["acceptance_criteria"] = format_criteria(new.criteria) if new.criteria else ""
    asked["payload"] = json_text(new.payload)
    asked["tenant"] = uow[Tenants].resolve(new.tenant)
    spec = Spec(**asked, spec_hash=hash_spec(new), created_at=now, updated_at=now)
    uow[Jobs].check_size(spec)
    message = f"created, assigned to {new.agent_id}" if new.agent_id else "created"
    report = Report(TransitionKind.CREATED, request=format_assignment(spec.payload), message=message, actor=actor)
    uow[Jobs].add(job, spec, report)
    if new.capabilities and not new.agent_id:
        match_agent(uow, job_id)
    return uow[Jobs].jobs[job_id]


def match_agent(uow: UnitOfWork, job_id: str) -> None:
    """Assign to a PENDING job the best agent that has the capabilities it needs, or record which are missing."""
    spec = uow[Jobs].specs[job_id]
    candidates = choose_usable(uow[Agents].candidates.values(), spec.tenant)
    best = find_best(job_id, spec.capabilities, candidates)
    if best is None:
        message = describe_missing(spec.capabilities, candidates)
        report = Report(TransitionKind.MATCHING_FAILED, code=ErrorCode.MATCHING_FAILED, message=message)
        record(uow, job_id, None, report)
        return
    best.load += 1  # later matches of this transaction count it
    _change_agent(uow, job_id, TransitionKind.MATCHED, ErrorCode.MATCHED, best.agent_id, f"matched to {best.agent_id}")


def hand_on(uow: UnitOfWork, job_id: str, agent_id: str, reason: str) -> None:
    """Give a job to another agent, by policy. `reason` ends the message of the log entry."""
    message = f"handed on from {uow[Jobs].jobs[job_id].agent_id} to {agent_id} {reason}"
    _change_agent(uow, job_id, TransitionKind.HANDED_ON, ErrorCode.HANDED_ON, agent_id, message)


def _change_agent(
    uow: UnitOfWork, job_id: str, kind: TransitionKind, code: ErrorCode, agent_id: str, message: str
) -> None:
    request = format_assignment(uow[Jobs].specs[job_id].payload)
    report = Report(kind, agent_id=agent_id, code=code, message=message, request=request)
    record(uow, job_id, None, report)


def assign_agent(uow: UnitOfWork, job_id: str, agent_id: str, payload: str | None, actor: Actor) -> Decision | Refusal:
    """Assign an agent by hand. `payload` is JSON text that replaces the job's payload; None keeps that."""
    spec = uow[Jobs].specs[job_id]
    if payload is not None:
        spec = replace(spec, payload=payload)
        uow[Jobs].check_size(spec)
    request = format_assignment(spec.payload)
    message = f"assigned to {agent_id}"
    report = Report(TransitionKind.ASSIGNED, agent_id=agent_id, request=request, message=message, actor=actor)
    decision = record(uow, job_id, None, report)
    if isinstance(decision, Decision) and payload is not None:
        uow[Jobs].specs[job_id] = spec
    return decision


@dataclass(frozen=True, slots=True)
class CreateJob(Creation[JobView]):
    """Create a job, or return the job of this id, if that was created from an identical request.

    ConflictError (`job_conflict`): another job has the id. NotFoundError (`job_removed`): one had it. InvalidError
    (`unknown_tenant`, `unknown_agent`, `unknown_judge_policy`, `unknown_criteria_set`, `id_prefix`): as
    `check_creation` says.
    """

    new: NewJob
    job_id: str

    @property
    def adds_work(self) -> bool:
        return True

    def locks(self) -> Wishes:
        job_ids = frozenset({self.job_id})
        return (JobsWish(locked=job_ids, made=job_ids, specs=job_ids), AgentsWish(read=optional(self.new.agent_id)))

    def reads(self, uow: UnitOfWork) -> Wishes:
        # The queue is for another command of its batch, that executes it.
        queue = QueuesWish(tenants=optional(uow[Tenants].find(self.new.tenant)))
        return (queue,) if self.job_id in uow[Jobs].jobs else (*read_for_creation(self.new, self.job_id), queue)

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.job_id in uow[Jobs].jobs

    def show(self, uow: UnitOfWork) -> JobView:
        uow[Jobs].refuse_removed(self.job_id)
        return uow[Jobs].show(self.job_id)

    def decide(self, uow: UnitOfWork) -> JobView:
        uow[Jobs].refuse_removed(self.job_id)
        if self.is_made(uow):
            if not is_same(uow[Jobs].specs[self.job_id], self.new):
                raise ConflictError(f"another job has the id {self.job_id}", code=ErrorCode.JOB_CONFLICT)
            return self.show(uow)
        check_creation(uow, self.new, self.job_id)
        create_job(uow, self.new, self.job_id, self.actor)
        return self.show(uow)


@dataclass(frozen=True, slots=True)
class AssignAgent(Command[JobView]):
    """Assign an agent by hand: submissions count from 1 again. `payload` is JSON text; None keeps the job's payload.

    An assignment that changes nothing is accepted and not recorded, so that a request may be repeated.
    """

    job_id: str
    agent_id: str
    payload: str | None = None
    version: int | None = None

    def locks(self) -> Wishes:
        job_ids = frozenset({self.job_id})
        return (JobsWish(locked=job_ids, specs=job_ids), AgentsWish(read=frozenset({self.agent_id})))

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (AgentsWish(read=frozenset({self.agent_id})),)

    def decide(self, uow: UnitOfWork) -> JobView:
        job = uow[Jobs].require(self.job_id)
        uow[Agents].require(self.agent_id, uow[Jobs].specs[self.job_id].tenant)
        if self._changes_nothing(job, uow[Jobs].specs[self.job_id]):
            return uow[Jobs].show(self.job_id)
        check_version("the job", job.version, self.version)
        raise_refusal(assign_agent(uow, self.job_id, self.agent_id, self.payload, self.actor))
        return uow[Jobs].show(self.job_id)

    def _changes_nothing(self, job: Job, spec: Spec) -> bool:
        may_be_same = job.status is JobStatus.ASSIGNED and not job.live and job.agent_id == self.agent_id
        after = {**NO_ENDING, "not_met": 0, "feedback": None}
        stays = all(getattr(job, name) == value for name, value in after.items())
        return may_be_same and stays and self.payload in {None, spec.payload}


@dataclass(frozen=True, slots=True)
class MatchJob(Command[None]):
    """Match an agent to a job that waits for an agent. If the job is no longer at `version`, do nothing."""

    job_id: str
    version: int

    def locks(self) -> Wishes:
        return (JobsWish(locked=frozenset({self.job_id}), specs=frozenset({self.job_id})),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        is_waiting = self._is_waiting(uow[Jobs].jobs.get(self.job_id))
        return (AgentsWish(match_jobs=frozenset({self.job_id})),) if is_waiting else NOTHING

    def _is_waiting(self, job: Job | None) -> bool:
        return job is not None and (job.status, job.version) == (JobStatus.PENDING, self.version)

    def decide(self, uow: UnitOfWork) -> None:
        if self._is_waiting(uow[Jobs].jobs.get(self.job_id)):
            match_agent(uow, self.job_id)


@dataclass(frozen=True, slots=True)
class EditJob(Command[JobView]):
    """Change fields of a job's spec. An edit that changes nothing is accepted, so that a request may be repeated.

    RefusedError (`version_conflict`): a `version` is given, and the job is at another one.
    """

    job_id: str
    patch: JobPatch
    version: int | None = None

    def locks(self) -> Wishes:
        return (JobsWish(locked=frozenset({self.job_id}), specs=frozenset({self.job_id})),)

    def reads(self, uow: UnitOfWork) -> Wishes:
        named = read_named(self.patch.policy or Policy())
        if not self._may_be_matched(uow[Jobs].jobs.get(self.job_id)):
            return (named,)
        return (named, AgentsWish(capabilities=frozenset(self.patch.capabilities or ())))

    def _may_be_matched(self, job: Job | None) -> bool:
        return job is not None and job.status is JobStatus.PENDING and "capabilities" in self.patch.model_fields_set

    def decide(self, uow: UnitOfWork) -> JobView:
        job = uow[Jobs].require(self.job_id)
        before = uow[Jobs].specs[self.job_id]
        after = _apply(before, self.patch)
        named = self.patch.model_fields_set | {"references"}  # which new criteria drop
        changed = [name for name in sorted(named) if _field_json(before, name) != _field_json(after, name)]
        if not changed:
            return uow[Jobs].show(self.job_id)
        uow[Jobs].check_size(after)
        check_criteria(after)
        check_references(after)
        if "policy" in changed and self.patch.policy is not None:
            check_named(uow, self.patch.policy, before.tenant)
        check_version("the job", job.version, self.version)
        new, old = ({name: _field_json(spec, name) for name in changed} for spec in (after, before))
        request = format_edit(after.payload, new, old)
        message = f"edited: {', '.join(changed)}"
        report = Report(
            TransitionKind.EDITED, code=ErrorCode.EDITED, message=message, request=request, actor=self.actor
        )
        raise_refusal(record(uow, self.job_id, None, report))
        uow[Jobs].specs[self.job_id] = after
        if after.capabilities and "capabilities" in changed and self._may_be_matched(job):
            match_agent(uow, self.job_id)
        return uow[Jobs].show(self.job_id)


def _apply(before: Spec, patch: JobPatch) -> Spec:
    given = patch.model_fields_set
    if "acceptance_criteria" not in given:
        changes = merge_patch(before, patch, NewJob)
    else:
        changes = merge_patch(replace(before, references={}), patch, NewJob)
        changes.setdefault("references", {})
        criteria = patch.criteria or []
        is_same = criteria == parse_stored_criteria(before.acceptance_criteria)  # perhaps spelled otherwise
        given_text = format_criteria(criteria) if criteria else ""
        changes["acceptance_criteria"] = before.acceptance_criteria if is_same else given_text
    if "payload" in given:
        changes["payload"] = json_text(patch.payload)
    return replace(before, **changes)


def _field_json(spec: Spec, name: str) -> str:
    """Return a field of a spec as JSON text."""
    value = getattr(spec, name)
    if name == "payload":
        return str(value)
    if isinstance(value, datetime):
        return json_text(time_text(value))
    return json_text(value.model_dump(exclude_none=True) if name == "policy" else value)


class Answer(NamedTuple, Generic[R_co]):
    """The answer to a request, and whether it repeats the answer to an earlier request."""

    value: R_co
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Once(Command[Answer[R_co]]):
    """Carry out a request once for its idempotency key, or, if it has none, once for the id of what it creates.

    InvalidError (`idempotency_key_reused`): the key was used for another request. If a request fails, its key is not
    kept.
    """

    request: Creation[R_co]
    key: RequestKey | None = None

    @property
    def size(self) -> int:
        return self.request.size

    def locks(self) -> Wishes:
        locks = self.request.locks()
        return locks if self.key is None else (*locks, KeysWish(keys=frozenset({self.key})))

    def reads(self, uow: UnitOfWork) -> Wishes:
        return self.request.reads(uow)

    def decide(self, uow: UnitOfWork) -> Answer[R_co]:
        known = None if self.key is None else uow[RequestKeys].find(self.key)
        if self.key is not None and known is not None:
            if known != self.key.body_hash:
                message = "the idempotency key is that of another request: use another key"
                raise InvalidError(message, code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
            return Answer(self.request.show(uow), is_replay=True)
        is_replay = self.request.is_made(uow)
        if self.request.adds_work and not is_replay:
            uow.check_space()
        answer = self.request.decide(uow)
        if self.key is not None:
            uow[RequestKeys].keep(self.key)
        return Answer(answer, is_replay)
