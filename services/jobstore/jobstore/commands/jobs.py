"""What people and programs ask of the jobstore, as values that apply themselves to a ledger, without I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from contracts.resources import NewJob
from contracts.status import JobStatus
from jobstore.commands.unit_of_work import AS_IT_IS, Asked, Ledger, spec_hash
from jobstore.domain.model import Execution, Kind, Refusal, Report, State
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError

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

    def specs(self, ledger: Ledger) -> Iterable[str]:
        """The jobs whose texts are needed, once the rows are locked."""
        return (self.job,) if self.needs_spec and self.job in ledger.jobs else ()

    def agents(self, ledger: Ledger) -> Iterable[str]:
        """The agents that are needed, once the rows are locked."""
        agent_id = ledger.jobs[self.job].agent_id if self.needs_spec and self.job in ledger.jobs else None
        return (agent_id,) if agent_id else ()

    def resubmits(self, ledger: Ledger) -> Iterable[str]:
        """The jobs that may be submitted again by policy, once the rows are locked."""
        del ledger
        return ()

    def needs(self, ledger: Ledger) -> Iterable[str]:
        """The capabilities of which agents are sought, once the jobs' texts are loaded."""
        new = self.brings
        return new.capabilities if new is not None and not new.agent_id and self.job not in ledger.jobs else ()

    def circuits(self, ledger: Ledger) -> Iterable[str]:
        """The agents whose circuits are needed, once the rows are locked."""
        if not self.needs_circuit:
            return ()
        known = ledger.executions.get(self.execution) if self.execution else None
        return (known.agent_id,) if known and known.agent_id else self.agents(ledger)

    def apply(self, ledger: Ledger) -> Any:
        """Decide on the locked rows."""
        raise NotImplementedError


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

    def agents(self, ledger: Ledger) -> Iterable[str]:
        del ledger
        return (self.new.agent_id,) if self.new.agent_id else ()

    def apply(self, ledger: Ledger) -> dict[str, Any]:
        if self.job_id in ledger.jobs:
            if ledger.specs[self.job_id].spec_hash != spec_hash(self.new):
                raise ConflictError(f"another job has the id {self.job_id}", code="job_conflict")
            return ledger.view(self.job_id)
        _known_agent(ledger, self.new.agent_id)
        ledger.create(self.new, self.job_id)
        return ledger.view(self.job_id)


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

    def agents(self, ledger: Ledger) -> Iterable[str]:
        del ledger
        return (self.agent_id,)

    def apply(self, ledger: Ledger) -> dict[str, Any]:
        _known_job(ledger, self.job_id)
        _known_agent(ledger, self.agent_id)
        _raise(ledger.assign(self.job_id, self.agent_id, self.payload))
        return ledger.view(self.job_id)


@dataclass(frozen=True, slots=True)
class MatchJob(Command):
    """Find an agent for a job that waited for one at this version; whatever happened since, another try decides."""

    needs_spec = True
    job_id: str
    version: int

    @property
    def job(self) -> str:
        return self.job_id

    def needs(self, ledger: Ledger) -> Iterable[str]:
        return ledger.specs[self.job_id].capabilities if self._waits(ledger) else ()

    def _waits(self, ledger: Ledger) -> bool:
        job = ledger.jobs.get(self.job_id)
        return job is not None and (job.status, job.version) == (JobStatus.PENDING, self.version)

    def apply(self, ledger: Ledger) -> None:
        if self._waits(ledger):
            ledger.match(self.job_id)


@dataclass(frozen=True, slots=True)
class ExecuteJob(Command):
    """Request an execution. An id chosen by the caller is answered once, and then always so."""

    needs_spec = True
    needs_limits = True
    job_id: str
    execution_id: UUID
    chosen: bool = False
    resubmission: bool = False
    asked: Asked = AS_IT_IS

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def execution(self) -> UUID:
        return self.execution_id

    def apply(self, ledger: Ledger) -> dict[str, Any]:
        known = ledger.executions.get(self.execution_id)
        if known is not None:
            return self._again(ledger, known)
        job = _known_job(ledger, self.job_id)
        decision: object
        if self.resubmission and job.feedback is None:
            decision = Refusal("illegal_transition", f"the job is {job.status}, not RESUBMISSION_REQUIRED")
        else:
            decision = ledger.request(self.job_id, self.execution_id, self.asked)
        if isinstance(decision, Refusal) and self.chosen:
            ledger.refuse(self.job_id, self.execution_id, REFUSED + decision.code)
        if isinstance(decision, Refusal):
            # A value, since raising would end nothing else but this command, and the refusal is kept all the same.
            raise RefusedError(decision.message, code=decision.code)
        return ledger.view(self.job_id)

    def _again(self, ledger: Ledger, known: Execution) -> dict[str, Any]:
        if known.job_id not in {self.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        if known.answer is not None and known.answer.startswith(REFUSED):
            raise RefusedError("the execution id was refused before", code=known.answer.removeprefix(REFUSED))
        if known.request_version is None:
            raise RefusedError("the execution was cancelled before it was requested", code="cancelled")
        return ledger.view(self.job_id)


@dataclass(frozen=True, slots=True)
class CreateAndExecute(Command):
    """Create a job, unless it is there, and request an execution of it: one transaction, and one answer."""

    needs_spec = True
    needs_limits = True
    creation: CreateJob
    request: ExecuteJob

    @property
    def job(self) -> str:
        return self.creation.job_id

    @property
    def execution(self) -> UUID:
        return self.request.execution_id

    @property
    def brings(self) -> NewJob:
        return self.creation.new

    def agents(self, ledger: Ledger) -> Iterable[str]:
        return {*self.creation.agents(ledger), *self.request.agents(ledger)}

    def apply(self, ledger: Ledger) -> dict[str, Any]:
        if self.execution not in ledger.executions:
            self.creation.apply(ledger)
        return self.request.apply(ledger)


@dataclass(frozen=True, slots=True)
class CancelJob(Command):
    """Cancel a job's live execution, or, by id, one that may not even have arrived yet."""

    needs_spec = True
    job_id: str | None
    execution_id: UUID | None = None
    reason: str | None = None
    requested_by: str | None = None

    @property
    def job(self) -> str | None:
        """An execution is cancelled in its own job's name, whatever the caller takes that for."""
        return self.job_id if self.execution_id is None else None

    @property
    def execution(self) -> UUID | None:
        return self.execution_id

    def apply(self, ledger: Ledger) -> dict[str, Any] | None:
        why = f": {self.reason}" if self.reason else ""
        message = f"cancelled by {self.requested_by or 'the administrator'}{why}"
        report = Report(Kind.CANCELLED, message=message, code="cancelled")
        if self.execution_id is not None:
            self._by_execution(ledger, self.execution_id, report)
            return None
        job = _known_job(ledger, self.job_id or "")
        live = ledger.executions.get(job.execution_id) if job.live and job.execution_id else None
        _raise(ledger.record(job.id, live, report))
        return ledger.view(job.id)

    def _by_execution(self, ledger: Ledger, execution_id: UUID, report: Report) -> None:
        execution = ledger.executions.get(execution_id)
        if execution is None:
            ledger.refuse(self.job_id, execution_id, "cancelled")
        elif execution.job_id not in {self.job_id or execution.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        elif execution.state is not State.DONE:
            ledger.record(execution.job_id, execution, report)


def _known_job(ledger: Ledger, job_id: str) -> Any:
    if job_id not in ledger.jobs:
        raise NotFoundError(f"no job has the id {job_id}", code="unknown_job")
    return ledger.jobs[job_id]


def _known_agent(ledger: Ledger, agent_id: str | None) -> None:
    if agent_id is not None and agent_id not in ledger.agents:
        raise InvalidError(f"no agent has the id {agent_id}", code="unknown_agent")


def _raise(decision: object) -> None:
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
