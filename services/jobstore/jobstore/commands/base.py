"""Command: something asked of the jobstore, or reported to it, as a value that decides on locked rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from contracts.resources import NewJob
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Refusal
from jobstore.errors import InvalidError, NotFoundError, RefusedError

REFUSED = "refused:"


@dataclass(frozen=True, slots=True)
class Command:
    """What the transaction must lock and load before `apply`. Errors are PermanentErrors: of this command alone."""

    needs_spec: ClassVar[bool] = False
    needs_circuit: ClassVar[bool] = False
    needs_limits: ClassVar[bool] = False

    @property
    def job(self) -> str | None:
        """The job to lock."""
        return None

    @property
    def execution(self) -> UUID | None:
        """The execution to lock."""
        return None

    @property
    def next_execution(self) -> UUID | None:
        """Another one of that job to lock, which may be requested because of this command."""
        return None

    @property
    def brings(self) -> NewJob | None:
        """A job that may be new."""
        return None

    def unstorable(self) -> "Command | None":
        """What to carry out where the database does not take this one, so that what it belongs to ends all the same."""
        return None

    def specs(self, uow: UnitOfWork) -> Iterable[str]:
        """The jobs whose texts are needed, once the rows are locked."""
        return (self.job,) if self.needs_spec and self.job in uow.jobs else ()

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        """The agents that are needed, once the rows are locked."""
        agent_id = uow.jobs[self.job].agent_id if self.needs_spec and self.job in uow.jobs else None
        return (agent_id,) if agent_id else ()

    def resubmits(self, uow: UnitOfWork) -> Iterable[str]:
        """The jobs that may be submitted again by policy, once the rows are locked."""
        del uow
        return ()

    def needs(self, uow: UnitOfWork) -> Iterable[str]:
        """The capabilities of which agents are sought, once the jobs' texts are loaded."""
        new = self.brings
        return new.capabilities if new is not None and not new.agent_id and self.job not in uow.jobs else ()

    def circuits(self, uow: UnitOfWork) -> Iterable[str]:
        """The agents whose circuits are needed, once the rows are locked."""
        if not self.needs_circuit:
            return ()
        known = uow.executions.get(self.execution) if self.execution else None
        return (known.agent_id,) if known and known.agent_id else self.agents(uow)

    def apply(self, uow: UnitOfWork) -> Any:
        """Decide on the locked rows."""
        raise NotImplementedError


def _known_job(uow: UnitOfWork, job_id: str) -> Any:
    if job_id not in uow.jobs:
        raise NotFoundError(f"no job has the id {job_id}", code="unknown_job")
    return uow.jobs[job_id]


def _known_agent(uow: UnitOfWork, agent_id: str | None) -> None:
    if agent_id is not None and agent_id not in uow.agents:
        raise InvalidError(f"no agent has the id {agent_id}", code="unknown_agent")


def _raise(decision: object) -> None:
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
