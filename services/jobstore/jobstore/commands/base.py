"""Command: a request to the jobstore, or a report, as a value that decides on locked rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from contracts.resources import NewJob
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.domain.model import Job, Refusal
from jobstore.errors import InvalidError, NotFoundError, RefusedError

#: Begins the answer of an execution id that was refused; the code follows.
REFUSED = "refused:"


@dataclass(frozen=True, slots=True)
class Command:
    """Say what the transaction must lock and load, and then decide.

    The runner asks in this order: `needs_limits`; `job`, `execution`, `followed`; then, with the rows locked,
    `specs`, `agents` and `resubmits`; with those loaded, `capabilities`, `new_job` and `circuits`; then `apply`.
    `needs_spec` asks for the job's spec and agent, `needs_circuit` for the circuit of the agent that is called, and
    `needs_limits` for the limits lock, under which executions are requested and claimed. `actor` asked for it.
    """

    actor: Actor = field(default=SIGNOFF, kw_only=True)

    needs_spec: ClassVar[bool] = False
    needs_circuit: ClassVar[bool] = False
    needs_limits: ClassVar[bool] = False

    @property
    def job(self) -> str | None:
        """The id of the job to lock."""
        return None

    @property
    def execution(self) -> UUID | None:
        """The id of the execution to lock, and of its job where `job` is None."""
        return None

    @property
    def followed(self) -> UUID | None:
        """The id of an execution whose next one by policy this command may request: that is locked, too."""
        return None

    @property
    def new_job(self) -> NewJob | None:
        """The job that this command may create."""
        return None

    def specs(self, uow: UnitOfWork) -> Iterable[str]:
        """Return the ids of jobs whose specs `apply` needs."""
        return (self.job,) if self.needs_spec and self.job in uow.jobs else ()

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        """Return the ids of agents that `apply` needs."""
        agent_id = uow.jobs[self.job].agent_id if self.needs_spec and self.job in uow.jobs else None
        return (agent_id,) if agent_id else ()

    def resubmits(self, uow: UnitOfWork) -> Iterable[str]:
        """Return the ids of jobs that may be submitted again by policy, for which histories and limits are needed."""
        del uow
        return ()

    def capabilities(self, uow: UnitOfWork) -> Iterable[str]:
        """Return the capabilities for which an agent may be matched."""
        new = self.new_job
        return new.capabilities if new is not None and not new.agent_id and self.job not in uow.jobs else ()

    def circuits(self, uow: UnitOfWork) -> Iterable[str]:
        """Return the ids of agents whose circuits are to be locked."""
        if not self.needs_circuit:
            return ()
        execution = uow.executions.get(self.execution) if self.execution else None
        return (execution.agent_id,) if execution and execution.agent_id else self.agents(uow)

    def apply(self, uow: UnitOfWork) -> Any:
        """Decide on the locked rows, and return the result. A PermanentError fails this command alone."""
        raise NotImplementedError


def require_job(uow: UnitOfWork, job_id: str) -> Job:
    """Return a locked job. Raise NotFoundError (`unknown_job`) if there is none."""
    if job_id not in uow.jobs:
        raise NotFoundError(f"no job has the id {job_id}", code="unknown_job")
    return uow.jobs[job_id]


def require_agent(uow: UnitOfWork, agent_id: str | None) -> None:
    """Raise InvalidError (`unknown_agent`) if an agent is named that is not registered."""
    if agent_id is not None and agent_id not in uow.agents:
        raise InvalidError(f"no agent has the id {agent_id}", code="unknown_agent")


def raise_refusal(decision: object) -> None:
    """Raise a refusal as RefusedError with its code; accept anything else."""
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
