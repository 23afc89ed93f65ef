"""Commands on jobs: create one, assign an agent, match one to a job. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from contracts.resources import NewJob
from contracts.status import JobStatus
from jobstore.commands.assigning import assign_agent, create_job, match_agent
from jobstore.commands.base import Command, raise_refusal, require_agent, require_job
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.spec import is_same
from jobstore.errors import ConflictError


@dataclass(frozen=True, slots=True)
class CreateJob(Command):
    """Create a job, or return the one of this id.

    ConflictError (`job_conflict`): another job has the id. InvalidError (`unknown_agent`).
    """

    needs_spec = True
    new: NewJob
    job_id: str

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def new_job(self) -> NewJob | None:
        return self.new

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        del uow
        return (self.new.agent_id,) if self.new.agent_id else ()

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        if self.job_id in uow.jobs:
            if not is_same(uow.specs[self.job_id], self.new):
                raise ConflictError(f"another job has the id {self.job_id}", code="job_conflict")
            return uow.show_job(self.job_id)
        require_agent(uow, self.new.agent_id)
        create_job(uow, self.new, self.job_id, self.actor)
        return uow.show_job(self.job_id)


@dataclass(frozen=True, slots=True)
class AssignAgent(Command):
    """Assign an agent by hand: submissions count from 1 again. `payload` is JSON text; None keeps the job's."""

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
        require_job(uow, self.job_id)
        require_agent(uow, self.agent_id)
        raise_refusal(assign_agent(uow, self.job_id, self.agent_id, self.payload, self.actor))
        return uow.show_job(self.job_id)


@dataclass(frozen=True, slots=True)
class MatchJob(Command):
    """Match an agent to a job that waits for one. If the job has moved on from this version, do nothing."""

    needs_spec = True
    job_id: str
    version: int

    @property
    def job(self) -> str:
        return self.job_id

    def capabilities(self, uow: UnitOfWork) -> Iterable[str]:
        return uow.specs[self.job_id].capabilities if self._is_waiting(uow) else ()

    def _is_waiting(self, uow: UnitOfWork) -> bool:
        job = uow.jobs.get(self.job_id)
        return job is not None and (job.status, job.version) == (JobStatus.PENDING, self.version)

    def apply(self, uow: UnitOfWork) -> None:
        if self._is_waiting(uow):
            match_agent(uow, self.job_id)
