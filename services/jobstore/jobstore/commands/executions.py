"""Executions: request one, or cancel one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts.resources import NewJob
from jobstore.commands.base import REFUSED, Command, _known_job, _raise
from jobstore.commands.jobs import CreateJob
from jobstore.commands.requesting import PLAIN_REQUEST, ExecutionRequest, request_execution
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Execution, ExecutionState, Refusal, Report, TransitionKind
from jobstore.errors import ConflictError, RefusedError


@dataclass(frozen=True, slots=True)
class ExecuteJob(Command):
    """Request an execution. An id chosen by the caller is answered once, and then always so."""

    needs_spec = True
    needs_limits = True
    job_id: str
    execution_id: UUID
    chosen: bool = False
    resubmission: bool = False
    asked: ExecutionRequest = PLAIN_REQUEST

    @property
    def job(self) -> str:
        return self.job_id

    @property
    def execution(self) -> UUID:
        return self.execution_id

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        known = uow.executions.get(self.execution_id)
        if known is not None:
            return self._again(uow, known)
        job = _known_job(uow, self.job_id)
        decision: object
        if self.resubmission and job.feedback is None:
            decision = Refusal("illegal_transition", f"the job is {job.status}, not RESUBMISSION_REQUIRED")
        else:
            decision = request_execution(uow, self.job_id, self.execution_id, self.asked)
        if isinstance(decision, Refusal) and self.chosen:
            uow.refuse(self.job_id, self.execution_id, REFUSED + decision.code)
        if isinstance(decision, Refusal):
            # A value, since raising would end nothing else but this command, and the refusal is kept all the same.
            raise RefusedError(decision.message, code=decision.code)
        return uow.view(self.job_id)

    def _again(self, uow: UnitOfWork, known: Execution) -> dict[str, Any]:
        if known.job_id not in {self.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        if known.answer is not None and known.answer.startswith(REFUSED):
            raise RefusedError("the execution id was refused before", code=known.answer.removeprefix(REFUSED))
        if known.request_version is None:
            raise RefusedError("the execution was cancelled before it was requested", code="cancelled")
        return uow.view(self.job_id)


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

    def agents(self, uow: UnitOfWork) -> Iterable[str]:
        return {*self.creation.agents(uow), *self.request.agents(uow)}

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        if self.execution not in uow.executions:
            self.creation.apply(uow)
        return self.request.apply(uow)


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

    def apply(self, uow: UnitOfWork) -> dict[str, Any] | None:
        why = f": {self.reason}" if self.reason else ""
        message = f"cancelled by {self.requested_by or 'the administrator'}{why}"
        report = Report(TransitionKind.CANCELLED, message=message, code="cancelled")
        if self.execution_id is not None:
            self._by_execution(uow, self.execution_id, report)
            return None
        job = _known_job(uow, self.job_id or "")
        live = uow.executions.get(job.execution_id) if job.live and job.execution_id else None
        _raise(uow.record(job.id, live, report))
        return uow.view(job.id)

    def _by_execution(self, uow: UnitOfWork, execution_id: UUID, report: Report) -> None:
        execution = uow.executions.get(execution_id)
        if execution is None:
            uow.refuse(self.job_id, execution_id, "cancelled")
        elif execution.job_id not in {self.job_id or execution.job_id, ""}:
            raise ConflictError("the execution id is another job's", code="execution_conflict")
        elif execution.state is not ExecutionState.DONE:
            uow.record(execution.job_id, execution, report)
