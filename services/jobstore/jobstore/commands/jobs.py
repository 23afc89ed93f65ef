"""What people and programs ask of the jobstore, as values that apply themselves to a unit of work, without I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.resources import NewJob
from contracts.status import JobStatus
from jobstore.commands.assigning import assign_agent, create_job, match_agent
from jobstore.commands.base import Command, _known_agent, _known_job, _raise
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.spec import spec_hash
from jobstore.errors import ConflictError


@dataclass(frozen=True, slots=True)
class CreateJob(Command):
    """A new job; the same one again is answered with what is there."""

    needs_spec = True
    new: NewJob
    job_id: str

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def brings(self) -> NewJob | None:
        return self.new

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        del uow
        return (self.new.agent_id,) if self.new.agent_id else ()

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        if self.job_id in uow.jobs:
            if uow.specs[self.job_id].spec_hash != spec_hash(self.new):
                raise ConflictError(f"another job has the id {self.job_id}", code="job_conflict")
            return uow.view(self.job_id)
        _known_agent(uow, self.new.agent_id)
        create_job(uow, self.new, self.job_id)
        return uow.view(self.job_id)


@dataclass(frozen=True, slots=True)
class AssignAgent(Command):
    """Assign an agent by hand: submissions count from 1 again. `payload` is JSON text."""

    needs_spec = True
    job_id: str
    agent_id: str
    payload: str | None = None

    @property
    def job(self) -> str:
        return self.job_id

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        del uow
        return (self.agent_id,)

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        _known_job(uow, self.job_id)
        _known_agent(uow, self.agent_id)
        _raise(assign_agent(uow, self.job_id, self.agent_id, self.payload))
        return uow.view(self.job_id)


@dataclass(frozen=True, slots=True)
class MatchJob(Command):
    """Find an agent for a job that waited for one at this version; whatever happened since, another try decides."""

    needs_spec = True
    job_id: str
    version: int

    @property
    def job(self) -> str:
        return self.job_id

    def needs(self, uow: UnitOfWork) -> Iterable[str]:
        return uow.specs[self.job_id].capabilities if self._waits(uow) else ()

    def _waits(self, uow: UnitOfWork) -> bool:
        job = uow.jobs.get(self.job_id)
        return job is not None and (job.status, job.version) == (JobStatus.PENDING, self.version)

    def apply(self, uow: UnitOfWork) -> None:
        if self._waits(uow):
            match_agent(uow, self.job_id)
