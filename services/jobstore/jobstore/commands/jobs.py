"""Commands on jobs: create one, assign an agent, match one to a job. Pure."""

from dataclasses import dataclass

from contracts.resources import NewJob
from jobstore.commands.assigning import assign_agent, check_creation, create_job, match_agent, read_for_creation
from jobstore.commands.base import (
    NOTHING,
    Command,
    Creation,
    Locks,
    Reads,
    check_version,
    optional,
    raise_refusal,
    require_agent,
    require_job,
)
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import JobView, UnitOfWork
from jobstore.domain.decisions import NO_ENDING
from jobstore.domain.model import Job
from jobstore.domain.spec import Spec, is_same
from jobstore.errors import ConflictError
from signoff.errors import ErrorCode
from signoff.status import JobStatus


@dataclass(frozen=True, slots=True)
class CreateJob(Creation[JobView]):
    """Create a job, or return the one of this id.

    ConflictError (`job_conflict`): another job has the id. InvalidError (`unknown_agent`, `unknown_judge_policy`,
    `unknown_criteria_set`).
    """

    new: NewJob
    job_id: str

    def locks(self) -> Locks:
        job_ids = frozenset({self.job_id})
        return Locks(jobs=job_ids, specs=job_ids, read_agents=optional(self.new.agent_id))

    def reads(self, stored: Stored) -> Reads:
        return NOTHING if self.job_id in stored.jobs else read_for_creation(self.new)

    def late_reads(self, stored: Stored) -> Reads:
        del stored
        return Reads(queues=frozenset({self.new.tenant}))  # for another command of its batch, that executes it

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.job_id in uow.jobs

    def show(self, uow: UnitOfWork) -> JobView:
        return uow.show_job(self.job_id)

    def decide(self, uow: UnitOfWork) -> JobView:
        if self.is_made(uow):
            if not is_same(uow.specs[self.job_id], self.new):
                raise ConflictError(f"another job has the id {self.job_id}", code=ErrorCode.JOB_CONFLICT)
            return self.show(uow)
        check_creation(uow, self.new)
        create_job(uow, self.new, self.job_id, self.actor)
        return self.show(uow)


@dataclass(frozen=True, slots=True)
class AssignAgent(Command[JobView]):
    """Assign an agent by hand: submissions count from 1 again. `payload` is JSON text; None keeps the job's.

    What changes nothing is accepted and not recorded, so that an assignment may be repeated.
    """

    job_id: str
    agent_id: str
    payload: str | None = None
    version: int | None = None

    def locks(self) -> Locks:
        job_ids = frozenset({self.job_id})
        return Locks(jobs=job_ids, specs=job_ids, read_agents=frozenset({self.agent_id}))

    def reads(self, stored: Stored) -> Reads:
        del stored
        return Reads(agents=frozenset({self.agent_id}))

    def decide(self, uow: UnitOfWork) -> JobView:
        job = require_job(uow, self.job_id)
        require_agent(uow, self.agent_id)
        if self._changes_nothing(job, uow.specs[self.job_id]):
            return uow.show_job(self.job_id)
        check_version("the job", job.version, self.version)
        raise_refusal(assign_agent(uow, self.job_id, self.agent_id, self.payload, self.actor))
        return uow.show_job(self.job_id)

    def _changes_nothing(self, job: Job, spec: Spec) -> bool:
        may_be_same = job.status is JobStatus.ASSIGNED and not job.live and job.agent_id == self.agent_id
        after = {**NO_ENDING, "not_met": 0, "feedback": None}
        stays = all(getattr(job, name) == value for name, value in after.items())
        return may_be_same and stays and self.payload in {None, spec.payload}


@dataclass(frozen=True, slots=True)
class MatchJob(Command[None]):
    """Match an agent to a job that waits for one. If the job has moved on from this version, do nothing."""

    job_id: str
    version: int

    def locks(self) -> Locks:
        return Locks(jobs=frozenset({self.job_id}), specs=frozenset({self.job_id}))

    def reads(self, stored: Stored) -> Reads:
        is_waiting = self._is_waiting(stored.jobs.get(self.job_id))
        return Reads(match_jobs=frozenset({self.job_id})) if is_waiting else NOTHING

    def _is_waiting(self, job: Job | None) -> bool:
        return job is not None and (job.status, job.version) == (JobStatus.PENDING, self.version)

    def decide(self, uow: UnitOfWork) -> None:
        if self._is_waiting(uow.jobs.get(self.job_id)):
            match_agent(uow, self.job_id)
